"""Several strategies as one portfolio: weights from past returns only, set anew at the end of each period.

Weights of a rebalancing are known at its close: they come from returns up to and including that bar, and
earn from the next bar on. Between two rebalancings they drift with what each part makes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter

Method = Literal["equal", "inverse_volatility", "mean_variance", "hrp"]
METHODS: tuple[Method, ...] = get_args(Method)
PERIODS = {"weekly": "W", "monthly": "M", "quarterly": "Q", "yearly": "Y"}
LEAST = 60
"""Bars of past below which every part gets the same."""


@dataclass(frozen=True, eq=False)
class Combined:
    """Parts held together. `returns`: of each bar after costs, (T,). `weights`: at each rebalancing, (R, K).

    The first weights are equal: nothing is known yet. `costs`: share of the money paid in all.
    """

    method: str
    returns: pd.Series
    weights: pd.DataFrame
    costs: float


def combine(
    returns: pd.DataFrame,
    method: Method = "hrp",
    *,
    rebalance: str = "monthly",
    lookback: int | None = 252,
    cost: float = 0.0015,
) -> Combined:
    """Hold several strategies at once.

    Parameters
    ----------
    returns : shape (T, K)
        Simple bar returns, one column a strategy, without gaps.
    method : "equal", "inverse_volatility", "mean_variance" or "hrp"
        1 / K; by 1 / deviation; the highest Sharpe ratio of the past, without shorts (Markowitz 1952,
        Tobin 1958); hierarchical risk parity (López de Prado 2016).
    rebalance : "weekly", "monthly", "quarterly" or "yearly"
        At the last bar of each.
    lookback : int, optional
        Bars that weights are estimated from; None for all so far. Below 60 of them weights are equal.
    cost : float
        Share of the traded value, on each side.
    """
    if method not in METHODS:
        raise BadParameter("method", method, "one of " + ", ".join(METHODS))
    if rebalance not in PERIODS:
        raise BadParameter("rebalance", rebalance, "one of " + ", ".join(PERIODS))
    if lookback is not None and lookback < LEAST:
        raise BadParameter("lookback", lookback, f"at least {LEAST} bars, or None for all so far")
    block, index = returns.to_numpy(dtype=float), pd.DatetimeIndex(returns.index)
    T, K = block.shape
    period = index.tz_localize(None).to_period(PERIODS[rebalance])
    ends = np.flatnonzero(np.append(period[1:] != period[:-1], False))
    held, target = np.full(K, 1.0 / K), {-1: np.full(K, 1.0 / K)}
    made, paid = np.empty(T), 0.0
    for t in range(T):
        made[t] = held @ block[t]
        held = held * (1.0 + block[t]) / (1.0 + made[t]) if made[t] > -1.0 else held
        if t in ends and t + 1 >= LEAST:
            past = block[max(0, t + 1 - lookback) if lookback else 0 : t + 1]
            wanted = weights(past, method)
            spent = cost * float(np.abs(wanted - held).sum())
            made[t] = (1.0 + made[t]) * (1.0 - spent) - 1.0
            held, paid = wanted, paid + spent
            target[t] = wanted
    rows = [index[max(t, 0)] for t in target]
    kept = pd.DataFrame(list(target.values()), pd.DatetimeIndex(rows, name="ts"), returns.columns)
    return Combined(method, pd.Series(made, index, name=method), kept, paid)


def weights(past: np.ndarray, method: Method) -> np.ndarray:
    """Weights (K,) that sum to 1, from returns (T, K); a part that never moved gets nothing but in equal."""
    K = past.shape[1]
    moving = past.std(axis=0) > 1e-12
    if method == "equal" or not moving.any():
        return np.full(K, 1.0 / K)
    found, able = np.zeros(K), past[:, moving]
    if method == "inverse_volatility":
        inner = 1.0 / able.std(axis=0, ddof=1)
    elif able.shape[1] == 1:
        inner = np.ones(1)
    else:
        covariance = np.cov(able.T)
        inner = _tangency(able.mean(axis=0), covariance) if method == "mean_variance" else hrp(covariance)
    found[moving] = inner / inner.sum()
    return found


def _tangency(means: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Weights (not yet summing to 1) of the highest Sharpe ratio without shorts; least variance if all lose.

    Minimising w'Σw + (μ'w − 1)² over w ≥ 0 finds its direction, whatever the scale of μ: for a direction
    with mean b and variance a the best scale leaves a / (a + b²), which is least where b² / a is highest.
    """
    from scipy.optimize import nnls

    root = np.linalg.cholesky(covariance + 1e-12 * np.trace(covariance) * np.eye(len(means))).T
    scale = 1.0 / np.sqrt(np.trace(covariance))
    for wanted in (means / np.abs(means).max(), np.ones(len(means))):
        found: np.ndarray = nnls(np.vstack([root * scale, wanted]), np.append(np.zeros(len(means)), 1.0))[0]
        if found.sum() > 0.0 and wanted @ found > 0.0:
            return found
    return np.ones(len(means))


def hrp(covariance: np.ndarray) -> np.ndarray:
    """Hierarchical risk parity: weights (K,) that sum to 1.

    López de Prado (2016), "Building Diversified Portfolios that Outperform Out of Sample", JPM 42(4):
    single linkage of sqrt((1 − ρ) / 2), then variance is shared out down the ordered list by halves.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    deviation = np.sqrt(np.diag(covariance))
    likeness = np.clip(covariance / np.outer(deviation, deviation), -1.0, 1.0)
    apart = np.sqrt((1.0 - likeness) / 2.0)
    np.fill_diagonal(apart, 0.0)
    order = leaves_list(linkage(squareform(apart, checks=False), "single"))
    found, pieces = np.ones(len(deviation)), [order]
    while pieces:
        pieces = [
            half for piece in pieces if len(piece) > 1 for half in np.array_split(piece, [len(piece) // 2])
        ]
        for left, right in zip(pieces[::2], pieces[1::2], strict=True):
            one, other = _variance(covariance, left), _variance(covariance, right)
            share = 1.0 - one / (one + other)
            found[left] *= share
            found[right] *= 1.0 - share
    return found


def _variance(covariance: np.ndarray, chosen: np.ndarray) -> float:
    """Variance of some parts, held by inverse variance."""
    part = covariance[np.ix_(chosen, chosen)]
    inverse = 1.0 / np.diag(part)
    inverse /= inverse.sum()
    return float(inverse @ part @ inverse)
