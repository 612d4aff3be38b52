# (numba reads the types from the arguments)
"""Lay the blocks of a bootstrap: what sorting, repeating and dividing do, in one pass."""

from __future__ import annotations

import numpy as np
from numba import njit

WIDE = 8
"""Cells that are written at once: most blocks are shorter, and to foresee where each ends costs more."""


@njit(cache=True, nogil=True)
def geometric(drawn: np.ndarray, p: float) -> np.ndarray:
    """Turn uniform numbers into geometric ones of mean 1 / p, as NumPy's search does for p from 1/3 on.

    The first eight sums are compared with every number at once; few numbers lie beyond.
    """
    sums, term = np.empty(8), p
    sums[0] = p
    for k in range(1, 8):
        term *= 1.0 - p
        sums[k] = sums[k - 1] + term
    a, b, c, d, e, f, g, h = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
    out = np.empty(len(drawn), np.int64)
    for n in range(len(drawn)):
        u = drawn[n]
        few = 1 + int(u > a) + int(u > b) + int(u > c) + int(u > d)
        out[n] = few + int(u > e) + int(u > f) + int(u > g) + int(u > h)
    for n in range(len(drawn)):
        if out[n] == 9:
            here, reached, at = term, h, 8
            while drawn[n] > reached:
                here *= 1.0 - p
                reached += here
                at += 1
            out[n] = at
    return out


@njit(cache=True, nogil=True)
def block_begins(lengths: np.ndarray, cells: int, T: int) -> np.ndarray:
    """Where blocks begin below `cells`: where one of these `lengths` ends, and where a row of T begins."""
    out = np.empty(len(lengths) + cells // T + 1, np.int64)
    found, at, end, row = 0, 0, 0, 0
    while True:
        here = min(end, row)
        if here >= cells:
            return out[:found]
        out[found] = here
        found += 1
        if row == here:
            row += T
        if end == here:
            end = end + lengths[at] if at < len(lengths) else cells
            at += 1


@njit(cache=True, nogil=True)
def block_rows(begins: np.ndarray, first: np.ndarray, cells: int, T: int) -> np.ndarray:
    """Row numbers below T of every cell: each block counts on from its first row, and round.

    A block's first cells are written wherever it ends: the next block writes over what is not its own.
    """
    out = np.empty(cells + WIDE, np.int64)
    for block in range(len(begins)):
        row, begin = first[block], begins[block]
        end = begins[block + 1] if block + 1 < len(begins) else cells
        if row + WIDE <= T:
            for k in range(WIDE):
                out[begin + k] = row + k
            begin += WIDE
            row = row + WIDE if row + WIDE < T else 0
        for cell in range(begin, end):
            out[cell] = row
            row += 1
            if row == T:
                row = 0
    return out[:cells]


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
