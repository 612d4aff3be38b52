"""Everything that one window is asked by one measure: the likely answers, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from tapebook.market.correlation.columns import TAILS, columns
from tapebook.market.correlation.products import Products, correlation_matrix, memory, products
from tapebook.market.correlation.search import Asked, every_lag, joined, kept, likeliest, robust

FEWEST = 10
"""Rows, or equal ones that weights by age leave, below which nothing is asked."""

Answers = tuple[Asked, np.ndarray, np.ndarray, np.ndarray]
"""Answers kept, their effects, and the ends of their intervals."""


def questions(
    returns: pd.DataFrame, params: Mapping[str, Any], number: int, keep: int
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Ask all of the rows of window `number`.

    Returns a frame of the `keep` likeliest answers, the p-values of other likely ones, and how many questions
    were asked.
    """
    X, method, lags = returns.to_numpy(dtype=float), params["method"], params["lags"]
    least = min(params["min_bars"], len(X) - lags)
    if method == "distance":
        from tapebook.market.correlation.distance import distance

        asked, low, high = distance(X, params["seed"], least, lags)
        told: Answers = asked, asked.r, low, high
    elif method == "kendall":
        told = _kendall(X, lags, least, keep)
    elif method in TAILS:
        told = _tails(X, params, least, keep)
    else:
        told = _products(X, params, least, keep, tuple(map(str, returns.columns)))
    asked, effect, low, high = told
    frame = pd.DataFrame(
        {
            "first": asked.first, "second": asked.second, "lag": asked.lag, "window": number,
            "effect": effect, "low": low, "high": high,
            "unit": "probability" if method in TAILS else "correlation",
            "n": np.round(asked.n).astype(np.int64), "p": asked.p,
        }
    )  # fmt: skip
    return frame, asked.rest, asked.count


def matrix_of(X: np.ndarray, params: Mapping[str, Any]) -> np.ndarray:
    """The measure of every pair of columns (T, N) at lag 0, (N, N); 1 on the diagonal."""
    method = params["method"]
    if method == "kendall":
        from tapebook.market.correlation.distance import kendall

        tau = kendall(X, products(columns(X, method))).r
        R = np.where(np.isnan(tau), tau.T, tau)
        np.fill_diagonal(R, 1.0)
        return R
    if method == "distance":
        from tapebook.market.correlation.distance import distance_matrix

        return distance_matrix(X)
    if method in TAILS:
        from tapebook.market.correlation.tails import in_tail, tail_matrix

        return tail_matrix(in_tail(X, params["tail"], upper=method == "upper_tail"))
    R = correlation_matrix(columns(X, method))
    return 2.0 * np.eye(len(R)) - R if method == "partial" else R


def _products(
    X: np.ndarray, params: Mapping[str, Any], least: int, keep: int, names: tuple[str, ...]
) -> Answers:
    """Pearson, Spearman and partial correlations: means of products of two columns."""
    from tapebook.market.correlation.intervals import intervals

    Z, weights = columns(X, params["method"], names), None
    if params["halflife"] is not None:
        weights, least = 0.5 ** ((len(X) - 1.0 - np.arange(len(X))) / params["halflife"]), FEWEST
    rho = np.zeros((1, Z.shape[1])) if params["chance"] == "permutation" else memory(Z)
    told = ((lag, products(Z, lag, rho, weights)) for lag in range(params["lags"] + 1))
    if params["chance"] == "permutation":
        from tapebook.market.correlation.null import permuted

        null = permuted(Z, products(Z, 0, rho), params["draws"], params["seed"], params["block"])
        parts = [kept(made, lag, least, null if lag else null.counted) for lag, made in told]
    elif params["chance"] == "effective":
        parts = [kept(effective(made), lag, least, robust) for lag, made in told]
    elif params["method"] == "partial":
        parts = [kept(loaded(made, Z), lag, least, robust) for lag, made in told]
    else:
        parts = [kept(made, lag, least, robust) for lag, made in told]
    asked = joined(parts)
    asked = likeliest(asked, keep)
    low, high = intervals(Z, asked, weights)
    if params["method"] == "partial":
        return asked, -asked.r, -high, -low
    return asked, asked.r, low, high


def _kendall(X: np.ndarray, lags: int, least: int, keep: int) -> Answers:
    from tapebook.market.correlation.distance import kendall
    from tapebook.market.correlation.intervals import intervals, on_scale_of_tau

    Z = columns(X, "kendall")
    rho, parts = {}, []
    for lag, made in every_lag(Z, lags):
        parts.append(kept(kendall(X, made, lag), lag, least, robust))
        rho[lag] = made.r
    asked = likeliest(joined(parts), keep)
    at = zip(asked.lag.tolist(), asked.first.tolist(), asked.second.tolist(), strict=True)
    spearman = np.array([rho[lag][i, j] for lag, i, j in at])
    ends = intervals(Z, replace(asked, r=spearman))
    low, high = (on_scale_of_tau(asked.r, spearman, end) for end in ends)
    return asked, asked.r, low, high


def _tails(X: np.ndarray, params: Mapping[str, Any], least: int, keep: int) -> Answers:
    from tapebook.market.correlation.tails import chance, every_tail, in_tail, tail_intervals

    bad = in_tail(X, params["tail"], upper=params["method"] == "upper_tail")
    parts = [
        kept(made, lag, least, chance(count, expected))
        for lag, made, count, expected in every_tail(bad, params["lags"])
    ]
    asked = likeliest(joined(parts), keep)
    return asked, *tail_intervals(bad, asked)


def effective(told: Products) -> Products:
    """The same as of so many independent rows of a normal as are equally sure: n = 1 / error²."""
    with np.errstate(invalid="ignore", divide="ignore"):
        n = np.minimum(1.0 / told.error**2, told.n)
        error = np.sqrt((1.0 - told.r**2) / np.maximum(n - 2.0, 1.0))
    return Products(told.r, np.nan_to_num(n), error)


def loaded(told: Products, Z: np.ndarray) -> Products:
    """The same with errors that know how hard single rows pull: products over 1 less the row's leverage.

    What MacKinnon & White (1985) call HC3; without it partial correlations of heavy-tailed columns seem sure.
    """
    whole = Z[np.isfinite(Z).all(axis=1)]
    h = (np.linalg.qr(whole)[0] ** 2).sum(axis=1)
    squares = whole * whole
    more = (squares * (1.0 / (1.0 - np.minimum(h, 0.99)) ** 2 - 1.0)[:, None]).T @ squares / len(whole)
    return Products(told.r, told.n, np.sqrt(told.error**2 + more / told.n))
