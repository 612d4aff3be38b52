"""What the lake has of some symbols before new bars land, and what is new beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapebook.errors import NoData
from tapebook.integration.incoming import Incoming, once
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.lake import Lake

STORED_ACTIONS = "SELECT symbol, ts, split, dividend FROM actions WHERE list_contains(?, symbol)"


@dataclass(frozen=True)
class Before:
    """Bars of one bar length, and actions, by symbol; a symbol without any is not there."""

    bars: dict[str, pl.DataFrame]
    actions: dict[str, pl.DataFrame]

    def history(self, one: Incoming) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Bars and actions of a symbol as they will be, its new ones in the place of old ones."""
        symbol = one.landed.symbol
        return (
            _over(self.bars.get(symbol), one.bars.select("ts", *FIELDS)),
            _over(self.actions.get(symbol), one.actions.drop("symbol")),
        )

    def news(self, one: Incoming) -> tuple[int, int, int]:
        """How many bars the lake has not, how many it has otherwise, and actions of either kind."""
        symbol = one.landed.symbol
        added, changed = _news(once(one.bars), self.bars.get(symbol), FIELDS)
        return added, changed, sum(_news(one.actions, self.actions.get(symbol), ("split", "dividend")))


def before(lake: Lake, symbols: Sequence[str], freq: str) -> Before:
    """Read what the lake has of these symbols."""
    import polars as pl

    known = list(lake.last(symbols, freq))
    bars = _by_symbol(pl.DataFrame(lake.read(known, freq=freq))) if known else {}
    try:
        actions = lake.sql(STORED_ACTIONS, out="arrow", parameters=[list(symbols)])
    except NoData:
        return Before(bars, {})
    return Before(bars, _by_symbol(pl.DataFrame(actions)))


def _by_symbol(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    import polars as pl

    frame = frame.with_columns(pl.col("ts").cast(pl.Datetime("us", "UTC")))
    parts = frame.partition_by("symbol", as_dict=True, include_key=False)
    return {str(key[0]): part for key, part in parts.items()}


def _over(old: pl.DataFrame | None, new: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return new if old is None else pl.concat([old.select(new.columns).join(new, on="ts", how="anti"), new])


def _news(new: pl.DataFrame, old: pl.DataFrame | None, fields: Sequence[str]) -> tuple[int, int]:
    import polars as pl

    if old is None:
        return len(new), 0
    met = new.join(old.with_columns(pl.lit(True).alias("met")), on="ts", how="left", suffix="_old")
    differs = pl.any_horizontal(*[pl.col(n).ne_missing(pl.col(f"{n}_old").fill_nan(None)) for n in fields])
    return int(met["met"].is_null().sum()), len(met.filter(pl.col("met").is_not_null() & differs))
