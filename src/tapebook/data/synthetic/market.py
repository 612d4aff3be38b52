"""A made market: bars, and the truth that they were made with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import pandas as pd

from tapebook.data.calendar import expected_bars, periods_per_year
from tapebook.data.panel import Bars
from tapebook.errors import BadParameter

Truth = TypeVar("Truth")
LAST = "2025-12-31"
"""Made bars end at the calendar's last session up to this day, so that more bars begin earlier."""
NIGHT = 0.2
"""Share of a bar's variance that lies between the last close and its open."""
_FLOOR = -0.9  # of a simple return, so that no price reaches 0


@dataclass(frozen=True, eq=False)
class Market(Generic[Truth]):
    """Bars of shape (T, N) and what is true of them."""

    bars: Bars
    truth: Truth


@dataclass(frozen=True)
class Clock:
    """How many bars, of what length, by which exchange."""

    bars: int
    calendar: str = "XNYS"
    freq: str = "1d"

    def __post_init__(self) -> None:
        if self.bars != int(self.bars) or self.bars < 2:
            raise BadParameter("bars", self.bars, "a whole number of at least 2")

    @property
    def year(self) -> float:
        """Bars a year."""
        return periods_per_year(self.calendar, self.freq)

    def stamps(self) -> pd.DatetimeIndex:
        """Return the calendar's last `bars` stamps."""
        days = int(self.bars / self.year * 366.0 * 1.02) + 30
        first = pd.Timestamp(LAST) - pd.Timedelta(days=days)
        return expected_bars(self.calendar, self.freq, str(first.date()), LAST)[-self.bars :]


def named(N: int, letter: str = "S") -> list[str]:
    """Names of N symbols.

    >>> named(2)
    ['S0', 'S1']
    """
    if int(N) != N or N < 1:
        raise BadParameter("symbols", N, "a whole number of at least 1")
    return [f"{letter}{n}" for n in range(N)]


def check(name: str, value: float, low: float, high: float = np.inf, *, expected: str) -> None:
    """Raise BadParameter unless low ≤ value ≤ high, and it is a number."""
    if not low <= value <= high:
        raise BadParameter(name, value, expected)


def bars_of_returns(
    returns: np.ndarray,
    deviation: np.ndarray | float,
    rng: np.random.Generator,
    clock: Clock,
    symbols: Iterable[str],
) -> Bars:
    """Make bars whose close-to-close simple returns, shape (T, N), are these.

    A share `NIGHT` of each move lies before the open, with the noise of a Brownian path between two
    closes; `deviation` is that of a bar's return, a number or (T, N).
    """
    logs = np.log1p(np.maximum(returns, _FLOOR))
    night = NIGHT * logs + np.sqrt(NIGHT * (1.0 - NIGHT)) * deviation * rng.standard_normal(logs.shape)
    return bars_of_moves(night, logs - night, deviation, rng, clock, symbols)


def bars_of_moves(
    night: np.ndarray,
    day: np.ndarray,
    deviation: np.ndarray | float,
    rng: np.random.Generator,
    clock: Clock,
    symbols: Iterable[str],
    volume: np.ndarray | None = None,
) -> Bars:
    """Make bars of log moves, each (T, N): from the last close to the open, and from there to the close."""
    logs = night + day
    before = np.cumsum(logs, axis=0) - logs
    open = 100.0 * np.exp(before + night)
    close = open * np.exp(day)
    beyond = 0.4 * deviation * rng.standard_exponential((2, *logs.shape))
    high = np.maximum(open, close) * np.exp(beyond[0])
    low = np.minimum(open, close) * np.exp(-beyond[1])
    if volume is None:
        volume = traded(logs, deviation, rng)
    blocks = {"open": open, "high": high, "low": low, "close": close, "volume": volume}
    return as_bars(blocks, clock, symbols)


def traded(logs: np.ndarray, deviation: np.ndarray | float, rng: np.random.Generator) -> np.ndarray:
    """Units traded, about a million a bar, more where the price moves more; shape (T, N)."""
    busy = 0.3 * rng.standard_normal(logs.shape) + 0.2 * np.abs(logs) / np.maximum(deviation, 1e-12)
    units: np.ndarray = np.ceil(1e6 * np.exp(busy))
    return units


def as_bars(blocks: dict[str, np.ndarray], clock: Clock, symbols: Iterable[str]) -> Bars:
    """Put the five blocks, each (T, N), on the clock."""
    index, columns = clock.stamps(), pd.Index(list(symbols), name="symbol")
    frames: dict[str, Any] = {
        name: pd.DataFrame(block, index=index, columns=columns, copy=False) for name, block in blocks.items()
    }
    return Bars.from_frames(**frames, freq=clock.freq, calendars=clock.calendar)
