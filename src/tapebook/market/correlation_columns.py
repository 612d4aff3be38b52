"""What turns columns into those whose mean product is the measure: ranks, tails, the inverse matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tapebook.errors import BadInput, BadParameter
from tapebook.market.correlation_products import standardised

Method = Literal["pearson", "spearman", "kendall", "partial", "distance", "lower_tail", "upper_tail"]
METHODS: tuple[Method, ...] = (
    "pearson",
    "spearman",
    "kendall",
    "partial",
    "distance",
    "lower_tail",
    "upper_tail",
)
PRODUCTS = ("pearson", "spearman", "partial", "lower_tail", "upper_tail")
"""Methods that are a mean of products of two columns."""


def ranks(X: np.ndarray) -> np.ndarray:
    """Rank of each value among its column's own, ties at their mean, NaN kept; shape (T, N)."""
    from scipy.stats import rankdata

    R: np.ndarray = rankdata(X, axis=0, nan_policy="omit")
    return R


def below(X: np.ndarray, share: float, *, upper: bool = False) -> np.ndarray:
    """1 where a value is among the column's lowest (or highest) `share`, else 0; NaN kept."""
    if not 0.0 < share < 0.5:
        raise BadParameter("tail", share, "a share of the bars above 0 and below 0.5, such as 0.05")
    R = ranks(-X if upper else X)
    count = np.maximum(np.floor(share * np.isfinite(X).sum(axis=0)), 1.0)
    return np.where(np.isnan(X), np.nan, (count >= R).astype(float))


def inverse(X: np.ndarray) -> np.ndarray:
    """Columns U = X Θ, whose correlations are the partial correlations with the sign turned.

    Θ is the inverse of the correlation matrix over the rows that all columns share. Of entry (i, j) of Θ
    the deviation at 0 is that of the mean of u_i u_j (Janková & van de Geer 2017, TEST 26).

    Raises
    ------
    BadInput
        If there are fewer than twice as many shared rows as columns, or a column repeats others.
    """
    whole = X[np.isfinite(X).all(axis=1)]
    T, N = whole.shape
    if T < 2 * N:
        raise BadInput(
            f"partial correlations of {N} symbols need at least {2 * N} rows that all share, there are {T}: "
            "take fewer symbols, more bars, or method='pearson' on residuals"
        )
    Z = standardised(whole)
    R = Z.T @ Z / T
    if np.isnan(R).any() or np.linalg.cond(R) > 1e10:
        raise BadInput("one symbol's returns are those of others, or never change: leave it out")
    U = np.full(X.shape, np.nan)
    U[np.isfinite(X).all(axis=1)] = Z @ np.linalg.inv(R)
    return U


def columns(X: np.ndarray, method: Method, tail: float = 0.05) -> np.ndarray:
    """Return the columns (T, N), standardised, whose mean product is the measure."""
    if method not in METHODS:
        raise BadParameter("method", method, "one of " + ", ".join(METHODS))
    if method in ("spearman", "kendall"):
        X = ranks(X)
    elif method in ("lower_tail", "upper_tail"):
        X = below(X, tail, upper=method == "upper_tail")
    elif method == "partial":
        X = inverse(X)
    return standardised(X)
