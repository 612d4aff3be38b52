"""The gallery: every run, newest first, to be filtered."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tapebook.dashboards import look
from tapebook.dashboards.records import Record, records
from tapebook.dashboards.spark import spark

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

ALL = "all"
FILTERS = ("template", "strategy", "symbol", "outcome")
SHOWN = 200
"""Runs in the table at most; the filters reach all."""
PICTURED = 50
"""Newest runs that get a picture of their equity: each costs a figure's reading, some 7 ms."""


def gallery(config: Config) -> ipywidgets.Widget:
    """Return the page: four filters and the table of the runs that pass them."""
    import ipywidgets as w

    found = records(config.reports)
    head = w.HTML(
        look.style()
        + look.page("<h1>Reports</h1>", f'<p class="muted">{_count(len(found))}, newest first</p>')
    )
    if not found:
        empty = "<p>No reports yet. Run one with <code>tapebook run backtest -p symbols=AAPL</code>.</p>"
        return w.VBox([head, w.HTML(look.page(empty))])
    chosen = {name: _choice(name, found) for name in FILTERS}
    pictures = {record.id: spark(record) for record in found[:PICTURED]}
    body = w.HTML(_table(found, pictures))

    def show(_: Any = None) -> None:
        asked = {name: control.value for name, control in chosen.items()}
        body.value = _table([record for record in found if passes(record, asked)], pictures)

    for control in chosen.values():
        control.observe(show, "value")
    controls = w.Box(list(chosen.values()))
    controls.add_class("controls")
    return w.VBox([head, controls, body])


def passes(record: Record, asked: dict[str, str]) -> bool:
    """Say whether a run has what each filter asks for."""
    return all(value == ALL or value in _values(record, name) for name, value in asked.items())


def _values(record: Record, name: str) -> tuple[str, ...]:
    if name == "symbol":
        return record.symbols
    value = str(getattr(record, name))
    return (value,) if value else ()


def _choice(name: str, found: list[Record]) -> Any:
    import ipywidgets as w

    values = sorted({value for record in found for value in _values(record, name)})
    layout = w.Layout(width="auto", min_width="200px")
    return w.Dropdown(options=[ALL, *values], description=name, layout=layout)


def _table(found: list[Record], pictures: dict[str, str]) -> str:
    if not found:
        return look.page("<p>No report has all of these. Choose “all” in one of the filters.</p>")
    rows = [_row(record, pictures.get(record.id, "")) for record in found[:SHOWN]]
    more = f'<p class="muted">and {len(found) - SHOWN} older</p>' if len(found) > SHOWN else ""
    heads = ("report", "started (UTC)", "outcome", "equity", "headline")
    return look.page(f'<div class="gallery">{look.table(heads, rows)}</div>', more)


def _row(record: Record, picture: str) -> tuple[str, ...]:
    about = " ".join(
        filter(None, (record.strategy, "on " + ", ".join(record.symbols) if record.symbols else ""))
    )
    link = f'<a href="run.ipynb?run={quote(record.id, safe="")}">{escape(record.title)}</a>'
    said = (
        record.trouble
        or _error(record)
        or " · ".join(
            f"{look.words(name)} <b>{look.number(record.metrics[name])}</b>" for name in record.headline
        )
    )
    text = said if not (record.trouble or _error(record)) else f'<span class="muted">{escape(said)}</span>'
    if record.verdict[0]:
        text += f"<br>{look.verdict(record.verdict[0])}"
    return (
        f'{link}<br><span class="muted">{escape(about or record.template)}</span>',
        escape(record.started),
        look.outcome(record.outcome),
        picture,
        text,
    )


def _error(record: Record) -> str:
    error = record.manifest.get("error")
    return f"{error.get('name', '')}: {error.get('message', '')}"[:200] if isinstance(error, dict) else ""


def _count(n: int) -> str:
    return f"{n:,} {'report' if n == 1 else 'reports'}"
