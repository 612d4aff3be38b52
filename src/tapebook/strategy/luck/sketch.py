"""Returns of trials, kept small: by the week (a day, of short spans), enough to see which are alike."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Unit = Literal["D", "W"]
WEEKS_FROM = 2 * 366
"""Days from which a span is kept by the week."""
_DAY = 86_400_000_000_000
_MONDAY = 3  # 1970-01-01 was a Thursday
_SCALE = 100.0  # half floats are most exact around 1: percents


@dataclass(frozen=True, eq=False)
class Sketch:
    """Log returns of K trials in W days or weeks from number `first` on, (K, W); NaN where none is known."""

    unit: Unit
    first: int
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def pack(self) -> bytes:
        """Return it as compressed bytes, rounded to three digits."""
        file = io.BytesIO()
        small = (self.values * _SCALE).astype(np.float16)
        np.savez_compressed(file, values=small, first=self.first, weekly=self.unit == "W")
        return file.getvalue()

    @classmethod
    def unpack(cls, stored: bytes) -> Sketch:
        """Read what `pack` gave."""
        with np.load(io.BytesIO(stored), allow_pickle=False) as found:
            unit: Unit = "W" if bool(found["weekly"]) else "D"
            return cls(unit, int(found["first"]), found["values"].astype(float) / _SCALE)

    def rows(self, chosen: np.ndarray) -> Sketch:
        """Return some of the trials."""
        return Sketch(self.unit, self.first, self.values[chosen])

    def weekly(self) -> Sketch:
        """Return the same by the week."""
        if self.unit == "W":
            return self
        weeks = (self.first + _MONDAY + np.arange(self.values.shape[1])) // 7
        return Sketch("W", int(weeks[0]), _summed(self.values, weeks - weeks[0]))


def sketch(returns: np.ndarray, index: pd.DatetimeIndex) -> Sketch:
    """Add simple returns of bars, shape (K, T) or (T,), up to log returns of days or weeks.

    `index`: the bars' stamps (UTC), shape (T,). A loss of all is −7: a thousandth is left.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log1p(np.atleast_2d(np.asarray(returns, dtype=float)))
    logs = np.maximum(np.where(np.isnan(logs), 0.0, logs), -7.0)
    days = index.as_unit("ns").asi8 // _DAY
    made = Sketch("D", int(days[0]), _summed(logs, days - days[0]))
    return made.weekly() if days[-1] - days[0] >= WEEKS_FROM else made


def pooled(sketches: Sequence[Sketch]) -> Sketch:
    """Put sketches under one another on one line of time; in weeks unless all are in days."""
    if any(s.unit == "W" for s in sketches):
        sketches = [s.weekly() for s in sketches]
    first = min(s.first for s in sketches)
    width = max(s.first - first + s.values.shape[1] for s in sketches)
    values = np.full((sum(len(s) for s in sketches), width), np.nan)
    row = 0
    for s in sketches:
        at = s.first - first
        values[row : row + len(s), at : at + s.values.shape[1]] = s.values
        row += len(s)
    return Sketch(sketches[0].unit, first, values)


def residuals(sample: Sketch, benchmark: Sketch) -> Sketch | None:
    """What is left of each trial where its beta times the benchmark (one row) is taken away.

    Only where both are known; None if the benchmark is kept by another unit, or nowhere beside a trial.
    """
    if sample.unit != benchmark.unit:
        return None
    line = np.full(sample.values.shape[1], np.nan)
    at, width = benchmark.first - sample.first, benchmark.values.shape[1]
    into = slice(max(at, 0), min(at + width, len(line)))
    if into.start >= into.stop:
        return None
    line[into] = benchmark.values[0, into.start - at : into.stop - at]
    known = ~np.isnan(sample.values) & ~np.isnan(line)
    x, b = np.where(known, sample.values, 0.0), np.where(known, line, 0.0)
    n = np.maximum(known.sum(axis=1, keepdims=True), 1)
    centred = np.where(known, b - b.sum(axis=1, keepdims=True) / n, 0.0)
    varied = np.maximum((centred**2).sum(axis=1, keepdims=True), 1e-30)
    beta = (centred * x).sum(axis=1, keepdims=True) / varied
    return Sketch(sample.unit, sample.first, np.where(known, x - beta * b, np.nan))


def correlations(values: np.ndarray, least: int = 26) -> np.ndarray:
    """Pairwise correlation over shared buckets, (K, K); 0 where fewer than `least` are shared."""
    known = ~np.isnan(values)
    x, m = np.where(known, values, 0.0), known.astype(float)
    n = m @ m.T
    with np.errstate(divide="ignore", invalid="ignore"):
        sums, squares = x @ m.T, (x * x) @ m.T
        covariance = x @ x.T - sums * sums.T / n
        variance = squares - sums**2 / n
        answer = covariance / np.sqrt(variance * variance.T)
    answer[(n < least) | ~np.isfinite(answer)] = 0.0
    np.fill_diagonal(answer, 1.0)
    clipped: np.ndarray = np.clip(answer, -1.0, 1.0)
    return clipped


def _summed(values: np.ndarray, buckets: np.ndarray) -> np.ndarray:
    """Add columns up by ascending bucket numbers from 0; buckets without a column are NaN."""
    starts = np.flatnonzero(np.diff(buckets, prepend=-1))
    answer = np.full((len(values), int(buckets[-1]) + 1), np.nan)
    known = ~np.isnan(values)
    totals = np.add.reduceat(np.where(known, values, 0.0), starts, axis=1)
    totals[np.add.reduceat(known, starts, axis=1) == 0] = np.nan
    answer[:, buckets[starts]] = totals
    return answer
