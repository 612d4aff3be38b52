"""The words of the screening language: fields, and functions with what they take and what they say.

Indicators are those of `tapebook.strategy.indicators`: a screen and a strategy mean the same by a name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.strategy import indicators
from tapebook.strategy.screen import windows

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

Unit = tuple[tuple[str, float], ...]
"""What a number is measured in: powers of price, volume, points (0 to 100), bars, days. () is a ratio."""
PRICE: Unit = (("price", 1.0),)
VOLUME: Unit = (("volume", 1.0),)
POINTS: Unit = (("points", 1.0),)
RATIO: Unit = ()
BARS: Unit = (("bars", 1.0),)
DAYS: Unit = (("days", 1.0),)

FIELDS: dict[str, Unit] = {"open": PRICE, "high": PRICE, "low": PRICE, "close": PRICE, "volume": VOLUME}
"""What a bar has. `symbol` is the sixth name, a text."""


@dataclass(frozen=True)
class Setting:
    """A number that a function takes: whole (bars) or not; None as default means that it must be said."""

    name: str
    default: float | None = None
    least: float = 1.0
    whole: bool = True


@dataclass(frozen=True)
class Word:
    """A function. It takes `series` (its default, "" where one must be given, None where it takes none).

    `condition` says that the series is a condition. `unit` of the answer, None for the series' own.
    `work` gets the panel, the series (T, N) if there is one, and the settings.
    """

    help: str
    series: str | None
    settings: tuple[Setting, ...]
    unit: Unit | None
    work: Callable[..., Any]
    parts: tuple[str, ...] = ()
    whole: str = ""
    condition: bool = False
    across: bool = False


def _framed(work: Callable[..., Any]) -> Callable[..., Any]:
    return lambda panel, values, *settings: _block(work(panel.frame(values), *settings))


def _of_bars(work: Callable[[Bars, int], pd.DataFrame]) -> Callable[..., Any]:
    return lambda panel, window: _block(work(panel.bars, window))


def _plain(work: Callable[..., np.ndarray]) -> Callable[..., Any]:
    return lambda _panel, values, *settings: work(values, *settings)


def _block(answer: Any) -> Any:
    """One block (T, N), or several by name."""
    if isinstance(answer, tuple):
        return {name: part.to_numpy() for name, part in zip(answer._fields, answer, strict=True)}  # type: ignore[attr-defined]
    return answer.to_numpy()


def _change(_panel: Any, values: np.ndarray, bars: int) -> np.ndarray:
    before = windows.shifted(values, bars)
    ratio: np.ndarray = np.divide(values, before, out=np.full(values.shape, np.nan), where=before != 0)
    return ratio - 1.0


def _rolled(help: str, name: str, series: str = "", unit: Unit | None = None, least: int = 1) -> Word:
    return Word(help, series, (Setting("bars", least=least),), unit, _plain(windows.rolled(name)))


def _once(help: str, work: Callable[..., np.ndarray], unit: Unit | None, **more: Any) -> Word:
    return Word(help, "", (), unit, work, **more)


_N = Setting("bars")
_SMA = Word("mean of the last bars", "close", (_N,), None, _framed(indicators.sma))
_CHANGE = Word("change over so many bars, a share", "close", (Setting("bars", 1),), RATIO, _change)

WORDS: dict[str, Word] = {
    "sma": _SMA,
    "avg": _SMA,
    "mean": _SMA,
    "ema": Word("exponential mean", "close", (_N,), None, _framed(indicators.ema)),
    "median": _rolled("middle of the last bars", "median"),
    "sum": _rolled("sum of the last bars", "sum"),
    "highest": _rolled("largest of the last bars, of the highs unless told", "max", "high"),
    "lowest": _rolled("smallest of the last bars, of the lows unless told", "min", "low"),
    "max": _rolled("largest of the last bars; max(a, b) is the larger of two", "max"),
    "min": _rolled("smallest of the last bars; min(a, b) is the smaller of two", "min"),
    "stdev": _rolled("standard deviation of the last bars (one less)", "std", "close", least=2),
    "zscore": Word(
        "standard deviations from the mean of the last bars",
        "close", (Setting("bars", least=2),), RATIO, _framed(indicators.zscore),
    ),
    "rsi": Word(
        "relative strength, 0 to 100 (Wilder)",
        "close", (Setting("bars", 14, 2),), POINTS, _framed(indicators.rsi),
    ),
    "atr": Word("average true range (Wilder)", None, (Setting("bars", 14),), PRICE, _of_bars(indicators.atr)),
    "adx": Word(
        "average directional movement, 0 to 100 (Wilder)",
        None, (Setting("bars", 14, 2),), POINTS, _of_bars(indicators.adx),
    ),
    "macd": Word(
        "difference of two exponential means; .signal, .histogram",
        "close", (Setting("fast", 12, 2), Setting("slow", 26, 2), Setting("signal", 9)), None,
        _framed(indicators.macd), ("line", "signal", "histogram"), "line",
    ),
    "bollinger": Word(
        "bands around the mean: .lower, .middle, .upper",
        "close", (Setting("bars", 20, 2), Setting("width", 2.0, 0.0, whole=False)), None,
        _framed(indicators.bollinger), ("lower", "middle", "upper"),
    ),
    "change": _CHANGE,
    "return": _CHANGE,
    "lag": Word(
        "value of so many bars ago, also written x[1]",
        "", (Setting("bars", 1, 0),), None, _plain(windows.shifted),
    ),
    "count": Word(
        "bars of the last so many in which a condition was true",
        "", (_N,), BARS, _plain(windows.rolled("sum")), condition=True,
    ),
    "bars_since": _once("bars since a condition was last true", _plain(windows.since), BARS, condition=True),
    "days_since": _once(
        "days since a condition was last true",
        lambda panel, values: windows.days_since(values, panel.days), DAYS, condition=True,
    ),
    "rank": _once(
        "place among the symbols on the same bar, 1 is the largest",
        _plain(windows.ranked), RATIO, across=True,
    ),
    "percentile": _once(
        "share of the symbols on the same bar at or below, to 100%",
        _plain(windows.percentile), RATIO, across=True,
    ),
    "abs": _once("size without sign", _plain(np.abs), None),
    "sqrt": _once("square root", _plain(lambda x: np.sqrt(np.where(x < 0, np.nan, x))), None),
    "log": _once("natural logarithm", _plain(lambda x: np.log(np.where(x > 0, x, np.nan))), RATIO),
}  # fmt: skip
TWO = ("max", "min")
"""Words that also take two numbers, and no window."""


def usage(name: str) -> str:
    """Write how a function is called: `sma(series=close, bars)`."""
    word = WORDS[name]
    series = {None: [], "": ["condition" if word.condition else "series"]}.get(
        word.series, [f"series={word.series}"]
    )
    said = [s.name if s.default is None else f"{s.name}={s.default:g}" for s in word.settings]
    return f"{name}({', '.join([*series, *said])})"
