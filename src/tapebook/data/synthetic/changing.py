"""Markets that change: regimes of drift and volatility, and trends that a rule can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.data.synthetic.market import Clock, Market, bars_of_returns, check, named
from tapebook.data.synthetic.noise import shocks, states, stationary
from tapebook.errors import BadParameter


@dataclass(frozen=True)
class Regime:
    """One state of a market: drift and volatility a year, and how many bars it lasts on average."""

    drift: float
    volatility: float
    bars: float


CALM, CRISIS = Regime(0.12, 0.12, 250.0), Regime(-0.25, 0.35, 60.0)


@dataclass(frozen=True, eq=False)
class Switching:
    """`states` (T,): number of the regime that bar t's return was drawn from, the same for all symbols.

    `transition` (K, K), row i is where regime i goes next; `shares` (K,) of time in the long run.
    """

    states: pd.Series
    regimes: tuple[Regime, ...]
    transition: np.ndarray
    shares: np.ndarray


def regimes(
    *,
    symbols: int = 1,
    bars: int = 2520,
    seed: int,
    among: Sequence[Regime] = (CALM, CRISIS),
    correlation: float = 0.0,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Switching]:
    """Drift and volatility switch by a Markov chain (Hamilton 1989, Econometrica 57).

    A regime that ends is followed by each other one with the same probability.
    """
    clock, names, K = Clock(bars, calendar, freq), named(symbols), len(among)
    if K < 2 or any(regime.bars < 1.0 for regime in among):
        raise BadParameter("among", among, "two regimes or more, each lasting 1 bar or more on average")
    rng = np.random.default_rng(seed)
    leave = np.array([1.0 / regime.bars for regime in among])
    transition = np.where(np.eye(K, dtype=bool), 1.0 - leave[:, None], leave[:, None] / (K - 1))
    path = states(rng, bars, transition)
    drift = np.array([regime.drift for regime in among])[path] / clock.year
    deviation = np.array([regime.volatility for regime in among])[path] / np.sqrt(clock.year)
    returns = drift + deviation * shocks(rng, bars, symbols, correlation=correlation)
    made = bars_of_returns(returns, deviation, rng, clock, names)
    told = pd.Series(path[:, 0], index=made.index, name="regime")
    return Market(made, Switching(told, tuple(among), transition, stationary(transition)))


@dataclass(frozen=True, eq=False)
class Trends:
    """`direction` (T, N): +1 or −1, the sign of the drift of bar t's return; `drift` its size a bar.

    `sharpe`: annual Sharpe ratio of who knows the direction; a rule that must see it first has less.
    """

    direction: pd.DataFrame
    drift: float
    sharpe: float


def trending(
    *,
    symbols: int = 1,
    bars: int = 2520,
    seed: int,
    sharpe: float = 3.0,
    length: float = 120.0,
    volatility: float = 0.2,
    tails: float | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Trends]:
    """Drift up or down for `length` bars on average: an edge for moving averages and momentum.

    The direction of each symbol is its own Markov chain; over all time there is no drift.
    """
    clock, names = Clock(bars, calendar, freq), named(symbols)
    check("length", length, 1.0, expected="at least 1 bar on average")
    check("sharpe", sharpe, 0.0, expected="at least 0, a year")
    rng, deviation = np.random.default_rng(seed), volatility / np.sqrt(clock.year)
    drift, turn = deviation * sharpe / np.sqrt(clock.year), 1.0 / length
    path = states(rng, bars, np.array([[1.0 - turn, turn], [turn, 1.0 - turn]]), symbols)
    direction = 1.0 - 2.0 * path
    returns = drift * direction + deviation * shocks(rng, bars, symbols, tails=tails)
    made = bars_of_returns(returns, deviation, rng, clock, names)
    told = pd.DataFrame(direction, index=made.index, columns=pd.Index(names, name="symbol"))
    return Market(made, Trends(told, drift, sharpe))
