"""Many symbols from a source that reads them at once: the same that `fetch` answers of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tapebook.data.calendar import check_calendar
from tapebook.errors import TapebookError
from tapebook.integration.gap import Held, Span, finished, spans
from tapebook.integration.incoming import Incoming, nothing_new
from tapebook.integration.outcome import Landed
from tapebook.integration.sources.base import Fetched
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

    from tapebook.integration.sources.base import Lot, Many


def several(
    source: Many, names: Sequence[str], freq: Frequency, span: Span, there: Mapping[str, Held]
) -> Iterator[list[Incoming | Landed | str]]:
    """Fetch what the lake has not of `names`, lot by lot; a name alone is one that `fetch` has to ask for."""
    asked = {name: spans(there.get(name), *span) for name in names}
    single = {name: parts[0] for name, parts in asked.items() if len(parts) == 1}
    left: list[str] = [name for name in names if name not in single]
    if single:
        met: set[str] = set()
        starts = {name: start for name, (start, _) in single.items()}
        try:
            for lot in source.fetch_many(starts, freq=freq, end=span[1]):
                left += lot.alone
                met |= {*lot.alone, *lot.instruments}
                if lot.instruments:
                    yield list(_of_lot(lot, freq, there))
        except TapebookError:  # `fetch` says which symbol it is
            left += [name for name in single if name not in met]
    yield list(left)


def _of_lot(lot: Lot, freq: Frequency, there: Mapping[str, Held]) -> Iterator[Incoming | Landed | str]:
    import polars as pl

    bars, over = _over(lot, freq)
    named = bars.select("symbol", pl.lit(str(freq)).alias("freq"), "ts", *FIELDS)
    runs = bars["symbol"].rle().struct.unnest()
    sizes = dict(runs.select("value", "len").iter_rows())
    firsts = dict(zip(runs["value"], (runs["len"].cum_sum() - runs["len"]).to_list(), strict=True))
    stamps, none, length = bars["ts"], _no_actions(), str(freq)
    left_out = {} if not len(over) else dict(over.group_by("symbol").len().iter_rows())
    for name, instrument in lot.instruments.items():
        size, unfinished = int(sizes.get(name, 0)), int(left_out.get(name, 0))
        told = f"{unfinished} bar{'s' if unfinished > 1 else ''} left out: not over yet" if unfinished else ""
        if not size:
            row = Landed(name, length, "ok", reason=told)
            yield nothing_new(row, name in there, told, ())
            continue
        at = firsts[name]
        mine = named.slice(at, size)
        span = stamps[at], stamps[at + size - 1]
        row = Landed(name, length, "ok", fetched=size, first=span[0], last=span[1], reason=told)
        yield Incoming(row, mine, none, Fetched(mine, instrument))


def _over(lot: Lot, freq: Frequency) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars that are over by now, and those that a vendor is still making."""
    import polars as pl

    kept, over, now = [], [], datetime.now(UTC)
    names: dict[str, list[str]] = {}
    for name, instrument in lot.instruments.items():
        names.setdefault(check_calendar(instrument.calendar), []).append(name)
    for calendar, mine in names.items():
        bars = lot.bars if len(names) == 1 else lot.bars.filter(pl.col("symbol").is_in(mine))
        done, count = finished(bars, freq, calendar, now)
        kept.append(done)
        if count:
            over.append(bars.join(done.select("symbol", "ts"), on=["symbol", "ts"], how="anti"))
    return pl.concat(kept), pl.concat(over) if over else lot.bars.clear()


def _no_actions() -> pl.DataFrame:
    import polars as pl

    numbers = {"split": pl.Float64(), "dividend": pl.Float64()}
    return pl.DataFrame(schema={"symbol": pl.String(), "ts": pl.Datetime("us", "UTC"), **numbers})
