"""Tail dependence: how often two symbols are among their worst (or best) bars together, and by chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tapebook.errors import BadParameter
from tapebook.market.correlation.columns import ranks
from tapebook.market.correlation.products import Products, memory, standardised
from tapebook.market.correlation.search import Asked

LEAST = 5
"""Bars that a tail must hold, of as many rows as there are."""
REACH = 1.959963984540054


def in_tail(X: np.ndarray, share: float, *, upper: bool = False) -> np.ndarray:
    """1 where a value is among the column's lowest (or highest) `share`, else 0; NaN kept; shape (T, N)."""
    if not 0.0 < share < 0.5:
        raise BadParameter("tail", share, "a share of the bars above 0 and below 0.5, such as 0.05")
    if share * len(X) < LEAST:
        raise BadParameter(
            "tail",
            share,
            f"a share that leaves at least {LEAST} of {len(X):,} rows: {LEAST / len(X):.3f} or more",
        )
    R = ranks(-X if upper else X)
    count = np.maximum(np.floor(share * np.isfinite(X).sum(axis=0)), 1.0)
    return np.where(np.isnan(X), np.nan, (count >= R).astype(float))


def every_tail(bad: np.ndarray, lags: int) -> Iterator[tuple[int, Products, np.ndarray, np.ndarray]]:
    """Yield (lag, products, count, expected) for 0 … lags of columns of `in_tail`.

    `count` (N, N) rows where both are in their tails, `expected` of columns that do not depend, both over
    the number of independent rows that one row stands for; `error` is that of such columns. The mean of the
    products' squares is no error here: two that are never in their tails together have none.
    """
    T, rho = len(bad), memory(standardised(bad))
    for lag in range(lags + 1):
        A, B = bad[: T - lag], bad[lag:]
        MA, MB = ((~np.isnan(X)).astype(float) for X in (A, B))
        A, B = np.nan_to_num(A), np.nan_to_num(B)
        n, both = MA.T @ MB, A.T @ B
        with np.errstate(invalid="ignore", divide="ignore"):
            a, b = A.T @ MB / n, MA.T @ B / n
            scale = np.sqrt(a * (1.0 - a) * b * (1.0 - b))
            r = np.where(scale > 0.0, (both / n - a * b) / scale, np.nan)
            together = np.maximum(1.0 + 2.0 * rho.T @ rho, 1.0)
            yield lag, Products(r, n, np.sqrt(together / n)), both / together, n * a * b / together


def chance(count: np.ndarray, expected: np.ndarray) -> Callable[[Products, np.ndarray], np.ndarray]:
    """p-values of counts of rare events, two-sided: twice the smaller tail of Poisson's law."""

    def p_value(_: Products, spots: np.ndarray) -> np.ndarray:
        from scipy.special import gammainc, gammaincc

        k, mean = count.ravel()[spots], expected.ravel()[spots]
        many = np.where(k > 0.0, gammainc(np.maximum(k, 1e-9), mean), 1.0)
        p: np.ndarray = np.minimum(2.0 * np.minimum(many, gammaincc(k + 1.0, mean)), 1.0)
        return p

    return p_value


def tail_intervals(bad: np.ndarray, asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability that the second is in its tail where the first is, and its 95 % ends, one an answer.

    Wilson's interval (1927) of as many independent rows of the tail as clusters of bad bars leave.
    """
    told = np.empty((3, len(asked.p)))
    for n, lag in enumerate(asked.lag.tolist()):
        x, y = bad[: len(bad) - lag, asked.first[n]], bad[lag:, asked.second[n]]
        both = ~(np.isnan(x) | np.isnan(y))
        told[:, n] = _share(x[both], y[both])
    return told[0], told[1], told[2]


def _share(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    size = (x.sum() + y.sum()) / 2.0  # as many in both, but where the two miss different rows
    k = x @ y
    p = k / size
    e = x * y - p * (x + y) / 2.0
    spread, lags = e @ e, int(4.0 * (len(x) / 100.0) ** (2.0 / 9.0))
    longer = sum(2.0 * (1.0 - h / (lags + 1.0)) * (e[h:] @ e[:-h]) for h in range(1, lags + 1))
    n = size / max(1.0 + longer / spread, 1.0) if spread > 0.0 else size
    middle = (p + REACH**2 / (2.0 * n)) / (1.0 + REACH**2 / n)
    half = REACH * np.sqrt(max(p * (1.0 - p), 0.0) / n + REACH**2 / (4.0 * n * n)) / (1.0 + REACH**2 / n)
    return float(p), float(np.clip(middle - half, 0.0, p)), float(np.clip(middle + half, p, 1.0))


def tail_matrix(bad: np.ndarray) -> np.ndarray:
    """Probability (N, N) that one is in its tail where the other is, over the rows that each pair shares."""
    there, bad = (~np.isnan(bad)).astype(float), np.nan_to_num(bad)
    own = bad.T @ there  # rows where the first is in its tail and the second has one
    with np.errstate(invalid="ignore", divide="ignore"):
        R: np.ndarray = bad.T @ bad / ((own + own.T) / 2.0)
    return R
