"""What correlation chance makes of these very columns: the blocks of each in an order of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapebook.errors import BadParameter
from tapebook.market.correlation_products import Products

ENOUGH = 10
"""Draws beyond a value from which on their share is its p-value; beyond, the tail of a fitted t."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """Of each pair (N, N): deviation of its drawn correlations, and how many were as far out as its own.

    `freedom`: degrees of freedom of the Student's t that goes on where draws are too few.
    """

    deviation: np.ndarray
    beyond: np.ndarray
    freedom: np.ndarray
    draws: int

    def __call__(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values of chosen pairs by the tail of Student's t with the draws' own deviation."""
        from scipy.special import stdtr

        first, second = np.divmod(spots, len(told.r))
        df = self.freedom[first, second]
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.abs(told.r[first, second]) / self.deviation[first, second] * np.sqrt(df / (df - 2.0))
        p: np.ndarray = np.minimum(2.0 * stdtr(df, -t), 1.0)
        return p

    def counted(self, told: Products, spots: np.ndarray) -> np.ndarray:
        """p-values at the lag that was counted: the share of draws beyond, where they are ENOUGH."""
        first, second = np.divmod(spots, len(told.r))
        count = self.beyond[first, second]
        share = (1.0 + count) / (1.0 + self.draws)
        few = np.minimum(self(told, spots), (1.0 + ENOUGH) / (1.0 + self.draws))
        p: np.ndarray = np.where(count >= ENOUGH, share, few)
        return p


def permuted(Z: np.ndarray, r: np.ndarray, draws: int, seed: int, block: int | None = None) -> Permuted:
    """Put the blocks of every column of Z (T, N) in an order of its own, correlate all pairs, `draws` times.

    Blocks of `block` rows (√T if None) are cut from a row drawn for each column, the last row followed by the
    first (Politis & Romano 1992), so that each column keeps its values, its memory and its calm and wild
    times, and columns have nothing to do with each other. That volatility rises in two at once does not stay:
    for that take the robust p-value. `r` (N, N): the correlations to compare with.
    """
    from tapebook.market.correlation_kernels import rearranged

    T, N = Z.shape
    if not 99 <= draws <= 100_000:
        raise BadParameter("draws", draws, "between 99 and 100,000")
    block = block or round(T**0.5)
    if not 1 <= block <= T // 4:
        raise BadParameter("block", block, f"between 1 and {T // 4} rows, a quarter of the {T:,}")
    rng = np.random.default_rng(seed)
    there = ~np.isnan(Z.T)
    rows = np.ascontiguousarray(np.nan_to_num(Z.T), dtype=np.float32)
    held = None if there.all() else np.ascontiguousarray(there, dtype=np.float32)
    moved, mask, made = np.empty_like(rows), np.empty_like(rows), np.empty((N, N), dtype=np.float32)
    size, blocks = np.abs(r).astype(np.float32), -(-T // block)
    squares, beyond = np.zeros((N, N), dtype=np.float32), np.zeros((N, N), dtype=np.int32)
    for _ in range(draws):
        begin = rng.integers(T, size=N)
        order = rng.permuted(np.broadcast_to(np.arange(blocks), (N, blocks)), axis=1)
        rearranged(rows, begin, order, block, moved)
        np.matmul(moved, moved.T, out=made)
        if held is None:
            made /= np.float32(T)
        else:
            rearranged(held, begin, order, block, mask)
            made /= np.maximum(mask @ mask.T, 1.0)
        np.abs(made, out=made)
        beyond += made >= size
        made *= made
        squares += made
    return Permuted(np.sqrt(squares / draws), beyond, _freedom(Z), draws)


def _freedom(Z: np.ndarray) -> np.ndarray:
    """Degrees of freedom of the t whose tails are as heavy as those of a mean of T products of two columns.

    The products' fourth moment is that of the one column times that of the other; the excess of a mean of T
    is a T-th of the excess of one, and a t has the excess 6 / (df − 4).
    """
    with np.errstate(invalid="ignore"):
        fourth = np.nanmean(Z**4, axis=0)
    excess = np.maximum(np.outer(fourth, fourth) - 3.0, 1e-9) / len(Z)
    df: np.ndarray = np.minimum(4.0 + 6.0 / excess, max(len(Z) - 2.0, 5.0))
    return df
