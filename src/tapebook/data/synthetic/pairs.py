"""Pairs with a known bond: one symbol that follows another, and two that do not drift apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.data.synthetic.market import Clock, Market, bars_of_returns, check, named
from tapebook.data.synthetic.noise import shocks
from tapebook.errors import BadParameter


@dataclass(frozen=True, eq=False)
class Pairs:
    """`pairs`: one row a planted pair, its symbols and what binds them; other symbols are on their own."""

    pairs: pd.DataFrame


def lead_lag(
    *,
    pairs: int = 1,
    bars: int = 2520,
    seed: int,
    lag: int | Sequence[int] = 1,
    strength: float | Sequence[float] = 0.5,
    others: int = 0,
    volatility: float = 0.2,
    tails: float | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Pairs]:
    """In each pair B follows A: B's return at t + `lag` correlates by `strength` with A's at t.

    Symbols are A0, B0, A1, B1, … and `others` S0, S1, … without a bond. `lag` in bars, at least 1, and
    `strength`, −1 to 1, are one for all or one a pair. The truth's `pairs` has leader, follower, lag and
    strength.
    """
    clock = Clock(bars, calendar, freq)
    leaders, followers = named(pairs, "A"), named(pairs, "B")
    lags, bonds = _each("lag", lag, pairs), _each("strength", strength, pairs)
    for k, bond in zip(lags, bonds, strict=True):
        check("lag", k, 1, bars - 1, expected=f"between 1 and {bars - 1} bars")
        check("strength", bond, -1.0, 1.0, expected="a correlation between −1 and 1")
    rng, deviation = np.random.default_rng(seed), volatility / np.sqrt(clock.year)
    noise = shocks(rng, bars, 2 * pairs + others, tails=tails)
    for n, (k, bond) in enumerate(zip(lags.astype(int), bonds, strict=True)):
        led, follows = noise[:, 2 * n], noise[:, 2 * n + 1]
        follows[k:] = bond * led[:-k] + np.sqrt(1.0 - bond**2) * follows[k:]
    symbols = [name for pair in zip(leaders, followers, strict=True) for name in pair]
    symbols += named(others) if others else []
    made = bars_of_returns(deviation * noise, deviation, rng, clock, symbols)
    planted = {"leader": leaders, "follower": followers, "lag": lags.astype(int), "strength": bonds}
    return Market(made, Pairs(pd.DataFrame(planted)))


def cointegrated(
    *,
    pairs: int = 1,
    bars: int = 2520,
    seed: int,
    hedge: float | Sequence[float] = 1.0,
    half_life: float | Sequence[float] = 10.0,
    spread: float = 0.05,
    others: int = 0,
    volatility: float = 0.2,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Pairs]:
    """In each pair log Y = `hedge` × log X + a spread that halves its distance in `half_life` bars.

    X is a random walk, the spread a first-order autoregression of standard deviation `spread` (log),
    begun in its stationary distribution (Engle & Granger 1987, Econometrica 55). Symbols are Y0, X0,
    Y1, X1, … and `others` S0, S1, …. The truth's `pairs` has y, x, hedge, half_life and spread.
    """
    clock = Clock(bars, calendar, freq)
    ys, xs = named(pairs, "Y"), named(pairs, "X")
    ratios, halves = _each("hedge", hedge, pairs), _each("half_life", half_life, pairs)
    for half in halves:
        check("half_life", half, 0.1, expected="at least 0.1 bars")
    check("spread", spread, 1e-9, expected="above 0: 0.05 is 5 % of the price")
    rng, deviation = np.random.default_rng(seed), volatility / np.sqrt(clock.year)
    walks = deviation * rng.standard_normal((bars, pairs + others))
    gaps = _spreads(rng.standard_normal((bars + 1, pairs)), 0.5 ** (1.0 / halves), spread)
    moves = np.empty((bars, 2 * pairs + others))
    moves[:, 1 : 2 * pairs : 2], moves[:, 2 * pairs :] = walks[:, :pairs], walks[:, pairs:]
    moves[:, 0 : 2 * pairs : 2] = ratios * walks[:, :pairs] + np.diff(gaps, axis=0)
    symbols = [name for pair in zip(ys, xs, strict=True) for name in pair] + (named(others) if others else [])
    made = bars_of_returns(np.expm1(moves), moves.std(axis=0)[None, :], rng, clock, symbols)
    planted = {"y": ys, "x": xs, "hedge": ratios, "half_life": halves, "spread": spread}
    return Market(made, Pairs(pd.DataFrame(planted)))


def _spreads(noise: np.ndarray, stay: np.ndarray, deviation: float) -> np.ndarray:
    gaps = np.empty_like(noise)
    gaps[0] = noise[0]
    for t in range(1, len(noise)):
        gaps[t] = stay * gaps[t - 1] + np.sqrt(1.0 - stay**2) * noise[t]
    return deviation * gaps


def _each(name: str, given: float | Sequence[float], pairs: int) -> np.ndarray:
    values = np.atleast_1d(np.asarray(given, dtype=float))
    if len(values) not in (1, pairs):
        raise BadParameter(name, given, f"one number, or one for each of the {pairs} pairs")
    return np.array(np.broadcast_to(values, pairs))
