"""A run's static page as it is served: the page on disk, a bar on top, and a policy for its scripts."""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tapebook.dashboards.assets import address
from tapebook.dashboards.body import inside
from tapebook.dashboards.gallery import freshness, live_address
from tapebook.runs.record import PAGE

POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; script-src 'self'"
)
"""What a page may load: from this server alone. Scripts in a page are named by their hashes."""
_ENDINGS = {"csv": "CSV", "parquet": "Parquet"}
_INLINE = re.compile(r"<script>(.*?)</script>", re.S)
_TRACE = re.compile(r"<details class='error'.*?</details>", re.S)
_NOTEBOOK = '<a href="notebook.ipynb">notebook.ipynb</a>'


def served(folder: Path, bar: str) -> str:
    """Return a run's page with the bar, without tracebacks and what is not served; "" if there is no page."""
    file = inside(folder, PAGE)
    if file is None:
        return ""
    text = file.read_text(encoding="utf-8").replace("../_static/", "/static/")
    text = _TRACE.sub("", text).replace(_NOTEBOOK, "its notebook")
    head = f'<link rel="icon" href="data:,"><link rel="stylesheet" href="{address("site.css")}">'
    head += f'<script src="{address("site.js")}"></script>'
    plotly = re.search(r'<script src="(/static/plotly-[\w.]+\.js)"></script>', text)
    if plotly:  # asked for with the page itself, not when its end is reached
        head += f'<link rel="preload" as="script" href="{plotly[1]}">'
    return text.replace("</head>", f"{head}</head>", 1).replace("<body>", f"<body>{bar}", 1)


def policy(page: str) -> str:
    """Return the policy of a page: our own script, at its end, by its hash; no other that is in it.

    plotly's charts of many lines need eval.
    """
    ours = _INLINE.findall(page[page.rfind("</footer>") :])
    hashes = (hashlib.sha256(script.encode()).digest() for script in ours)
    named = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return f"{POLICY} {named} 'unsafe-eval'"


def bar(summary: dict[str, Any], base: str, tables: list[str], **said: Any) -> str:
    """Return the bar on top of a page. `base` is the page's own address, `said` name, runs, late, at."""
    name, runs = said.get("name"), said.get("runs", ())
    live = live_address(summary, None if said.get("at") else name)
    links = [f'<a href="{live}">Interactive</a>']
    if name and len(runs) > 1:
        links.append(f'<a href="/{name}/history">{len(runs) - 1} earlier</a>')
    if said.get("at"):
        links.append(f'<a href="/{name}">Latest</a>')
    files = [
        f'<a href="{base}/report.pdf" {"" if said.get("pdf") else "data-print"}>PDF</a>',
        f'<a href="{base}/report.html" download>HTML, one file</a>',
    ]
    for table in tables:
        to = f"{base}/tables/{quote(table)}"
        shown = escape(table.replace("_", " "))
        files.append(f"<span>{shown}</span>")
        files += [f'<a href="{to}.{e}" download>{word}</a>' for e, word in _ENDINGS.items()]
    return (
        '<nav class="tb-bar" aria-label="report"><a href="/">← All reports</a>'
        f'<span class="grow">{freshness(summary, said.get("late"))}</span>{"".join(links)}'
        f"<details><summary>Download</summary><div>{''.join(files)}</div></details>"
        '<button type="button" data-theme-switch aria-label="light or dark">◐</button></nav>'
    )
