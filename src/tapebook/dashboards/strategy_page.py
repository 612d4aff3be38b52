"""The strategy page: a tear sheet; of a sweep, with a slider for each setting over what is stored."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_record
from tapebook.dashboards.run_page import charts, foot
from tapebook.dashboards.stored_sweep import Stored

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config
    from tapebook.dashboards.records import Record

SHOWN = ("total_return", "annual_return", "sharpe", "max_drawdown", "trades", "win_rate", "exposure")
_SHARES = frozenset({"total_return", "annual_return", "max_drawdown", "win_rate", "exposure"})


@guarded
def strategy_page(config: Config) -> ipywidgets.Widget:
    """Return the page of a backtest, a portfolio or a sweep; nothing is computed that is not stored."""
    import ipywidgets as w

    record = asked_record(config)
    if record is None:
        return parts.missing("There is no report of a strategy yet: <code>tapebook run backtest</code>.")
    top = [w.HTML(look.style() + parts.head(record)), address := Address()]
    stored = Stored.read(record)
    if stored is not None:
        return w.VBox([*top, _explorer(record, stored, address), *foot(record)])
    names = record.names("figures")
    return w.VBox([*top, *([charts(record, names, address)] if names else []), *foot(record)])


def _explorer(record: Record, stored: Stored, address: Address) -> Any:
    """A slider for each setting; figures and equity of the stored combination follow."""
    import ipywidgets as w

    sliders = {}
    best = stored.best(str(record.parameters.get("metric") or "sharpe"))
    for name, values in stored.values.items():
        options = [(look.plain(value), value) for value in values]
        sliders[name] = address.keep(name, parts.slider(name, options, best.get(name)))
    numbers, chart = w.HTML(), figures.widget(stored.curve(best))

    def show(_: Any = None) -> None:
        asked = {name: control.value for name, control in sliders.items()}
        row = stored.row(asked)
        numbers.value = look.page(_numbers(row, asked, best))
        chart.show(stored.curve(asked, best))

    for control in sliders.values():
        control.observe(show, "value")
    show()
    links = f'<p><a href="/live/sweep?run={escape(record.id)}">All settings at once, as a map</a></p>'
    note = parts.html(f"<h2>Move the settings</h2><p class='muted'>{stored.words}</p>{links}")
    return w.VBox([note, parts.controls(*sliders.values()), numbers, parts.boxed(chart)])


def _numbers(row: dict[str, Any] | None, asked: dict[str, Any], best: dict[str, Any]) -> str:
    if row is None:
        return "<p>This combination was not tried: the strategy refuses it, or the search left it out.</p>"
    cards = look.cards(
        (name, look.number({"value": row.get(name), "unit": "share" if name in _SHARES else "ratio"}))
        for name in SHOWN
        if name in row
    )
    mark = " This is the best of them, chosen by hindsight." if asked == best else ""
    return cards + (f'<p class="muted">{mark}</p>' if mark else "")
