"""When markets are open: sessions, their opening and closing times, and bars a year.

Thin over exchange_calendars, which is imported when a calendar is first asked for. A calendar is
named as there: "XNYS", "XLON", "us_futures", "24/5", "24/7", or an alias such as "NYSE". A session
is named by its date at 00:00 UTC. All times are UTC with microseconds.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd

from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import BadInput, UnknownName
from tapebook.schema import Frequency

ALWAYS = "24/7"
"""The calendar of a market that never closes: a session is a UTC day, known at the next midnight."""

_YEARS = (1990, 2030)  # what is built at first; a question further out builds that too
_MANY = (2010, 2019)  # the years that a year's sessions are counted over
_SESSIONS_A_YEAR = {"XNYS": 252.0, ALWAYS: 365.0}  # the common ones: no calendar need be built for a metric
_NO_TIME = np.timedelta64(0, "D")
_PERIODS_A_YEAR = {"w": 52.0, "mo": 12.0}


@dataclass(frozen=True)
class _Table:
    """One calendar's sessions, each array datetime64[us] of shape (sessions,), NaT without a break."""

    dates: np.ndarray
    opens: np.ndarray
    closes: np.ndarray
    break_starts: np.ndarray
    break_ends: np.ndarray


def sessions(calendar: str, start: When, end: When) -> pd.DatetimeIndex:
    """Sessions stamped from `start` to `end`, both included; "2005-03" is the whole month.

    >>> [str(day.date()) for day in sessions("XNYS", "2012-10-26", "2012-10-31")]
    ['2012-10-26', '2012-10-31']
    """
    first, last = _span(start, end)
    dates = _table(calendar, first, last).dates
    return _utc(dates[np.searchsorted(dates, first) : np.searchsorted(dates, last, side="right")])


def opens(calendar: str, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """When these sessions open, UTC, same shape."""
    table, rows = _find(calendar, sessions)
    return _utc(table.opens[rows])


def closes(calendar: str, sessions: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """When these sessions close (half days early), UTC, same shape.

    >>> str(closes("XNYS", sessions("XNYS", "2012-11-23", "2012-11-23"))[0])
    '2012-11-23 18:00:00+00:00'
    """
    table, rows = _find(calendar, sessions)
    return _utc(table.closes[rows])


def last_session_of_period(
    calendar: str, sessions: pd.DatetimeIndex, unit: Literal["d", "w", "mo"] | str
) -> pd.DatetimeIndex:
    """Return the last session of each session's week (Monday to Sunday) or month, same shape.

    The whole period counts, also where it goes on after the last of `sessions`.
    """
    table, rows = _find(calendar, sessions, pad=np.timedelta64(35, "D"))
    return _utc(table.dates[_last_of_period(table.dates, unit)[rows]])


def expected_bars(calendar: str, freq: str | Frequency, start: When, end: When) -> pd.DatetimeIndex:
    """Stamps that a complete series would have from `start` to `end`, both included.

    Bars shorter than a day begin at the session's open, the last of a session may be cut short by
    its close; those that lie wholly in a lunch break are left out. Longer ones carry the date of
    their last session.
    """
    length = Frequency.parse(freq)
    first, last = _span(start, end)
    table = _table(calendar, first, last + np.timedelta64(35, "D"))
    if length.intraday:
        stamps = _intraday(table, length, first, last)
    elif length.unit == "d":
        stamps = table.dates
    else:
        stamps = table.dates[np.unique(_last_of_period(table.dates, length.unit))]
    return _utc(stamps[(stamps >= first) & (stamps <= last)])


@lru_cache(maxsize=256)
def periods_per_year(calendar: str, freq: str | Frequency = "1d") -> float:
    """Bars in a year, the factor that annualises: the calendar's mean over 2010 to 2019, rounded.

    Weeks count 52 and months 12 by convention. A bar cut short by the close counts as one.

    >>> periods_per_year("XNYS", "1d"), periods_per_year("24/7", "1d"), periods_per_year("XNYS", "1m")
    (252.0, 365.0, 98280.0)
    """
    length = Frequency.parse(freq)
    if length.unit in _PERIODS_A_YEAR:
        return _PERIODS_A_YEAR[length.unit]
    days = _SESSIONS_A_YEAR.get(calendar) or _sessions_a_year(calendar)
    return days * _bars_a_session(calendar, length) if length.intraday else days


def known_calendars() -> list[str]:
    """Names and aliases that every function here takes."""
    import exchange_calendars

    return list(exchange_calendars.get_calendar_names(include_aliases=True))


def check_calendar(calendar: str) -> str:
    """Return the name as it is; UnknownName with the near one when there is no such calendar."""
    if calendar not in _SESSIONS_A_YEAR and calendar not in known_calendars():
        raise UnknownName("calendar", calendar, known_calendars(), "Use 24/7 for a market that never closes.")
    return calendar


def _sessions_a_year(calendar: str) -> float:
    first, last = _MANY
    return float(round(len(sessions(calendar, str(first), str(last))) / (last - first + 1)))


def _bars_a_session(calendar: str, freq: Frequency) -> float:
    if calendar == ALWAYS:
        return float(-(-86_400 // freq.seconds))
    days = sessions(calendar, str(_MANY[1]), str(_MANY[1]))
    table, rows = _find(calendar, days)
    return float(np.median(np.diff(np.searchsorted(_all_starts(table, freq), table.opens[rows]))))


def _intraday(table: _Table, freq: Frequency, first: np.datetime64, last: np.datetime64) -> np.ndarray:
    lo = int(np.searchsorted(table.closes, first))
    hi = int(np.searchsorted(table.opens, last, side="right"))
    part = _Table(*(getattr(table, name)[lo:hi] for name in _Table.__dataclass_fields__))
    return _all_starts(part, freq)


def _all_starts(table: _Table, freq: Frequency) -> np.ndarray:
    """When every bar of these sessions begins, sorted."""
    step = np.timedelta64(freq.seconds, "s").astype("timedelta64[us]")
    counts = -(-(table.closes - table.opens) // step)
    session = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(session)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = table.opens[session] + nth * step
    pause, resume = table.break_starts[session], table.break_ends[session]
    resting = (starts >= pause) & (starts + step <= resume)  # False where there is no break (NaT)
    kept: np.ndarray = starts[~resting]
    return kept


def _last_of_period(dates: np.ndarray, unit: str) -> np.ndarray:
    """Row of the last session of each row's period."""
    if unit == "d":
        return np.arange(len(dates))
    days = dates.astype("datetime64[D]")
    # day 0 of numpy's clock, 1970-01-01, was a Thursday: three days after a Monday
    period = (
        (days.astype(np.int64) + 3) // 7 if unit == "w" else days.astype("datetime64[M]").astype(np.int64)
    )
    return np.searchsorted(period, period, side="right") - 1


def _find(
    calendar: str, sessions: pd.DatetimeIndex, pad: np.timedelta64 = _NO_TIME
) -> tuple[_Table, np.ndarray]:
    if not len(sessions):
        return _table(calendar, _moment(first_moment("2000")), _moment(first_moment("2000"))), np.array(
            [], int
        )
    wanted = _moments(sessions)
    table = _table(
        calendar, wanted.min(), wanted.max() + (pad if pad is not None else np.timedelta64(0, "D"))
    )
    rows = np.searchsorted(table.dates, wanted)
    wrong = table.dates[np.minimum(rows, len(table.dates) - 1)] != wanted
    if wrong.any():
        raise BadInput(f"{str(wanted[np.argmax(wrong)])[:10]} is no session of the calendar {calendar}")
    return table, rows


def _table(calendar: str, first: np.datetime64, last: np.datetime64) -> _Table:
    """Return the calendar's sessions over whole decades that hold `first` to `last`."""
    years = [int(str(moment.astype("datetime64[Y]"))) for moment in (first, last)]
    return _build(calendar, min(_YEARS[0], years[0] // 10 * 10), max(_YEARS[1], years[1] // 10 * 10 + 10))


@lru_cache(maxsize=64)
def _build(calendar: str, first: int, last: int) -> _Table:
    if calendar == ALWAYS:
        days = np.arange(f"{first}-01-01", f"{last + 1}-01-01", dtype="datetime64[D]").astype(
            "datetime64[us]"
        )
        never = np.full(len(days), np.datetime64("NaT"), dtype="datetime64[us]")
        return _Table(days, days, days + np.timedelta64(1, "D"), never, never)
    found = _exchange(check_calendar(calendar), pd.Timestamp(first, 1, 1), pd.Timestamp(last, 12, 31))
    schedule = found.schedule
    columns = (schedule[name] for name in ("open", "close", "break_start", "break_end"))
    return _Table(_moments(found.sessions), *(_moments(pd.DatetimeIndex(column)) for column in columns))


def _exchange(calendar: str, start: pd.Timestamp, end: pd.Timestamp):  # type: ignore[no-untyped-def]
    """Build the calendar; where its holidays are not recorded so far out, as far as they are."""
    import exchange_calendars

    with warnings.catch_warnings():
        # exchange_calendars 4.13 builds holidays in a way that pandas 4 will refuse; theirs to mend
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        try:
            return exchange_calendars.get_calendar(calendar, start=start, end=end)
        except ValueError:
            usual = exchange_calendars.get_calendar(calendar)
        floor, ceiling = usual.bound_min() or start, usual.bound_max() or end
        return exchange_calendars.get_calendar(calendar, start=max(start, floor), end=min(end, ceiling))


def _span(start: When, end: When) -> tuple[np.datetime64, np.datetime64]:
    return _moment(first_moment(start, "start")), _moment(last_moment(end, "end"))


def _moment(time: pd.Timestamp | None) -> np.datetime64:
    if time is None:
        raise BadInput("a calendar needs both ends of the span: got None")
    return np.datetime64(time.tz_convert("UTC").tz_localize(None), "us")


def _moments(times: pd.DatetimeIndex) -> np.ndarray:
    naive = times.tz_convert("UTC").tz_localize(None) if times.tz is not None else times
    return naive.to_numpy(dtype="datetime64[us]")


def _utc(moments: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(moments).tz_localize("UTC")
