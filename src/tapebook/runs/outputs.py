"""Cells of an executed notebook as HTML: words, tables, figures; never code, never an outside link."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from tapebook.runs.page_words import describe

PLOTLY = "application/vnd.plotly.v1+json"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SCRIPTS = re.compile(r"<script\b.*?</script\s*>|<link\b[^>]*>|<iframe\b.*?</iframe\s*>", re.I | re.S)
_FETCHED = re.compile(r"""\s(?:src|srcset|poster)\s*=\s*(["']?)(?:https?:)?//[^"'\s>]*\1""", re.I)
_HIDDEN = {"hide-output", "remove-cell", "injected-parameters", "parameters"}


def blocks(cells: Iterable[dict[str, Any]]) -> list[str]:
    """Return the HTML of each Markdown cell and of each output, in order, up to an error.

    Headings of what an error kept from being made would promise it.
    """
    found: list[str] = []
    for cell in cells:
        tags = set(cell.get("metadata", {}).get("tags", ()))
        if cell["cell_type"] == "markdown":
            found.append(f"<div class='words'>{_markdown()(_joined(cell['source']))}</div>")
        elif cell["cell_type"] == "code" and not tags & _HIDDEN:
            outputs = cell.get("outputs", ())
            found += [block for output in outputs if (block := _output(output))]
            if any(output["output_type"] == "error" for output in outputs):
                break
    return found


def _output(output: dict[str, Any]) -> str | None:
    kind = output["output_type"]
    if kind == "stream":
        return f"<pre class='{output.get('name', 'stdout')}'>{_text(output['text'])}</pre>"
    if kind == "error":
        trace = "\n".join(output.get("traceback", ())) or f"{output['ename']}: {output['evalue']}"
        summary = f"<summary>{_text(output['ename'])}</summary>"
        return f"<details class='error' open>{summary}<pre>{_text(trace)}</pre></details>"
    return _rich(output.get("data", {}))


def _rich(data: dict[str, Any]) -> str | None:
    if PLOTLY in data:
        figure = {"data": data[PLOTLY].get("data", []), "layout": data[PLOTLY].get("layout", {})}
        figure |= {"frames": frames} if (frames := data[PLOTLY].get("frames")) else {}
        text = json.dumps(figure).replace("<", "\\u003c")
        height = figure["layout"].get("height") or 420
        style, words = f"min-height:{int(height)}px", html.escape(describe(figure), quote=True)
        return (
            f"<figure class='chart' style='{style}' tabindex='0' role='img' aria-label='{words}'>"
            f"<script type='application/json'>{text}</script></figure>"
        )
    for mime in ("image/svg+xml", "image/png", "image/jpeg"):
        if mime in data:
            return _image(mime, _joined(data[mime]), _joined(data.get("text/plain", "")))
    if "text/html" in data:
        return f"<div class='rich'>{offline(_joined(data['text/html']))}</div>"
    if "text/markdown" in data:
        return f"<div class='words'>{_markdown()(_joined(data['text/markdown']))}</div>"
    return f"<pre>{_text(data['text/plain'])}</pre>" if "text/plain" in data else None


def _image(mime: str, data: str, said: str) -> str:
    from base64 import b64encode

    coded = b64encode(data.encode()).decode() if mime == "image/svg+xml" else data.replace("\n", "")
    return f"<figure><img alt='{html.escape(said)}' src='data:{mime};base64,{coded}'></figure>"


def offline(markup: str) -> str:
    """Take out of HTML what a browser would run, or fetch from elsewhere.

    >>> offline('<p>ok<script src="//cdn/x.js"></script><img src="https://x/y.png"></p>')
    '<p>ok<img></p>'
    """
    return _FETCHED.sub("", _SCRIPTS.sub("", markup))


@cache
def _markdown() -> Any:
    import mistune

    to_html = mistune.create_markdown(escape=True, plugins=["table", "strikethrough"])
    return lambda text: offline(str(to_html(text)))


def _joined(text: Any) -> str:
    return text if isinstance(text, str) else "".join(text)


def _text(text: Any) -> str:
    return html.escape(_ANSI.sub("", _joined(text)))
