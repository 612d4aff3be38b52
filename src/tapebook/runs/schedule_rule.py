"""When a schedule is due: by the clock, after a close, on an event, or when its data are complete.

A rule is a plain mapping, as it is stored:

    {"kind": "cron", "cron": "30 18 * * mon-fri", "tz": "America/New_York"}
    {"kind": "close", "calendar": "XNYS", "delay": 1800}
    {"kind": "event", "topic": "bars.updated", "where": {"symbol": "AAPL"}}
    {"kind": "complete", "symbols": ["AAPL"], "freq": "1d", "calendar": "XNYS", "deadline": 43200}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from tapebook.errors import UnknownName
from tapebook.runs import cron

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

Rule = Mapping[str, Any]
COUNTED = 1000
"""Missed times are counted up to here."""
_LOOK_BACK = tuple(timedelta(hours=n) for n in (1, 6, 24, 24 * 8, 24 * 40, 24 * 400, 24 * 366 * 5))


def times(rule: Rule, after: datetime) -> Iterator[datetime]:
    """When it is due after a moment, UTC, ascending; nothing for a rule that waits for an event.

    For one that waits for data: when the sessions close whose data it waits for.
    """
    if rule["kind"] == "cron":
        return cron.times(rule["cron"], rule["tz"], after)
    if rule["kind"] in ("close", "complete"):
        return _closes(rule["calendar"], timedelta(seconds=rule.get("delay", 0)), after)
    return iter(())


def _closes(calendar: str, delay: timedelta, after: datetime) -> Iterator[datetime]:
    from tapebook.data import calendar as market

    first = (after - delay).astimezone(UTC)
    day = first.date() - timedelta(days=3)
    while True:
        until = day + timedelta(days=60)
        sessions = market.sessions(calendar, str(day), str(until))
        if not len(sessions) and day > first.date() + timedelta(days=366):
            return  # the calendar's holidays are not known so far out
        for close in market.closes(calendar, sessions):
            due = close.to_pydatetime() + delay
            if due > after:
                yield due
        day = until + timedelta(days=1)


def missed(rule: Rule, anchor: datetime, now: datetime) -> tuple[datetime, int] | None:
    """The last time that was due after `anchor` up to `now`, and how many were before it; None for none."""
    first = next(times(rule, anchor), None)
    if first is None or first > now:
        return None
    last = first
    for back in _LOOK_BACK:  # the nearest is looked for near: a year of minutes is not walked through
        found = list(_until(rule, max(anchor, now - back), now))
        if found or now - back <= anchor:
            last = found[-1] if found else first
            break
    count = sum(1 for _ in islice(_until(rule, anchor, last - timedelta(seconds=1)), COUNTED))
    return last, count


def _until(rule: Rule, after: datetime, until: datetime) -> Iterator[datetime]:
    for due in times(rule, after):
        if due > until:
            return
        yield due


def matches(rule: Rule, event: Event) -> bool:
    """Whether an event is one that the rule waits for."""
    if event.topic != rule["topic"]:
        return False
    content = event.content
    return all(_fits(content, name, value) for name, value in rule.get("where", {}).items())


def _fits(content: Mapping[str, Any], name: str, value: str) -> bool:
    found = content.get(name, content.get(f"{name}s"))
    wanted = [part.strip() for part in str(value).split(",")]
    if isinstance(found, list):
        return any(part in map(str, found) for part in wanted)
    return str(found) in wanted


def check_where(topic: str, where: Mapping[str, str]) -> None:
    """Refuse a filter that names no field of the topic's events; `symbol` stands for one of `symbols`."""
    from tapebook.data.catalog.event_types import check_topic, kinds

    fields = set(kinds()[check_topic(topic)].model_fields) - {"id", "at", "seq"}
    fields |= {name.removesuffix("s") for name in ("symbols", "freqs") if name in fields}
    for name in where:
        if name not in fields:
            raise UnknownName(f"field of {topic}", name, fields)


def told(rule: Rule) -> str:
    """Say a rule in words.

    >>> told({"kind": "close", "calendar": "XNYS", "delay": 1800})
    '30min after the close of XNYS'
    """
    if rule["kind"] == "cron":
        return f"{rule['cron']} ({rule['tz']})"
    if rule["kind"] == "close":
        after = f"{length(rule['delay'])} after" if rule["delay"] else "at"
        return f"{after} the close of {rule['calendar']}"
    if rule["kind"] == "event":
        where = " and ".join(f"{name}={value}" for name, value in rule.get("where", {}).items())
        return f"on {rule['topic']}" + (f" where {where}" if where else "")
    names = ", ".join(rule["symbols"][:5]) + (" …" if rule["symbols"][5:] else "")
    return (
        f"when {names} {rule['freq']} are complete after the close of {rule['calendar']}, "
        f"within {length(rule['deadline'])}"
    )


def length(seconds: float) -> str:
    """Write a length of time.

    >>> length(5400), length(90), length(0)
    ('1h30min', '1min30s', '0s')
    """
    parts = []
    left = int(seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"
