# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# (numba reads the types from the arguments)
"""Engle and Granger's regressions of many pairs, each in both directions."""

from __future__ import annotations

import numpy as np
from numba import njit

FIELDS = ("stat", "hedge", "level", "n", "lag", "pull", "error", "z", "deviation", "fit")


@njit(cache=True, nogil=True)
def both_ways(logs, first, second, least, lags, told):
    """Fill `told` (P, 2, 10) with `FIELDS` of each pair: y on x, then x on y.

    `logs` (N, T) log prices, NaN where missing; a pair's rows are those that both have, and fewer than
    `least` leave NaN. `lags`: of the augmented regression, or −1 for Akaike's choice up to 12 (n/100)^¼, or
    −2 for the modified one.
    """
    T = logs.shape[1]
    x, y, u = np.empty(T), np.empty(T), np.empty(T)
    for p in range(len(first)):
        told[p] = np.nan
        n = 0
        for t in range(T):
            if not (np.isnan(logs[first[p], t]) or np.isnan(logs[second[p], t])):
                y[n], x[n] = logs[first[p], t], logs[second[p], t]
                n += 1
        if n < least:
            continue
        for way in range(2):
            if way == 0:
                hedge, level, fit = regressed(y[:n], x[:n], u)
            else:
                hedge, level, fit = regressed(x[:n], y[:n], u)
            one = told[p, way]
            one[1], one[2], one[3], one[9] = hedge, level, n, fit
            if not fit < 1.0 - 100.0 * 1.4901161193847656e-08:  # statsmodels' limit of collinear prices
                continue
            one[0], one[4] = adf(u[:n], lags)
            one[5], one[6], one[7], one[8] = pulled(u[:n])


@njit(cache=True, nogil=True)
def regressed(y, x, u):
    """Ordinary least squares of y on x and a constant: (slope, constant, R²); residuals go to u."""
    n = len(y)
    my, mx = y.mean(), x.mean()
    sxx = sxy = syy = 0.0
    for t in range(n):
        dx, dy = x[t] - mx, y[t] - my
        sxx += dx * dx
        sxy += dx * dy
        syy += dy * dy
    slope = sxy / sxx
    left = 0.0
    for t in range(n):
        u[t] = (y[t] - my) - slope * (x[t] - mx)
        left += u[t] * u[t]
    return slope, my - slope * mx, 1.0 - left / syy


@njit(cache=True, nogil=True)
def pulled(u):
    """First autoregression of residuals: its pull φ − 1, White's error, how far u is now, deviation."""
    n = len(u)
    square = cross = total = 0.0
    for t in range(1, n):
        square += u[t - 1] * u[t - 1]
        cross += u[t - 1] * u[t]
    phi, meat = cross / square, 0.0
    for t in range(1, n):
        e = u[t] - phi * u[t - 1]
        meat += (e * u[t - 1]) ** 2
    for t in range(n):
        total += u[t] * u[t]
    deviation = np.sqrt(total / (n - 2))
    return phi - 1.0, np.sqrt(meat) / square, u[n - 1] / deviation, deviation


@njit(cache=True, nogil=True)
def adf(u, lags):
    """Dickey and Fuller's augmented t without a constant, as statsmodels' adfuller: (t, lags used)."""
    n = len(u)
    most = min(n // 2 - 1, int(np.ceil(12.0 * (n / 100.0) ** 0.25))) if lags < 0 else lags
    d = np.diff(u)
    used = most
    if lags < 0:
        used = akaike(u, d, most, lags == -2)
    G, rows = moments(u, d, used)
    k = used + 1
    # the level last: its t is its part of the fit over the deviation of what is left
    order = np.empty(k + 1, dtype=np.int64)
    order[: k - 1] = np.arange(1, k)
    order[k - 1], order[k] = 0, k
    L = cholesky(G, order)
    left = L[k, k] ** 2
    return L[k, k - 1] / np.sqrt(left / (rows - k)), used


@njit(cache=True, nogil=True)
def akaike(u, d, most, modified):
    """Number of lags with the least information criterion, all over the rows that the most leaves.

    Modified as by Ng & Perron (2001, Econometrica 69): how far the level's own coefficient reaches counts,
    so that much noise about a slow walk gets the many lags that it needs.
    """
    G, rows = moments(u, d, most)
    L = cholesky(G, np.arange(most + 2))
    last = most + 1
    left, best, chosen = G[last, last], np.inf, 0
    beta = np.empty(most + 1)
    for k in range(1, most + 2):
        left -= L[last, k - 1] ** 2
        far = 0.0
        if modified:
            for i in range(k - 1, -1, -1):
                total = L[last, i]
                for h in range(i + 1, k):
                    total -= L[h, i] * beta[h]
                beta[i] = total / L[i, i]
            far = beta[0] ** 2 * G[0, 0] / (left / rows)
        value = rows * np.log(left) + 2.0 * (k + far)
        if value < best:
            best, chosen = value, k - 1
    return chosen


@njit(cache=True, nogil=True)
def moments(u, d, m):
    """Sums of products (m + 2, m + 2) of level, m lagged differences and the difference; rows used."""
    n = len(d)
    S, G = np.empty((m + 1, m + 1)), np.empty((m + 2, m + 2))
    for j in range(m + 1):
        total = level = 0.0
        for s in range(m, n):
            total += d[s] * d[s - j]
            level += u[s] * d[s - j]
        S[0, j] = total
        place = j if j else m + 1
        G[0, place] = G[place, 0] = level
    for i in range(m):
        for j in range(i, m):
            S[i + 1, j + 1] = S[i, j] + d[m - 1 - i] * d[m - 1 - j] - d[n - 1 - i] * d[n - 1 - j]
    total = 0.0
    for s in range(m, n):
        total += u[s] * u[s]
    G[0, 0] = total
    for i in range(m + 1):
        for j in range(i, m + 1):
            a, b = i if i else m + 1, j if j else m + 1
            G[a, b] = G[b, a] = S[i, j]
    return G, n - m


@njit(cache=True, nogil=True)
def cholesky(G, order):
    """Lower triangle L of G with rows and columns taken in `order`: L Lᵀ = G."""
    k = len(order)
    L = np.zeros((k, k))
    for i in range(k):
        for j in range(i + 1):
            total = G[order[i], order[j]]
            for h in range(j):
                total -= L[i, h] * L[j, h]
            if i == j:
                L[i, i] = np.sqrt(max(total, 1e-300))
            else:
                L[i, j] = total / L[j, j]
    return L
