"""The sweep explorer: any figure over any two settings, the others held by sliders."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_record
from tapebook.dashboards.records import Record
from tapebook.dashboards.run_page import foot
from tapebook.dashboards.stored_sweep import Stored

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

FIRST = ("sharpe", "total_return", "annual_return", "max_drawdown", "trades")
TOP = 15
"""Rows of the ranking."""


@guarded
def sweep_page(config: Config) -> ipywidgets.Widget:
    """Return the page of a sweep."""
    import ipywidgets as w

    record = asked_record(config, "sweep")
    if record is None:
        return parts.missing("There is no sweep yet: <code>tapebook run sweep</code>.")
    top = [w.HTML(look.style() + parts.head(record)), address := Address()]
    stored = Stored.read(record)
    if stored is None:
        said = "This sweep was made before combinations were stored: run it again to explore it."
        if record.template != "sweep":
            said = f"This is no sweep, but a run of {escape(record.template)}."
        return w.VBox([*top, parts.html(f"<p>{said}</p>"), *foot(record)])
    return w.VBox([*top, _explorer(stored, address, record), *foot(record)])


def _explorer(stored: Stored, address: Address, record: Record) -> Any:
    import ipywidgets as w

    names = sorted(stored.figures, key=lambda n: FIRST.index(n) if n in FIRST else len(FIRST))
    figure = address.keep("figure", parts.choice("figure", [(n.replace("_", " "), n) for n in names]))
    across = address.keep("across", parts.choice("across", stored.varied))
    up = address.keep("up", parts.choice("up", stored.varied, stored.varied[-1]))
    best = stored.best(figure.value)
    held = {
        name: parts.slider(name, [(look.plain(v), v) for v in values], best[name])
        for name, values in stored.values.items()
    }

    chart, ranking = figures.widget(_map(stored, figure.value, across.value, up.value, best)), w.HTML()

    def show(_: Any = None) -> None:
        asked = {name: control.value for name, control in held.items()}
        for name, control in held.items():
            control.layout.display = "none" if name in (across.value, up.value) else None
        chart.show(_map(stored, figure.value, across.value, up.value, asked))
        ranking.value = look.page("<h2>The highest</h2>", _ranking(stored, figure.value, record))

    for control in (figure, across, up, *held.values()):
        control.observe(show, "value")
    show()
    link = f'<p><a href="/live/strategy?run={quote(record.id)}">Equity of each setting, with sliders</a></p>'
    note = parts.html(f"<h2>Where it works</h2><p class='muted'>{stored.words}</p>{link}")
    row = parts.controls(figure, across, up, *held.values())
    return w.VBox([note, row, parts.boxed(chart), ranking])


def _map(stored: Stored, figure: str, across: str, up: str, held: dict[str, Any]) -> dict[str, Any]:
    """A heat map of a figure over two settings, or a line over one."""
    values = stored.values
    others = {name: value for name, value in held.items() if name not in (across, up)}
    known = {
        (row[across], row[up]): row[figure]
        for row in stored.table
        if all(row[name] == value for name, value in others.items())
    }
    title = figure.replace("_", " ") + "".join(f", {n} = {look.plain(v)}" for n, v in others.items())
    axis = {"type": "category", "title": {"text": across.replace("_", " ")}}
    layout: dict[str, Any] = {"title": {"text": title}, "height": 460, "xaxis": axis}
    if across == up or len(stored.varied) < 2:
        y = [known.get((x, x)) for x in values[across]]
        line = {
            "type": "scatter",
            "mode": "lines+markers",
            "x": _texts(values[across]),
            "y": y,
            "name": title,
        }
        return {"data": [line], "layout": layout | {"yaxis": {"title": {"text": figure.replace("_", " ")}}}}
    z = [[known.get((x, y)) for x in values[across]] for y in values[up]]
    heat = {
        "type": "heatmap",
        "x": _texts(values[across]),
        "y": _texts(values[up]),
        "z": z,
        "zmid": 0,
        "autocolorscale": True,
        "colorbar": {"title": {"text": figure.replace("_", " ")}},
        "hovertemplate": f"{across} %{{x}}, {up} %{{y}}: %{{z:.4g}}<extra></extra>",
    }
    return {"data": [heat], "layout": layout | {"yaxis": {"type": "category", "title": {"text": up}}}}


def _texts(values: list[Any]) -> list[str]:
    return [look.plain(value) for value in values]


def _ranking(stored: Stored, figure: str, record: Record) -> str:
    """The highest combinations; what the run's own figures have a unit of is said in it."""
    known = [
        row for row in stored.table if isinstance(row[figure], (int, float)) and row[figure] == row[figure]
    ]
    known.sort(key=lambda row: row[figure], reverse=True)
    names = [*stored.varied, figure, *(n for n in FIRST if n != figure and n in stored.table[0])]
    units = {name: record.metrics[name] for name in names if name in record.metrics}

    def cells(row: dict[str, Any]) -> dict[str, Any]:
        said = {name: look.number(units[name] | {"value": row[name]}) for name in units}
        return {name: row[name] for name in names} | said

    return parts.table(map(cells, known[:TOP]), names, look.plain, numeric=names)
