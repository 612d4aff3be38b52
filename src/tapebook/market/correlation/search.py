"""All pairs and lags at once: the ones that chance does not explain, without a table of them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from tapebook.market.correlation.products import Products, memory, products

LIKELY = 0.3
"""Questions with a larger p-value than this are counted and not kept: no correction brings them back."""


@dataclass(frozen=True, eq=False)
class Asked:
    """Answers kept: `first` and `second` column, `lag`, `r`, `n`, `p`; and the `count` asked.

    `rest` holds the p-values of answers that were dropped though a correction may bring them back.
    """

    first: np.ndarray
    second: np.ndarray
    lag: np.ndarray
    r: np.ndarray
    n: np.ndarray
    p: np.ndarray
    count: int
    rest: np.ndarray = field(default_factory=lambda: np.empty(0))


def student(t: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Two-sided p-value of Student's t with n − 2 degrees of freedom."""
    from scipy.special import stdtr

    p: np.ndarray = 2.0 * stdtr(np.maximum(n - 2.0, 1.0), -np.abs(t))
    return p


def every_lag(Z: np.ndarray, lags: int, weights: np.ndarray | None = None) -> Iterator[tuple[int, Products]]:
    """Yield (lag, products) for 0 … lags."""
    rho = memory(Z)
    for lag in range(lags + 1):
        yield lag, products(Z, lag, rho, weights)


def kept(
    told: Products,
    lag: int,
    min_rows: int,
    p_value: Callable[[Products, np.ndarray], np.ndarray],
) -> Asked:
    """Keep the likely answers of one lag; at lag 0 a pair is asked once, otherwise in both orders."""
    N = len(told.r)
    asked = np.triu(np.ones((N, N), dtype=bool), 1) if lag == 0 else ~np.eye(N, dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = told.r / told.error
        asked &= ~np.isnan(t) & (told.n >= min_rows)
        spots = np.flatnonzero(asked & (np.abs(t) > 0.9))  # p < 0.37 at most: none likely is lost
    p = p_value(told, spots)
    spots, p = spots[p <= LIKELY], p[p <= LIKELY]
    first, second = np.divmod(spots, N)
    size = len(spots)
    return Asked(
        first,
        second,
        np.full(size, lag),
        told.r.ravel()[spots],
        told.n.ravel()[spots],
        p,
        int(asked.sum()),
    )


def robust(told: Products, spots: np.ndarray) -> np.ndarray:
    """p-values of r over its error at r = 0: right under heavy tails, clustered volatility and memory."""
    N = len(told.r)
    first, second = np.divmod(spots, N)
    return student(told.r[first, second] / told.error[first, second], told.n[first, second])


def joined(parts: list[Asked]) -> Asked:
    """Put the answers of several lags together."""
    first, second, lag, r, n, p = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("first", "second", "lag", "r", "n", "p")
    )
    return Asked(first, second, lag, r, n, p, sum(part.count for part in parts))


def likeliest(asked: Asked, keep: int) -> Asked:
    """The `keep` answers with the smallest p-values, the smallest first; of the others the p-values."""
    order = np.argsort(asked.p, kind="stable")
    best = order[:keep]
    first, second, lag, r, n, p = (
        getattr(asked, name)[best] for name in ("first", "second", "lag", "r", "n", "p")
    )
    return Asked(first, second, lag, r, n, p, asked.count, asked.p[order[keep:]])
