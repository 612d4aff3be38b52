"""Is reality inside what was expected? The cone, a test for decay that may be looked at every day, trades."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.strategy.luck.resampling import block_length, drawn_rows

BANDS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
"""Shares of the paths that lie below each line of a cone."""
ALARM = 20.0
"""Evidence at which decay is called: under the expectation it is ever reached with probability 1 / 20."""
TILTS = (0.8, 1.6, 3.2)
"""Losses of annual Sharpe ratio that the test is on the watch for, each with a third of the stake."""


@dataclass(frozen=True, eq=False)
class Cone:
    """What was expected of equity: growth of 1 at each bar that lies above so many of the paths.

    `bands`: one column for each of `BANDS`, (H, 7). `percentile`: share of the paths that end below reality.
    """

    bands: pd.DataFrame
    percentile: float

    @property
    def inside(self) -> bool:
        """Whether reality ends between the outermost lines, where 95 % of the paths do."""
        return bool(0.025 <= self.percentile <= 0.975)

    def __str__(self) -> str:
        place = f"{self.percentile:.0%} of the expected paths end below it"
        if self.inside:
            return f"inside the cone: {place}"
        return f"{'below' if self.percentile < 0.5 else 'above'} the cone: {place}"


def cone(expected: np.ndarray, real: pd.Series, *, draws: int = 2000, seed: int = 0) -> Cone:
    """Draw paths as long as reality from the returns of the backtest (stationary bootstrap).

    Parameters
    ----------
    expected : shape (T,)
        Bar returns of the frozen backtest.
    real : shape (H,)
        Bar returns since, indexed by time.
    """
    H, T = len(real), len(expected)
    length = block_length(expected)
    rows = np.concatenate(list(drawn_rows(max(T, H), draws, length, seed)))[:, :H] % T
    paths = np.cumprod(1.0 + expected[rows], axis=1)
    bands = pd.DataFrame(np.quantile(paths, BANDS, axis=0).T, real.index, list(BANDS))
    reached = float(np.prod(1.0 + real.to_numpy(dtype=float)))
    below = float((paths[:, -1] < reached).mean() + 0.5 * (paths[:, -1] == reached).mean())
    return Cone(bands, below)


@dataclass(frozen=True, eq=False)
class Decay:
    """Evidence that the strategy does worse than expected. `evidence`: at each bar, (H,), 1 at the start."""

    evidence: pd.Series

    @property
    def since(self) -> pd.Timestamp | None:
        """The first bar at which the alarm was reached; None if never."""
        over = self.evidence[self.evidence >= ALARM]
        return over.index[0] if len(over) else None

    def __str__(self) -> str:
        now, top = self.evidence.iloc[-1], self.evidence.max()
        if self.since is not None:
            day = f"{self.since:%Y-%m-%d}"
            return f"decayed: the evidence reached {top:,.0f} (alarm at {ALARM:.0f}), since {day}"
        return f"no decay shown: the evidence is {now:,.2f}, its highest {top:,.2f}, alarm at {ALARM:.0f}"


def decay(expected: np.ndarray, real: pd.Series, periods_per_year: float) -> Decay:
    """Test at every bar whether returns are worse than expected, without a price for looking often.

    A bet against the expectation: with z the shortfall in standard deviations, the product of
    exp(θ z − K(θ)) is a martingale when returns are drawn as in the backtest (K is the cumulant of the
    backtest's own z, so fat tails are in it), and by Ville's inequality ever exceeds 20 with probability
    at most 5 %. The mean over three θ is one too. Ramdas, Grünwald, Vovk & Shafer (2023), "Game-theoretic
    statistics and safe anytime-valid inference", Statistical Science 38(4). Where the backtest's returns
    follow one another, z is shrunk by how much that widens the error of a mean.
    """
    mean, deviation = float(expected.mean()), float(expected.std())
    if deviation <= 1e-14 or not len(real):
        return Decay(pd.Series(np.ones(len(real)), real.index))
    shrunk = deviation * _clustering(expected)
    past, now = (mean - expected) / shrunk, (mean - real.to_numpy(dtype=float)) / shrunk
    stakes = np.array(TILTS) / np.sqrt(periods_per_year)
    logs = np.array([theta * now - np.log(np.mean(np.exp(theta * past))) for theta in stakes])
    evidence = np.exp(np.minimum(np.cumsum(logs, axis=1), 700.0)).mean(axis=0)
    return Decay(pd.Series(evidence, real.index, name="evidence"))


def _clustering(returns: np.ndarray) -> float:
    """By how much dependence widens the error of a mean, at least 1: block bootstrap over plain."""
    length = block_length(returns)
    if length <= 1.0:
        return 1.0
    means = [returns[rows].mean(axis=1) for rows in drawn_rows(len(returns), 400, length, 0)]
    plain = returns.std() / np.sqrt(len(returns))
    return max(float(np.concatenate(means).std() / plain), 1.0)


def trade_rate(expected: float, seen: int, bars: int) -> str:
    """Compare closed trades with what the backtest's rate a bar leads one to expect (95 % Poisson).

    >>> trade_rate(0.01, 9, 500)
    '9 trades were closed; 5 are expected, 1 to 10 with 95 %'
    """
    from scipy.stats import poisson

    mean = expected * bars
    low, high = poisson.interval(0.95, mean) if mean > 0 else (0, 0)
    verdict = (
        ""
        if low <= seen <= high
        else (": fewer than chance allows" if seen < low else ": more than chance allows")
    )
    return f"{seen} trades were closed; {mean:.0f} are expected, {low:.0f} to {high:.0f} with 95 %{verdict}"
