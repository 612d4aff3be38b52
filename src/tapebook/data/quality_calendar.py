"""Bars against the exchange's calendar: those that are missing, and those that stand where none should."""

from __future__ import annotations

import numpy as np

from tapebook.data.quality_bars import runs
from tapebook.schema import Frequency

Placed = tuple[str, str, np.datetime64, float, str]
"""check_name, severity, ts, value, detail."""


def against(stamps: np.ndarray, freq: Frequency, calendar: str) -> list[Placed]:
    """Compare sorted stamps (datetime64[us], shape (T,)) with those expected from the first to the last.

    Weekly and monthly bars are not compared. Where most bars stand beside their places, that is said
    once, instead of a gap from end to end.
    """
    from tapebook.data.calendar import expected_bars

    if len(stamps) < 2 or freq.unit in ("w", "mo"):
        return []
    first, last = (np.datetime_as_string(stamps[i]) for i in (0, -1))
    expected = expected_bars(calendar, freq, f"{first}+00:00", f"{last}+00:00")
    wanted = expected.tz_localize(None).to_numpy(dtype="datetime64[us]")
    missing, strange = ~_among(wanted, stamps), ~_among(stamps, wanted)
    beside = strange.mean() > 0.5 and (not len(wanted) or missing.mean() > 0.5)
    if beside:
        return [_beside(stamps, strange, calendar, freq)]
    return _gaps(wanted, missing) + _strangers(stamps, strange, calendar, freq)


def _among(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Which of these are among those; both sorted, which makes it many times faster than np.isin."""
    if not len(those):
        return np.zeros(len(these), bool)
    at = np.minimum(np.searchsorted(those, these), len(those) - 1)
    found: np.ndarray = those[at] == these
    return found


def _gaps(wanted: np.ndarray, missing: np.ndarray) -> list[Placed]:
    found: list[Placed] = []
    for start, n in runs(missing):
        until = f" until {_spoken(wanted[start + n - 1])}" if n > 1 else ""
        told = f"{n} {'bars' if n > 1 else 'bar'} missing{until}"
        found.append(("gap", "warning" if n > 1 else "info", wanted[start], float(n), told))
    return found


def _beside(stamps: np.ndarray, strange: np.ndarray, calendar: str, freq: Frequency) -> Placed:
    n = int(strange.sum())
    told = f"{n} of {len(stamps)} bars of {freq} are not where the calendar {calendar} has bars"
    first = stamps[np.argmax(strange)]
    ask = "is it the right calendar, and is the time zone of the stamps right?"
    return ("off_calendar", "warning", first, float(n), f"{told}: {ask}")


def _strangers(stamps: np.ndarray, strange: np.ndarray, calendar: str, freq: Frequency) -> list[Placed]:
    """One finding for all; before and after hours many vendors have bars, so it is no warning there."""
    n = int(strange.sum())
    if not n:
        return []
    where, last = np.flatnonzero(strange)[[0, -1]]
    until = f" until {_spoken(stamps[last])}" if n > 1 else ""
    told = f"{n} {'bars' if n > 1 else 'bar'} while the calendar {calendar} is closed{until}"
    return [("off_calendar", "info" if freq.intraday else "warning", stamps[where], float(n), told)]


def _spoken(stamp: np.datetime64) -> str:
    return str(stamp)[:16].replace("T00:00", "").replace("T", " ")
