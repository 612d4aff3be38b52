# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Compiled loops of the trend scan, cached on disk; their naive twins are in tests/market/test_trends.py."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def strongest(y, shortest, longest):
    """Among the last L values of `y`, shortest ≤ L ≤ longest: (L, slope, t) of the line with the largest |t|.

    One pass from the last value backwards: sums of x, y and their products, x counting back from 0.
    """
    n = len(y)
    sy = sxy = syy = 0.0
    best, slope, window = -1.0, 0.0, 0
    last = y[n - 1]
    for k in range(min(longest, n)):
        v = y[n - 1 - k] - last  # less the last value, for the sums' precision
        sy += v
        sxy += k * v
        syy += v * v
        L = k + 1.0
        if shortest > L:
            continue
        sx, sxx = L * (L - 1.0) / 2.0, L * (L - 1.0) * (L + 1.0) / 12.0
        cxy, cyy = sxy - sx * sy / L, syy - sy * sy / L
        b = cxy / sxx
        rest = max(cyy - b * cxy, 1e-14 * syy)
        t = 0.0 if syy == 0.0 else abs(b) / np.sqrt(rest / (L - 2.0) / sxx)
        if t > best:
            best, slope, window = t, -b, k + 1
    return window, slope, best if slope >= 0.0 else -best


@njit(cache=True, nogil=True, error_model="numpy")
def strongest_of_paths(steps, phi, shortest, longest):
    """Largest |t| of each random walk whose steps, (paths, length), are made autocorrelated by `phi`."""
    paths, length = steps.shape
    answer = np.empty(paths)
    y = np.empty(length)
    for p in range(paths):
        step, level = 0.0, 0.0
        for k in range(length):
            step = phi * step + steps[p, k]
            level += step
            y[k] = level
        answer[p] = abs(strongest(y, shortest, longest)[2])
    return answer


@njit(cache=True, nogil=True)
def rank_among_past(values, least):
    """Share of the values before t that are at most value t; NaN while fewer than `least` are known."""
    n = len(values)
    answer = np.full(n, np.nan)
    for t in range(least, n):
        below = 0
        for s in range(t):
            below += values[s] <= values[t]
        answer[t] = below / t
    return answer


@njit(cache=True, nogil=True)
def past_scaled(moved, decay, clip):
    """Returns over the exponentially weighted volatility of the returns before them, clipped."""
    n = len(moved)
    answer = np.empty(n)
    first = moved[: min(50, n)] ** 2
    variance = max(np.mean(np.minimum(first, 25.0 * np.median(first))), 1e-16)
    for t in range(n):
        answer[t] = max(-clip, min(clip, moved[t] / np.sqrt(variance)))
        variance = decay * variance + (1.0 - decay) * min(moved[t] ** 2, clip * clip * variance)
        variance = max(variance, 1e-16)
    return answer
