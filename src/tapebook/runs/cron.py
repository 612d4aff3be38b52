"""When a cron expression is due in a time zone, with its clock changes, as Debian's cron has it.

cronsim reads the expression and walks the calendar; from wall time to UTC is done here, as cronsim 2.8 walks
by whole hours over a change and so misses times where the clock moves by half of one (Lord Howe).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tapebook.errors import BadParameter

_LARGEST = timedelta(hours=3)
"""No clock is put back by more."""
_EXAMPLE = "five fields (minute hour day month weekday) such as '30 18 * * mon-fri'"


def check(expression: str, tz: str) -> None:
    """Refuse an expression or a time zone that cannot be read, and one that is never due."""
    zone_of(tz)
    if len(expression.split()) != 5:
        raise BadParameter("cron", expression, _EXAMPLE)
    if next(times(expression, tz, datetime.now(UTC)), None) is None:
        raise BadParameter("cron", expression, "a time that comes: there is no such day in 50 years")


def zone_of(tz: str) -> ZoneInfo:
    """Return a time zone by its name."""
    try:
        return ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadParameter("tz", tz, "a time zone such as America/New_York, Europe/Berlin or UTC") from None


def times(expression: str, tz: str, after: datetime) -> Iterator[datetime]:
    """Times (UTC, ascending) after a moment at which the expression is due.

    A fixed time that the clock skips is due right after the change, and one that comes twice is due the first
    time only. Where the minute or the hour begins with `*`, every minute that the clock shows counts: what it
    skips is left out, and what it shows twice is due twice.
    """
    from cronsim import CronSim, CronSimError

    zone, wild = zone_of(tz), any(field.startswith("*") for field in expression.split()[:2])
    wall = after.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0) - _LARGEST
    try:
        walls = CronSim(expression, wall)
    except CronSimError as error:
        raise BadParameter("cron", expression, f"{_EXAMPLE}; {error}") from None
    coming: list[datetime] = []
    last = after
    for wall in walls:
        now = _utc(wall, zone, fold=0)
        while coming and coming[0] <= now:  # nothing earlier can come any more
            if (due := heappop(coming)) > last:
                yield due
                last = due
        for due in _moments(wall, zone, wild):
            heappush(coming, due)


def _moments(wall: datetime, zone: ZoneInfo, wild: bool) -> list[datetime]:
    """When the clock shows this time."""
    shown = [_utc(wall, zone, fold=0), _utc(wall, zone, fold=1)]
    real = sorted({due for due in shown if due.astimezone(zone).replace(tzinfo=None) == wall})
    if wild:
        return real
    return real[:1] or [_change(min(shown), max(shown), zone)]


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment of a clock change between two others."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def _utc(wall: datetime, zone: ZoneInfo, *, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
