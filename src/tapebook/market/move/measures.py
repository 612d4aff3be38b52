"""What is measured of one move: size, speed, kind, rarity, who else went, the market's part in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.market.move.chance import earlier, tail_p
from tapebook.market.move.walk import Found
from tapebook.market.states import States, log_closes, since_last_close, states, without_self

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

WINDOW = 250
"""Bars before a move on which betas are estimated."""
MARKET = "market"
"""Name of the mean of all symbols, which has moves of its own with `market=True`."""
COLUMNS = (
    "symbol", "start", "end", "bars", "direction", "change", "percent", "size", "speed", "kind", "rarity",
    "breadth", "market_part", "scope", "p", "q", "holds", "known_at", "open",
)  # fmt: skip
TOLD = tuple(name for name in COLUMNS if name not in ("q", "holds"))
"""What one move tells without the others."""


@dataclass(frozen=True, eq=False)
class Tape:
    """Log closes, returns, mean returns of the others and deviations, each (T, N), N + 1 with the market.

    A return is since the symbol's last close; `counts` where a symbol is judged and one of the others;
    `names` of the columns, of which the first `symbols` are the bars'.
    """

    logs: np.ndarray
    moved: np.ndarray
    rest: np.ndarray
    deviation: np.ndarray
    counts: np.ndarray
    names: tuple[str, ...]
    symbols: int

    @cached_property
    def held(self) -> np.ndarray:
        """The last log close known at each row."""
        return pd.DataFrame(self.logs).ffill().to_numpy()


def tape_of(bars: Bars, made: States, *, market: bool = False) -> Tape:
    """Lay out what a move is measured by; `market` adds the mean of all as a column."""
    frame, names = log_closes(bars), bars.symbols
    logs, deviation, counts, N = frame.to_numpy(), made.deviation, made.counts, len(names)
    others = without_self(since_last_close(frame).where(counts)).to_numpy()
    if market:
        if N < 3 or MARKET in names:
            raise BadParameter("market", market, 'False, or 3 symbols or more, none of them named "market"')
        line = market_line(bars, counts)
        close = pd.DataFrame({MARKET: np.exp(line)}, index=bars.index)
        own = states(type(bars).from_frames(close=close, freq=bars.freq))
        logs, deviation = np.column_stack([logs, line]), np.column_stack([deviation, own.deviation])
        counts = np.column_stack([counts, own.counts])
        names = (*names, MARKET)
    moved = since_last_close(pd.DataFrame(logs)).to_numpy()
    rest = np.full(moved.shape, np.nan)
    rest[:, :N] = others
    return Tape(logs, moved, rest, deviation, counts, names, N)


def market_line(bars: Bars, counts: np.ndarray) -> np.ndarray:
    """Sum of the mean log returns of the symbols that count, (T,); NaN where fewer than 3 have one."""
    steps = since_last_close(log_closes(bars)).where(counts).to_numpy()
    known = np.isfinite(steps).sum(axis=1)
    mean = np.where(known >= 3, np.nansum(steps, axis=1) / np.maximum(known, 1), 0.0)
    line: np.ndarray = np.where(known >= 3, mean.cumsum(), np.nan)
    return line


def measured(n: int, one: Found, tape: Tape, bars: Bars) -> tuple[Any, ...]:
    """Measure the move of column n of the tape, as `TOLD` names it."""
    own = np.flatnonzero(np.isfinite(tape.logs[:, n]))
    at, end = np.searchsorted(own, [one.first, one.last]).tolist()
    base, length = int(own[at - 1]), end - at + 1
    logs, deviation = tape.logs[:, n], tape.deviation[:, n]
    change = logs[one.last] - logs[base]
    size = change / (deviation[base] * np.sqrt(length))
    jump = np.nanmax(np.sign(change) * tape.moved[own[at : end + 1], n]) >= 0.8 * abs(change)
    kind = "jump" if jump else ("rally" if change > 0 else "drawdown")
    went = np.sign(change) * others_went(tape, n, base, one.last).to_numpy()
    breadth = float((went > 1.0).mean()) if len(went) else np.nan
    is_market = n >= tape.symbols
    begin = int(own[max(0, at - WINDOW)])
    part = 1.0 if is_market else _market_part(tape, n, begin, base, one.last, change)
    before = np.abs(earlier(logs[own], deviation[own], at, length))
    scope = _scope(went, part, abs(size), is_market)
    return (
        tape.names[n], bars.index[one.first], bars.index[one.last], length, "up" if change > 0 else "down",
        change, np.expm1(change), size, size / np.sqrt(length), kind, _rarity(before, abs(size)), breadth,
        part, scope, tail_p(abs(size), before, length), bars.index[one.known], one.open,
    )  # fmt: skip


def others_went(tape: Tape, n: int, base: int, last: int) -> pd.Series:
    """Changes of the other symbols that traded from after row `base` to `last`, in their deviations."""
    others = [k for k in range(tape.symbols) if k != n]
    count = np.isfinite(tape.logs[base + 1 : last + 1, others]).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = tape.deviation[base, others] * np.sqrt(count)
        went = (tape.held[last, others] - tape.held[base, others]) / unit
    told = np.isfinite(went) & tape.counts[base, others]
    return pd.Series(went[told], [tape.names[k] for k, so in zip(others, told, strict=True) if so])


def _scope(went: np.ndarray, part: float, size: float, is_market: bool) -> str:
    if is_market:
        return "market"
    if len(went) < 3 and not np.isfinite(part):
        return "alone"
    together = len(went) >= 3 and float(np.median(went)) >= 0.5 * size
    return "market" if part >= 0.5 or together else "single name"


def _rarity(before: np.ndarray, size: float) -> float:
    """Share of the earlier spans that were as large; NaN below 100."""
    return float((1 + (before >= size).sum()) / (1 + len(before))) if len(before) >= 100 else np.nan


def _market_part(tape: Tape, n: int, begin: int, base: int, last: int, change: float) -> float:
    """Share of the change after row `base` that a beta from row `begin` to it gives to the others' mean."""
    y, x = tape.moved[begin : last + 1, n], _rest(tape, n, begin, base, last)
    until = base + 1 - begin
    both = np.isfinite(y[:until]) & np.isfinite(x[:until])
    a, b = y[:until][both], x[:until][both]
    if both.sum() < 40 or b.var() == 0.0:
        return np.nan
    beta = np.cov(a, b)[0, 1] / b.var(ddof=1)
    return float(beta * np.nansum(x[until:]) / change)


def _rest(tape: Tape, n: int, begin: int, base: int, last: int) -> np.ndarray:
    """Mean return, rows `begin` to `last`, of the others that count at `base`, where 2 have one."""
    there = tape.counts[base, : tape.symbols].copy()
    there[n] = False
    if (tape.counts[begin, : tape.symbols] >= there).all():  # nobody came since
        return tape.rest[begin : last + 1, n]
    steps = tape.moved[begin : last + 1, : tape.symbols][:, there]
    known = np.isfinite(steps).sum(axis=1)
    mean: np.ndarray = np.where(known >= 2, np.nansum(steps, axis=1) / np.maximum(known, 1), np.nan)
    return mean


def volume_of(bars: Bars, n: int, first: int, last: int) -> float:
    """Mean volume of the rows over the median of the 60 rows before them; NaN where one is unknown."""
    volume = bars.values["volume"][:, n] if n < len(bars.symbols) else np.full(len(bars), np.nan)
    before, during = volume[max(0, first - 60) : first], volume[first : last + 1]
    before, during = before[np.isfinite(before)], during[np.isfinite(during)]
    if not len(before) or not len(during) or np.median(before) <= 0.0:
        return float("nan")
    return float(during.mean() / np.median(before))
