"""Bars against the exchange's calendar: those that are missing, and those that stand where none should."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tapebook.data.quality_bars import runs
from tapebook.schema import Frequency

Placed = tuple[str, str, np.datetime64, float, str]
"""check_name, severity, ts, value, detail."""


def against(
    stamps: np.ndarray, starts: np.ndarray, freq: Frequency, calendars: Sequence[str]
) -> list[tuple[int, Placed]]:
    """Compare the stamps of each symbol with those expected from its first to its last.

    Weekly and monthly bars are not compared. Where most bars stand beside their places, that is said
    once, instead of a gap from end to end.

    Parameters
    ----------
    stamps : datetime64[us], shape (T,)
        Of one symbol after the other, sorted within each.
    starts : int, shape (N,)
        First row of each symbol.
    calendars : sequence of N str
        Each one's calendar.

    Returns
    -------
    list of (int, Placed)
        The symbol's position, and the finding.
    """
    if freq.unit in ("w", "mo") or not len(stamps):
        return []
    found: list[tuple[int, Placed]] = []
    ends = np.append(starts[1:], len(stamps))
    wanted = _expected(stamps, starts, ends, freq, calendars)
    for at, (start, end, calendar) in enumerate(zip(starts.tolist(), ends.tolist(), calendars, strict=True)):
        if end - start > 1:
            mine, places = stamps[start:end], wanted[calendar]
            lo, hi = np.searchsorted(places, mine[0]), np.searchsorted(places, mine[-1], side="right")
            if hi - lo != len(mine) or not np.array_equal(places[lo:hi], mine):
                found += [(at, placed) for placed in _compared(mine, places[lo:hi], freq, calendar)]
    return found


def _expected(
    stamps: np.ndarray, starts: np.ndarray, ends: np.ndarray, freq: Frequency, calendars: Sequence[str]
) -> dict[str, np.ndarray]:
    """The stamps of complete series, by calendar, over the span of all its symbols."""
    from tapebook.data.calendar import expected_bars

    names, wanted = np.asarray(calendars, dtype=object), {}
    for calendar in dict.fromkeys(calendars):
        mine = names == calendar
        first, last = stamps[starts[mine]].min(), stamps[ends[mine] - 1].max()
        spoken = [f"{np.datetime_as_string(moment)}+00:00" for moment in (first, last)]
        expected = expected_bars(calendar, freq, *spoken)
        wanted[calendar] = expected.tz_localize(None).to_numpy(dtype="datetime64[us]")
    return wanted


def _compared(stamps: np.ndarray, wanted: np.ndarray, freq: Frequency, calendar: str) -> list[Placed]:
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
    told = closed(n, calendar, _spoken(stamps[last]))
    return [("off_calendar", "info" if freq.intraday else "warning", stamps[where], float(n), told)]


def closed(n: int, calendar: str, until: str) -> str:
    """Say how many bars came while the exchange was closed."""
    return f"{n} {'bars' if n > 1 else 'bar'} while the calendar {calendar} is closed" + (
        f" until {until}" if n > 1 else ""
    )


def strangers(stamps: np.ndarray, freq: Frequency, calendar: str) -> np.ndarray:
    """Which of these sorted stamps (datetime64[us]) stand where the calendar has no bar."""
    if not len(stamps):
        return np.zeros(0, bool)
    wanted = _expected(stamps, np.array([0]), np.array([len(stamps)]), freq, [calendar])
    return ~_among(stamps, wanted[calendar])


def _spoken(stamp: np.datetime64) -> str:
    return str(stamp)[:16].replace("T00:00", "").replace("T", " ")
