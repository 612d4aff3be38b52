"""Events that are announced by a pattern, and patterns that announce nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.data.synthetic.market import Clock, Market, bars_of_moves, check, named, traded
from tapebook.data.synthetic.noise import shocks
from tapebook.errors import BadParameter


@dataclass(frozen=True, eq=False)
class Events:
    """`events`: one row a pattern, in time's order: symbol, row and ts of its last bar, true or not.

    `event_row` is the bar that jumps (−1 for a false one); `jump` its extra return.
    """

    events: pd.DataFrame
    width: int
    delay: int
    surge: float


def precursors(
    *,
    symbols: int = 1,
    bars: int = 2520,
    seed: int,
    events: int = 20,
    false: int = 10,
    width: int = 5,
    delay: int = 3,
    surge: float = 3.0,
    jump: float = 0.08,
    volatility: float = 0.2,
    tails: float | None = None,
    calendar: str = "XNYS",
    freq: str = "1d",
) -> Market[Events]:
    """Volume is `surge` times as high for `width` bars; `delay` bars after their last, the price jumps.

    Parameters
    ----------
    events, false : int
        Patterns a symbol that a jump follows, and that none follows. None overlaps another.
    jump : float
        Extra return of the event's bar, from its open to its close.
    """
    clock, names = Clock(bars, calendar, freq), named(symbols)
    for name, value in (("width", width), ("delay", delay)):
        check(name, value, 1, expected="at least 1 bar")
    check("jump", jump, -0.5, 5.0, expected="a return between −0.5 and 5")
    rng, deviation = np.random.default_rng(seed), volatility / np.sqrt(clock.year)
    logs = np.log1p(np.maximum(deviation * shocks(rng, bars, symbols, tails=tails), -0.9))
    slept = 0.2 * logs + 0.4 * deviation * rng.standard_normal(logs.shape)
    moved, volume = logs - slept, traded(logs, deviation, rng)
    rows = []
    for n, symbol in enumerate(names):
        last = _places(rng, bars, events + false, width, delay)
        real = rng.permutation(np.arange(events + false) < events)
        for back in range(width):
            volume[last - back, n] = np.ceil(volume[last - back, n] * surge)
        moved[last[real] + delay, n] += np.log1p(jump)
        rows += [(symbol, row, bool(is_real)) for row, is_real in zip(last, real, strict=True)]
    made = bars_of_moves(slept, moved, deviation, rng, clock, names, volume)
    table = pd.DataFrame(rows, columns=["symbol", "row", "true"]).sort_values("row", kind="stable")
    table = table.reset_index(drop=True)
    table["ts"] = made.index[table["row"]]
    table["event_row"] = np.where(table["true"], table["row"] + delay, -1)
    table["jump"] = np.where(table["true"], jump, 0.0)
    return Market(made, Events(table, width, delay, surge))


def _places(rng: np.random.Generator, T: int, count: int, width: int, delay: int) -> np.ndarray:
    """Last rows of `count` patterns, so far apart that each has its event before the next begins."""
    taken = width + delay + 1
    free = T - count * taken
    if free < 0:
        raise BadParameter("bars", T, f"at least {count * taken} for {count} patterns of {taken} bars")
    starts: np.ndarray = np.sort(rng.integers(0, free + 1, size=count)) + taken * np.arange(count)
    return starts + width - 1
