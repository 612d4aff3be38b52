# (numba reads the types from the arguments)
"""Lay the blocks of a bootstrap: what sorting, repeating and dividing do, in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def block_begins(ends: np.ndarray, cells: int, T: int) -> np.ndarray:
    """Where blocks begin below `cells`: at each of the rising `ends`, and where a row of T begins."""
    out = np.empty(len(ends) + cells // T + 1, np.int64)
    found, at, row = 0, 0, 0
    while True:
        end = ends[at] if at < len(ends) else cells
        here = min(end, row)
        if here >= cells:
            return out[:found]
        out[found] = here
        found += 1
        if end == here:
            at += 1
        if row == here:
            row += T


@njit(cache=True, nogil=True)
def block_rows(begins: np.ndarray, first: np.ndarray, cells: int, T: int) -> np.ndarray:
    """Row numbers below T of every cell: each block counts on from its first row, and round."""
    out = np.empty(cells, np.int64)
    for block in range(len(begins)):
        row = first[block]
        for cell in range(begins[block], begins[block + 1] if block + 1 < len(begins) else cells):
            out[cell] = row
            row += 1
            if row == T:
                row = 0
    return out


@njit(cache=True, nogil=True)
def walk_rows(rows: np.ndarray, returns: np.ndarray, money: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Of each row of numbers (n, T): sums of returns and money, then of logs the end, the lowest, the fall.

    The lowest is of the running sum from 0 on, and the fall that from its highest so far (both ≤ 0).
    """
    out = np.empty((5, len(rows)))
    for n in range(len(rows)):
        gained, earned, walk, peak, lowest, fall = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for t in range(rows.shape[1]):
            row = rows[n, t]
            gained += returns[row]
            earned += money[row]
            walk += logs[row]
            peak = max(peak, walk)
            lowest = min(lowest, walk)
            fall = min(fall, walk - peak)
        out[0, n], out[1, n], out[2, n], out[3, n], out[4, n] = gained, earned, walk, lowest, fall
    return out
