"""When a cron expression is due, against a walk through every minute of the days around a clock change."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapebook.errors import BadParameter
from tapebook.runs import cron, schedule_rule

CHANGES = {
    "New York, spring": ("America/New_York", datetime(2026, 3, 8)),
    "New York, autumn": ("America/New_York", datetime(2026, 11, 1)),
    "Berlin, spring": ("Europe/Berlin", datetime(2026, 3, 29)),
    "Berlin, autumn": ("Europe/Berlin", datetime(2026, 10, 25)),
    "Lord Howe, spring": ("Australia/Lord_Howe", datetime(2026, 10, 4)),
    "Lord Howe, autumn": ("Australia/Lord_Howe", datetime(2026, 4, 5)),
    "Samoa skips a day": ("Pacific/Apia", datetime(2011, 12, 30)),
}


def due(expression, tz, after, days=2):
    until = after + timedelta(days=days)
    return list(takewhile(lambda t: t <= until, cron.times(expression, tz, after)))


def local(times, tz):
    return [f"{t.astimezone(ZoneInfo(tz)):%d %H:%M %z}" for t in times]


@pytest.mark.parametrize("place", CHANGES)
@pytest.mark.parametrize("minute", ["*", "*/20", "30", "0,15"])
def test_a_wildcard_is_due_whenever_the_clock_shows_it(place, minute):
    """The slow way: look at the clock at every real minute."""
    tz, day = CHANGES[place]
    zone = ZoneInfo(tz)
    after = day.replace(tzinfo=zone).astimezone(UTC) - timedelta(hours=6)
    wanted = {"*": range(60), "*/20": (0, 20, 40), "30": (30,), "0,15": (0, 15)}[minute]
    walk = [after + timedelta(minutes=n) for n in range(1, 2 * 1440 + 1)]
    slow = [t for t in walk if t.astimezone(zone).minute in wanted]
    assert due(f"{minute} * * * *", tz, after) == slow


@pytest.mark.parametrize("place", CHANGES)
@pytest.mark.parametrize("hour", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("minute", [0, 10, 45])
def test_a_fixed_time_is_due_once_a_day_and_after_a_skip_right_after_it(place, hour, minute):
    tz, day = CHANGES[place]
    zone = ZoneInfo(tz)
    after = day.replace(tzinfo=zone).astimezone(UTC) - timedelta(hours=20)
    walk = [after + timedelta(minutes=n) for n in range(1, 3 * 1440)]
    seen, slow = set(), []
    for t in walk:
        before = (t - timedelta(minutes=1)).astimezone(zone).replace(tzinfo=None)
        now = t.astimezone(zone).replace(tzinfo=None)
        wall = before + timedelta(minutes=1)
        while wall <= now:  # what the clock shows, and what it skipped
            if (wall.hour, wall.minute) == (hour, minute) and wall.date() not in seen:
                seen.add(wall.date())
                if not slow or slow[-1] != t:
                    slow.append(t)
            wall += timedelta(minutes=1)
    assert due(f"{minute} {hour} * * *", tz, after, days=2) == [
        t for t in slow if t <= after + timedelta(days=2)
    ]


def test_the_changes_by_hand():
    spring, autumn = datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    assert local(due("30 2 * * *", "America/New_York", spring), "America/New_York") == [
        "08 03:00 -0400",
        "09 02:30 -0400",
    ]
    assert local(due("30 1 * * *", "America/New_York", autumn), "America/New_York") == [
        "01 01:30 -0400",
        "02 01:30 -0500",
    ]
    half = datetime(2026, 10, 3, 12, tzinfo=UTC)
    assert local(due("15 2 * * *", "Australia/Lord_Howe", half), "Australia/Lord_Howe") == [
        "04 02:30 +1100",
        "05 02:15 +1100",
    ]
    night = local(due("*/15 5 * * *", "Australia/Lord_Howe", half, days=1), "Australia/Lord_Howe")
    assert night == ["04 05:00 +1100", "04 05:15 +1100", "04 05:30 +1100", "04 05:45 +1100"]


def test_between_the_two_passes_of_an_hour_nothing_goes_back():
    after = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)  # 01:10 in New York for the second time
    assert next(cron.times("30 1 * * *", "America/New_York", after)) == datetime(
        2026, 11, 2, 6, 30, tzinfo=UTC
    )
    assert next(cron.times("*/30 * * * *", "America/New_York", after)) == datetime(
        2026, 11, 1, 6, 30, tzinfo=UTC
    )
    before = datetime(2026, 11, 1, 5, 40, tzinfo=UTC)  # 01:40 for the first time; 01:15 comes again
    assert next(cron.times("15 * * * *", "America/New_York", before)) == datetime(
        2026, 11, 1, 6, 15, tzinfo=UTC
    )


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(sorted(CHANGES)))
def test_times_ascend_and_going_on_from_any_of_them_gives_the_rest(when, place):
    tz, after = CHANGES[place][0], when.replace(tzinfo=UTC)
    for expression in ("*/7 1-3 * * *", "20,50 2 * * *", "0 9 1 * mon"):
        found = list(islice(cron.times(expression, tz, after), 8))
        assert found == sorted(set(found))
        assert found[0] > after
        assert list(islice(cron.times(expression, tz, found[2]), 5)) == found[3:]


@pytest.mark.parametrize(
    ("expression", "tz", "said"),
    [
        ("* * * *", "UTC", "five fields"),
        ("0 0 * * * *", "UTC", "five fields"),
        ("61 * * * *", "UTC", "Bad minute"),
        ("0 0 31 2 *", "UTC", "Bad day-of-month"),
        ("0 0 * * noday", "UTC", "Bad day-of-week"),
        ("0 0 * * *", "America/New_Yrok", "time zone such as America/New_York"),
        ("0 0 * * *", "../etc/passwd", "time zone"),
    ],
)
def test_what_cannot_be_read_is_refused(expression, tz, said):
    with pytest.raises(BadParameter, match=said):
        cron.check(expression, tz)


# ---- what was missed, and the closes of an exchange

NIGHTLY = {"kind": "cron", "cron": "30 18 * * mon-fri", "tz": "America/New_York"}
CLOSE = {"kind": "close", "calendar": "XNYS", "delay": 1800}


@given(
    st.sampled_from([NIGHTLY, CLOSE, {"kind": "cron", "cron": "*/5 * * * *", "tz": "Europe/Berlin"}]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),
    st.timedeltas(timedelta(0), timedelta(days=3)),
)
def test_the_last_that_was_missed_is_found_and_the_others_are_counted(rule, anchor, down):
    anchor = anchor.replace(tzinfo=UTC)
    now = anchor + down
    all_of_them = list(takewhile(lambda t: t <= now, schedule_rule.times(rule, anchor)))
    found = schedule_rule.missed(rule, anchor, now)
    assert found == ((all_of_them[-1], len(all_of_them) - 1) if all_of_them else None)


def test_a_year_of_minutes_is_not_walked_through():
    rule = {"kind": "cron", "cron": "* * * * *", "tz": "UTC"}
    now = datetime(2026, 11, 26, 12, 0, 30, tzinfo=UTC)
    assert schedule_rule.missed(rule, now - timedelta(days=365), now) == (now.replace(second=0), 1000)
    yearly = {"kind": "cron", "cron": "0 0 1 1 *", "tz": "UTC"}
    assert schedule_rule.missed(yearly, now - timedelta(days=900), now) == (
        datetime(2026, 1, 1, tzinfo=UTC),
        1,
    )


def test_holidays_and_half_days_are_known():
    after = datetime(2026, 11, 25, 12, tzinfo=UTC)
    found = [f"{t:%m-%d %H:%M}" for t in islice(schedule_rule.times(CLOSE, after), 3)]
    assert found == ["11-25 21:30", "11-27 18:30", "11-30 21:30"]  # Thanksgiving; the day after ends early
    berlin = schedule_rule.times(
        {"kind": "close", "calendar": "XETR", "delay": 0}, datetime(2026, 3, 26, tzinfo=UTC)
    )
    assert [f"{t:%m-%d %H:%M}" for t in islice(berlin, 3)] == ["03-26 16:30", "03-27 16:30", "03-30 15:30"]
    always = schedule_rule.times({"kind": "close", "calendar": "24/7", "delay": 60}, after)
    assert next(always) == datetime(2026, 11, 26, 0, 1, tzinfo=UTC)
