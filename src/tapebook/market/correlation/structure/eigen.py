"""Eigenvalues of a correlation matrix: which stand out of noise, and the matrix without the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DRAWS = 20
BLOCK, BLOCKS = 20, 25
"""Rows whose sign is turned together, so that the memory of returns stays; fewer where T has few blocks."""


@dataclass(frozen=True, eq=False)
class Noise:
    """What noise does to N eigenvalues: its fitted variance, its edges, and who stands out.

    `values` (N,) from the largest; `limit` (N,) is what chance alone reaches at each place, NaN after the
    first place that chance explains.
    """

    values: np.ndarray
    vectors: np.ndarray
    limit: np.ndarray
    variance: float
    low: float
    high: float
    count: int


def marchenko_pastur(x: np.ndarray, variance: float, ratio: float) -> np.ndarray:
    """Density of eigenvalues of pure noise at x; `ratio` is columns over rows, N / T (1967, Math. USSR 1)."""
    low, high = edges(variance, ratio)
    inside = (x > low) & (x < high)
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.sqrt(np.maximum((high - x) * (x - low), 0.0)) / (2.0 * np.pi * variance * ratio * x)
    return np.where(inside, density, 0.0)


def edges(variance: float, ratio: float) -> tuple[float, float]:
    """Least and largest eigenvalue of noise in a large market."""
    return variance * (1.0 - np.sqrt(ratio)) ** 2, variance * (1.0 + np.sqrt(ratio)) ** 2


def largest_of_noise(T: int, N: int, level: float) -> float:
    """Value that the largest eigenvalue of noise of variance 1 exceeds with probability `level`.

    Tracy and Widom's law about Johnstone's centre (2001, Annals of Statistics 29).
    """
    root = np.sqrt(T - 1.0) + np.sqrt(N)
    scale = root * (1.0 / np.sqrt(T - 1.0) + 1.0 / np.sqrt(N)) ** (1.0 / 3.0)
    return float((root**2 + scale * tracy_widom(level)) / T)


def tracy_widom(level: float) -> float:
    """Upper quantile of Tracy and Widom's law of order 1, by Chiani's gamma (2014, JMVA 129)."""
    from scipy.stats import gamma

    return float(gamma.isf(level, 46.446, scale=0.186054) - 9.84801)


def noise(Z: np.ndarray, R: np.ndarray, level: float, seed: int) -> Noise:
    """Fit the noise of the correlation matrix R of standardised columns Z (T, N).

    From the largest on, an eigenvalue stands out where it is above both limits: Tracy and Widom's for
    noise of the variance that is left (the mean of this and the smaller eigenvalues), and the one that
    the rest of Z reaches when the signs of its blocks of up to 20 rows are drawn anew for each column, which
    keeps heavy tails, volatility that rises in all at once, unequal columns and memory.
    """
    T, N = Z.shape
    values, vectors = np.linalg.eigh(R)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    limit, unit, count = np.full(N, np.nan), largest_of_noise(T, N, level), 0
    rng, left = np.random.default_rng(seed), Z
    for place in range(N - 1):
        limit[place] = unit * values[place:].mean()
        if values[place] <= limit[place]:
            break
        # what was taken out took a share of each column's noise with it
        share = np.maximum(1.0 - (vectors[:, :place] ** 2).sum(axis=1), 1e-3)
        limit[place] = max(limit[place], _drawn(left / np.sqrt(share), rng, level))
        if values[place] <= limit[place]:
            break
        left = left - np.outer(left @ vectors[:, place], vectors[:, place])
        count = place + 1
    variance = float(values[count:].mean())
    low, high = edges(variance, N / T)
    return Noise(values, vectors, limit, variance, low, high, count)


def _drawn(left: np.ndarray, rng: np.random.Generator, level: float) -> float:
    from scipy.linalg import eigh

    T, N = left.shape
    block = max(1, min(BLOCK, T // BLOCKS))
    tops = np.empty(DRAWS)
    for n in range(DRAWS):
        signs = rng.choice((-1.0, 1.0), size=(-(-T // block), N)).repeat(block, axis=0)[:T]
        turned = left * signs
        tops[n] = eigh(turned.T @ turned / T, eigvals_only=True, subset_by_index=[N - 1, N - 1])[0]
    far = (tracy_widom(level) + 1.2065336) / 1.2680340  # in deviations from the law's mean
    return float(tops.mean() + far * tops.std(ddof=1))


def denoised(told: Noise) -> np.ndarray:
    """Matrix whose noise has one eigenvalue, its mean (López de Prado 2020, MLAM, 2.5.1)."""
    values = told.values.copy()
    values[told.count :] = told.variance
    return as_correlation((told.vectors * values) @ told.vectors.T)


def detoned(told: Noise) -> np.ndarray:
    """Denoised matrix without the first component, the market (MLAM, 2.6); it cannot be inverted."""
    first = told.vectors[:, :1]
    values = told.values.copy()
    values[told.count :] = told.variance
    whole = (told.vectors * values) @ told.vectors.T
    scale = np.sqrt(np.diag(whole))
    R, first = whole / np.outer(scale, scale), first / scale[:, None]
    return as_correlation(R - values[0] * first @ first.T)


def as_correlation(C: np.ndarray) -> np.ndarray:
    """Scale a covariance matrix to a diagonal of 1; what has no variance left correlates with nothing."""
    scale = np.sqrt(np.maximum(np.diag(C), 0.0))
    dead = scale <= 1e-9
    R: np.ndarray = C / np.outer(np.where(dead, 1.0, scale), np.where(dead, 1.0, scale))
    R[dead, :] = R[:, dead] = 0.0
    R = np.clip((R + R.T) / 2.0, -1.0, 1.0)
    np.fill_diagonal(R, 1.0)
    return R
