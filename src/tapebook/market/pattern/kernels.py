# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Loops of the pattern scan: what followed each pattern, and how near every window's nearest neighbour is."""

from __future__ import annotations

import numpy as np
from numba import njit

LAGS = 5
"""Lags of a symbol's own memory that widen a deviation."""
MOST_SKEW = 3.0
"""A sample's skewness beyond this says how heavy the tails are."""
FIELDS = 15
EVENTS, SUM, SIZE, SQUARES, WEIGHT2, WEIGHT4, MEMORY, SKEW = range(8)
HITS, OTHERS, OTHER_HITS, SUM1, SIZE1, SUM2, SIZE2 = range(8, FIELDS)


@njit(cache=True, nogil=True)
def follow(masks, step, rows, horizons, told, paid, asked):
    """Sum up what followed every pattern of one symbol.

    `masks` (P, n) whether pattern p is known at the close of bar t; `step` (n,) log return from the open of
    bar s to the next open, NaN for the last; `rows` (n,) row of the panel of each bar. `told` (P, H, FIELDS)
    is written; `paid` and `asked` (P, H, T) gain this symbol's part of the sum and its weight by row.

    The forward return of t is the sum of the steps t + 1 … t + h. So the sum over events is a sum of
    non-overlapping steps, each times the number of events whose window it lies in (Hodrick 1992, RFS 5).
    """
    P, n = masks.shape
    last = n - 1  # steps 0 … last − 1 are known
    mean, squares, cubes = 0.0, 0.0, 0.0
    for s in range(1, last):
        mean += step[s]
    mean /= max(last - 1, 1)
    error = np.empty(n)
    for s in range(last):
        error[s] = step[s] - mean
        if s:
            squares += error[s] ** 2
            cubes += error[s] ** 3
    skew = cubes * np.sqrt(max(last - 1, 1)) / max(squares, 1e-300) ** 1.5
    skew = min(max(skew, -MOST_SKEW), MOST_SKEW)
    rho = np.zeros(LAGS + 1)
    for lag in range(1, LAGS + 1):
        for s in range(1, last - lag):
            rho[lag] += error[s] * error[s + lag]
        rho[lag] /= max(squares, 1e-300)
    total = np.zeros(n + 1)  # total[s]: sum of the steps before s
    for s in range(last):
        total[s + 1] = total[s] + step[s]
    count = np.zeros(n + 1)
    weight = np.zeros(n)
    for h in range(len(horizons)):
        H = horizons[h]
        valid = last - H  # bars 0 … valid − 1 have a whole forward return
        if valid < 2:
            continue
        middle = n // 2
        up_all, all1, all2 = 0, 0.0, 0.0
        for t in range(valid):
            f = total[t + 1 + H] - total[t + 1]
            up_all += f > 0.0
            if t < middle:
                all1 += f
            else:
                all2 += f
        n1 = min(middle, valid)
        n2 = valid - n1
        for p in range(P):
            k, k1, up, sum1, sum2 = 0, 0, 0, 0.0, 0.0
            for t in range(valid):
                count[t] = k
                if masks[p, t]:
                    k += 1
                    f = total[t + 1 + H] - total[t + 1]
                    up += f > 0.0
                    if t < middle:
                        k1 += 1
                        sum1 += f
                    else:
                        sum2 += f
            if k == 0 or k == valid:
                continue
            for t in range(valid, n + 1):
                count[t] = k
            share = k / valid
            S, V, a2, a3, a4 = 0.0, 0.0, 0.0, 0.0, 0.0
            for s in range(1, last):
                lo, hi = max(s - H, 0), min(s, valid)
                w = count[hi] - count[lo] - share * (hi - lo)
                weight[s] = w
                part = w * error[s]
                S += part
                V += part * part
                a2 += w * w
                a3 += w * w * w
                a4 += w * w * w * w
                paid[p, h, rows[s]] += part
                asked[p, h, rows[s]] += w
            memory = 1.0
            for lag in range(1, LAGS + 1):
                both = 0.0
                for s in range(1, last - lag):
                    both += weight[s] * weight[s + lag]
                memory += 2.0 * rho[lag] * both / a2
            k2 = k - k1
            out = told[p, h]
            out[EVENTS], out[SUM], out[SIZE], out[SQUARES] = k, S, k * (1.0 - share), V
            out[WEIGHT2], out[WEIGHT4], out[MEMORY] = a2, a4, max(memory, 1.0)
            out[SKEW] = skew * a3 / a2**1.5
            out[HITS], out[OTHERS], out[OTHER_HITS] = up, valid - k, up_all - up
            if 0 < k1 < n1:
                out[SIZE1] = k1 * (1.0 - k1 / n1)
                out[SUM1] = sum1 - k1 * all1 / n1
            if 0 < k2 < n2:
                out[SIZE2] = k2 * (1.0 - k2 / n2)
                out[SUM2] = sum2 - k2 * all2 / n2


@njit(cache=True, nogil=True)
def profile(x, length, apart, reach, left_only, near, neighbour):
    """Matrix profile of one series by diagonals (Zhu et al. 2016, ICDM: STOMP), z-normalised.

    `near` and `neighbour` (n − length + 1,) are written: correlation with the nearest other window that
    starts more than `apart` and at most `reach` bars away, and where it starts (−1: none). With `left_only`
    only windows that start earlier count, so that nothing at i uses a value after its own window. Windows
    that hold a constant line have no neighbour.
    """
    windows = len(x) - length + 1
    mean, deviation = np.empty(windows), np.empty(windows)
    for i in range(windows):
        m = 0.0
        for j in range(i, i + length):
            m += x[j]
        m /= length
        v = 0.0
        for j in range(i, i + length):
            v += (x[j] - m) ** 2
        mean[i], deviation[i] = m, np.sqrt(v)
        near[i], neighbour[i] = -2.0, -1
    for lag in range(apart + 1, min(windows, reach + 1)):
        product = 0.0
        for j in range(length):
            product += (x[j] - mean[0]) * (x[lag + j] - mean[lag])
        for i in range(windows - lag):
            b = i + lag
            if i:  # the covariance moves on by one bar (Welford's update in both means)
                gone = (x[i - 1] - mean[i - 1]) * (x[b - 1] - mean[b - 1])
                shift = (mean[i] - mean[i - 1]) * (mean[b] - mean[b - 1]) * length
                come = (x[i + length - 1] - mean[i - 1]) * (x[b + length - 1] - mean[b - 1])
                product += come - gone - shift
            if deviation[i] < 1e-12 or deviation[b] < 1e-12:
                continue
            r = product / (deviation[i] * deviation[b])
            if r > near[b]:
                near[b], neighbour[b] = r, i
            if not left_only and r > near[i]:
                near[i], neighbour[i] = r, b
