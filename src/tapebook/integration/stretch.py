"""Findings on long series of short bars: the last stretch is judged again, what lies before is kept.

A stretch begins where nothing reaches over: a bar that traded, at other prices than the one before. What is
counted over the whole series (bars while the exchange is closed) is carried on. One thing differs from
judging the whole again: a move is unusual beside those of the stretch and not beside those of all years.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tapebook.data.quality_bars import as_before
from tapebook.data.quality_calendar import closed, strangers
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

CONTEXT = 2_000
"""Bars before the new ones that are read again: about five days of minutes."""
MARGIN = 64
"""Bars on either side that a finding looks at, and some more."""


def whole_again(
    stored: pl.DataFrame, bars: pl.DataFrame, found: pl.DataFrame, symbols: Sequence[str]
) -> set[str]:
    """Symbols to be judged as a whole: few bars before the new ones, or most bars beside their places."""
    import polars as pl

    first = bars.group_by("symbol").agg(pl.col("ts").min().alias("first"))
    counts = stored.join(first, on="symbol").filter(pl.col("ts") < pl.col("first")).group_by("symbol").len()
    enough = {name for name, count in counts.iter_rows() if count > 4 * MARGIN}
    beside = found.filter((pl.col("check_name") == "off_calendar") & (pl.col("severity") == "warning"))
    return {name for name in symbols if name not in enough} | set(beside["symbol"]) & set(symbols)


def joined(
    partly: frozenset[str],
    stored: pl.DataFrame,
    came: pl.DataFrame,
    bars: pl.DataFrame,
    judged: pl.DataFrame,
    found: pl.DataFrame,
    freq: Frequency,
    calendars: Mapping[str, str],
) -> pl.DataFrame:
    """Put the findings on each stretch behind those that were there before it.

    Parameters
    ----------
    stored, came, bars : polars frame
        symbol, ts and the fields: what the lake has of the stretches, what came, and both as they will be.
    judged, found : polars frame
        Findings on `bars`, and those that the lake holds.
    """
    import polars as pl

    begins = _begins(bars, came, partly)
    edges = pl.DataFrame(
        {"symbol": list(begins), "edge": list(begins.values())},
        schema={"symbol": bars.schema["symbol"], "edge": pl.Datetime("us", "UTC")},
    )
    counted = pl.col("check_name") == "off_calendar"
    after = judged.join(edges, on="symbol", how="left")
    after = after.filter(pl.col("edge").is_null() | ~counted & (pl.col("ts") >= pl.col("edge")))
    earlier = found.join(edges, on="symbol").filter(~counted & (pl.col("ts") < pl.col("edge")))
    outside = _outside(begins, stored, judged.filter(counted), found.filter(counted), freq, calendars)
    parts = [earlier.drop("edge"), after.drop("edge"), outside]
    return pl.concat([part.select(judged.columns) for part in parts]).sort(
        "symbol", "ts", "check_name", maintain_order=True
    )


def _begins(bars: pl.DataFrame, came: pl.DataFrame, partly: frozenset[str]) -> dict[str, object]:
    """When each stretch begins: the last bar well before the new ones that no run of bars reaches over."""
    import polars as pl

    first = dict(came.group_by("symbol").agg(pl.col("ts").min()).iter_rows())
    begins: dict[str, object] = {}
    for (name,), rows in bars.partition_by("symbol", as_dict=True).items():
        if name in partly:
            values = {field: rows[field].to_numpy() for field in FIELDS}
            free = ~as_before(values, np.array([0])) & (values["volume"] != 0)
            last = int(rows["ts"].search_sorted(first[name])) - MARGIN
            spots = np.flatnonzero(free[MARGIN:last])
            begins[str(name)] = rows["ts"][int(spots[-1] if len(spots) else 0) + MARGIN]
    return begins


def _outside(
    begins: Mapping[str, object],
    stored: pl.DataFrame,
    judged: pl.DataFrame,
    found: pl.DataFrame,
    freq: Frequency,
    calendars: Mapping[str, str],
) -> pl.DataFrame:
    """Carry on the count of bars while the exchange is closed: one finding for all years of a symbol."""
    import polars as pl

    now = {row["symbol"]: row for row in judged.iter_rows(named=True)}
    old = {row["symbol"]: row for row in found.iter_rows(named=True)}
    rows = []
    for name in begins:
        row, was = now.get(name), old.get(name)
        if row is not None and was is not None and row["severity"] == "info":
            stamps = (
                stored.filter(pl.col("symbol") == name)["ts"].sort().dt.replace_time_zone(None).to_numpy()
            )
            counted_before = int(strangers(stamps.astype("datetime64[us]"), freq, calendars[name]).sum())
            count = int(was["value"]) + int(row["value"]) - counted_before
            until = row["detail"].partition(" until ")[2] or f"{row['ts']:%Y-%m-%d %H:%M}".removesuffix(
                " 00:00"
            )
            row = was | {"value": float(count), "detail": closed(count, calendars[name], until)}
        if row is not None or was is not None:
            rows.append(row if row is not None else was)
    return pl.DataFrame(rows, schema=judged.schema, orient="row")
