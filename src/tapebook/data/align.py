"""When things are known, and other series as they were known at each bar's close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.data import calendar, pivot
from tapebook.data.frames import stamps
from tapebook.errors import BadInput, BadParameter
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

DAY = pd.Timedelta(days=1)


def known_at(index: pd.DatetimeIndex, freq: Frequency, calendars: Sequence[str]) -> pd.DatetimeIndex:
    """When rows with these stamps are known in every one of `calendars`, UTC, shape (T,).

    A stamp that is a session in none of the calendars is known when its day has ended.
    """
    if freq.intraday:
        return (index + pd.Timedelta(seconds=freq.seconds)).rename("known_at")
    if not len(index):
        return index.rename("known_at")
    latest = np.full(len(index), np.iinfo(np.int64).min)
    for name in calendars:
        sessions = calendar.sessions(name, index[0], index[-1])
        rows = index.get_indexer(sessions.as_unit(index.unit))
        closes = calendar.closes(name, sessions).as_unit("us").asi8
        met = rows >= 0
        latest[rows[met]] = np.maximum(latest[rows[met]], closes[met])
    ends = (index + DAY).as_unit("us").asi8
    known = np.where(latest == np.iinfo(np.int64).min, ends, latest)
    return _utc(np.maximum.accumulate(known)).rename("known_at")


def align(mine: Bars, other: Any, freq: str | Frequency | None) -> Any:
    """Do what `Bars.align` says."""
    if isinstance(other, pd.Series | pd.DataFrame):
        known = _frame_known_at(mine, other, freq)
        rows = known.searchsorted(mine.known_at, side="right") - 1
        taken = other.reset_index(drop=True).reindex(rows)
        return taken.set_axis(mine.index, axis=0)
    if not hasattr(other, "calendars"):
        raise BadInput(f"cannot align a {type(other).__name__}: expected Bars, a DataFrame or a Series")
    return _align_bars(mine, other)


def _align_bars(mine: Bars, other: Bars) -> Bars:
    exists = pivot.present(dict(other.values))
    blocks = {name: np.full((len(other.symbols), len(mine)), np.nan) for name in FIELDS}
    times = mine.known_at
    clocks = {
        name: other.known if other.known is not None else known_at(other.index, other.freq, (name,))
        for name in set(other.calendars.values())
    }
    for column, symbol in enumerate(other.symbols):
        rows = np.flatnonzero(exists[:, column])
        spots = clocks[other.calendars[symbol]][rows].searchsorted(times, side="right") - 1
        met = spots >= 0
        for name in FIELDS:
            blocks[name][column, met] = other.values[name][rows[spots[met]], column]
    for block in blocks.values():
        block.flags.writeable = False
    values = {name: block.T for name, block in blocks.items()}
    return replace(other, values=values, index=mine.index, freq=mine.freq, known=times)


def _frame_known_at(mine: Bars, other: Any, freq: str | Frequency | None) -> pd.DatetimeIndex:
    """When each row of a plain frame was known: see `Bars.align`."""
    index = other.index
    if not isinstance(index, pd.DatetimeIndex):
        raise BadInput(
            f"cannot align rows labelled by {index.dtype}: expected times; try pd.to_datetime(…, utc=True)"
        )
    length = None if freq is None else Frequency.parse(freq)
    local = index.tz_localize(None)
    if (length is None and (local == local.normalize()).all()) or (length and not length.intraday):
        day = length or Frequency.parse("1d")
        return known_at(
            stamps(index, day, "the other frame"), day, tuple(dict.fromkeys(mine.calendars.values()))
        )
    if length is None and index.name == "ts":
        raise BadParameter(
            "freq", None, 'the bar length of the other frame, as in bars.align(hourly.close, freq="1h")'
        )
    minute = length or Frequency.parse("1m")
    known = stamps(index, minute, "the other frame")
    return known + pd.Timedelta(seconds=length.seconds) if length else known


def _utc(microseconds: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(microseconds.view("datetime64[us]")).tz_localize("UTC")
