"""Seasons: what the calendar says of the next bar, known at the close of this one."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
import pandas as pd

from tapebook.data.calendar import ALWAYS, expected_bars, sessions
from tapebook.schema import Frequency

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_DAY, _AHEAD = np.timedelta64(1, "D"), pd.Timedelta(days=70)


def season_names(freq: Frequency) -> list[str]:
    """Every season that bars of this length have, in the rows' order of `seasons`."""
    if freq.unit == "mo" or freq.unit == "w":
        return list(MONTHS)
    hours = [f"hour {hour:02d}" for hour in range(24)] if freq.intraday else []
    return [*hours, *DAYS, "turn of month", "before holiday", "after holiday", *MONTHS]


def seasons(index: pd.DatetimeIndex, freq: Frequency, calendar: str) -> np.ndarray:
    """Which seasons the bar after each row is in, (S, T): where an order given at this close is traded.

    The next bar is the one that the calendar expects, not the one that came. Hours and days are the
    exchange's own. Turn of month: its last and first three sessions (Lakonishok & Smidt 1988, RFS 1).
    Before (after) holiday: the next (last) weekday is no session (Ariel 1990, Journal of Finance 45).
    """
    expected = expected_bars(calendar, freq, index[0], index[-1] + _AHEAD)
    place = expected.searchsorted(index, side="right")
    known = place < len(expected)  # a calendar may end before the next bar
    entry = expected[np.minimum(place, len(expected) - 1)]
    if freq.intraday:
        entry = entry.tz_convert(_zone(calendar))
    told = {f"hour {hour:02d}": entry.hour == hour for hour in range(24)} if freq.intraday else {}
    told |= {name: entry.day_of_week == n for n, name in enumerate(DAYS)}
    told |= {name: entry.month == n + 1 for n, name in enumerate(MONTHS)}
    if freq.intraday or freq.unit == "d":
        dates = entry.tz_localize(None).normalize().to_numpy().astype("datetime64[D]")
        told |= _around(dates, calendar)
    return np.array([told[name] & known for name in season_names(freq)], dtype=np.bool_)


def _around(dates: np.ndarray, calendar: str) -> dict[str, np.ndarray]:
    """Turn of month and holidays, of days."""
    span = sessions(
        calendar, pd.Timestamp(dates.min()) - _AHEAD, pd.Timestamp(dates.max()) + _AHEAD
    ).tz_localize(None)
    open_days = span.to_numpy().astype("datetime64[D]")
    month = open_days.astype("datetime64[M]")
    first = np.searchsorted(month, month)
    last = np.searchsorted(month, month, side="right") - 1
    place = np.arange(len(open_days))
    turn = (place - first < 3) | (place == last)
    at = np.minimum(np.searchsorted(open_days, dates), len(open_days) - 1)
    if calendar == ALWAYS:
        none = np.zeros(len(dates), dtype=np.bool_)
        return {"turn of month": turn[at], "before holiday": none, "after holiday": none}
    ahead = np.busday_offset(dates, 1, roll="backward")
    behind = np.busday_offset(dates, -1, roll="forward")
    return {
        "turn of month": turn[at],
        "before holiday": ~np.isin(ahead, open_days),
        "after holiday": ~np.isin(behind, open_days),
    }


@lru_cache(maxsize=64)
def _zone(calendar: str) -> str:
    if calendar == ALWAYS:
        return "UTC"
    import exchange_calendars

    with warnings.catch_warnings():  # as in tapebook.data.calendar: theirs to mend
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        return str(exchange_calendars.get_calendar(calendar, start="2020-01-01", end="2020-12-31").tz)
