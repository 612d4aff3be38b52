"""Walk one symbol's closes forward in time and settle its moves, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """Rows of a move's first and last bar, the row whose close settled it, and whether it may go on."""

    first: int
    last: int
    known: int
    open: bool

    def at(self, rows: np.ndarray) -> Found:
        """The same in the rows of a panel, of a symbol with bars at `rows`."""
        return Found(int(rows[self.first]), int(rows[self.last]), int(rows[self.known]), self.open)


def walked(
    logs: np.ndarray, deviation: np.ndarray, horizons: tuple[int, ...], threshold: float, settle: int
) -> list[Found]:
    """Return the moves of log closes (T,), in time's order; `deviation` (T,) of one bar, known at the row.

    Rows are the symbol's own bars: each has a close.

    A move begins where the change over one of the horizons is `threshold` deviations or more (the largest
    of them, if several), deviations of the row before its first bar. One bar that is enough by itself is a
    move at once. A longer one goes on to new extremes and is settled once the last is `settle` bars old or
    half of the way is lost. Nothing looks ahead of the row.
    """
    size = _sizes(logs, deviation, horizons)
    best = np.argmax(np.abs(size), axis=0)
    peak = np.take_along_axis(size, best[None], axis=0)[0]
    calls = np.flatnonzero(np.abs(peak) >= threshold)
    T, told, free = len(logs), [], 1  # `free`: the first row that the next move may begin at
    for row in calls.tolist():
        if row < free:
            continue
        first = row - horizons[best[row]] + 1
        if first < free:  # part of it was told: take the longest horizon that fits
            fitting = [
                h for k, h in enumerate(horizons) if row - h + 1 >= free and abs(size[k, row]) >= threshold
            ]
            if not fitting:
                continue
            first = row - fitting[-1] + 1
        one = Found(row, row, row, False) if first == row else _settled(logs, first, row, settle, T)
        told.append(one)
        free = one.known + 1
    return told


def _sizes(logs: np.ndarray, deviation: np.ndarray, horizons: tuple[int, ...]) -> np.ndarray:
    """Change over each horizon up to each row, in deviations known before it; 0 where unknown; (H, T)."""
    size = np.zeros((len(horizons), len(logs)))
    for k, h in enumerate(horizons):
        with np.errstate(invalid="ignore", divide="ignore"):
            size[k, h:] = (logs[h:] - logs[:-h]) / (deviation[:-h] * np.sqrt(h))
    return np.where(np.isfinite(size), size, 0.0)


def _settled(logs: np.ndarray, first: int, row: int, settle: int, T: int) -> Found:
    base = logs[first - 1]
    side = 1.0 if logs[row] > base else -1.0
    extreme = row
    for now in range(row + 1, T):
        if side * (logs[now] - logs[extreme]) > 0.0:
            extreme = now
        elif now - extreme >= settle or side * (logs[now] - base) < 0.5 * side * (logs[extreme] - base):
            return Found(first, extreme, now, False)
    return Found(first, extreme, T - 1, True)
