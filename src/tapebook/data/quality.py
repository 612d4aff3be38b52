"""What is odd about bars: findings, each with how bad it is. Nothing is repaired here.

Checked on raw prices as they came, symbol by symbol, each at the time at which the bar stands.
"severe" keeps a symbol out of the lake unless its user insists; "warning" and "info" are stored with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tapebook.data.quality_bars import CHECKS, Finding, duplicates
from tapebook.data.quality_calendar import Placed, against
from tapebook.data.quality_moves import jumps, on_record
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

SEVERITIES = ("info", "warning", "severe")
COLUMNS = ("symbol", "freq", "check_name", "severity", "ts", "value", "detail")


def check(
    bars: pl.DataFrame,
    *,
    symbol: str,
    freq: str | Frequency,
    calendar: str,
    actions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Judge one symbol's bars: ts and the five fields, in any order; see `check_all`."""
    import polars as pl

    bars = bars if bars["ts"].is_sorted() else bars.sort("ts", maintain_order=True)
    named = pl.lit(symbol).alias("symbol")
    actions = None if actions is None else actions.with_columns(named)
    return check_all(bars.with_columns(named), freq=freq, calendars={symbol: calendar}, actions=actions)


def check_all(
    bars: pl.DataFrame,
    *,
    freq: str | Frequency,
    calendars: Mapping[str, str],
    actions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Judge the bars of many symbols, each by itself.

    Parameters
    ----------
    bars : polars frame
        symbol, ts (UTC), open, high, low, close, volume; raw. Symbol after symbol, each sorted by ts;
        stamps may repeat.
    calendars : mapping
        The exchange's calendar of each symbol, against which gaps are counted.
    actions : polars frame, optional
        symbol, ts, split, dividend: all that are on record over the span of `bars`. A jump that they
        explain is none, and a split that the prices do not show is a finding.

    Returns
    -------
    polars frame
        One row a finding, with `COLUMNS`; `value` is the figure that the detail speaks of.
    """
    import polars as pl

    if not len(bars):
        return _none()
    length = Frequency.parse(freq)
    stamps = bars["ts"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    values = {name: bars[name].cast(pl.Float64).to_numpy() for name in FIELDS}  # null is NaN there
    sizes = bars["symbol"].rle().struct.unnest()
    symbols = sizes["value"].to_list()
    starts = np.concatenate([[0], sizes["len"].cast(pl.Int64).to_numpy().cumsum()[:-1]])
    places = [calendars[symbol] for symbol in symbols]
    found: list[Finding] = []
    for judge in CHECKS:
        found += judge(values, starts)
    found += duplicates(stamps, values, starts)
    paid = {} if actions is None or not len(actions) else on_record(actions, symbols, places, length)
    found += jumps(stamps, values, starts, paid)
    return _frame(found, stamps, starts, against(stamps, starts, length, places), symbols, length)


def worst(findings: pl.DataFrame) -> str:
    """Return the gravest severity among findings, "" when there are none."""
    there = set(findings["severity"].to_list())
    return next((severity for severity in reversed(SEVERITIES) if severity in there), "")


def _frame(
    found: list[Finding],
    stamps: np.ndarray,
    starts: np.ndarray,
    placed: list[tuple[int, Placed]],
    symbols: Sequence[str],
    freq: Frequency,
) -> pl.DataFrame:
    import polars as pl

    both = [*found, *(finding for _, finding in placed)]
    size = len(both)
    if not size:
        return _none()
    rows = np.array([finding[2] for finding in found], dtype=np.int64)
    moments = np.array([finding[2] for _, finding in placed], dtype="datetime64[us]")
    owners = np.concatenate(
        [np.searchsorted(starts, rows, side="right") - 1, np.array([at for at, _ in placed], dtype=np.int64)]
    )
    columns = {
        "symbol": pl.Series(list(symbols), dtype=pl.String).gather(owners),
        "freq": pl.Series([str(freq)], dtype=pl.String).new_from_index(0, size),
        "check_name": pl.Series([finding[0] for finding in both], dtype=pl.String),
        "severity": pl.Series([finding[1] for finding in both], dtype=pl.String),
        "ts": pl.Series(np.concatenate([stamps[rows], moments])).dt.replace_time_zone("UTC"),
        "value": pl.Series([finding[3] for finding in both], dtype=pl.Float64),
        "detail": pl.Series([finding[4] for finding in both], dtype=pl.String),
        "owner": pl.Series(owners),
    }
    return pl.DataFrame(columns).sort("owner", "ts", "check_name", maintain_order=True).drop("owner")


@cache
def _none() -> pl.DataFrame:
    import polars as pl

    kinds = {"ts": pl.Datetime("us", "UTC"), "value": pl.Float64()}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String()) for name in COLUMNS})
