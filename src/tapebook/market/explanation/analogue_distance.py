"""How like one bar's past or state is to every other's, and the nearest that do not overlap."""

from __future__ import annotations

import numpy as np

from tapebook.market.states import States


class Shapes:
    """Distances of z-normalised windows of m log closes, one query against all (T, N) at a time.

    √(2m(1 − r)) with r the correlation of two windows, the products from one Fourier transform a symbol
    (MASS: Mueen et al. 2017).
    """

    def __init__(self, logs: np.ndarray, m: int) -> None:
        self.logs, self.m = logs, m
        T, known = len(logs), np.isfinite(logs)
        level = np.where(known, logs, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        filled = np.where(known, logs - level, 0.0)
        self.size = 1 << int(T + m - 1).bit_length()
        self.spectrum = np.fft.rfft(filled, self.size, axis=0)
        mean = _sums(filled, m) / m
        variance = _sums(filled * filled, m) / m - mean * mean
        fit = (_sums(known.astype(float), m) > m - 0.5) & (variance > 1e-14)
        self.deviation = np.sqrt(np.where(fit, variance, np.nan))

    def __call__(self, row: int, column: int) -> np.ndarray | None:
        """Distances (T, N) of the m values up to `row`; None if one is missing or they never change."""
        m, T = self.m, len(self.logs)
        if row < m - 1:
            return None
        query = self.logs[row - m + 1 : row + 1, column]
        if not np.isfinite(query).all() or query.std() < 1e-12:
            return None
        z = (query - query.mean()) / query.std()
        turned = np.fft.rfft(z[::-1], self.size)[:, None]
        dot = np.fft.irfft(turned * self.spectrum, self.size, axis=0)[m - 1 : T]
        told = np.full(self.logs.shape, np.nan)
        told[m - 1 :] = np.sqrt(np.maximum(2.0 * m * (1.0 - dot / (m * self.deviation)), 0.0))
        return told


def _sums(X: np.ndarray, m: int) -> np.ndarray:
    total = np.vstack([np.zeros(X.shape[1]), np.cumsum(X, axis=0)])
    made: np.ndarray = total[m:] - total[:-m]
    return made


class Likeness:
    """Root mean square difference of the features' normal scores, one query against all (T, N) at a time.

    Scores are of a value's place among all symbols' values up to row `known_to`. Features unknown at the
    query are left out; a bar that lacks another is NaN.
    """

    def __init__(self, made: States, known_to: int) -> None:
        self.scores = np.stack([scores(made[name], known_to) for name in made.names])

    def __call__(self, row: int, column: int) -> np.ndarray | None:
        """Distances (T, N), or None where fewer than 3 features are known."""
        own = self.scores[:, row, column]
        known = np.isfinite(own)
        if known.sum() < 3:
            return None
        apart = self.scores[known] - own[known, None, None]
        answer: np.ndarray = np.sqrt(np.einsum("ktn,ktn->tn", apart, apart) / known.sum())
        return answer


def scores(values: np.ndarray, known_to: int) -> np.ndarray:
    """Normal score of each value (T, N) by its place among those up to a row."""
    from scipy.special import ndtri

    past = np.sort(values[: known_to + 1][np.isfinite(values[: known_to + 1])])
    if len(past) < 20:
        return np.full(values.shape, np.nan)
    low, high = (np.searchsorted(past, values, side=side) for side in ("left", "right"))
    share = (low + high + 1.0) / (2.0 * len(past) + 2.0)
    answer: np.ndarray = np.where(np.isfinite(values), ndtri(share), np.nan)
    return answer


def nearest(distance: np.ndarray, count: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and distances of the `count` nearest of (T, N), `width` rows apart; NaN is none."""
    known = np.where(np.isnan(distance), np.inf, distance)
    column, left = known.argmin(axis=1), known.min(axis=1)
    rows: list[int] = []
    told: list[float] = []
    while len(rows) < count and np.isfinite(least := left[row := int(left.argmin())]):
        rows.append(row)
        told.append(float(least))
        left[max(0, row - width + 1) : row + width] = np.inf
    at = np.array(rows, dtype=int)
    return at, column[at], np.array(told)
