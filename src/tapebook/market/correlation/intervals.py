"""The interval of one correlation, from the very rows that it is made of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from statistics import NormalDist

import numpy as np

from tapebook.market.correlation.search import Asked

CONFIDENCE = 0.95


def intervals(
    Z: np.ndarray, asked: Asked, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % ends, one an answer; Z (T, N) standardised columns.

    r's deviation is that of the mean of its influence z_t = x y − r (x² + y²) / 2, with the first
    autocovariances of z (Newey & West 1987, Econometrica 55), on Fisher's scale, so that an end is
    never beyond ±1. Exact columns are standardised again on the rows that the pair shares.
    """
    from tapebook.market.correlation.kernels import variances

    rows = np.ascontiguousarray(Z.T)
    w = np.ones(len(Z)) if weights is None else weights
    r = np.clip(asked.r, -1.0 + 1e-12, 1.0 - 1e-12)
    variance = np.empty(len(r))

    def fill(part: slice) -> None:
        variances(rows, w, asked.first[part], asked.second[part], asked.lag[part], r[part], variance[part])

    cuts = np.linspace(0, len(r), 4 * (cpu_count() or 1) + 1).astype(int)
    with ThreadPoolExecutor(cpu_count() or 1) as crew:
        list(crew.map(fill, map(slice, cuts[:-1], cuts[1:])))
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0) * np.sqrt(variance) / (1.0 - r * r)
    return np.tanh(np.arctanh(r) - reach), np.tanh(np.arctanh(r) + reach)


def on_scale_of_tau(tau: np.ndarray, rho: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Move an end of Spearman's rho's interval to Kendall's tau.

    By the slope of tau against rho where columns are jointly normal: 2/3 √(1 − r²/4) / √(1 − r²) with
    r = sin(π tau / 2) (Kruskal 1958, JASA 53), so both sides of an exact tau of ±1 are ±1.
    """
    r = np.clip(np.sin(np.pi * tau / 2.0), -0.999, 0.999)
    slope = 2.0 / 3.0 * np.sqrt((1.0 - r * r / 4.0) / (1.0 - r * r))
    moved: np.ndarray = np.clip(tau + slope * (end - rho), -1.0, 1.0)
    return moved
