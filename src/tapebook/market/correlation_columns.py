"""What turns columns into those whose mean product is the measure: ranks, the inverse matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tapebook.errors import BadInput
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
TAILS = ("lower_tail", "upper_tail")


def ranks(X: np.ndarray) -> np.ndarray:
    """Rank of each value among its column's own, ties at their mean, NaN kept; shape (T, N)."""
    from scipy.stats import rankdata

    R: np.ndarray = rankdata(X, axis=0, nan_policy="omit")
    return R


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


def columns(X: np.ndarray, method: Method) -> np.ndarray:
    """Return the columns (T, N), standardised, whose mean product is the measure."""
    if method in ("spearman", "kendall"):
        X = ranks(X)
    elif method == "partial":
        X = inverse(X)
    return standardised(X)
