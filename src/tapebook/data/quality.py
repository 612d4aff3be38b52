"""What is odd about bars: findings, each with how bad it is. Nothing is repaired here.

Checked on raw prices as they came, symbol by symbol, each at the time at which the bar stands.
"severe" keeps a symbol out of the lake unless its user insists; "warning" and "info" are stored with it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from tapebook.data.quality_bars import CHECKS, Finding, duplicates
from tapebook.data.quality_calendar import Placed, against
from tapebook.data.quality_moves import jumps
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
    """Judge one symbol's bars.

    Parameters
    ----------
    bars : polars frame
        ts (UTC), open, high, low, close, volume; raw; in any order, stamps may repeat.
    calendar : str
        The exchange's, against which gaps are counted.
    actions : polars frame, optional
        ts, split, dividend: all that are on record over the span of `bars`. A jump that they explain
        is none, and a split that the prices do not show is a finding.

    Returns
    -------
    polars frame
        One row a finding, with `COLUMNS`; `value` is the figure that the detail speaks of.
    """
    import polars as pl

    length = Frequency.parse(freq)
    bars = bars if bars["ts"].is_sorted() else bars.sort("ts", maintain_order=True)
    stamps = bars["ts"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    values = {name: bars[name].cast(pl.Float64).to_numpy() for name in FIELDS}  # null is NaN there
    found: list[Finding] = []
    for judge in CHECKS:
        found += judge(values)
    found += duplicates(stamps, values)
    found += jumps(stamps, values, actions, length, calendar)
    return _frame(found, stamps, against(stamps, length, calendar), symbol, length)


def worst(findings: pl.DataFrame) -> str:
    """Return the gravest severity among findings, "" when there are none."""
    there = set(findings["severity"].to_list())
    return next((severity for severity in reversed(SEVERITIES) if severity in there), "")


def _frame(
    found: list[Finding], stamps: np.ndarray, placed: list[Placed], symbol: str, freq: Frequency
) -> pl.DataFrame:
    import polars as pl

    both = [*found, *placed]
    size = len(both)
    if not size:
        return _none()
    rows = np.array([finding[2] for finding in found], dtype=np.int64)
    moments = np.array([finding[2] for finding in placed], dtype="datetime64[us]")
    columns = {
        "symbol": pl.Series([symbol], dtype=pl.String).new_from_index(0, size),
        "freq": pl.Series([str(freq)], dtype=pl.String).new_from_index(0, size),
        "check_name": pl.Series([finding[0] for finding in both], dtype=pl.String),
        "severity": pl.Series([finding[1] for finding in both], dtype=pl.String),
        "ts": pl.Series(np.concatenate([stamps[rows], moments])).dt.replace_time_zone("UTC"),
        "value": pl.Series([finding[3] for finding in both], dtype=pl.Float64),
        "detail": pl.Series([finding[4] for finding in both], dtype=pl.String),
    }
    return pl.DataFrame(columns).sort("ts", "check_name", maintain_order=True)


@cache
def _none() -> pl.DataFrame:
    import polars as pl

    kinds = {"ts": pl.Datetime("us", "UTC"), "value": pl.Float64()}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String()) for name in COLUMNS})
