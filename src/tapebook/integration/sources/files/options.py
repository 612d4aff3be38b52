"""What a user may say about files, checked before any is opened."""

from __future__ import annotations

from difflib import get_close_matches
from zoneinfo import available_timezones

from tapebook.errors import BadParameter, UnknownName


def known_zone(tz: str | None) -> str | None:
    """Return a time zone's name, or say that it is none."""
    if tz is None or tz == "UTC":
        return tz
    zones = available_timezones() - {"localtime", "Factory", "posixrules"}
    if tz not in zones:
        by_fold = {zone.casefold(): zone for zone in zones}
        near = by_fold.get(str(tz).casefold()) or next(iter(get_close_matches(str(tz), zones, n=1)), None)
        hint = f" (did you mean {near!r}?)" if near else ""
        raise BadParameter(
            "tz", tz, f"a time zone such as 'America/New_York', 'Europe/London' or 'UTC'{hint}"
        )
    return tz


def known_calendar(calendar: str) -> str:
    """Return a calendar's name, or say that it is none."""
    if calendar != "24/7":
        from tapebook.data.calendar import known_calendars

        known = known_calendars()
        if calendar not in known:
            raise UnknownName("calendar", calendar, known)
    return calendar


def one_character(delimiter: str | None) -> str | None:
    """Return a delimiter; a tab may be written as "tab" or as a backslash and a t."""
    mark = {"\\t": "\t", "tab": "\t"}.get(delimiter or "", delimiter)
    if mark is not None and (len(mark) != 1 or mark in '"\r\n#' or mark.isalnum()):
        raise BadParameter("delimiter", delimiter, "one character such as ',', ';', '|' or a tab")
    return mark
