"""What a strategy may answer, checked in one place before anything is traded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.errors import BadInput
from tapebook.strategy.signals import Signals

LONG, SHORT = ("entries", "exits"), ("short_entries", "short_exits")


def expect_bars(name: str, bars: object) -> None:
    """Refuse anything but `Bars` before a strategy trips over it."""
    if not isinstance(bars, Bars):
        raise BadInput(
            f"strategy {name} decides on Bars, got a {type(bars).__name__}: read them with desk.bars(…), "
            "or make them with Bars.from_frames(close=…)"
        )


def validated(name: str, answer: Any, bars: Bars) -> Signals | pd.DataFrame:
    """Return the answer as `Signals` or as a float frame of target weights, labelled as the bars are.

    Raises
    ------
    BadInput
        Naming the strategy, the frame, and the first row and column that do not fit.
    """
    if isinstance(answer, tuple) and len(answer) in (2, 4):
        answer = Signals(*answer)
    if isinstance(answer, Signals):
        sides = (getattr(answer, part) for part in SHORT)
        shorts = [None if f is None else _truth(name, p, f, bars) for p, f in zip(SHORT, sides, strict=True)]
        return Signals(*(_truth(name, p, getattr(answer, p), bars) for p in LONG), *shorts)
    return _numbers(name, answer, bars)


def _frame(name: str, part: str, value: Any, bars: Bars) -> pd.DataFrame:
    labels = bars.close
    if isinstance(value, pd.Series) and len(bars.symbols) == 1:
        value = value.to_frame(bars.symbols[0])
    if isinstance(value, np.ndarray):
        if value.ndim == 1 and len(bars.symbols) == 1:
            value = value[:, None]
        if value.shape != bars.shape:
            raise BadInput(f"strategy {name}: {part} has shape {value.shape}, the bars {bars.shape}")
        return pd.DataFrame(value, labels.index, labels.columns)
    if isinstance(value, pd.DataFrame) and _labelled(value, bars):
        return value
    if not isinstance(value, pd.DataFrame):
        raise BadInput(
            f"strategy {name} answered {part} as a {type(value).__name__}: expected Signals(entries, exits) "
            "or a frame of target weights, shaped as bars.close"
        )
    if not value.index.equals(labels.index):
        raise BadInput(
            f"strategy {name}: {part} has other times than the bars{_first(value.index, labels.index)}"
        )
    if set(value.columns) != set(labels.columns) or len(value.columns) != len(labels.columns):
        raise BadInput(
            f"strategy {name}: {part} has the columns {list(value.columns)[:5]}, the bars {list(labels)[:5]}"
        )
    return value[list(labels.columns)].set_axis(labels.index).set_axis(labels.columns, axis=1)


def _labelled(value: pd.DataFrame, bars: Bars) -> bool:
    """Whether the labels are the bars' very own: nothing to compare, nothing to copy."""
    return value.index.is_(bars.close.index) and value.columns.is_(bars.close.columns)


def _first(given: pd.Index, bars: pd.Index) -> str:
    """Where two sets of times part first."""
    said = f" ({len(given)} rows, {len(bars)} bars)"
    for row, (one, other) in enumerate(zip(given, bars, strict=False)):
        if one != other:
            return f"{said}: row {row} is {one}, the bar {other}; try .reindex(bars.close.index)"
    return f"{said}; try .reindex(bars.close.index)"


def _truth(name: str, part: str, value: Any, bars: Bars) -> pd.DataFrame:
    if isinstance(value, pd.DataFrame) and _labelled(value, bars) and value.to_numpy().dtype == bool:
        return value
    if isinstance(value, np.ndarray) and value.dtype == bool and value.shape == bars.shape:
        return pd.DataFrame(value, bars.close.index, bars.close.columns, copy=False)
    frame = _frame(name, part, value, bars)
    if not all(kind == bool for kind in frame.dtypes):  # noqa: E721
        missing = frame.isna()
        if missing.to_numpy().any():
            row, column = np.argwhere(missing.to_numpy())[0]
            raise BadInput(
                f"strategy {name}: {part} is missing at {frame.index[row]} for {frame.columns[column]!r}: "
                "expected true or false; try .fillna(False)"
            )
        wrong = ~frame.isin([True, False]).to_numpy()
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise BadInput(
                f"strategy {name}: {part} is {frame.iloc[row, column]} at {frame.index[row]} for "
                f"{frame.columns[column]!r}: expected true or false, as `fast > slow` gives them"
            )
    return frame.astype(bool)


def _numbers(name: str, value: Any, bars: Bars) -> pd.DataFrame:
    frame = _frame(name, "the weights", value, bars)
    if any(kind == bool for kind in frame.dtypes):  # noqa: E721
        raise BadInput(
            f"strategy {name} answered true and false: expected Signals(entries, exits), or numbers"
        )
    try:
        numbers = frame.astype(float)
    except (TypeError, ValueError) as error:
        kinds = {str(c): str(kind) for c, kind in frame.dtypes.items() if kind.kind not in "iuf"}
        raise BadInput(f"strategy {name}: the weights hold {kinds}: expected numbers ({error})") from None
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise BadInput(
            f"strategy {name}: the weight is infinite at {frame.index[row]} for {frame.columns[column]!r}"
        )
    return numbers
