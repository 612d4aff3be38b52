"""A document as XHTML, for tools that take pages as such; `image` says how one of theirs shows a picture."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from tapebook.integration.documents.document import Block, Document, Heading, Picture, Points, Table, Words


def html(document: Document, image: Callable[[Picture], str]) -> str:
    """Write what stands below the title, with the marker on its first line."""
    said = f"Kept up to date by tapebook ({document.marker}): what is written here is replaced."
    parts = [f"<p><em>{said}</em></p>", *(_block(block, image) for block in document.blocks)]
    if document.link:
        parts.append(f'<p><a href="{escape(document.link)}">Interactive report</a></p>')
    facts = (f"<li>{escape(name)}: <code>{escape(value)}</code></li>" for name, value in document.facts)
    parts.append(f"<hr/><h3>Where this comes from</h3><ul>{''.join(facts)}</ul>")
    return "\n".join(parts)


def _block(block: Block, image: Callable[[Picture], str]) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Words(text):
            return f"<p>{escape(text)}</p>"
        case Points(items):
            return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"
        case Table():
            return _table(block)
        case Picture():
            return image(block)


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = ("".join(f"<td>{escape(cell)}</td>" for cell in row) for row in table.rows)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    note = f"<p><em>{escape(table.note)}</em></p>" if table.note else ""
    return f"<table><tbody><tr>{head}</tr>{body}</tbody></table>{note}"
