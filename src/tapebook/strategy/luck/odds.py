"""Small statistics of a strategy's trades and bars: win rate, Kelly's fraction, Sharpe with dependence.

Returns are simple: 0.01 is 1 %.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import numpy as np

_HALVINGS = 30


def wilson(wins: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of a rate of `wins` among n (Wilson 1927, JASA 22); NaN for none.

    Of outcomes that depend on each other, give both as if so many were independent.

    >>> low, high = wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    if n <= 0.0:
        return np.nan, np.nan
    z = NormalDist().inv_cdf(0.5 + confidence / 2.0)
    rate, weight = wins / n, z * z / n
    half = z * sqrt(rate * (1.0 - rate) / n + weight / (4.0 * n))
    low, high = ((rate + weight / 2.0 + side * half) / (1.0 + weight) for side in (-1.0, 1.0))
    return max(low, 0.0), min(high, 1.0)


def kelly(returns: np.ndarray, worst: float) -> np.ndarray:
    """Share of equity that maximises the mean log growth of each row (Kelly 1956); 0 without an edge.

    Parameters
    ----------
    returns : shape (draws, n)
        Of the amount staked.
    worst : float
        The worst return that must be survived, below 0: the answer is at most 1 / -worst.
    """
    low = np.zeros(len(returns))
    high = np.full(len(returns), 1.0 / -worst)
    edge = returns.mean(axis=1) > 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        rises = (returns / (1.0 + middle[:, None] * returns)).mean(axis=1) > 0.0
        low, high = np.where(rises, middle, low), np.where(rises, high, middle)
    answer: np.ndarray = np.where(edge, (low + high) / 2.0, 0.0)
    return answer


def autocorrelation(returns: np.ndarray) -> float:
    """Of the first order, of returns that vary; within ±0.99."""
    centred = returns - returns.mean()
    return float(np.clip(centred[1:] @ centred[:-1] / (centred @ centred), -0.99, 0.99))


def repeated(values: np.ndarray) -> float:
    """How many times as high the variance of their mean is as that of independent values; at least 1.

    By a first-order autoregression, (1 + ρ) / (1 − ρ), ρ freed of its bias in few values (Kendall 1954,
    Biometrika 41).

    >>> repeated(np.array([1.0, -1.0] * 50))
    1.0
    """
    rho = autocorrelation(values)
    rho = min(rho + (1.0 + 3.0 * rho) / len(values), 0.9)
    return max((1.0 + rho) / (1.0 - rho), 1.0)


def annual_factor(q: float, rho: float = 0.0) -> float:
    """What a Sharpe ratio per bar is multiplied by for q bars: Lo's η(q) for a first-order ρ.

    Lo (2002), "The Statistics of Sharpe Ratios", FAJ 58(4), eq. 20 and 22; sqrt(q) for ρ = 0.

    >>> [round(annual_factor(12, rho), 2) for rho in (0.2, 0.0, -0.2)]
    [2.88, 3.46, 4.17]
    """
    carried = 2.0 * rho / (1.0 - rho) * (1.0 - (1.0 - rho**q) / (q * (1.0 - rho))) if q > 1.0 else 0.0
    return sqrt(q / max(1.0 + carried, 1e-12))


def dependent_sharpe_error(returns: np.ndarray) -> float:
    """Standard error of the Sharpe ratio per bar that allows for any moments and for dependence.

    Lo's GMM error: the long-run variance (Newey & West 1987, 4 (T/100)^(2/9) lags) of what each bar
    adds to the ratio, and no less than a first-order autoregression of it has. For independent normal
    returns it tends to sqrt((1 + SR²/2) / T).
    """
    T = len(returns)
    scaled = (returns - returns.mean()) / returns.std()
    ratio = returns.mean() / returns.std()
    adds = scaled - ratio / 2.0 * (scaled**2 - 1.0)
    lags = min(int(4.0 * (T / 100.0) ** (2.0 / 9.0)), T - 1)
    plain = variance = adds @ adds / T
    for lag in range(1, lags + 1):
        variance += 2.0 * (1.0 - lag / (lags + 1.0)) * (adds[lag:] @ adds[:-lag]) / T
    return sqrt(max(float(variance), float(plain) * repeated(adds)) / T)
