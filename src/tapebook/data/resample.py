"""Longer bars out of shorter ones, without a glance ahead.

One function says to which bucket an instant belongs, and it never falls as time goes on. So the
buckets that are over are those before the bucket of the next instant that could still bring a bar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.data import calendar, pivot
from tapebook.errors import BadInput, BadParameter
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

PAD = pd.Timedelta(days=45)
"""Longer than any market has ever stayed closed in the calendars, and than a month."""


def resample(bars: Bars, freq: Frequency) -> Bars:
    """Do what `Bars.resample` says."""
    if freq == bars.freq:
        return bars
    _check(bars, freq)
    if not len(bars):
        return replace(bars, freq=freq)
    step = np.timedelta64(bars.freq.seconds, "s")
    stamps = bars.index.tz_localize(None).to_numpy(dtype="datetime64[us]")
    instants = np.append(stamps, stamps[-1] + step)  # the last: when the next bar may come
    names = dict.fromkeys(bars.calendars[symbol] for symbol in bars.symbols)
    labels = {name: bucket(name, instants, bars.freq, freq) for name in names}
    horizon = min(found[-1] for found in labels.values())
    return _gather(bars, freq, {name: found[:-1] for name, found in labels.items()}, horizon)


def bucket(name: str, instants: np.ndarray, source: Frequency, target: Frequency) -> np.ndarray:
    """Label of the `target` bucket in which a `source` bar stamped so falls; never falls with time.

    Parameters
    ----------
    instants : datetime64[us], shape (T,)
        Sorted, UTC.

    Returns
    -------
    datetime64[us], shape (T,)
        The opening time of a bucket shorter than a day, else its last session's date.
    """
    first, last = (pd.Timestamp(instants[i], tz="UTC") for i in (0, -1))
    sessions = calendar.sessions(name, (first - PAD).normalize(), (last + PAD).normalize())
    dates = _naive(sessions)
    closes = _naive(calendar.closes(name, sessions))
    where = (
        np.searchsorted(closes, instants, "right") if source.intraday else np.searchsorted(dates, instants)
    )
    if where[-1] >= len(dates):
        raise BadInput(f"the calendar {name} ends before {last}: cannot tell which session that belongs to")
    if not target.intraday:
        return dates[where] if target.unit == "d" else _naive(_last_of_period(name, sessions, target))[where]
    opens = _naive(calendar.opens(name, sessions))[where]
    step = np.timedelta64(target.seconds, "s").astype("timedelta64[us]")
    start = opens + (instants - opens) // step * step
    before = np.where(where > 0, closes[where - 1], start)
    label: np.ndarray = np.maximum(start, before)
    return label


def _last_of_period(name: str, sessions: pd.DatetimeIndex, target: Frequency) -> pd.DatetimeIndex:
    return calendar.last_session_of_period(name, sessions, target.unit)


def _gather(bars: Bars, freq: Frequency, labels: dict[str, np.ndarray], horizon: np.datetime64) -> Bars:
    exists = pivot.present(dict(bars.values))
    members = {name: [n for n, s in enumerate(bars.symbols) if bars.calendars[s] == name] for name in labels}
    kept = [found[exists[:, members[name]].any(axis=1) & (found < horizon)] for name, found in labels.items()]
    index = np.unique(np.concatenate(kept))
    values = {field: np.full((len(bars.symbols), len(index)), np.nan) for field in FIELDS}
    for name, found in labels.items():
        over = int(np.searchsorted(found, horizon))
        own, starts = np.unique(found[:over], return_index=True)
        met = np.isin(own, index)
        rows = np.searchsorted(index, own[met])
        for field in FIELDS if over else ():
            block = bars.values[field].T[members[name], :over]
            values[field][np.ix_(np.array(members[name]), rows)] = _fold(field, block, starts)[:, met]
    return _finish(bars, freq, index, values, _ends(index, freq, labels) if freq.intraday else None)


def _ends(index: np.ndarray, freq: Frequency, names: Iterable[str]) -> pd.DatetimeIndex:
    """When buckets shorter than a day are over: after their length, or at the close if that comes first."""
    step = np.timedelta64(freq.seconds, "s")
    latest = index
    for name in names if len(index) else ():
        first, last = (pd.Timestamp(index[i], tz="UTC") for i in (0, -1))
        closes = _naive(
            calendar.closes(
                name, calendar.sessions(name, (first - PAD).normalize(), (last + PAD).normalize())
            )
        )
        ends = np.minimum(index + step, closes[np.searchsorted(closes, index, "right")])
        latest = np.maximum(latest, ends)
    return pd.DatetimeIndex(latest, name="known_at").tz_localize("UTC")


def _finish(
    bars: Bars,
    freq: Frequency,
    index: np.ndarray,
    values: dict[str, np.ndarray],
    known: pd.DatetimeIndex | None,
) -> Bars:
    for block in values.values():
        block.flags.writeable = False
    times = pd.DatetimeIndex(index, name="ts").tz_localize("UTC")
    wide = {field: block.T for field, block in values.items()}
    return replace(bars, values=wide, index=times, freq=freq, known=known)


def _fold(field: str, block: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """One value a bucket, shape (N, buckets), of shape (N, T); missing values do not count."""
    if field == "high":
        return np.fmax.reduceat(block, starts, axis=1)
    if field == "low":
        return np.fmin.reduceat(block, starts, axis=1)
    here = ~np.isnan(block)
    if field == "volume":
        total = np.add.reduceat(np.where(here, block, 0.0), starts, axis=1)
        return np.where(np.logical_or.reduceat(here, starts, axis=1), total, np.nan)
    t = np.arange(block.shape[1])
    if field == "open":
        spots = np.minimum.reduceat(np.where(here, t, len(t) - 1), starts, axis=1)
        return np.where(
            np.logical_or.reduceat(here, starts, axis=1), np.take_along_axis(block, spots, 1), np.nan
        )
    spots = np.maximum.reduceat(np.where(here, t, 0), starts, axis=1)
    return np.where(np.logical_or.reduceat(here, starts, axis=1), np.take_along_axis(block, spots, 1), np.nan)


def _check(bars: Bars, freq: Frequency) -> None:
    source = bars.freq
    longer = freq.seconds > source.seconds
    whole = freq.seconds % source.seconds == 0 if freq.intraday else source.intraday or source.unit == "d"
    if not (longer and whole):
        raise BadParameter("freq", str(freq), f"a longer bar that holds a whole number of {source} bars")
    if len(bars) > 1 and np.diff(bars.index.asi8).min() < source.seconds * 1_000_000:
        at = bars.index[int(np.diff(bars.index.asi8).argmin())]
        raise BadInput(
            f"rows less than {source} apart, first at {at}: symbols that open at different minutes "
            "cannot share buckets; resample them apart with bars.select(…)"
        )


def _naive(times: pd.DatetimeIndex) -> np.ndarray:
    return (times.tz_localize(None) if times.tz is not None else times).to_numpy(dtype="datetime64[us]")
