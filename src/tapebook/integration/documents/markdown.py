"""A document as Markdown that Obsidian, MkDocs and GitHub read alike."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from tapebook.integration.documents.document import Block, Document, Heading, Picture, Points, Table, Words

_SPECIAL = re.compile(r"([\\`*\[\]<>~$|#]|(?<!\w)_|_(?!\w))")
_FIRST = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$|[-=+])")

Where = Callable[[Picture], str]


def markdown(document: Document, where: Where, *, title: bool = True) -> str:
    """Write it; `where` gives an image's address, "" to leave it out."""
    parts = [f"# {plain(document.title)}"] if title else []
    parts += [part for block in document.blocks if (part := _block(block, where))]
    if document.link:
        parts.append(f"[Interactive report](<{document.link.replace('>', '%3E')}>)")
    parts += ["---", *_facts(document), f"<!-- {document.marker} -->"]
    return "\n\n".join(parts) + "\n"


def front_matter(document: Document) -> str:
    """YAML head for Obsidian and MkDocs; every text is quoted as JSON, which YAML reads."""
    lines = ["---", f"title: {_quoted(document.title)}"]
    if document.date:
        lines.append(f"date: {document.date}")
    lines.append(f"tags: [{', '.join(_quoted(tag) for tag in ('tapebook', *map(_tag, document.tags)))}]")
    lines += [f"tapebook: {document.marker}", f"run: {_quoted(document.run)}", "---", ""]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Write a text so that Markdown shows it as it is.

    >>> plain("a|b *c* <d>")
    'a\\\\|b \\\\*c\\\\* \\\\<d\\\\>'
    """
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _FIRST.sub(lambda found: found[1] + found[2][:-1] + "\\" + found[2][-1], escaped)


def _tag(text: str) -> str:
    return re.sub(r"[^\w/-]+", "-", text).strip("-") or "run"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _block(block: Block, where: Where) -> str:
    match block:
        case Heading(text, level):
            return f"{'#' * level} {plain(text)}"
        case Words(text):
            return plain(text)
        case Points(items):
            return "\n".join(f"- {plain(item)}" for item in items)
        case Table():
            return "\n".join(_table(block))
        case Picture():
            address = where(block)
            return f"![{plain(block.title)}](<{address}>)" if address else ""


def _table(table: Table) -> Iterator[str]:
    yield _row(table.columns)
    yield _row(["---"] * len(table.columns), escape=False)
    for row in table.rows:
        yield _row(row)
    if table.note:
        yield from ("", f"*{plain(table.note)}*")


def _row(cells: tuple[str, ...] | list[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(plain(cell) or ' ' if escape else cell for cell in cells)} |"


def _facts(document: Document) -> Iterator[str]:
    yield "**Where this comes from**"
    yield "\n".join(f"- {plain(name)}: {_code(value)}" for name, value in document.facts)


def _code(text: str) -> str:
    """A code span that holds backticks, if there are any."""
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    room = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{room}{text}{room}{ticks}"
