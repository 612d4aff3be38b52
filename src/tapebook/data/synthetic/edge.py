"""A market with an edge of known size, and the rule that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.data.synthetic.market import NIGHT, Clock, Market, bars_of_moves, check, named
from tapebook.data.synthetic.noise import shocks, states
from tapebook.errors import BadParameter

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

USUAL = 1_000_000.0
"""Units traded that part the signal's two states."""


@dataclass(frozen=True, eq=False)
class Edge:
    """`signal` (T, N): whether to be long, known at the close of bar t, traded at the next open.

    `sharpe`: true annual Sharpe ratio of being long from that open while it is on and flat otherwise,
    all equity in one symbol, before costs. `gain`: mean return from open to close of a bar that is held,
    `loss` of one that is not.
    """

    signal: pd.DataFrame
    sharpe: float
    gain: float
    loss: float


def planted_edge(
    *,
    annual_sharpe: float = 1.5,
    years: float = 20.0,
    seed: int,
    symbols: int = 1,
    drift: float = 0.0,
    volatility: float = 0.2,
    hold: float = 10.0,
    tails: float | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Edge]:
    """Volume at the close of t tells the drift of bar t + 1, from its open on.

    The signal is on half of the time, in runs of `hold` bars on average; volume is above a million
    units where it is on, and below where it is off (by 10 % to 146 %). Who follows it long or flat, from
    the next open, before costs, has the true Sharpe ratio `annual_sharpe`: mean over standard deviation
    of bar returns, times the root of bars a year. The night before an open is noise without a drift.

    Parameters
    ----------
    drift : float
        Of the symbol itself, over all time, a year: holding it earns this whatever the signal.
    volatility : float
        Of a bar's return given the signal, annualised.
    """
    clock, names = Clock(round(years * Clock(2, calendar, freq).year), calendar, freq), named(symbols)
    check("hold", hold, 1.0, expected="at least 1 bar on average")
    if not abs(annual_sharpe) < np.sqrt(clock.year) / 2.0:
        raise BadParameter("annual_sharpe", annual_sharpe, f"below {np.sqrt(clock.year) / 2:.1f}")
    rng, T, turn = np.random.default_rng(seed), clock.bars, 1.0 / hold
    night, day = (part * volatility**2 / clock.year for part in (NIGHT, 1.0 - NIGHT))
    gain = _gain(annual_sharpe / np.sqrt(clock.year), night, day, (1.0 - turn) / 2.0)
    loss = 2.0 * drift / clock.year - gain
    on = states(rng, T, np.array([[1.0 - turn, turn], [turn, 1.0 - turn]]), symbols) == 0
    known = np.vstack([rng.random((1, symbols)) < 0.5, on[:-1]])
    moved = np.sqrt(day) * shocks(rng, T, symbols, tails=tails) + np.where(known, gain, loss)
    slept = np.sqrt(night) * rng.standard_normal(on.shape)
    volume = np.round(USUAL * np.exp(np.where(on, 1.0, -1.0) * rng.uniform(0.1, 0.9, on.shape)))
    logs = np.log1p(np.maximum(slept, -0.9)), np.log1p(np.maximum(moved, -0.9))
    made = bars_of_moves(*logs, volatility / np.sqrt(clock.year), rng, clock, names, volume)
    signal = pd.DataFrame(on, index=made.index, columns=pd.Index(names, name="symbol"))
    return Market(made, Edge(signal, annual_sharpe, gain, loss))


def follow(bars: Bars, *, threshold: float = 1.0, smooth: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Be long while volume, meaned over `smooth` bars, is above `threshold` million units.

    Takes the whole of `planted_edge` with its defaults, and less the further from them. Entries and
    exits (T, N); row t uses volume up to and including t and is traded at the next open.
    """
    check("threshold", threshold, 0.0, expected="millions of units, at least 0")
    check("smooth", smooth, 1, expected="at least 1 bar")
    busy = bars.volume.rolling(smooth).mean()
    return busy > threshold * USUAL, busy <= threshold * USUAL


def _gain(ratio: float, night: float, day: float, both: float) -> float:
    """Mean return of a held day at which long or flat, half and half, has this ratio per bar.

    The return of a bar is (1 + a x)(1 + b y) − 1: x the night (variance `night`), y the day (`day`), a
    and b whether it was held, 1 half of the time and both at once with probability `both`.
    """
    gain = 0.0
    for _ in range(100):  # a contraction: the variance hardly depends on the gain
        held = (1.0 + gain) ** 2 + day - 1.0
        second = 1.0 + night / 2.0 + held / 2.0 + both * night * held
        gain = 2.0 * ratio * np.sqrt(second - (1.0 + gain / 2.0) ** 2)
    return float(gain)
