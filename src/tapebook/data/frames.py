"""An analyst's own frames, checked and brought to the one shape that Bars holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadInput
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pyarrow as pa

Given = Mapping[str, "pd.DataFrame | pd.Series | None"]
Wide = tuple[dict[str, np.ndarray], pd.DatetimeIndex, tuple[str, ...]]


def wide(given: Given, freq: Frequency) -> Wide:
    """Check the five frames and return their values (T, N), index and symbols."""
    frames = {name: _frame(name, frame) for name, frame in given.items() if frame is not None}
    close = frames["close"]
    symbols = tuple(str(column) for column in close.columns)
    if len(set(symbols)) < len(symbols):
        raise BadInput(f"close has the column {_twice(close.columns)!r} twice: name each symbol once")
    for name, frame in frames.items():
        _same_labels(name, frame, close)
    empty = _numbers("close", close) * np.nan
    values = {name: _numbers(name, frames[name]) if name in frames else empty for name in FIELDS}
    for block in values.values():
        block.flags.writeable = False
    return values, stamps(close.index, freq), symbols


def stamps(index: pd.Index, freq: Frequency, where: str = "close") -> pd.DatetimeIndex:
    """Return `index` in UTC, named "ts": sorted, distinct; dates at 00:00 for a day or longer."""
    if not isinstance(index, pd.DatetimeIndex):
        raise BadInput(
            f"{where} has an index of {index.dtype}: expected times; try pd.to_datetime(…, utc=True)"
        )
    if index.hasnans:
        raise BadInput(f"{where} has no time (NaT) in row {int(np.argmax(index.isna()))}: drop that row")
    utc = _dates(index, where) if not freq.intraday else _instants(index, where)
    steps = np.diff(utc.asi8)
    if (steps <= 0).any():
        row = int(np.argmax(steps <= 0)) + 1
        what = "twice" if steps[row - 1] == 0 else f"after {index[row - 1]}"
        raise BadInput(
            f"{where} has {index[row]} {what} (row {row}): expected rising times; try .sort_index()"
        )
    return pd.DatetimeIndex(utc.as_unit("us").asi8.view("datetime64[us]"), name="ts").tz_localize("UTC")


def as_arrow(table: Any) -> pa.Table:
    """Bring a polars, pandas or pyarrow table to pyarrow, without an index."""
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pd.DataFrame):
        return pa.Table.from_pandas(table, preserve_index=False)
    if hasattr(table, "to_arrow"):
        return table.to_arrow()
    raise BadInput(f"got a {type(table).__name__}: expected a pandas, polars or pyarrow table")


def _frame(name: str, frame: pd.DataFrame | pd.Series) -> pd.DataFrame:
    if isinstance(frame, pd.Series):
        return frame.to_frame(frame.name if frame.name not in (None, name) else "close")
    if not isinstance(frame, pd.DataFrame):
        raise BadInput(
            f"{name} is a {type(frame).__name__}: expected a DataFrame of times by symbols, or a Series"
        )
    return frame


def _same_labels(name: str, frame: pd.DataFrame, close: pd.DataFrame) -> None:
    if frame.shape != close.shape:
        raise BadInput(
            f"{name} has shape {frame.shape}, close has {close.shape}: expected the same times and symbols"
        )
    if not frame.columns.equals(close.columns):
        raise BadInput(
            f"{name} has the columns {list(frame.columns)[:5]}, close has {list(close.columns)[:5]}"
        )
    if not frame.index.equals(close.index):
        raise BadInput(f"{name} has other times than close; try {name}.reindex(close.index)")


def _numbers(name: str, frame: pd.DataFrame) -> np.ndarray:
    try:
        block = np.array(frame.to_numpy(dtype=float, na_value=np.nan).T, order="C", copy=True)
    except (ValueError, TypeError) as error:
        kinds = {str(kind) for kind in frame.dtypes}
        raise BadInput(f"{name} holds {', '.join(sorted(kinds))}: expected numbers ({error})") from error
    if np.isinf(block).any():
        column, row = np.argwhere(np.isinf(block))[0]
        raise BadInput(
            f"{name} is infinite for {frame.columns[column]!r} at {frame.index[row]}: not a number or NaN"
        )
    return block.T


def _instants(index: pd.DatetimeIndex, where: str) -> pd.DatetimeIndex:
    if index.tz is None:
        raise BadInput(
            f"{where} has times without a time zone, first {index[0]}: "
            'try .tz_localize("America/New_York") or .tz_localize("UTC")'
            if len(index)
            else f'{where} has no time zone: try .tz_localize("UTC")'
        )
    return index.tz_convert("UTC")


def _dates(index: pd.DatetimeIndex, where: str) -> pd.DatetimeIndex:
    """Bars of a day or longer carry dates: the local day's, at 00:00 UTC."""
    local = index.tz_localize(None)
    if len(local) and (local != local.normalize()).any():
        row = int(np.argmax(local != local.normalize()))
        raise BadInput(
            f"{where} has {index[row]} (row {row}): expected dates for daily bars; try .normalize() or freq="
        )
    return local.tz_localize("UTC")


def _twice(labels: pd.Index) -> object:
    return labels[labels.astype(str).duplicated()][0]
