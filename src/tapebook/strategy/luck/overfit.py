"""How likely a result is to be luck, given how much was tried.

Every Sharpe ratio here is per observation (one bar), not annualised: divide an annual one by
sqrt(periods a year). `skew` is 0 and `kurtosis` (raw) 3 for a normal. `T` is the number of
observations, `N` of independent trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import e, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy.luck.resampling import drawn_rows, mean_errors

NORMAL = NormalDist()
_CELLS = 2_000_000  # of one table of ways and trials: 16 MB


def sharpe_error(sharpe: float, T: int, *, skew: float = 0.0, kurtosis: float = 3.0) -> float:
    """Standard error of an estimated Sharpe ratio, by the moments of its returns.

    Lo (2002), "The Statistics of Sharpe Ratios", FAJ 58(4), for normal returns; Mertens (2002) for others.

    >>> round(sharpe_error(0.5, 12), 3), round(sharpe_error(3, 12), 3)
    (0.306, 0.677)
    """
    return sqrt(_spread(sharpe, skew, kurtosis) / T)


def probabilistic_sharpe(
    sharpe: float,
    T: int,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    at_null: bool = False,
) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`.

    Bailey & López de Prado (2012), "The Sharpe Ratio Efficient Frontier", J. of Risk 15(2). With
    `at_null`, the standard error is taken where the true ratio is the benchmark (López de Prado,
    Lipton & Zoonekynd 2025).

    >>> round(probabilistic_sharpe(0.458, 24, skew=-2.448, kurtosis=10.164), 3)
    0.913
    """
    if T < 2:
        return np.nan
    spread = _spread(benchmark if at_null else sharpe, skew, kurtosis)
    return NORMAL.cdf((sharpe - benchmark) * sqrt(T if at_null else T - 1) / sqrt(spread))


def minimum_track_record(
    sharpe: float,
    *,
    skew: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
    confidence: float = 0.95,
    at_null: bool = False,
) -> float:
    """Observations needed before `sharpe` above `benchmark` is credible; inf when it is not above.

    Same sources as `probabilistic_sharpe`.
    """
    if sharpe <= benchmark:
        return np.inf
    spread = _spread(benchmark if at_null else sharpe, skew, kurtosis)
    needed = spread * (NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2
    return needed if at_null else 1.0 + needed


def expected_maximum(N: float) -> float:
    """Expected highest of N standard normals (Bailey & López de Prado 2014, eq. 1); 0 for one.

    >>> round(expected_maximum(10), 4)
    1.5746
    """
    if N < 1:
        raise BadParameter("N", N, "at least 1 trial; count the discarded ones")
    if N == 1:
        return 0.0
    g = np.euler_gamma
    return float((1 - g) * NORMAL.inv_cdf(1 - 1 / N) + g * NORMAL.inv_cdf(1 - 1 / (N * e)))


def sharpe_hurdle(N: float, variance: float) -> float:
    """Best Sharpe ratio that luck alone is expected to show among N trials.

    `variance` is that of the N Sharpe ratios. Bailey & López de Prado (2014), "The Deflated Sharpe
    Ratio", JPM 40(5).

    >>> round(sharpe_hurdle(100, variance=0.5 / 250), 4)
    0.1132
    """
    return sqrt(variance) * expected_maximum(N)


def deflated_sharpe(
    sharpe: float, T: int, *, N: float, variance: float, skew: float = 0.0, kurtosis: float = 3.0
) -> float:
    """Probability that the true Sharpe ratio exceeds what N trials show by luck alone (same paper).

    >>> round(deflated_sharpe(2.5 / 250**0.5, 1250, N=100, variance=0.5 / 250, skew=-3, kurtosis=10), 4)
    0.9004
    """
    hurdle = sharpe_hurdle(N, variance)
    return probabilistic_sharpe(sharpe, T, skew=skew, kurtosis=kurtosis, benchmark=hurdle)


def minimum_backtest_years(N: float, annual_sharpe: float = 1.0) -> float:
    """Years of data below which N trials of no skill show `annual_sharpe` at best, by expectation.

    Bailey, Borwein, López de Prado & Zhu (2014), "Pseudo-Mathematics and Financial Charlatanism".

    >>> round(minimum_backtest_years(45), 3)
    4.998
    """
    return (expected_maximum(N) / annual_sharpe) ** 2


def overfitting_probability(returns: np.ndarray, *, splits: int = 16) -> tuple[float, np.ndarray]:
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation.

    Bailey, Borwein, López de Prado & Zhu (2017), "The Probability of Backtest Overfitting", J. of
    Computational Finance 20(4). Chooses the best Sharpe ratio on each half of the blocks and ranks it
    among all on the other half, rank over N + 1.

    Parameters
    ----------
    returns : shape (T, N)
        One column a trial, at least 2.
    splits : int
        S, an even number of blocks of time; C(S, S/2) ways to choose half of them.

    Returns
    -------
    (probability, logits)
        Share of the logits at or below 0: the chosen one is below the median of the rest.
    """
    T, N = returns.shape
    if N < 2 or splits % 2 or splits < 2 or splits > T // 2:
        raise BadParameter(
            "splits", splits, f"an even number from 2 to {T // 2}, and 2 trials or more (got {N})"
        )
    blocks = np.array_split(np.arange(T), splits)
    sums = np.array([returns[rows].sum(axis=0) for rows in blocks])
    squares = np.array([(returns[rows] ** 2).sum(axis=0) for rows in blocks])
    sizes = np.array([len(rows) for rows in blocks], dtype=float)
    chosen = list(combinations(range(splits), splits // 2))
    inside = np.zeros((len(chosen), splits), dtype=bool)
    inside[np.arange(len(chosen))[:, None], np.array(chosen)] = True
    together = max(1, _CELLS // N)
    parts = [
        _logits(sums, squares, sizes, inside[at : at + together]) for at in range(0, len(inside), together)
    ]
    logits = np.concatenate(parts)
    return float(np.mean(logits <= 0.0)), logits


def _logits(sums: np.ndarray, squares: np.ndarray, sizes: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Logit of the rank, outside, of the trial that is best inside: one for each way to choose blocks."""
    each, N = np.arange(len(inside)), sums.shape[1]
    best = np.argmax(_sharpes(sums, squares, sizes, inside), axis=1)
    outside = _sharpes(sums, squares, sizes, ~inside)
    own = outside[each, best][:, None]
    rank = ((outside < own).sum(axis=1) + 0.5 * ((outside == own).sum(axis=1) + 1)) / (N + 1)
    logits: np.ndarray = np.log(rank / (1 - rank))
    return logits


def haircut_sharpe(
    annual_sharpe: float,
    years: float,
    N: int,
    *,
    method: Literal["bonferroni", "holm", "bhy"] = "bonferroni",
    others: Sequence[float] = (),
) -> tuple[float, float]:
    """Annual Sharpe ratio after correction for N tests: (adjusted ratio, adjusted p-value).

    Harvey & Liu (2015), "Backtesting", JPM 42(1). `others` are the p-values of the other tests, which
    Holm's and Benjamini, Hochberg and Yekutieli's corrections need; those not given count as 1, so that
    Holm's is Bonferroni's without them.

    >>> ratio, p = haircut_sharpe(0.912, 10, 100)  # the authors' program: 0.232 and 0.465
    >>> round(ratio, 2), round(p, 2)
    (0.23, 0.47)
    """
    from scipy.special import stdtr, stdtrit  # scipy.stats takes half a second to import

    if 1 + len(others) > N:
        raise BadParameter("N", N, f"at least {1 + len(others)}: this test and the {len(others)} others")

    months = max(int(round(years * 12)), 2)
    p = 2 * float(stdtr(months - 1, -abs(annual_sharpe) * sqrt(years)))
    adjusted = _adjusted(p, N, method, others)
    t = -float(stdtrit(months - 1, adjusted / 2)) if adjusted < 1 else 0.0
    return float(np.sign(annual_sharpe) * t / sqrt(years)), float(adjusted)


def superior_ability(
    returns: np.ndarray, benchmark: np.ndarray, *, seed: int, draws: int = 1000, block: float | None = None
) -> dict[str, float]:
    """P-values that the best of many trials beats the benchmark: Hansen's SPA and White's reality check.

    Hansen (2005), JBES 23(4); White (2000), Econometrica 68(5); by stationary bootstrap. arch's SPA
    is not studentised; of returns divided by their errors it gives the same (tests say so), slower.

    Parameters
    ----------
    returns : shape (T, N)
        One column a trial.
    block : float, optional
        Mean block length; the cube root of T by default.

    Returns
    -------
    {"reality_check", "lower", "consistent", "upper"}
        SPA's p-value is "consistent"; "lower" and "upper" are its bounds. White's is not studentised.
    """
    if not (np.isfinite(returns).all() and np.isfinite(benchmark).all()):
        raise BadParameter(
            "returns", "with NaN or infinite values", "a finite return for every bar and trial"
        )
    excess = returns - benchmark[:, None]
    excess = excess[:, excess.std(axis=0) > 1e-14]  # what never differs can neither win nor lose
    if not excess.shape[1]:
        return dict.fromkeys(("reality_check", "lower", "consistent", "upper"), 1.0)
    T, means = len(excess), excess.mean(axis=0)
    block = max(block or T ** (1 / 3), 1.0)
    drawn, scale = _drawn_means(excess, draws, block, seed), mean_errors(excess - means, block)
    best, floor = max(float((means / scale).max()), 0.0), -np.sqrt(2.0 * np.log(np.log(max(T, 16))))
    centres = {
        "lower": np.maximum(means, 0.0),
        "consistent": np.where(means / scale >= floor, means, 0.0),
        "upper": means,
    }
    raw = (drawn - means).max(axis=1)
    found = {"reality_check": float((np.maximum(raw, 0.0) >= max(float(means.max()), 0.0)).mean())}
    for name, centre in centres.items():
        highest = np.maximum(((drawn - centre) / scale).max(axis=1), 0.0)
        found[name] = float((highest >= best).mean())
    return found


def _drawn_means(values: np.ndarray, draws: int, block: float, seed: int) -> np.ndarray:
    """Mean of each column in each drawn past, (draws, N): by how often each row is drawn."""
    T, parts = len(values), []
    for rows in drawn_rows(T, draws, block, seed):
        counts = np.bincount((rows + T * np.arange(len(rows))[:, None]).ravel(), minlength=T * len(rows))
        parts.append(counts.reshape(len(rows), T) @ values / T)
    return np.concatenate(parts)


def _spread(sharpe: float, skew: float, kurtosis: float) -> float:
    return max(1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2, 1e-12)


def _sharpes(sums: np.ndarray, squares: np.ndarray, sizes: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Sharpe ratios (ways, N) over the blocks that each way takes; 0 where nothing varies."""
    n = (taken @ sizes)[:, None]
    mean = (taken @ sums) / n
    variance = (taken @ squares) / n - mean**2
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: np.ndarray = np.where(variance > 1e-20, mean / np.sqrt(variance), 0.0)
    return ratio


def _adjusted(p: float, N: int, method: str, others: Sequence[float]) -> float:
    """P-value of the first of N tests after correction; tests without a p-value count as 1."""
    if method == "bonferroni":
        return min(1.0, p * N)
    known = np.concatenate([[p], np.asarray(others, dtype=float), np.ones(N - 1 - len(others))])
    order = np.argsort(known, kind="stable")
    ranks = np.arange(1, N + 1)
    if method == "holm":
        stepped = np.maximum.accumulate((N - ranks + 1) * known[order])
    else:
        raised = N * np.sum(1.0 / ranks) / ranks * known[order]
        stepped = np.minimum.accumulate(raised[::-1])[::-1]
    return float(min(1.0, stepped[np.flatnonzero(order == 0)[0]]))
