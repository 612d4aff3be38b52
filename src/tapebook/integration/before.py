"""What the lake has of some symbols before new bars land; what is new beside it, and what is odd about both.

Bars of a day or longer are judged with their whole history. Of shorter ones, of which there may be millions,
only the last stretch before the new ones is read again: what was found before it stays as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tapebook.data import quality
from tapebook.integration.incoming import Batch, once
from tapebook.integration.stretch import CONTEXT, joined, whole_again
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.lake import Lake

ACTIONS = ("split", "dividend")


@dataclass(frozen=True)
class Before:
    """What came of some symbols (`bars`, a stamp of which may be there twice; `actions`), and what is there.

    `stored` has the lake's bars from a moment on that lies before all that came; `partly` are the symbols
    of which it leaves earlier ones out. Columns: symbol, ts and the fields.
    """

    freq: Frequency
    calendars: Mapping[str, str]
    bars: pl.DataFrame
    actions: pl.DataFrame
    stored: pl.DataFrame
    paid: pl.DataFrame
    found: pl.DataFrame
    partly: frozenset[str]

    def news(self) -> dict[str, tuple[int, int, int]]:
        """By symbol: how many bars the lake lacks, how many it has otherwise, and actions of either kind."""
        added, changed = _news(once(self.bars), self.stored, FIELDS)
        more, other = _news(self.actions, self.paid, ACTIONS)
        return {
            symbol: (
                added.get(symbol, 0),
                changed.get(symbol, 0),
                more.get(symbol, 0) + other.get(symbol, 0),
            )
            for symbol in self.calendars
        }

    def findings(self) -> pl.DataFrame:
        """All that is odd about the bars as they will be, also what was found earlier and still holds."""
        import polars as pl

        bars, actions = _over(self.stored, self.bars), _over(self.paid, self.actions)
        found = quality.check_all(bars, freq=self.freq, calendars=self.calendars, actions=actions)
        if self.partly:
            found = found.with_columns(pl.col("symbol").cast(bars.schema["symbol"]))
            both = (self.stored, self.bars, bars, found, self.found)
            found = joined(self.partly, *both, self.freq, self.calendars)
        return found.with_columns(pl.col("symbol").cast(pl.String))


def before(lake: Lake, batch: Batch) -> Before:
    """Read what the lake has beside what came."""
    import polars as pl

    freq = Frequency.parse(batch.each[0].landed.freq)
    calendars = {one.landed.symbol: one.fetched.instrument.calendar for one in batch.each}
    names = pl.Enum(sorted(calendars))  # numbers compare many times faster than names
    bars = batch.bars.select(pl.col("symbol").cast(names), "ts", *FIELDS)
    actions = batch.actions.with_columns(pl.col("symbol").cast(names))
    since = _since(bars, freq, calendars) if freq.intraday and len(bars) else None
    stored, paid, found = _stored(lake, names, freq, since)
    partly: set[str] = set()
    if since is not None:
        whole = whole_again(stored, bars, found, list(calendars))
        partly = calendars.keys() - whole
        if whole:
            all_of, _, _ = _stored(lake, names, freq, None, sorted(whole))
            stored = pl.concat([stored.filter(~pl.col("symbol").is_in(list(whole))), all_of])
    return Before(freq, calendars, bars, actions, stored, paid, found, frozenset(partly))


def _since(bars: pl.DataFrame, freq: Frequency, calendars: Mapping[str, str]) -> datetime:
    """A moment about `CONTEXT` bars before the first that came, on the calendar with the fewest."""
    from tapebook.data.calendar import expected_bars

    first: datetime = bars["ts"].min()  # type: ignore[assignment]
    days = 10
    while True:
        begin = first - timedelta(days=days)
        found = [expected_bars(calendar, freq, begin, first) for calendar in set(calendars.values())]
        if days > 4_000 or all(len(stamps) > CONTEXT for stamps in found):
            return min((s[-CONTEXT - 1].to_pydatetime() for s in found if len(s) > CONTEXT), default=begin)
        days *= 2


def _stored(
    lake: Lake, names: pl.Enum, freq: Frequency, since: datetime | None, symbols: Sequence[str] = ()
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    import polars as pl

    tables = lake.stored(symbols or names.categories.to_list(), freq, since=since)
    columns = [pl.col("ts").cast(pl.Datetime("us", "UTC")), pl.col("symbol").cast(names)]
    bars, actions, found = (table.with_columns(columns) for table in tables)
    return bars, actions, found


def _over(old: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Rows as they will be: new ones in the place of old ones, symbol by symbol, sorted by ts."""
    import polars as pl

    if not len(old):
        return new if _sorted(new) else new.sort("symbol", "ts", maintain_order=True)
    if not len(new):
        return old.select(new.columns).sort("symbol", "ts", maintain_order=True)
    old, late = old.select(new.columns), pl.col("ts") >= new["ts"].min()
    kept = old.filter(late).join(new, on=["symbol", "ts"], how="anti")
    return pl.concat([old.filter(~late.fill_null(False)), kept, new]).sort(
        "symbol", "ts", maintain_order=True
    )


def _sorted(rows: pl.DataFrame) -> bool:
    """Whether rows come symbol by symbol, each sorted by ts."""
    runs = rows["symbol"].rle().struct.unnest()
    if runs["value"].n_unique() < len(runs):
        return False
    falls = (rows["ts"].diff().dt.total_microseconds() < 0).fill_null(False).arg_true()
    return set(falls.to_list()) <= set(runs["len"].cum_sum().to_list())


def _news(
    new: pl.DataFrame, old: pl.DataFrame, fields: Sequence[str]
) -> tuple[dict[str, int], dict[str, int]]:
    """By symbol: rows that the old ones lack, and rows that are otherwise there."""
    import polars as pl

    if not len(old) or not len(new):
        return _counted(new), {}
    here = old.filter(pl.col("ts") >= new["ts"].min()).with_columns(pl.lit(True).alias("met"))
    met = new.join(here, on=["symbol", "ts"], how="left", suffix="_old")
    differs = pl.any_horizontal(*[pl.col(n).ne_missing(pl.col(f"{n}_old").fill_nan(None)) for n in fields])
    return (
        _counted(met.filter(pl.col("met").is_null())),
        _counted(met.filter(pl.col("met").is_not_null() & differs)),
    )


def _counted(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by("symbol").len().iter_rows())
