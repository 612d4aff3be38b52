"""What a strategy may answer, checked in one place before anything is traded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadInput
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

PARTS = ("entries", "exits", "short_entries", "short_exits")


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
        given = {part: getattr(answer, part) for part in PARTS}
        return Signals(
            **{p: None if f is None and "short" in p else _truth(name, p, f, bars) for p, f in given.items()}
        )
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
        value = pd.DataFrame(value, labels.index, labels.columns)
    if not isinstance(value, pd.DataFrame):
        raise BadInput(
            f"strategy {name} answered {part} as a {type(value).__name__}: expected Signals(entries, exits) "
            "or a frame of target weights, shaped as bars.close"
        )
    if not value.index.equals(labels.index):
        raise BadInput(
            f"strategy {name}: {part} has other times than the bars ({len(value)} rows, {len(labels)} bars)"
        )
    if set(value.columns) != set(labels.columns) or len(value.columns) != len(labels.columns):
        raise BadInput(
            f"strategy {name}: {part} has the columns {list(value.columns)[:5]}, the bars {list(labels)[:5]}"
        )
    return value[list(labels.columns)]


def _truth(name: str, part: str, value: Any, bars: Bars) -> pd.DataFrame:
    frame = _frame(name, part, value, bars)
    if not all(kind == bool for kind in frame.dtypes):  # noqa: E721
        missing = frame.isna()
        if missing.to_numpy().any():
            row, column = np.argwhere(missing.to_numpy())[0]
            raise BadInput(
                f"strategy {name}: {part} is missing at {frame.index[row]} for {frame.columns[column]!r}: "
                "expected true or false; try .fillna(False)"
            )
        try:
            fits = frame.isin([True, False]).to_numpy().all()
        except TypeError:
            fits = False
        if not fits:
            raise BadInput(f"strategy {name}: {part} holds {frame.dtypes.iloc[0]}: expected true or false")
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
        raise BadInput(
            f"strategy {name}: the weights hold {frame.dtypes.iloc[0]}: expected numbers ({error})"
        ) from None
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise BadInput(
            f"strategy {name}: the weight is infinite at {frame.index[row]} for {frame.columns[column]!r}"
        )
    return numbers
