"""Candlesticks: every pattern of TA-Lib, bullish and bearish apart."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

ENDS = ("bullish", "bearish")


@lru_cache(maxsize=1)
def functions() -> dict[str, str]:
    """Names in words, such as "engulfing pattern", of TA-Lib's 61 candlestick functions, in its order."""
    from talib import abstract

    found: Any = abstract
    named = [name for name in dir(abstract) if name.startswith("CDL")]
    return {found.Function(name).info["display_name"].lower(): name for name in named}


def candle_names() -> list[str]:
    """Every candlestick pattern, in the rows' order of `candles`."""
    return [f"{name} {end}" for name in functions() for end in ENDS]


def candles(
    open: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, names: list[str] | None = None
) -> np.ndarray:
    """Which candlesticks end at each bar, (122, n) or one row a name asked; bars without holes, (n,) each.

    A pattern is bullish where TA-Lib says above 0, bearish below. It reads no bar after t.
    """
    import talib

    asked = candle_names() if names is None else names
    series = [np.ascontiguousarray(block, dtype=float) for block in (open, high, low, close)]
    known = functions()
    out = np.zeros((len(asked), len(close)), dtype=np.bool_)
    said: dict[str, np.ndarray] = {}
    for row, name in enumerate(asked):
        word, _, end = name.rpartition(" ")
        if word not in said:
            said[word] = getattr(talib, known[word])(*series)
        out[row] = said[word] > 0 if end == "bullish" else said[word] < 0
    return out
