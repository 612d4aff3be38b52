"""What is odd about the way from one close to the next, found symbol by symbol and move by move."""

import numpy as np
import polars as pl

from tapebook.data.quality_moves import SPIKE, _bad_print, _jump, _Step


def jumps(stamps, values, starts, record):
    """What `quality_moves.jumps` says."""
    found = []
    for at, rows in enumerate(np.split(np.arange(len(stamps)), starts[1:])):
        traded = rows[values["close"][rows] > 0]
        if len(traded) >= 3:
            found += of_one(stamps, values, traded, record.get(at))
    return found


def of_one(stamps, values, rows, record):
    closes = values["close"][rows]
    splits, dividends = np.ones(len(rows)), np.zeros(len(rows))
    for moment, split, dividend in zip(*(record or ((), (), ())), strict=True):
        after = np.flatnonzero(stamps[rows] >= moment)[:1]
        splits[after] *= split
        dividends[after] += dividend
    moves = np.log((closes[1:] * splits[1:] + dividends[1:]) / closes[:-1])
    found, back = [], np.zeros(len(moves), bool)
    for i in unusual(moves):
        if back[i]:
            continue
        row = int(rows[i + 1])
        returned = returns_at(moves, i)
        if returned and abs(moves[i]) > 0.05:
            back[i + 1 : returned + 1] = True
            found.append(_bad_print(row, float(np.expm1(moves[i])), returned - i))
            continue
        step = _Step(closes[i], values["open"][row], closes[i + 1], splits[i + 1], dividends[i + 1])
        found.append(_jump(row, step))
    return [finding for finding in found if finding is not None]


def unusual(moves):
    """Every move beside a rolling median of all of them: what `_unusual` does for the large ones alone."""
    size = pl.Series(np.abs(moves))
    around = size.rolling_median(min(61, len(moves) | 1), min_samples=1, center=True).to_numpy()
    floor = max(float(size.median()) / 2, 1e-4)
    return np.flatnonzero(np.abs(moves) > SPIKE * np.maximum(around, floor)).tolist()


def returns_at(moves, i):
    """Index of the move after `i`, at most two on, that has taken most of it back; 0 for none."""
    first, *after = moves[i : i + 3].tolist()
    sum_ = first
    for j, move in enumerate(after, i + 1):
        sum_ += move
        if abs(sum_) < 0.25 * abs(first):
            return j
    return 0
