"""The forward page: reality in the cone that the backtest promised, and the ledger of decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapebook.dashboards import look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_record
from tapebook.dashboards.run_page import charts, foot

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config


@guarded
def forward_page(config: Config) -> ipywidgets.Widget:
    """Return the page of a forward test."""
    import ipywidgets as w

    record = asked_record(config, "forward_test")
    if record is None:
        return parts.missing("There is no forward test yet: <code>tapebook run forward_test</code>.")
    pieces: list[Any] = [w.HTML(look.style() + parts.head(record)), address := Address()]
    names = record.names("figures")
    pieces += [charts(record, names, address)] if names else []
    ledger = parts.rows(record, "ledger")
    pieces += [_day(ledger, address)] if ledger else []
    return w.VBox([*pieces, *foot(record)])


def _day(ledger: list[dict[str, Any]], address: Address) -> Any:
    """One entry of the ledger: what was decided that day, when it was written, and its hash."""
    import ipywidgets as w

    days = [(look.plain(row.get("ts")), number) for number, row in enumerate(ledger)]
    chosen = address.keep("entry", parts.slider("day", days, len(ledger) - 1))
    told = w.HTML()

    def show(_: Any = None) -> None:
        row = ledger[chosen.value]
        told.value = look.page(look.cards((name, look.plain(value)) for name, value in row.items()))

    chosen.observe(show, "value")
    show()
    words = "<h2>A day of the ledger</h2><p class='muted'>Written once, chained by hashes, never changed.</p>"
    return w.VBox([parts.html(words), parts.controls(chosen), told])
