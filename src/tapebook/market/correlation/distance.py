"""Kendall's tau and distance correlation: measures that a product of matrices does not give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations, permutations
from os import cpu_count

import numpy as np

from tapebook.errors import BadInput
from tapebook.market.correlation.null import ENOUGH
from tapebook.market.correlation.products import Products
from tapebook.market.correlation.rolling import spans
from tapebook.market.correlation.search import Asked

MAX_PAIRS = 500
"""Pairs for which distance correlations are computed: each takes about a second at 2,520 bars."""
SHIFTS = 199
SMALLEST = 1e-6
"""The smallest p-value that a curve through so many draws is trusted with."""


def kendall(X: np.ndarray, spearman: Products, lag: int = 0) -> Products:
    """Kendall's tau-b of all pairs of columns (T, N) at one lag, with its deviation where they do not depend.

    The leading part of tau is 2/3 of Spearman's products (Hoeffding 1948), so its error is too.
    """
    from tapebook.market.correlation.kernels import kendall_pairs

    T, N = X.shape
    A, B = (np.ascontiguousarray(part.T) for part in (X[: T - lag], X[lag:]))
    tau, n = np.full((N, N), np.nan), np.zeros((N, N))
    cuts = spans(N) if lag == 0 else [(i, i + 1) for i in range(N)]
    with ThreadPoolExecutor(cpu_count() or 1) as threads:
        list(threads.map(lambda cut: kendall_pairs(A, B, lag == 0, cut[0], cut[1], tau, n), cuts))
    return Products(tau, n, spearman.error * (2.0 / 3.0))


def distance(X: np.ndarray, seed: int, min_rows: int, lags: int = 0) -> tuple[Asked, np.ndarray, np.ndarray]:
    """Bias-corrected distance correlation of all pairs of columns; 0 on average if they do not depend.

    Székely & Rizzo (2014), Annals of Statistics 42. Its p-value: the second column moved round the clock
    SHIFTS times; beyond what they show, the tail of a Pearson III curve through their moments. Returns
    the answers and the ends of their 95 % intervals by subsampling (Politis & Romano 1994).
    """
    N = X.shape[1]
    pairs = [(i, j, 0) for i, j in combinations(range(N), 2)]
    pairs += [(i, j, lag) for lag in range(1, lags + 1) for i, j in permutations(range(N), 2)]
    if len(pairs) > MAX_PAIRS:
        raise BadInput(
            f"distance correlations of {len(pairs):,} pairs and lags would take about "
            f"{len(pairs) / 60:.0f} minutes: at most {MAX_PAIRS} (32 symbols without lags). Scan with "
            "another method first, then the pairs it finds"
        )
    seeds = np.random.SeedSequence(seed).spawn(len(pairs))

    def one(number: int) -> tuple[float, float, float, float, int]:
        i, j, lag = pairs[number]
        x, y = X[: len(X) - lag, i], X[lag:, j]
        both = np.isfinite(x) & np.isfinite(y)
        if both.sum() < min_rows:
            return np.nan, np.nan, np.nan, np.nan, int(both.sum())
        return (*_judged(x[both], y[both], np.random.default_rng(seeds[number])), int(both.sum()))

    with ThreadPoolExecutor(cpu_count() or 1) as threads:
        told = np.array(list(threads.map(one, range(len(pairs)))), dtype=float).reshape(-1, 5)
    have = np.flatnonzero(~np.isnan(told[:, 0]))
    first, second, at = np.array(pairs, dtype=int)[have].reshape(-1, 3).T
    r, p, low, high, n = told[have].T
    return Asked(first, second, at, r, n, p, len(have)), low, high


def distance_correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Bias-corrected distance correlation of two columns (T,); 1 where they are the same."""
    from tapebook.market.correlation.kernels import centred_distances, shifted_product

    A, B = centred_distances(x), centred_distances(y)
    down = np.sqrt(shifted_product(A, A, 0) * shifted_product(B, B, 0))
    return float(shifted_product(A, B, 0) / down) if down > 0.0 else np.nan


def distance_matrix(X: np.ndarray) -> np.ndarray:
    """Bias-corrected distance correlation (N, N) of columns (T, N), 1 on the diagonal."""
    N = X.shape[1]
    R = np.eye(N)
    for i, j in combinations(range(N), 2):
        both = np.isfinite(X[:, i]) & np.isfinite(X[:, j])
        R[i, j] = R[j, i] = distance_correlation(X[both, i], X[both, j])
    return R


def _judged(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> tuple[float, float, float, float]:
    from scipy.stats import pearson3, skew

    from tapebook.market.correlation.kernels import centred_distances, shifted_product

    A, B, T = centred_distances(x), centred_distances(y), len(x)
    down = np.sqrt(shifted_product(A, A, 0) * shifted_product(B, B, 0))
    if not down > 0.0:
        return np.nan, np.nan, np.nan, np.nan
    r = shifted_product(A, B, 0) / down
    near = max(1, min(20, T // 10))
    by = rng.integers(near, T - near + 1, size=SHIFTS)
    drawn = np.array([shifted_product(A, B, int(move)) for move in by]) / down
    count = int((drawn >= r).sum())
    tail = float(pearson3.sf(r, skew(drawn), drawn.mean(), drawn.std()))
    most = (1.0 + ENOUGH) / (1.0 + SHIFTS)
    p = (1.0 + count) / (1.0 + SHIFTS) if count >= ENOUGH else min(max(tail, SMALLEST), most)
    size = max(20, int(T ** (2.0 / 3.0)))
    parts = [
        distance_correlation(x[begin : begin + size], y[begin : begin + size])
        for begin in range(0, T - size + 1, max(1, size // 4))
    ]
    off = (np.array(parts) - r) * np.sqrt(size / T)
    low, high = r - np.nanquantile(off, 0.975), r - np.nanquantile(off, 0.025)
    return r, p, max(float(low), -1.0), min(float(high), 1.0)
