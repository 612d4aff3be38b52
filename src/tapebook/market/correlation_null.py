"""What correlation chance makes of these very columns: each moved round the clock by a time of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapebook.errors import BadParameter
from tapebook.market.correlation_products import Products
from tapebook.market.correlation_search import student

APART = 50
"""Rows by which two columns are moved apart at least, where there are rows enough."""
ENOUGH = 10
"""Draws beyond a value from which on their share is its p-value; beyond, the tail of a fitted t."""


def shifts(T: int, N: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how far each of N columns is moved, 0 to T − 1, no two closer than half of APART if T allows."""
    apart = max(1, min(APART, T // max(N, 2)))
    spots = T // apart
    drawn = rng.permutation(spots)[:N] if spots >= N else rng.integers(spots, size=N)
    moved: np.ndarray = drawn * apart + rng.integers(0, (apart + 1) // 2, size=N)
    return moved


def shifted(Z: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Move each column (T, N) round by its own number of rows: its own order in time stays."""
    T = len(Z)
    rows = (np.arange(T)[:, None] + by[None, :]) % T
    return np.take_along_axis(Z, rows, axis=0)


@dataclass(frozen=True, eq=False)
class Circular:
    """Of each pair: deviation of its drawn correlations, and how many were as far out as its own."""

    deviation: np.ndarray
    beyond: np.ndarray
    draws: int

    def __call__(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values of chosen pairs by the tail of Student's t with the draws' own deviation."""
        first, second = np.divmod(spots, len(told.r))
        return student(told.r[first, second] / self.deviation[first, second], told.n[first, second])

    def counted(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values at the lag that was counted: the share of draws beyond, where they are ENOUGH."""
        first, second = np.divmod(spots, len(told.r))
        count = self.beyond[first, second]
        share = (1.0 + count) / (1.0 + self.draws)
        few = np.minimum(self(told, spots), (1.0 + ENOUGH) / (1.0 + self.draws))
        p: np.ndarray = np.where(count >= ENOUGH, share, few)
        return p


def circular(Z: np.ndarray, r: np.ndarray, draws: int, seed: int) -> Circular:
    """Move every column of Z (T, N) by a time of its own, correlate all pairs, `draws` times.

    Each column is one block, cut where the move falls (circular shifts; Politis & Romano 1992), so its
    volatility and memory stay. That volatility rises in two columns at once does not: for that take the
    robust p-value. `r` (N, N): the correlations to compare with.
    """
    if not 99 <= draws <= 100_000:
        raise BadParameter("draws", draws, "between 99 and 100,000")
    T, N = Z.shape
    rng = np.random.default_rng(seed)
    held = None if not np.isnan(Z).any() else (~np.isnan(Z)).astype(np.float32)
    filled, size = np.nan_to_num(Z).astype(np.float32), np.abs(r).astype(np.float32)
    squares, beyond = np.zeros((N, N), dtype=np.float32), np.zeros((N, N), dtype=np.int32)
    for _ in range(draws):
        by = shifts(T, N, rng)
        moved = shifted(filled, by)
        made = moved.T @ moved
        if held is None:
            made /= np.float32(T)
        else:
            there = shifted(held, by)
            made /= np.maximum(there.T @ there, 1.0)
        np.abs(made, out=made)
        beyond += made >= size
        made *= made
        squares += made
    return Circular(np.sqrt(squares / draws), beyond, draws)
