# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Compiled loops of the search for change points, bar after bar, cached on disk."""

from __future__ import annotations

import numpy as np
from numba import njit

WINDOW, SHORT, BEFORE, AFTER, LEAST, COARSE = 1000, 500, 20, 20, 5, 5
"""Bars looked back, and at second; before and after a change, then at least after it; step of the search."""
BLOCK = 20
"""Bars in a block; sums over blocks tell how much the level wanders by itself."""
VOLATILITY, MEAN = 0, 1


@njit(cache=True, nogil=True)
def past_clipped(sizes, decay, clip):
    """Sizes of returns, between 1 % and `clip` times their exponentially weighted mean before."""
    n = len(sizes)
    answer = np.empty(n)
    level = max(np.median(sizes[: min(50, n)]), 1e-12)
    for t in range(n):
        answer[t] = max(min(sizes[t], clip * level), 0.01 * level)
        level = decay * level + (1.0 - decay) * answer[t]
    return answer


@njit(cache=True, nogil=True, error_model="numpy")
def _gain(kind, n1, n2, s1, s2, whole):
    """Twice the likelihood gained by two levels rather than one; for the mean not yet over the variance."""
    if kind == 0:
        return 2.0 * (whole - n1 * np.log(s1 / n1) - n2 * np.log(s2 / n2))
    d = s1 / n1 - s2 / n2
    return d * d * n1 * n2 / (n1 + n2)


@njit(cache=True, nogil=True, error_model="numpy")
def split(kind, total, a, t, lo, hi, step):
    """Best first bar of the second part among lo, lo + step … below hi, and its gain."""
    n, whole = t + 1 - a, 0.0
    if kind == 0:
        whole = n * np.log((total[t + 1] - total[a]) / n)
    best, at = -1.0, lo
    for s in range(lo, hi, step):
        gain = _gain(kind, s - a, t + 1 - s, total[s] - total[a], total[t + 1] - total[s], whole)
        if gain > best:
            best, at = gain, s
    return best, at


@njit(cache=True, nogil=True, error_model="numpy")
def _wander(kind, y, total, a, s, t):
    """Variance about two levels, and that of 20-bar sums over that of independent ones, at least 1."""
    n = t + 1 - a
    first, second = (total[s] - total[a]) / (s - a), (total[t + 1] - total[s]) / (t + 1 - s)
    rest = np.empty(n)
    for i in range(n):
        level = first if a + i < s else second
        rest[i] = y[a + i] / level - 1.0 if kind == 0 else y[a + i] - level
    variance = np.mean(rest * rest)
    if n < 2 * BLOCK:
        return variance, 1.0
    block, squares = rest[:BLOCK].sum(), 0.0
    squares = block * block
    for i in range(BLOCK, n):
        block += rest[i] - rest[i - BLOCK]
        squares += block * block
    spread = squares / (n - BLOCK + 1) / BLOCK / (1.0 - BLOCK / n)
    return variance, max(1.0, spread / max(variance, 1e-300))


@njit(cache=True, nogil=True, error_model="numpy")
def _scored(kind, y, total, squares, a, t, enough):
    """Score of the best change among bars a to t, and its place; −1 for one that cannot be above `enough`."""
    lo, hi = a + BEFORE, t + 2 - AFTER
    if lo >= hi:
        return -1.0, lo
    gain, at = split(kind, total, a, t, lo, hi, COARSE)
    gain, at = split(kind, total, a, t, max(lo, at - COARSE), min(hi, at + COARSE + 1), 1)
    n = t + 1 - a
    rest = 1.0
    if kind == 1:
        rest = (squares[t + 1] - squares[a] - (total[t + 1] - total[a]) ** 2 / n - gain) / n
    if gain <= enough * rest:  # the wander only lowers it
        return -1.0, at
    variance, wander = _wander(kind, y, total, a, at, t)
    return gain / wander**2 / (variance if kind == 1 else 1.0), at


@njit(cache=True, nogil=True, error_model="numpy")
def changes(kind, y, limit):
    """Change points of the level of `y`, in the order in which they were known.

    Returns rows (start, at, known, score), the bars from `start` to before `at` being one level and those
    from `at` to `known` another, and the best such row of all (score −1 if none). At each bar the best
    place among those of the window since the last change is scored: the likelihood gained over the square
    of the level's wander, as clustered volatility needs. Bar t uses y up to t only.
    """
    n = len(y)
    found, strongest = np.empty((n // LEAST + 1, 4)), np.array([0.0, 0.0, 0.0, -1.0])
    total = np.zeros(n + 1)
    squares = np.zeros(n + 1)
    for i in range(n):
        total[i + 1] = total[i] + y[i]
        squares[i + 1] = squares[i] + y[i] * y[i]
    count, start = 0, 0
    for t in range(BEFORE + AFTER - 1, n):
        a = max(start, t + 1 - WINDOW)
        enough = max(0.0, min(limit, strongest[3]))
        score, at = _scored(kind, y, total, squares, a, t, enough)
        if t + 1 - a > SHORT:  # an earlier change and its return would hide each other in a long window
            other, place = _scored(kind, y, total, squares, t + 1 - SHORT, t, enough)
            if other > score:
                a, score, at = t + 1 - SHORT, other, place
        if score > enough:  # the latest bars may be the new level too, once there is one
            at = split(kind, total, a, t, a + BEFORE, t + 1 - LEAST, 1)[1]
        if score > strongest[3]:
            strongest[0], strongest[1], strongest[2], strongest[3] = a, at, t, score
        if score > limit:
            found[count, 0], found[count, 1], found[count, 2], found[count, 3] = a, at, t, score
            count, start = count + 1, at
    return found[:count], strongest
