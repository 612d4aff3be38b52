"""The data-health page: what the lake holds, how fresh it is, and what the quality checks found."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

ALL = "all"
SEVERE = {"severe": ("✗", "bad"), "error": ("✗", "bad"), "warning": ("–", "warn"), "info": ("·", "")}
MOST = 200
"""Findings in the table at most."""


@guarded
def health_page(config: Config) -> ipywidgets.Widget:
    """Return the page of the lake's data."""
    import ipywidgets as w

    held, findings, snapshot = _read(config)
    if not held:
        return parts.missing("The lake is empty: <code>tapebook ingest sample</code> fills it.")
    address = Address()
    symbol = address.keep("symbol", parts.choice("symbol", [ALL, *sorted({str(r["symbol"]) for r in held})]))
    levels = [ALL, *dict.fromkeys(str(row["severity"]) for row in findings)]
    severity = address.keep("severity", parts.choice("severity", levels))
    told = w.HTML()

    def show(_: Any = None) -> None:
        some = [
            row
            for row in findings
            if symbol.value in (ALL, row["symbol"]) and severity.value in (ALL, row["severity"])
        ]
        told.value = look.page(f"<h2>Findings of the quality checks ({len(some):,})</h2>", _findings(some))

    for control in (symbol, severity):
        control.observe(show, "value")
    show()
    newest = max(str(row["last"])[:10] for row in held)
    head = look.page(
        "<h1>Data health</h1>",
        f'<p class="muted">data to {newest}, snapshot {snapshot}</p>',
        look.cards(
            [
                ("symbols", f"{len({row['symbol'] for row in held}):,}"),
                ("bars", f"{sum(row['bars'] for row in held):,}"),
                ("newest bar", newest),
                ("findings", f"{len(findings):,}"),
            ]
        ),
    )
    names = [n for n in ("symbol", "freq", "first", "last", "bars", "source", "calendar") if n in held[0]]
    table = parts.html("<h2>What there is</h2>", parts.table(held, names, look.plain))
    chart = parts.boxed(figures.widget(_spans(held)))
    return w.VBox(
        [w.HTML(look.style() + head), address, chart, table, parts.controls(symbol, severity), told]
    )


def _read(config: Config) -> tuple[list[dict[str, Any]], list[dict[str, Any]], int | None]:
    """What the lake holds, what the checks found, and the snapshot that says so."""
    from tapebook.data.lake import Lake
    from tapebook.errors import NoData

    lake = Lake.open(config, read_only=True)
    try:
        snapshot = lake.snapshot()
        held = lake.listing().to_dict("records")
        findings = lake.quality().to_dict("records")
    except NoData:
        return [], [], None
    finally:
        lake.close()
    return [_named(row) for row in held], [_named(row) for row in findings], snapshot


def _named(row: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in row.items()}


def _spans(held: list[dict[str, Any]]) -> dict[str, Any]:
    """From when to when each symbol has bars; the later the end, the fresher."""
    data = [
        {
            "type": "scatter", "mode": "lines+markers", "showlegend": False, "name": str(row["symbol"]),
            "line": {"width": 6, "color": "#0072B2"}, "marker": {"size": 9},
            "x": [str(row["first"])[:10], str(row["last"])[:10]], "y": [row["symbol"], row["symbol"]],
            "hovertemplate": f"{escape(str(row['symbol']))}, {row['bars']:,} bars: %{{x}}<extra></extra>",
        }
        for row in held[:60]
    ]  # fmt: skip
    layout = {
        "title": {"text": "Bars of each symbol, from the first to the last"},
        "height": 120 + 26 * min(len(held), 60),
        "xaxis": {"type": "date", "title": {"text": "date"}},
        "yaxis": {"type": "category", "title": {"text": "symbol"}, "autorange": "reversed"},
    }
    return {"data": data, "layout": layout}


def _findings(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    cells = []
    for row in rows[:MOST]:
        sign, kind = SEVERE.get(str(row["severity"]), ("·", ""))
        level = f'<span class="outcome {kind}">{sign} {escape(str(row["severity"]))}</span>'
        said = (escape(look.plain(row.get(n))) for n in ("symbol", "check_name", "ts", "detail"))
        symbol, check, ts, detail = said
        cells.append((symbol, level, check, ts, detail))
    more = f'<p class="muted">and {len(rows) - MOST:,} more</p>' if len(rows) > MOST else ""
    return look.table(("symbol", "severity", "check", "when", "what was found"), cells) + more
