"""Tests of single pairs for the cointegration scan: all of them at once, and more of the likely ones."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

import numpy as np
import pandas as pd


def engle_granger(
    logs: np.ndarray, first: np.ndarray, second: np.ndarray, least: int, lags: int | str
) -> dict[str, np.ndarray]:
    """Engle and Granger's (1987) test of pairs of columns of log prices (T, N), in both directions.

    Each value has shape (P, 2): first on second, second on first. `p` is MacKinnon's (1994, 2010), equal to
    `statsmodels.tsa.stattools.coint`; NaN where a pair has too few rows or is one and the same price.
    """
    from tapebook.market.cointegration.kernels import FIELDS, both_ways

    rows = np.ascontiguousarray(logs.T)
    told = np.empty((len(first), 2, len(FIELDS)))
    cuts = np.linspace(0, len(first), 4 * (cpu_count() or 1) + 1).astype(int)
    parts = [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True) if b > a]
    auto = {"aic": -1, "maic": -2}[lags] if isinstance(lags, str) else lags
    with ThreadPoolExecutor(cpu_count() or 1) as crew:
        list(
            crew.map(lambda part: both_ways(rows, first[part], second[part], least, auto, told[part]), parts)
        )
    answer = {name: told[:, :, n] for n, name in enumerate(FIELDS)}
    answer["p"] = mackinnon(answer["stat"])
    return answer


def mackinnon(stat: np.ndarray) -> np.ndarray:
    """p-values of the residual-based test of two series with a constant; NaN stays NaN."""
    from statsmodels.tsa.adfvalues import mackinnonp

    flat = [float(mackinnonp(x, "c", 2)) if np.isfinite(x) else np.nan for x in stat.ravel()]
    return np.array(flat).reshape(stat.shape)


def own_level(logs: np.ndarray) -> np.ndarray:
    """p-value (N,) of a unit root in each column of log prices: small where it comes back to a level."""
    from statsmodels.tsa.stattools import adfuller

    p = np.ones(logs.shape[1])
    for n in range(logs.shape[1]):
        known = logs[~np.isnan(logs[:, n]), n]
        told = adfuller(
            known, maxlag=int(4.0 * (len(known) / 100.0) ** 0.25), autolag=None, result_object=False
        )
        p[n] = told[1]
    return p


def johansen(y: np.ndarray, x: np.ndarray, lags: int) -> float:
    """Johansen's (1991) trace statistic of no bond; above 15.49 there is one at 5 %."""
    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    return float(coint_johansen(np.column_stack([y, x]), 0, max(lags, 1)).lr1[0])


def hedge_interval(y: np.ndarray, x: np.ndarray, half_life: float) -> tuple[float, float]:
    """95 % interval of the hedge ratio by dynamic least squares (Stock & Watson 1993, Econometrica 61).

    With 2 leads and lags of Δx, and an error for residuals that remember (Newey & West 1987): their memory
    reaches over six half-lives, at most a quarter of the rows.
    """
    reach, n = 2, len(y)
    dx = np.diff(x, prepend=x[0])
    mid = slice(reach + 1, n - reach)
    shifts = [dx[reach + 1 + k : n - reach + k] for k in range(-reach, reach + 1)]
    X = np.column_stack([x[mid], np.ones(n - 2 * reach - 1), *shifts])
    beta = np.linalg.lstsq(X, y[mid], rcond=None)[0]
    residual = y[mid] - X @ beta
    # the slope's error is that of its partial regression
    partial = X[:, 0] - X[:, 1:] @ np.linalg.lstsq(X[:, 1:], X[:, 0], rcond=None)[0]
    memory = int(np.clip(6.0 * (half_life if np.isfinite(half_life) else 1e9), 5, len(residual) // 4))
    variance = long_run(residual, memory)
    error = float(np.sqrt(variance / (partial @ partial)))
    return float(beta[0] - 1.96 * error), float(beta[0] + 1.96 * error)


def long_run(e: np.ndarray, memory: int) -> float:
    """Long-run variance of a series of mean 0, Bartlett's weights over `memory` lags."""
    n = len(e)
    total = e @ e / n
    for k in range(1, memory + 1):
        total += 2.0 * (1.0 - k / (memory + 1.0)) * (e[k:] @ e[:-k]) / n
    return max(float(total), 0.0)


def shared(close: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Log prices of two symbols on the rows that both have."""
    both = close[[a, b]].dropna()
    return pd.DataFrame(np.log(both.to_numpy()), both.index, [a, b])
