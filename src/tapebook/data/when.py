"""Read what a user calls a time: "2005", "2005-03", a date, a datetime. Always UTC inside."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter

if TYPE_CHECKING:
    import pandas as pd

When = str | date | datetime | None
"""A pandas Timestamp is a datetime. Without a time zone it is UTC."""

_PERIOD = re.compile(r"\s*\d{4}(-\d{1,2}(-\d{1,2})?)?\s*")


def first_moment(value: When, name: str = "start") -> pd.Timestamp | None:
    """Return the first instant of `value` in UTC; None stays None.

    >>> str(first_moment("2005-03"))
    '2005-03-01 00:00:00+00:00'
    """
    return None if value is None else _bounds(value, name)[0]


def last_moment(value: When, name: str = "end") -> pd.Timestamp | None:
    """Return the last microsecond of `value` in UTC: a year, a month or a day is meant whole.

    >>> str(last_moment("2005-03"))
    '2005-03-31 23:59:59.999999+00:00'
    """
    return None if value is None else _bounds(value, name)[1]


def _bounds(value: When, name: str) -> tuple[pd.Timestamp, pd.Timestamp]:
    import pandas as pd

    try:
        if isinstance(value, str) and _PERIOD.fullmatch(value):
            return _whole(pd.Period(value.strip()))
        if isinstance(value, date) and not isinstance(value, datetime):
            return _whole(pd.Period(value, freq="D"))
        stamp: Any = pd.Timestamp(value)  # type: ignore[arg-type]
    except (ValueError, TypeError) as error:
        raise _unreadable(name, value) from error
    if stamp is pd.NaT:
        raise _unreadable(name, value)
    stamp = stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")
    return stamp.as_unit("us"), stamp.as_unit("us")


def _whole(period: pd.Period) -> tuple[pd.Timestamp, pd.Timestamp]:
    import pandas as pd

    first = period.start_time.tz_localize("UTC").as_unit("us")
    following = (period + 1).start_time.tz_localize("UTC").as_unit("us")
    return first, following - pd.Timedelta(1, "us")


def _unreadable(name: str, value: object) -> BadParameter:
    return BadParameter(
        name, value, "a time such as '2005', '2005-03-01', '2005-03-01 14:30' (UTC) or a datetime"
    )
