"""What turns columns into those whose mean product is the measure: ranks, the inverse matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from tapebook.errors import BadInput
from tapebook.market.correlation.products import standardised

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


def inverse(X: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
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
        raise BadInput(
            f"{', '.join(_repeated(R, names))}: partial correlations need returns that change on the {T:,} "
            "rows shared by all, and none that others make up: leave one out"
        )
    U = np.full(X.shape, np.nan)
    U[np.isfinite(X).all(axis=1)] = Z @ np.linalg.inv(R)
    return U


def _repeated(R: np.ndarray, names: Sequence[str]) -> list[str]:
    """Names of constant columns, or of those that together make no difference."""
    still = np.isnan(np.diag(R))
    at = still if still.any() else np.abs(np.linalg.eigh(R)[1][:, 0]) > 0.1
    return [names[n] if len(names) else f"column {n}" for n in np.flatnonzero(at)[:5]]


def columns(X: np.ndarray, method: Method, names: Sequence[str] = ()) -> np.ndarray:
    """Return the columns (T, N), standardised, whose mean product is the measure."""
    if method in ("spearman", "kendall"):
        X = ranks(X)
    elif method == "partial":
        X = inverse(X, names)
    return standardised(X)
