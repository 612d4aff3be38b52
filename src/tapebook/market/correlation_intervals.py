"""The interval of one correlation, from the very rows that it is made of."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from tapebook.market.correlation_search import Asked

CONFIDENCE = 0.95
_CELLS = 4_000_000


def intervals(
    Z: np.ndarray, asked: Asked, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the 95 % ends, one an answer; Z (T, N) standardised columns.

    r's deviation is that of the mean of its influence z_t = x y − r (x² + y²) / 2, with the first
    autocovariances of z (Newey & West 1987, Econometrica 55), on Fisher's scale, so that an end is
    never beyond ±1. Exact columns are standardised again on the rows that the pair shares.
    """
    low, high = np.empty(len(asked.p)), np.empty(len(asked.p))
    together = max(1, _CELLS // len(Z))
    for lag in np.unique(asked.lag):
        every = np.flatnonzero(asked.lag == lag)
        for begin in range(0, len(every), together):
            at = every[begin : begin + together]
            low[at], high[at] = _ends(Z, asked, at, int(lag), weights)
    return low, high


def on_scale_of_tau(tau: np.ndarray, rho: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Move an end of Spearman's rho's interval to Kendall's tau.

    By the slope of tau against rho where columns are jointly normal: 2/3 √(1 − r²/4) / √(1 − r²) with
    r = sin(π tau / 2) (Kruskal 1958, JASA 53), so both sides of an exact tau of ±1 are ±1.
    """
    r = np.clip(np.sin(np.pi * tau / 2.0), -0.999, 0.999)
    slope = 2.0 / 3.0 * np.sqrt((1.0 - r * r / 4.0) / (1.0 - r * r))
    moved: np.ndarray = np.clip(tau + slope * (end - rho), -1.0, 1.0)
    return moved


def _ends(
    Z: np.ndarray, asked: Asked, rows: np.ndarray, lag: int, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    x, y = Z[: len(Z) - lag, asked.first[rows]], Z[lag:, asked.second[rows]]
    both = ~(np.isnan(x) | np.isnan(y))
    w = both * (1.0 if weights is None else weights[lag:, None])
    w /= w.sum(axis=0)
    x, y = _again(np.where(both, x, 0.0), w), _again(np.where(both, y, 0.0), w)
    r = np.clip(asked.r[rows], -1.0 + 1e-12, 1.0 - 1e-12)
    z = w * (x * y - r * (x * x + y * y) / 2.0)
    variance = (z * z).sum(axis=0)
    bandwidth = int(4.0 * (len(z) / 100.0) ** (2.0 / 9.0))
    for h in range(1, bandwidth + 1):
        variance = variance + 2.0 * (1.0 - h / (bandwidth + 1.0)) * (z[h:] * z[:-h]).sum(axis=0)
    error = np.sqrt(np.maximum(variance, 0.0)) / (1.0 - r * r)
    reach = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2.0) * error
    return np.tanh(np.arctanh(r) - reach), np.tanh(np.arctanh(r) + reach)


def _again(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    centred = x - (w * x).sum(axis=0)
    scale = np.sqrt((w * centred * centred).sum(axis=0))
    made: np.ndarray = centred / np.where(scale > 0.0, scale, np.nan)
    return made
