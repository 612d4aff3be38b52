"""Markets in which nothing can be foreseen: random walks, alone or driven by common factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.data.synthetic.market import Clock, Market, bars_of_returns, check, named
from tapebook.data.synthetic.noise import shocks


@dataclass(frozen=True)
class Walk:
    """`drift` and `volatility` a year of simple returns; `sharpe` a year of holding one symbol."""

    drift: float
    volatility: float
    correlation: float

    @property
    def sharpe(self) -> float:
        """Annual Sharpe ratio of holding, risk-free 0; no rule that trades has a higher one."""
        return self.drift / self.volatility


def random_walk(
    *,
    symbols: int = 1,
    bars: int = 2520,
    seed: int,
    drift: float = 0.0,
    volatility: float = 0.2,
    correlation: float = 0.0,
    tails: float | None = None,
    garch: tuple[float, float] | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Walk]:
    """Prices whose next return is independent of all that is known.

    Parameters
    ----------
    drift : float
        Mean simple return of a bar times the bars in a year: 0.06 is an equity premium of 6 %.
    volatility : float
        Of bar returns, annualised.
    correlation : float
        Of every two symbols' returns, 0 to 1.
    tails : float, optional
        Degrees of freedom of Student's t for fat tails; None is normal.
    garch : (alpha, beta), optional
        Volatility in clusters, for example (0.08, 0.90). It can be foreseen, the direction cannot.

    Examples
    --------
    >>> market = random_walk(symbols=2, bars=300, seed=1, drift=0.06)
    >>> market.bars.shape, market.truth.sharpe
    ((300, 2), 0.3)
    """
    clock, names = Clock(bars, calendar, freq), named(symbols)
    check("volatility", volatility, 1e-9, expected="above 0: 0.2 is 20 % a year")
    rng = np.random.default_rng(seed)
    deviation = volatility / np.sqrt(clock.year)
    noise = shocks(rng, bars, symbols, correlation=correlation, tails=tails, garch=garch)
    returns = drift / clock.year + deviation * noise
    made = bars_of_returns(returns, deviation, rng, clock, names)
    return Market(made, Walk(drift, volatility, correlation))


@dataclass(frozen=True, eq=False)
class Factors:
    """`loadings` (N, K) by symbol and factor; `returns` (T, K) of the factors, of variance `volatility`².

    `specific`: annual volatility of what the factors leave to each symbol.
    """

    loadings: pd.DataFrame
    returns: pd.DataFrame
    specific: float


def factor_market(
    *,
    symbols: int = 20,
    factors: int = 3,
    bars: int = 2520,
    seed: int,
    volatility: float = 0.15,
    specific: float = 0.2,
    tails: float | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Factors]:
    """Returns are loadings times common factors, plus each symbol's own noise; no drift.

    The first factor is a market (loadings about 1), the others are of either sign (about 0.5).
    `volatility` is each factor's, a year; `specific` that of the noise.
    """
    clock, names = Clock(bars, calendar, freq), named(symbols)
    kinds = named(factors, "F")
    check("volatility", volatility, 0.0, expected="at least 0: 0.15 is 15 % a year")
    check("specific", specific, 1e-9, expected="above 0: 0.2 is 20 % a year")
    rng = np.random.default_rng(seed)
    loadings = 0.5 * rng.standard_normal((symbols, factors))
    loadings[:, 0] = 1.0 + 0.3 * rng.standard_normal(symbols)
    driven = volatility / np.sqrt(clock.year) * shocks(rng, bars, factors, tails=tails)
    own = specific / np.sqrt(clock.year)
    returns = driven @ loadings.T + own * shocks(rng, bars, symbols, tails=tails)
    spread = np.sqrt(own**2 + volatility**2 / clock.year * (loadings**2).sum(axis=1))
    made = bars_of_returns(returns, spread[None, :], rng, clock, names)
    truth = Factors(
        pd.DataFrame(loadings, index=pd.Index(names, name="symbol"), columns=kinds),
        pd.DataFrame(driven, index=made.index, columns=kinds),
        specific,
    )
    return Market(made, truth)
