"""Correlations of all pairs at one lag by products of matrices, and how far chance alone would take them.

Columns are X (T, N), NaN where missing. At lag k ≥ 0 entry (i, j) says how X[t, i] goes with X[t + k, j]
over the rows that have both: i leads j by k.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np

_SMALL = 1e-13  # variance of a standardised column below which it is constant on the shared rows


@dataclass(frozen=True, eq=False)
class Products:
    """Of each ordered pair, shape (N, N): correlation `r`, rows `n`, and `error`, r's deviation at r = 0."""

    r: np.ndarray
    n: np.ndarray
    error: np.ndarray


def standardised(X: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Columns less their mean, over their deviation; a constant column is NaN. `weights` (T,), one a row."""
    w = np.ones(len(X)) if weights is None else weights
    missing = np.isnan(X)
    whole = not missing.any()
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = X if whole else np.where(missing, 0.0, X)
        total = w.sum() if whole else w @ ~missing
        mean = w @ filled / total
        Z: np.ndarray = X - mean
        centred = Z if whole else np.where(missing, 0.0, Z)
        square = np.einsum("tn,tn->n", centred, centred if weights is None else centred * w[:, None])
        scale = np.sqrt(square / total)
        Z /= np.where(scale > 1e-12 * np.abs(mean), scale, np.nan)
    return Z


def memory(Z: np.ndarray) -> np.ndarray:
    """Autocorrelations (L, N) of standardised columns, L about 10 log10 T lags; missing pairs count 0."""
    from scipy.fft import irfft, next_fast_len, rfft

    T = len(Z)
    L = max(1, min(T // 4, int(10.0 * log10(T))))
    rows = np.ascontiguousarray(np.nan_to_num(Z).T)
    size = next_fast_len(T + L, real=True)  # so many zeros that lags up to L do not meet the other end
    moments = irfft(np.abs(rfft(rows, size)) ** 2, size)[:, : L + 1].T
    with np.errstate(invalid="ignore", divide="ignore"):
        rho: np.ndarray = np.nan_to_num(moments[1:] / moments[0])
    return rho


def products(
    Z: np.ndarray, lag: int = 0, rho: np.ndarray | None = None, weights: np.ndarray | None = None
) -> Products:
    """Correlate all pairs of standardised columns at one lag; `weights` (T,) of the rows t + k.

    The error is that of a mean of products z_t = x_t y_(t+k) of two series that do not depend on each
    other: their mean square (so heavy tails, and volatility that rises in both at once, count), and the
    products of their autocorrelations `rho` (Bartlett 1946, JRSS Suppl. 8). With weights, `n` is the
    number of equal ones that would be as sure.
    """
    T = len(Z)
    A, B = Z[: T - lag], Z[lag:]
    rho = memory(Z) if rho is None else rho
    dependence = 2.0 * rho.T @ rho
    if weights is None and not np.isnan(Z).any():
        r, n, square = _whole(A, B)
    else:
        r, n, square = _masked(A, B, np.ones(T - lag) if weights is None else weights[lag:])
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.maximum(square + dependence, 0.1 * square) / n)
    return Products(r, n, error)


def _whole(A: np.ndarray, B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(A)
    ma, mb = A.mean(axis=0), B.mean(axis=0)
    va, vb = (np.maximum(np.einsum("tn,tn->n", X, X) / n - m * m, 0.0) for X, m in ((A, ma), (B, mb)))
    va, vb = (np.where(v > _SMALL, v, np.nan) for v in (va, vb))
    r = A.T @ B
    r /= n
    r -= np.outer(ma, mb)
    r /= np.outer(np.sqrt(va), np.sqrt(vb))
    np.clip(r, -1.0, 1.0, out=r)
    square = (A * A).T @ (B * B)
    square /= n * np.outer(va, vb)
    return r, np.full(r.shape, float(n)), square


def _masked(A: np.ndarray, B: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    MA, MB = ((~np.isnan(X)).astype(float) for X in (A, B))
    A, B = np.nan_to_num(A), np.nan_to_num(B)
    WA, AW, row = MA * w[:, None], A * w[:, None], w[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        W = WA.T @ MB
        n = W * W / ((WA * row).T @ MB)
        ma, mb = AW.T @ MB / W, WA.T @ B / W
        va, vb = (A * AW).T @ MB / W - ma * ma, WA.T @ (B * B) / W - mb * mb
        va, vb = (np.where(v > _SMALL, v, np.nan) for v in (va, vb))
        r = np.clip((AW.T @ B / W - ma * mb) / np.sqrt(va * vb), -1.0, 1.0)
        square = (AW * AW).T @ (B * B) / (W * W) * n / (va * vb)
    return r, np.nan_to_num(n), square


def correlation_matrix(X: np.ndarray) -> np.ndarray:
    """Pearson correlation (N, N) of columns (T, N) over the rows that each pair shares."""
    X = np.asarray(X, dtype=float)
    mean = X.mean(axis=0)
    if np.isnan(mean).any():
        Z = standardised(X)
        return _exact(_masked(Z, Z, np.ones(len(Z)))[0])
    Z = X - mean
    scale = np.sqrt(np.einsum("tn,tn->n", Z, Z))
    Z /= np.where(scale > 1e-12 * np.sqrt(len(X)) * np.abs(mean), scale, np.nan)
    return _exact(Z.T @ Z)  # one symmetric product, half the work of a general one


def _exact(R: np.ndarray) -> np.ndarray:
    np.clip(R, -1.0, 1.0, out=R)
    diagonal = np.einsum("ii->i", R)
    diagonal[~np.isnan(diagonal)] = 1.0
    return R
