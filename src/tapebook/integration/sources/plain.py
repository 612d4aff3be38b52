"""Rows of many symbols that are as they should be, made bars of at once; what is odd is left to `bars_of`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

PRICES = FIELDS[:4]


def blocks(names: Sequence[str], counts: Mapping[str, int], size: int) -> Iterator[list[str]]:
    """Neighbouring symbols that have about `size` rows together."""
    block: list[str] = []
    rows = 0
    for name in names:
        if block and rows + counts[name] > size:
            yield block
            block, rows = [], 0
        block.append(name)
        rows += counts[name]
    if block:
        yield block


def plain_bars(
    rows: pl.DataFrame, names: Sequence[str], freq: Frequency, zone: ZoneInfo | None
) -> tuple[pl.DataFrame, set[str]]:
    """Bars of `names` as `Lot` has them, and the symbols among them that have anything odd.

    Odd is a row without a stamp or with one that its zone does not decide, a bar without a close, and a
    stamp that is there twice. What is missing or infinite becomes null, a row without any price is no bar,
    as in `bars_of`.

    Parameters
    ----------
    rows : polars frame
        symbol, ts (a date or a time) and numbers; in any order.
    """
    import polars as pl

    missing = [pl.lit(None, pl.Float64).alias(name) for name in FIELDS if name not in rows.columns]
    rows = rows.filter(pl.col("symbol").is_in(names)) if rows["symbol"].n_unique() > len(names) else rows
    rows = rows.with_columns(missing).with_columns(*stamp(rows.schema["ts"], freq, zone), *_numbers())
    rows = rows.select("symbol", "ts", "odd", *FIELDS).filter(
        pl.any_horizontal(pl.col(name).is_not_null() for name in PRICES)
    )
    rows = rows if _rising(rows) else rows.sort("symbol", "ts", maintain_order=True)
    twice = (pl.col("ts") == pl.col("ts").shift(1)) & (pl.col("symbol") == pl.col("symbol").shift(1))
    wrong = pl.col("odd") | pl.col("ts").is_null() | pl.col("close").is_null() | twice.fill_null(False)
    odd = set(rows.filter(wrong)["symbol"].to_list())
    bars = rows.filter(~pl.col("symbol").is_in(odd)) if odd else rows
    return bars.drop("odd"), odd


def stamp(kind: pl.DataType, freq: Frequency, zone: ZoneInfo | None) -> list[pl.Expr]:
    """`ts` as `Columns.stamp` makes it, and `odd` where it would refuse or ponder."""
    import polars as pl

    utc, named, ts = pl.Datetime("us", "UTC"), str(zone or "UTC"), pl.col("ts")
    no = pl.lit(False).alias("odd")
    if kind == pl.Date:
        return [ts.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias("ts"), no]
    aware = getattr(kind, "time_zone", None) is not None
    if freq.intraday:
        if aware:
            return [ts.dt.convert_time_zone("UTC").cast(utc).alias("ts"), no]
        there = ts.dt.replace_time_zone(named, ambiguous="null", non_existent="null")
        return [there.dt.convert_time_zone("UTC").cast(utc).alias("ts"), no]
    local = ts.dt.convert_time_zone(named) if aware else ts
    wall = local.dt.replace_time_zone(None).cast(pl.Datetime("us"))
    day = wall.dt.truncate("1d")
    unsure = (wall.dt.hour() + wall.dt.minute() > 0) if aware and zone is None else pl.lit(False)
    return [day.dt.replace_time_zone("UTC").alias("ts"), unsure.alias("odd")]


def cut(bars: pl.DataFrame, starts: Mapping[str, datetime | None], end: datetime | None) -> pl.DataFrame:
    """Bars from each symbol's own start to `end`, both included."""
    import polars as pl

    if end is not None:
        bars = bars.filter(pl.col("ts") <= end)
    begins = set(starts.values())
    if len(begins) == 1:
        (begin,) = begins
        return bars if begin is None else bars.filter(pl.col("ts") >= begin)
    table = pl.DataFrame(
        {"symbol": list(starts), "begin": list(starts.values())},
        schema={"symbol": pl.String, "begin": pl.Datetime("us", "UTC")},
    )
    both = bars.join(table, on="symbol", how="left", maintain_order="left")
    return both.filter(pl.col("begin").is_null() | (pl.col("ts") >= pl.col("begin"))).drop("begin")


def _numbers() -> list[pl.Expr]:
    import polars as pl

    numbers = {name: pl.col(name).cast(pl.Float64) for name in FIELDS}
    return [pl.when(number.is_finite()).then(number).alias(name) for name, number in numbers.items()]


def _rising(rows: pl.DataFrame) -> bool:
    """Whether rows come symbol by symbol in the order of their names, each with rising stamps."""
    import polars as pl

    symbol, ts = pl.col("symbol"), pl.col("ts")
    before = symbol.shift(1)
    fits = (before < symbol) | ((before == symbol) & (ts.shift(1) < ts))
    return bool(rows.select(fits.fill_null(False).slice(1).all()).item())
