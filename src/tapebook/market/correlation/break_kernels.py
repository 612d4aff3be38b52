# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Loops of the search for breaks in correlations: cumulated sums of products, pair by pair."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def products_of(x, y, w):
    """Fill w with what each row adds to the correlation of x and y, over the deviations; its mean is 0.

    z_x z_y − r (z_x² + z_y²) / 2: with it, a change of either variance is no change of the correlation.
    """
    n = len(x)
    mx, my = x.mean(), y.mean()
    sx = sy = sxy = 0.0
    for t in range(n):
        dx, dy = x[t] - mx, y[t] - my
        sx += dx * dx
        sy += dy * dy
        sxy += dx * dy
    if sx <= 1e-12 or sy <= 1e-12:
        w[:n] = 0.0
        return
    r, gx, gy = sxy / np.sqrt(sx * sy), np.sqrt(n / sx), np.sqrt(n / sy)
    for t in range(n):
        a, b = (x[t] - mx) * gx, (y[t] - my) * gy
        w[t] = a * b - 0.5 * r * (a * a + b * b)


@njit(cache=True, nogil=True)
def tested(w, least, lags):
    """(sup, range, at) of the bridge of w over its long-run deviation; `at`: rows of the first part.

    The deviation is of w less the means of the two parts, by Bartlett's weights over `lags` rows; `at` is
    where the parts differ by most (the largest likelihood ratio).
    """
    n = len(w)
    if n < 2 * least:
        return 0.0, 0.0, 0
    mean, walk, low, high, best, at = w.mean(), 0.0, 0.0, 0.0, -1.0, least
    before = 0.0
    for t in range(n - 1):
        walk += w[t] - mean
        low, high = min(low, walk), max(high, walk)
        k = t + 1
        if least <= k <= n - least:
            ratio = walk * walk / (k * (n - k) / n)
            if ratio > best:
                best, at, before = ratio, k, walk
    shift_first, shift_second = mean + before / at, mean - before / (n - at)
    variance = 0.0
    for lag in range(lags + 1):
        total = 0.0
        for t in range(lag, n):
            a = w[t] - (shift_first if t < at else shift_second)
            b = w[t - lag] - (shift_first if t - lag < at else shift_second)
            total += a * b
        variance += total if lag == 0 else 2.0 * (1.0 - lag / (lags + 1.0)) * total
    variance /= n
    if variance <= 1e-12:
        return 0.0, 0.0, at
    scale = np.sqrt(variance * n)
    return max(high, -low) / scale, (high - low) / scale, at


@njit(cache=True, nogil=True)
def every_pair(Z, first, second, least, told):
    """Fill `told` (P, 3) with `tested` of pairs of rows of Z (N, T) on the rows both have; NaN if few."""
    T = Z.shape[1]
    x, y, w = np.empty(T), np.empty(T), np.empty(T)
    for p in range(len(first)):
        n = 0
        for t in range(T):
            if not (np.isnan(Z[first[p], t]) or np.isnan(Z[second[p], t])):
                x[n], y[n] = Z[first[p], t], Z[second[p], t]
                n += 1
        if n < 2 * least:
            told[p] = np.nan
            continue
        products_of(x[:n], y[:n], w)
        told[p, 0], told[p, 1], told[p, 2] = tested(w[:n], least, memory(n))


@njit(cache=True, nogil=True)
def memory(n):
    """Lags of the long-run deviation: 4 (n/100)^(2/9)."""
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0))


@njit(cache=True, nogil=True)
def first_known(x, y, at, least, sup, reach, step):
    """Rows after which the test first exceeds `sup` or `reach`, from at + 10 on; −1 where never."""
    n = len(x)
    w = np.empty(n)
    for k in range(at + 10, n + 1, step):
        products_of(x[:k], y[:k], w)
        one, two, _ = tested(w[:k], min(least, 10), memory(k))
        if one >= sup or two >= reach:
            return k
    return -1
