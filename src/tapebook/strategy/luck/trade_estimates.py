"""What closed trades say of a strategy: expectancy, payoff, profit factor, Kelly's fraction, win rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tapebook.strategy.luck import odds
from tapebook.strategy.luck.estimates import (
    MIN_TRADES,
    Estimate,
    Unit,
    absent,
    drawing,
    initial_risk,
    positive,
)
from tapebook.strategy.luck.resampling import Spread, block_length, drawn_rows, interval, spread

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest


class _Figure(NamedTuple):
    """How a figure is computed of tables of trades (draws, n), one number a draw.

    `adds`: what each trade adds to it (its influence), given its value; to its logarithm, of a ratio.
    `within`: what it can be.
    """

    unit: Unit
    what: str
    of: Callable[[np.ndarray], np.ndarray]
    adds: Callable[[float], np.ndarray]
    within: tuple[float, float] = (-np.inf, np.inf)


def of_trades(bt: Backtest, draws: int, seed: int, confidence: float) -> dict[str, Estimate]:
    """Estimates of closed trades, drawn in the order in which they closed."""
    closed = bt.trades[bt.trades["status"] == "closed"].sort_values("exit_ts", kind="stable")
    pnl, share = (closed[name].to_numpy(dtype=float) for name in ("pnl", "return"))
    mean_risk, risks, by = initial_risk(bt, closed)
    multiples = pnl / risks if mean_risk > 0.0 else np.full(len(pnl), np.nan)
    n, block = len(pnl), block_length(pnl)
    figures = _figures(pnl, share, multiples, by)
    drawn: dict[str, np.ndarray] = {}
    if n >= MIN_TRADES:
        parts = [{k: f.of(rows) for k, f in figures.items()} for rows in drawn_rows(n, draws, block, seed)]
        drawn = {name: np.concatenate([part[name] for part in parts]) for name in figures}
    said = f"{n:,} closed trades, after costs"
    found = {"trades": Estimate(n, np.nan, np.nan, "count", "closed: from flat to flat of one symbol")}
    for name, figure in figures.items():
        value = float(figure.of(np.arange(n)[None, :])[0]) if n else np.nan
        found[name] = _estimate(figure, value, n, said)
        if name in drawn and np.isfinite(value):
            wide = spread(figure.adds(value), block)
            drawn[name] = wide.of(drawn[name], value, ratio=figure.unit == "ratio").clip(*figure.within)
            found[name] = _between(found[name], drawn[name], confidence, wide, block)
    found["kelly"] = _at_the_ends(found["kelly"], found["expectancy_share"], share)
    found["win_rate"] = _win_rate(pnl > 0.0, confidence, said)
    found["probability_positive"] = positive(drawn.get("expectancy"), said, "trades", MIN_TRADES)
    return found


def _figures(pnl: np.ndarray, share: np.ndarray, multiples: np.ndarray, by: str) -> dict[str, _Figure]:
    best = "share of equity in one trade at a time with the highest mean log growth, at most 1 / worst loss"

    def mean(values: np.ndarray) -> tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]:
        return lambda rows: values[rows].mean(axis=1), lambda _: values

    won, lost = np.maximum(pnl, 0.0), np.maximum(-pnl, 0.0)
    return {
        "expectancy": _Figure("money", "mean profit a trade", *mean(pnl)),
        "expectancy_share": _Figure("share", "mean return on entry value", *mean(share)),
        "expectancy_r": _Figure("R", f"mean profit, R is {by}", *mean(multiples)),
        "payoff": _Figure(
            "ratio",
            "mean win over mean loss",
            lambda rows: _payoff(pnl[rows]),
            lambda _: _on_average(won) - _on_average(lost),
        ),
        "profit_factor": _Figure(
            "ratio",
            "sum of wins over sum of losses",
            lambda rows: _factor(pnl[rows]),
            lambda _: _relative(won) - _relative(lost),
        ),
        "kelly": _Figure(
            "share",
            best,
            lambda rows: _kelly(share, rows),
            lambda stake: share / np.maximum(1.0 + stake * share, 0.01),
            (0.0, -1.0 / min(share.min(initial=0.0), -1e-12)),
        ),
    }


def _relative(amounts: np.ndarray) -> np.ndarray:
    """What each trade adds to the logarithm of the sum of the amounts, n times."""
    mean = amounts.mean()
    answer: np.ndarray = amounts / mean if mean > 0.0 else amounts
    return answer


def _on_average(amounts: np.ndarray) -> np.ndarray:
    """What each trade adds to the logarithm of the mean of the amounts above 0, n times."""
    there = amounts > 0.0
    answer: np.ndarray = _relative(amounts) - there / max(there.mean(), 1e-12)
    return answer


def _between(e: Estimate, drawn: np.ndarray, confidence: float, wide: Spread, block: float) -> Estimate:
    low, high = interval(drawn, confidence, wide.independent)
    how = f"{confidence:.0%} interval, {drawing(block, 'trades')}"
    return e.between(low, high, how if wide.factor < 1.05 else f"{how}, {wide.factor:.2f} times as wide")


def _estimate(figure: _Figure, value: float, n: int, said: str) -> Estimate:
    """Return the value alone, or why there is none."""
    if n == 0:
        return absent(figure.unit, f"no closed trade, {MIN_TRADES} are needed")
    if not np.isfinite(value):
        return absent(figure.unit, f"no losing or no winning trade to measure by, {said}")
    convention = f"{figure.what}, {said}"
    if n < MIN_TRADES:
        convention += f"; no interval: {MIN_TRADES} closed trades are needed, there are {n}"
    return Estimate(value, np.nan, np.nan, figure.unit, convention)


def _payoff(pnl: np.ndarray) -> np.ndarray:
    """NaN without a win, infinite without a loss."""
    wins, losses = (pnl > 0.0).sum(axis=1), (pnl < 0.0).sum(axis=1)
    ratio = np.full(len(pnl), np.nan)
    np.divide(_factor(pnl) * np.maximum(losses, 1), wins, out=ratio, where=wins > 0)
    return ratio


def _factor(pnl: np.ndarray) -> np.ndarray:
    """Infinite without a loss: an end of an interval, never a value. NaN where nothing was won or lost."""
    with np.errstate(divide="ignore", invalid="ignore"):
        answer: np.ndarray = np.maximum(pnl, 0.0).sum(axis=1) / np.maximum(-pnl, 0.0).sum(axis=1)
    return answer


def _kelly(share: np.ndarray, rows: np.ndarray) -> np.ndarray:
    worst = float(share.min())
    return odds.kelly(share[rows], worst) if worst < 0.0 else np.full(len(rows), np.nan)


def _at_the_ends(kelly: Estimate, mean: Estimate, share: np.ndarray) -> Estimate:
    """Take the stake at the ends of the mean's interval: draws of the stake itself reach too high.

    A draw with little variance asks for a large stake, so that few trades have a low end above the truth.
    """
    if np.isnan(kelly.low) or np.isnan(mean.low):
        return kelly
    moved = np.array([share - mean.value + end for end in (mean.low, mean.high)])
    low, high = odds.kelly(moved, min(float(share.min()), float(moved.min())))
    reached = np.fmax(kelly.high, min(float(high), -1.0 / float(share.min())))
    return kelly.between(float(low), float(reached), "by the ends of the mean return's interval")


def _win_rate(won: np.ndarray, confidence: float, said: str) -> Estimate:
    n = len(won)
    if n == 0:
        return absent("share", "no closed trade, 1 is needed")
    wins, times = int(won.sum()), odds.repeated(won.astype(float)) if 0 < won.sum() < n >= MIN_TRADES else 1.0
    low, high = odds.wilson(wins / times, n / times, confidence)
    how = f"Wilson's {confidence:.0%} interval" + (f" of {n / times:,.0f} independent ones" * (times > 1.05))
    return Estimate(wins / n, low, high, "share", f"above 0, {said}; {how}")
