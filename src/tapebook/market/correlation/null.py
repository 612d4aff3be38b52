"""What chance makes of these very columns: correlations with the blocks of each in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapebook.errors import BadParameter
from tapebook.market.correlation.products import Products
from tapebook.market.correlation.search import student

ENOUGH = 10
"""Draws beyond a value from which on their share is its p-value; beyond, the tail of a fitted t."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """Of each pair (N, N): deviation of its drawn t-values, and how many were as far out as its own."""

    deviation: np.ndarray
    beyond: np.ndarray
    draws: int

    def __call__(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values of chosen pairs by the tail of Student's t with the draws' own deviation."""
        first, second = np.divmod(spots, len(told.r))
        t = told.r[first, second] / told.error[first, second] / self.deviation[first, second]
        return student(t, told.n[first, second])

    def counted(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values at the lag that was counted: the share of draws beyond, where they are ENOUGH."""
        first, second = np.divmod(spots, len(told.r))
        count = self.beyond[first, second]
        share = (1.0 + count) / (1.0 + self.draws)
        few = np.minimum(self(told, spots), (1.0 + ENOUGH) / (1.0 + self.draws))
        p: np.ndarray = np.where(count >= ENOUGH, share, few)
        return p


def permuted(Z: np.ndarray, told: Products, draws: int, seed: int, block: int | None = None) -> Permuted:
    """Put the blocks of every column of Z (T, N) in an order of its own, correlate all pairs, `draws` times.

    Blocks of `block` rows (√T if None) are cut from a row drawn for each column, the last row followed by the
    first (Politis & Romano 1992), so that each column keeps its values, its memory and its calm and wild
    times, and columns have nothing to do with each other. What is compared is not r but r over the error of a
    mean of such products (DiCiccio & Romano 2017, JASA 112): storms that hit two at once, which no order
    keeps, are then not taken for a correlation. `told`: the products to compare with, their error without
    memory, which the blocks have.
    """
    from tapebook.market.correlation.kernels import rearranged

    T, N = Z.shape
    if not 99 <= draws <= 100_000:
        raise BadParameter("draws", draws, "between 99 and 100,000")
    block = block or min(round(T**0.5), T // 4)
    if not 1 <= block <= T // 4:
        raise BadParameter("block", block, f"between 1 and {T // 4} rows, a quarter of the {T:,}")
    rng, blocks = np.random.default_rng(seed), -(-T // block)
    rows = np.ascontiguousarray(np.nan_to_num(Z.T), dtype=np.float32)  # a missing row adds nothing
    moved, made, spread = np.empty_like(rows), *np.empty((2, N, N), dtype=np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(told.r / told.error).astype(np.float32)
    squares, beyond = np.zeros((N, N), dtype=np.float32), np.zeros((N, N), dtype=np.int32)
    for _ in range(draws):
        begin = rng.integers(T, size=N)
        order = rng.permuted(np.broadcast_to(np.arange(blocks), (N, blocks)), axis=1)
        rearranged(rows, begin, order, block, moved)
        np.matmul(moved, moved.T, out=made)
        moved *= moved
        np.matmul(moved, moved.T, out=spread)
        np.sqrt(spread, out=spread)
        made /= np.maximum(spread, np.float32(1e-9))  # Σ x y / √Σ x² y² is t
        np.abs(made, out=made)
        beyond += made >= size
        made *= made
        squares += made
    return Permuted(np.sqrt(squares / draws), beyond, draws)
