"""Known half days and holidays, the exchange_calendars library asked directly, and laws."""

from __future__ import annotations

import subprocess
import sys
import warnings

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data import calendar
from tapebook.errors import BadInput, UnknownName
from tapebook.schema import Frequency


def _days(index: pd.DatetimeIndex) -> list[str]:
    return [str(day.date()) for day in index]


def _library(name: str, **span: str) -> exchange_calendars.ExchangeCalendar:
    with warnings.catch_warnings():  # pandas names itself, not the library, as the place of this one
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        return exchange_calendars.get_calendar(name, **span)


def _micros(library: exchange_calendars.ExchangeCalendar, column: str) -> np.ndarray:
    return pd.DatetimeIndex(library.schedule[column]).as_unit("us").asi8


def test_new_york_was_closed_for_hurricane_sandy_and_after_the_attacks():
    """NYSE history: closed 2012-10-29 and -30, and from 2001-09-11 to -14."""
    assert _days(calendar.sessions("XNYS", "2012-10-26", "2012-10-31")) == ["2012-10-26", "2012-10-31"]
    assert _days(calendar.sessions("XNYS", "2001-09-10", "2001-09-17")) == ["2001-09-10", "2001-09-17"]


def test_the_day_after_thanksgiving_closes_at_one():
    day = calendar.sessions("XNYS", "2012-11-23", "2012-11-23")
    assert str(calendar.closes("XNYS", day)[0]) == "2012-11-23 18:00:00+00:00"
    assert str(calendar.opens("XNYS", day)[0]) == "2012-11-23 14:30:00+00:00"
    assert len(calendar.expected_bars("XNYS", "30m", "2012-11-23", "2012-11-23")) == 7


def test_a_market_that_never_closes_has_a_session_a_day_known_at_midnight():
    days = calendar.sessions("24/7", "2020-02-28", "2020-03-01")
    assert _days(days) == ["2020-02-28", "2020-02-29", "2020-03-01"]
    assert str(calendar.closes("24/7", days)[-1]) == "2020-03-02 00:00:00+00:00"
    assert len(calendar.expected_bars("24/7", "1h", "2020-02-28", "2020-02-29")) == 48


def test_the_short_way_for_247_equals_the_library():
    theirs = _library("24/7", start="2020-01-01", end="2020-12-31")
    days = calendar.sessions("24/7", "2020", "2020")
    assert _days(days) == _days(theirs.sessions)
    np.testing.assert_array_equal(calendar.closes("24/7", days).asi8, _micros(theirs, "close"))


@pytest.mark.parametrize("name", ["XNYS", "XLON", "XHKG", "us_futures"])
def test_sessions_and_times_equal_the_library(name):
    theirs = _library(name, start="2019-01-01", end="2020-12-31")
    days = calendar.sessions(name, "2019", "2020")
    assert _days(days) == _days(theirs.sessions)
    np.testing.assert_array_equal(calendar.opens(name, days).asi8, _micros(theirs, "open"))
    np.testing.assert_array_equal(calendar.closes(name, days).asi8, _micros(theirs, "close"))


@pytest.mark.parametrize(("name", "freq"), [("XNYS", "1m"), ("XNYS", "30m"), ("XHKG", "30m"), ("XHKG", "5m")])
def test_intraday_stamps_equal_the_librarys_trading_index(name, freq):
    """Where sessions hold whole bars, both agree; the library refuses the rest."""
    theirs = _library(name, start="2020-01-01", end="2020-12-31")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        spans = theirs.trading_index("2020-03-02", "2020-06-30", freq.replace("m", "min"), intervals=True)
    ours = calendar.expected_bars(name, freq, "2020-03-02", "2020-06-30")
    assert list(ours) == [stamp.as_unit("us") for stamp in spans.left]


def test_weeks_and_months_carry_their_last_session():
    assert _days(calendar.expected_bars("XNYS", "1mo", "2012-10-01", "2012-12-30")) == [
        "2012-10-31",
        "2012-11-30",
    ]
    assert _days(calendar.expected_bars("XNYS", "1w", "2013-03-18", "2013-04-05"))[-2:] == [
        "2013-03-28",
        "2013-04-05",
    ]


def test_the_last_session_of_a_period_is_found_beyond_those_given():
    given_ = calendar.sessions("XNYS", "2024-02-26", "2024-02-27")
    assert _days(calendar.last_session_of_period("XNYS", given_, "w")) == ["2024-03-01"] * 2
    assert _days(calendar.last_session_of_period("XNYS", given_, "mo")) == ["2024-02-29"] * 2
    assert _days(calendar.last_session_of_period("XNYS", given_, "d")) == _days(given_)


@given(
    st.dates(pd.Timestamp("1995-01-01").date(), pd.Timestamp("2025-01-01").date()),
    st.sampled_from(["w", "mo"]),
)
@settings(max_examples=60, deadline=None)
def test_the_last_session_is_never_earlier_and_in_the_same_period(day, unit):
    days = calendar.sessions("XLON", day, pd.Timestamp(day) + pd.Timedelta(days=20))
    last = calendar.last_session_of_period("XLON", days, unit)
    code = {"w": "W-SUN", "mo": "M"}[unit]
    assert (last >= days).all()
    assert list(last.tz_localize(None).to_period(code)) == list(days.tz_localize(None).to_period(code))


@pytest.mark.parametrize(
    ("name", "freq", "number"),
    [
        ("XNYS", "1d", 252), ("XNYS", "1m", 252 * 390), ("XNYS", "30m", 252 * 13),
        ("XNYS", "1h", 252 * 7), ("XNYS", "1w", 52), ("XNYS", "1mo", 12),
        ("24/7", "1d", 365), ("24/7", "1h", 8760), ("XHKG", "1m", 246 * 330),
    ],
)  # fmt: skip
def test_periods_per_year(name, freq, number):
    assert calendar.periods_per_year(name, freq) == number
    assert calendar.periods_per_year(name, Frequency.parse(freq)) == number


@pytest.mark.parametrize("name", ["XNYS", "24/7"])
def test_the_years_known_by_heart_equal_those_counted(name):
    assert calendar._sessions_a_year(name) == calendar._SESSIONS_A_YEAR[name]


def test_a_calendar_recorded_only_since_1956_has_no_sessions_before():
    assert _days(calendar.sessions("XKRX", "1940", "1956"))[0].startswith("1956-01")


def test_alias_and_typo():
    assert _days(calendar.sessions("NYSE", "2020-01-01", "2020-01-02")) == ["2020-01-02"]
    with pytest.raises(UnknownName, match=r"no calendar named 'XNYC'\. Did you mean 'XNYS'\?.*Use 24/7"):
        calendar.sessions("XNYC", "2020", "2021")


def test_a_holiday_has_no_close():
    with pytest.raises(BadInput, match="2020-01-01 is no session of the calendar XNYS"):
        calendar.closes("XNYS", pd.DatetimeIndex(["2020-01-01"], tz="UTC"))


def test_no_sessions_no_times():
    none = calendar.sessions("XNYS", "2020-01-04", "2020-01-05")
    assert len(none) == 0
    assert len(calendar.closes("XNYS", none)) == 0
    assert len(calendar.last_session_of_period("XNYS", none, "w")) == 0


def test_a_metric_on_daily_bars_builds_no_calendar():
    code = (
        "import sys; from tapebook.data.calendar import periods_per_year as p; p('XNYS'); p('24/7', '1h');"
        "assert 'exchange_calendars' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
