"""Gaps, breakouts and volume spikes of one symbol's own bars."""

from __future__ import annotations

import numpy as np

GAPS = (0.5, 1.0)
"""Sizes of gaps, in average true ranges of the 14 bars before."""
BREAKOUTS = (20, 55, 250)
"""Bars before that a close has to leave behind."""
SPIKES = (2.0, 4.0)
"""Multiples of the median volume of the 20 bars before."""
_ATR, _USUAL = 14, 20


def gap_names() -> list[str]:
    """Every gap, in the rows' order of `gaps`."""
    return [f"gap {way} {size:g} ATR" for size in GAPS for way in ("up", "down")]


def breakout_names() -> list[str]:
    """Every breakout, in the rows' order of `breakouts`."""
    return [f"{n}-bar {edge}" for n in BREAKOUTS for edge in ("high", "low")]


def spike_names() -> list[str]:
    """Every volume spike, in the rows' order of `spikes`."""
    return [f"volume {times:g}x {way}" for times in SPIKES for way in ("up", "down")]


def gaps(open: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Opens beyond the close before by a multiple of the mean true range of the 14 bars before, (4, n).

    Known at the bar's close, though its open already shows it.
    """
    n = len(close)
    before = np.r_[np.nan, close[:-1]]
    ranges = np.maximum(high, before) - np.minimum(low, before)
    usual = np.full(n, np.nan)
    if n > _ATR + 1:
        usual[_ATR + 1 :] = _windows(ranges[1:-1], _ATR).mean(axis=1)
    with np.errstate(invalid="ignore"):
        return np.array(
            [sign * (open - before) > size * usual for size in GAPS for sign in (1.0, -1.0)], dtype=np.bool_
        )


def breakouts(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """First closes beyond the highest high or lowest low of the n bars before, (6, n)."""
    rows = []
    for length in BREAKOUTS:
        top, bottom = np.full(len(close), np.nan), np.full(len(close), np.nan)
        if len(close) > length:
            top[length:] = _windows(high[:-1], length).max(axis=1)
            bottom[length:] = _windows(low[:-1], length).min(axis=1)
        with np.errstate(invalid="ignore"):
            for out in (close > top, close < bottom):
                rows.append(out & ~np.r_[False, out[:-1]])
    return np.array(rows, dtype=np.bool_)


def spikes(close: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Volumes above a multiple of the median of the 20 bars before, price up or down that bar, (4, n)."""
    usual = np.full(len(close), np.nan)
    if len(close) > _USUAL:
        usual[_USUAL:] = np.median(_windows(volume[:-1], _USUAL), axis=1)
    moved = np.r_[np.nan, np.diff(close)]
    with np.errstate(invalid="ignore"):
        return np.array(
            [
                (volume > times * usual) & (usual > 0.0) & (sign * moved > 0.0)
                for times in SPIKES
                for sign in (1.0, -1.0)
            ],
            dtype=np.bool_,
        )


def _windows(values: np.ndarray, length: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, length)
