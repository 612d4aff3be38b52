"""When each pattern occurs: one symbol's own bars, all patterns of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tapebook.errors import UnknownName
from tapebook.market.pattern import candles as candle
from tapebook.market.pattern import levels as level
from tapebook.market.pattern import seasons as season
from tapebook.market.pattern import shapes as shape
from tapebook.schema import Frequency

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

KINDS = ("candlesticks", "seasons", "gaps", "breakouts", "volume", "shapes")
"""Kinds of patterns that the scan knows."""
_UP, _DOWN = ("bullish", " up", "high", "rose"), ("bearish", " down", "low", "fell")


def catalogue(freq: Frequency, kinds: Sequence[str] = KINDS) -> list[tuple[str, str]]:
    """(kind, pattern) of every pattern of bars of this length, in the order of the rows of `masks`."""
    named = {
        "candlesticks": candle.candle_names, "seasons": lambda: season.season_names(freq),
        "gaps": level.gap_names, "breakouts": level.breakout_names, "volume": level.spike_names,
        "shapes": shape.shape_names,
    }  # fmt: skip
    return [(kind, name) for kind in KINDS if kind in kinds for name in named[kind]()]


def direction(pattern: str) -> int:
    """1 for a pattern that points up, −1 down, 0 neither (a season says nothing of the price)."""
    word = pattern.replace(" ATR", "")
    if word.startswith("gap "):
        return 1 if " up" in word else -1
    return 1 if word.endswith(_UP) else -1 if word.endswith(_DOWN) else 0


@dataclass(frozen=True, eq=False)
class Own:
    """The bars that one symbol has, not the rows of others: `rows` (n,) of the panel, five fields (n,)."""

    rows: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray

    @classmethod
    def of(cls, bars: Bars, column: int) -> Own:
        """Take one column of the panel."""
        rows = np.flatnonzero(np.isfinite(bars.values["close"][:, column]))
        fields = (bars.values[name][rows, column] for name in ("open", "high", "low", "close", "volume"))
        return cls(rows, *(np.ascontiguousarray(block, dtype=float) for block in fields))

    @cached_property
    def whole(self) -> np.ndarray:
        """Which bars have all four prices, (n,)."""
        prices = np.array([self.open, self.high, self.low])
        found: np.ndarray = np.isfinite(prices).all(axis=0)
        return found

    @cached_property
    def step(self) -> np.ndarray:
        """Log return from each bar's open to the next open, (n,), NaN for the last.

        A bar without an open above 0 is traded at its close.
        """
        out = np.full(len(self.close), np.nan)
        with np.errstate(invalid="ignore"):
            out[:-1] = np.diff(np.log(np.where(self.open > 0.0, self.open, self.close)))
        return out


def masks(own: Own, kinds: Sequence[str], turns: np.ndarray | None) -> np.ndarray:
    """Which patterns are known at each bar's close, (P, n), rows as in `catalogue`.

    `turns` (S, T) are the panel's seasons by this symbol's calendar.
    """
    parts = []
    if "candlesticks" in kinds:
        parts.append(_candles(own))
    if "seasons" in kinds and turns is not None:
        parts.append(turns[:, own.rows])
    if "gaps" in kinds:
        parts.append(level.gaps(own.open, own.high, own.low, own.close))
    if "breakouts" in kinds:
        parts.append(level.breakouts(own.high, own.low, own.close))
    if "volume" in kinds:
        parts.append(level.spikes(own.close, own.volume))
    if "shapes" in kinds:
        parts.append(shape.shapes(own.close))
    return np.ascontiguousarray(np.vstack(parts))


def _candles(own: Own, names: list[str] | None = None) -> np.ndarray:
    """Candlesticks of the bars that have all four prices, as if the others were not there."""
    if own.whole.all():
        return candle.candles(own.open, own.high, own.low, own.close, names)
    there = own.whole
    found = candle.candles(own.open[there], own.high[there], own.low[there], own.close[there], names)
    out = np.zeros((len(found), len(there)), dtype=np.bool_)
    out[:, there] = found
    return out


def turns_of(bars: Bars) -> dict[str, np.ndarray]:
    """Seasons of the panel's rows by every calendar in it."""
    return {
        name: season.seasons(bars.index, bars.freq, name) for name in dict.fromkeys(bars.calendars.values())
    }


def occurrences(bars: Bars, pattern: str) -> np.ndarray:
    """Where one pattern is known, (T, N); False where a symbol has no bar. Reads no bar after its row.

    Raises
    ------
    UnknownName
        With the near name.
    """
    known = catalogue(bars.freq)
    kind = next((kind for kind, name in known if name == pattern), None)
    if kind is None:
        raise UnknownName("pattern", pattern, [name for _, name in known])
    place = [name for _, name in catalogue(bars.freq, (kind,))].index(pattern)
    out = np.zeros(bars.shape, dtype=np.bool_)
    turns = turns_of(bars) if kind == "seasons" and len(bars) else {}
    for column, symbol in enumerate(bars.symbols):
        own = Own.of(bars, column)
        if not len(own.rows):
            continue
        if kind == "candlesticks":
            out[own.rows, column] = _candles(own, [pattern])[0]
        else:
            out[own.rows, column] = masks(own, (kind,), turns.get(bars.calendars[symbol]))[place]
    return out
