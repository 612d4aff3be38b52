# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Loops that no product of matrices does: rolling windows, blocks in another order, Kendall, distances."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def rolling_pairs(
    Z, window, first, last, low, high, low_at, high_at, final, total, squares, count, sums, absolute, counts
):
    """Walk every pair's rolling correlation once, keeping only what summarises it.

    `Z` (N, T) standardised rows, NaN where missing; pairs (i, j), i in [first, last), j > i. The tables `low`
    to `squares` are (N, N); `sums`, `absolute`, `counts` (T,) are over pairs, at each end of a window. A
    window counts where both columns have all of its rows and neither is constant in it.
    """
    N, T = Z.shape
    for i in range(first, last):
        for j in range(i + 1, N):
            seen = 0
            sx = sy = sxx = syy = sxy = 0.0
            for t in range(T):
                x, y = Z[i, t], Z[j, t]
                if np.isnan(x) or np.isnan(y):
                    seen = 0
                    sx = sy = sxx = syy = sxy = 0.0
                    continue
                seen += 1
                sx += x
                sy += y
                sxx += x * x
                syy += y * y
                sxy += x * y
                if seen > window:
                    x, y = Z[i, t - window], Z[j, t - window]
                    sx -= x
                    sy -= y
                    sxx -= x * x
                    syy -= y * y
                    sxy -= x * y
                if seen < window:
                    continue
                vx, vy = sxx - sx * sx / window, syy - sy * sy / window
                if vx <= 1e-10 * window or vy <= 1e-10 * window:
                    continue
                r = (sxy - sx * sy / window) / np.sqrt(vx * vy)
                r = min(max(r, -1.0), 1.0)
                if count[i, j] == 0 or r < low[i, j]:
                    low[i, j] = r
                    low_at[i, j] = t
                if count[i, j] == 0 or r > high[i, j]:
                    high[i, j] = r
                    high_at[i, j] = t
                final[i, j] = r
                count[i, j] += 1
                total[i, j] += r
                squares[i, j] += r * r
                sums[t] += r
                absolute[t] += abs(r)
                counts[t] += 1


@njit(cache=True, nogil=True)
def kendall_pairs(A, B, same, first, last, tau, n):
    """Kendall's tau-b of rows i of A and j of B, i in [first, last); j > i where A and B are the `same`.

    A, B (N, T), NaN where missing. Knight (1966, JASA 61): sort by the first, count the exchanges that sort
    the second.
    """
    N, T = A.shape
    x, y, buffer = np.empty(T), np.empty(T), np.empty(T)
    for i in range(first, last):
        order = np.argsort(A[i])
        for j in range(i + 1 if same else 0, N):
            if i == j:
                continue
            m = 0
            for spot in order:
                if not (np.isnan(A[i, spot]) or np.isnan(B[j, spot])):
                    x[m], y[m] = A[i, spot], B[j, spot]
                    m += 1
            n[i, j] = m
            tau[i, j] = _tau_b(x[:m], y[:m], buffer[:m])


@njit(cache=True, nogil=True)
def _tau_b(x, y, buffer):
    m = len(x)
    pairs = m * (m - 1) / 2.0
    begin, tied_x, tied_both = 0, 0.0, 0.0
    for t in range(1, m + 1):  # rows tied in x are put in the order of y, and counted
        if t == m or x[t] != x[begin]:
            length = t - begin
            if length > 1:
                y[begin:t].sort()
                tied_x += length * (length - 1) / 2.0
                tied_both += _ties(y[begin:t])
            begin = t
    exchanges = _exchanges(y, buffer)
    tied_y = _ties(y)
    down = np.sqrt((pairs - tied_x) * (pairs - tied_y))
    return (pairs - tied_x - tied_y + tied_both - 2.0 * exchanges) / down if down > 0.0 else np.nan


@njit(cache=True, nogil=True)
def _ties(y):
    """Pairs of equal values of a sorted row."""
    begin, tied = 0, 0.0
    for t in range(1, len(y) + 1):
        if t == len(y) or y[t] != y[begin]:
            tied += (t - begin) * (t - begin - 1) / 2.0
            begin = t
    return tied


@njit(cache=True, nogil=True)
def _exchanges(y, buffer):
    """Sort `y` in place by merging from below; count the pairs that stood the wrong way round."""
    m, width, moved = len(y), 1, 0.0
    while width < m:
        for begin in range(0, m, 2 * width):
            middle, end = min(begin + width, m), min(begin + 2 * width, m)
            a, b = begin, middle
            for spot in range(begin, end):
                if a < middle and (b >= end or y[a] <= y[b]):
                    buffer[spot] = y[a]
                    a += 1
                else:
                    buffer[spot] = y[b]
                    moved += middle - a
                    b += 1
        y[:] = buffer
        width *= 2
    return moved


@njit(cache=True, nogil=True)
def centred_distances(x):
    """Distances between all values, less their means by row and column (U-centred); shape (T, T).

    Székely & Rizzo (2014), Annals of Statistics 42, definition 2.
    """
    T = len(x)
    D = np.empty((T, T))
    for s in range(T):
        for t in range(T):
            D[s, t] = abs(x[s] - x[t])
    rows = D.sum(axis=1)
    total = rows.sum()
    for s in range(T):
        for t in range(T):
            D[s, t] += total / ((T - 1) * (T - 2)) - (rows[s] + rows[t]) / (T - 2)
        D[s, s] = 0.0
    return D


@njit(cache=True, nogil=True)
def shifted_product(A, B, shift):
    """Mean product of two tables of centred distances, the second's rows and columns moved on by `shift`."""
    T = len(A)
    total = 0.0
    for s in range(T):
        row = (s + shift) % T
        for t in range(T - shift):
            total += A[s, t] * B[row, t + shift]
        for t in range(T - shift, T):
            total += A[s, t] * B[row, t + shift - T]
    return total / (T * (T - 3))


@njit(cache=True, nogil=True)
def rearranged(rows, begin, order, block, moved):
    """Fill `moved` (N, T) with `rows` cut into blocks from `begin` (N,) round, put in `order` (N, blocks)."""
    N, T = rows.shape
    for n in range(N):
        to = 0
        for k in order[n]:
            at = (begin[n] + k * block) % T
            left = min(block, T - k * block)  # the last block is what is left over
            for _ in range(left):
                moved[n, to] = rows[n, at]
                to += 1
                at += 1
                if at == T:
                    at = 0


@njit(cache=True, nogil=True)
def variances(rows, weights, first, second, lags, r, told):
    """Fill `told` (P,) with the variance of each r, by the influence of each row and its memory.

    `rows` (N, T) standardised, NaN where missing; row `first` leads `second` by `lags`. Influences
    w (x y − r (x² + y²) / 2), 0 on rows that either lacks, x and y standardised again on those both have.
    """
    T = rows.shape[1]
    z = np.empty(T)
    for p in range(len(first)):
        a, b, lag = rows[first[p]], rows[second[p]], lags[p]
        n = T - lag
        total = mx = my = 0.0
        for t in range(n):
            x, y = a[t], b[t + lag]
            if not (np.isnan(x) or np.isnan(y)):
                w = weights[t + lag]
                total += w
                mx += w * x
                my += w * y
        mx, my = mx / total, my / total
        vx = vy = 0.0
        for t in range(n):
            x, y = a[t], b[t + lag]
            if not (np.isnan(x) or np.isnan(y)):
                w = weights[t + lag] / total
                vx += w * (x - mx) ** 2
                vy += w * (y - my) ** 2
        gx, gy = 1.0 / np.sqrt(vx), 1.0 / np.sqrt(vy)
        for t in range(n):
            x, y = (a[t] - mx) * gx, (b[t + lag] - my) * gy
            z[t] = weights[t + lag] / total * (x * y - r[p] * (x * x + y * y) / 2.0)
            if np.isnan(z[t]):
                z[t] = 0.0
        told[p] = long_run(z[:n], int(4.0 * (n / 100.0) ** (2.0 / 9.0)))


@njit(cache=True, nogil=True)
def long_run(z, reach):
    """Variance of the sum of z, Bartlett's weights over `reach` lags (Newey & West 1987); 0 at least."""
    variance = 0.0
    for h in range(reach + 1):
        total = 0.0
        for t in range(h, len(z)):
            total += z[t] * z[t - h]
        variance += total if h == 0 else 2.0 * (1.0 - h / (reach + 1.0)) * total
    return max(variance, 0.0)
