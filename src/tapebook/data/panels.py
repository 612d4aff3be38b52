"""Bars as wide frames, read from one snapshot of the lake and adjusted as it says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.data import pivot, read
from tapebook.data.adjust import adjusted, by_calendar, moments
from tapebook.data.panel import Adjust, Bars
from tapebook.data.read import View
from tapebook.data.store import among
from tapebook.data.when import When
from tapebook.errors import BadParameter
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import pyarrow as pa


def panel(
    view: View, symbols: Sequence[str] | None, freq: Frequency, start: When, end: When, adjust: Adjust
) -> Bars:
    """Read bars; see `Lake.bars`."""
    if adjust not in ("splits", "total", False):
        raise BadParameter("adjust", adjust, '"splits", "total" or False')
    known = read.calendars(view, symbols)
    rows = read.long(view, symbols, known, freq, start, end)
    names = (
        tuple(symbols) if symbols is not None else tuple(sorted(rows.column("symbol").unique().to_pylist()))
    )
    stamps, values = pivot.widen(rows, names, freeze=False)
    if not len(stamps):
        raise read.nothing(view, symbols, freq, start, end)
    calendars = {name: known[name] for name in names}
    if adjust and not view.bare("actions"):
        found = events(view, names, freq, known, dividends=adjust == "total")
        if adjust == "total" and end is not None:
            found = with_closes(view, found, freq, stamps[-1])
        values = adjusted(values, stamps, names, found)
    index = pd.DatetimeIndex(stamps, name="ts").tz_localize("UTC")
    return Bars(pivot.frozen(values), index, names, freq, calendars, view.snapshot, adjust)


def events(
    view: View, symbols: Sequence[str], freq: Frequency, known: dict[str, str], *, dividends: bool
) -> pa.Table:
    """The actions of these symbols, and from when on they hold: see `adjust.adjusted`."""
    import pyarrow as pa

    table = _actions(view, symbols, known, dividends=dividends)
    if freq.intraday and table.num_rows:
        dates = table.column("moment").cast(pa.int64()).to_numpy().view("datetime64[us]")
        exact = moments(dates, by_calendar(table.column("symbol").to_pylist(), known))
        table = table.set_column(1, "moment", pa.array(exact).cast(pa.timestamp("us", "UTC")))
    return table


def _actions(view: View, symbols: Sequence[str], known: dict[str, str], *, dividends: bool) -> pa.Table:
    """symbol, moment, split, dividend and before (empty), sorted."""
    import polars as pl

    number = pl.lit(None, pl.Float64)
    split, dividend = pl.col("split"), pl.col("dividend")
    kept = (split != 1) | (dividend != 0) if dividends else ~split.is_in([0.0, 1.0])
    columns = [pl.col("symbol"), pl.col("ts").alias("moment"), split, dividend if dividends else number]
    found = view.plainly(
        "actions",
        read.among_rows(symbols),
        lambda rows: rows.filter(kept).select(
            *columns[:3], columns[3].alias("dividend"), number.alias("before")
        ),
    )
    if found is not None:
        return read.in_arrow(found.sort("symbol", "moment"))
    told = "dividend" if dividends else "NULL::DOUBLE AS dividend"
    condition = "split <> 1 OR dividend <> 0" if dividends else "split NOT IN (0, 1)"
    table = view.arrow(
        f"SELECT symbol, ts AS moment, split, {told}, NULL::DOUBLE AS before FROM {view.table('actions')} "
        f"WHERE {read.roughly(symbols, known)} AND ({condition}) ORDER BY symbol, ts"
    )
    return read.only(table, symbols)


def with_closes(view: View, events: pa.Table, freq: Frequency, last: np.datetime64) -> pa.Table:
    """Fill `before` for the events that follow bars later than the `last` one read."""
    symbols = events.column("symbol").unique().to_pylist()
    view.cursor.register("events", events)
    try:
        return view.arrow(
            "SELECT e.symbol, e.moment, e.split, e.dividend, b.close AS before FROM events e ASOF LEFT JOIN "
            f"(SELECT symbol, ts, close FROM {view.table('bars')} WHERE freq = '{freq}' "
            f"AND ts > '{last}+00' AND close IS NOT NULL AND {among('symbol', symbols)}) b "
            "ON e.symbol = b.symbol AND e.moment > b.ts"
        )
    finally:
        view.cursor.unregister("events")


def split_factors(view: View) -> pa.Table:
    """For the SQL table `adjusted`: symbol, intraday, moment, and the product of the splits from it on."""
    import pyarrow as pa

    calendars = read.calendars(view, None)
    splits = view.arrow(f"SELECT symbol, ts, split FROM {view.table('actions')} WHERE split NOT IN (0, 1)")
    symbols = splits.column("symbol").to_pylist()
    dates = splits.column("ts").cast(pa.int64()).to_numpy().view("datetime64[us]")
    exact = np.concatenate([dates, moments(dates, by_calendar(symbols, calendars))])
    frame = pd.DataFrame(
        {
            "symbol": pd.array(symbols * 2, dtype="str"),
            "intraday": np.repeat([False, True], len(symbols)),
            "moment": pd.DatetimeIndex(exact, tz="UTC"),
            "factor": np.tile(splits.column("split").to_numpy(), 2),
        }
    ).sort_values(["symbol", "intraday", "moment"], ascending=[True, True, False])
    frame["factor"] = frame.groupby(["symbol", "intraday"])["factor"].cumprod()
    return pa.Table.from_pandas(frame, preserve_index=False)
