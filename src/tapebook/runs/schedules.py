"""Schedules: add one, look at it, pause, resume, remove it. `tapebook worker` runs what becomes due."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.data.duration import seconds
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs import cron as crons
from tapebook.runs import notice, schedule_rule
from tapebook.runs.template import find

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

DEADLINE = "12h"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,59}")
_LISTED = ["name", "template", "when", "state", "next", "last", "outcome", "run"]
_PAST = ["due", "state", "run", "started", "finished", "missed", "why"]


def add(
    config: Config,
    name: str,
    template: str,
    parameters: Mapping[str, Any],
    *,
    timeout: float | None = None,
    notify: Sequence[str] = (),
    notify_on: str = "always",
    replace: bool = False,
    revision: int | None = None,
    **when: Any,
) -> dict[str, Any]:
    """Add a schedule, or replace what one runs and when; return it as `show` does.

    Parameters
    ----------
    parameters : dict
        Of the template: checked now, and again at each run. What is not given stays the template's default.
    timeout : float, optional
        Seconds that each run may take.
    notify : list of str
        Whom to tell: see `tapebook.runs.notice.keep_channels`.
    notify_on : "failure", "success" or "always"
    replace : bool
        Let the schedule of this name run this from now on; its history stays.
    revision : int, optional
        The one that the replacement was made from.
    when
        One of `cron=` (with `tz=`), `after_close=` (with `delay=`), `on=` (with `where=`), and
        `when_complete=` (with `deadline=`, `freq=`, `calendar=`); see `rule`.

    Raises
    ------
    UnknownName, BadParameter, BadInput
        If anything of it cannot be: nothing is added.
    Changed
        If the schedule that is to be replaced is at another revision by now.
    """
    from tapebook.integration.vault import refuse_values

    if not _NAME.fullmatch(name):
        raise BadParameter("name", name, "letters, digits, '.', '_' or '-', at most 60")
    if timeout is not None and not timeout > 0:
        raise BadParameter("timeout", timeout, "seconds above 0")
    if notify_on not in notice.WHEN:
        raise BadParameter("notify_on", notify_on, " or ".join(notice.WHEN))
    refuse_values(config, parameters)
    found = find(config, template)
    checked = found.check(parameters)
    said = rule(config, **when)
    now = datetime.now(UTC)
    with _open(config) as catalog:
        old = next((row for row in catalog.schedules.all() if row["name"] == name), None)
        if old is not None and not replace:
            told = f"there is a schedule {name!r} already: replace it (`--replace`), or"
            raise BadInput(f"{told} `tapebook schedule remove {name}`")
        if revision is not None:
            catalog.items.refuse("schedule", name, revision)
        row = {
            "name": name,
            "template": str(found.path) if Path(template).suffix == ".ipynb" else found.name,
            "template_hash": found.hash,
            "parameters": {key: checked[key] for key in parameters},
            "rule": said,
            "notify": notice.keep_channels(config, catalog, name, notify),
            "notify_on": notify_on,
            "timeout": timeout,
            "state": "active",
            "anchor": _utc(_anchor(said, now)),
            "created": _utc(now),
        }
        topic = said.get("topic")
        if topic is not None:
            _told_so_far(config, catalog)
        if old is None:
            catalog.schedules.add(row, topic)
        else:
            catalog.schedules.replace(row, topic, seen=revision)
            notice.forget_channels(config, catalog, old)
    return show(config, name)


def rule(
    config: Config,
    *,
    cron: str | None = None,
    tz: str | None = None,
    after_close: str | None = None,
    delay: str | float | None = None,
    on: str | None = None,
    where: Mapping[str, str] | None = None,
    when_complete: str | Sequence[str] | None = None,
    deadline: str | float | None = None,
    freq: str | None = None,
    calendar: str | None = None,
) -> dict[str, Any]:
    """Read when a schedule is due: exactly one of `cron`, `after_close`, `on` and `when_complete`.

    Parameters
    ----------
    cron, tz : str
        Five fields, and the time zone that they are meant in (UTC by default).
    after_close, delay : str
        An exchange's calendar, such as "XNYS", and how long after its close; half days and holidays count.
    on, where : str, dict
        A topic of events, and what fields of the event must be, such as {"symbol": "AAPL"}.
    when_complete, deadline, freq, calendar
        Symbols: due once a session, as soon as each has its bars of that session; stale if they have not
        by `deadline` (12h) after the close. The calendar is the symbols' own by default.
    """
    said = {"cron": cron, "after_close": after_close, "on": on, "when_complete": when_complete or None}
    given = [key for key, value in said.items() if value is not None]
    if len(given) != 1:
        got = " and ".join(given) if given else "none"
        raise BadInput(f"a schedule needs one of cron, after_close, on and when_complete: got {got}")
    belongs = {"tz": "cron", "delay": "after_close", "where": "on"}
    belongs |= dict.fromkeys(("deadline", "freq", "calendar"), "when_complete")
    extra = {"tz": tz, "delay": delay, "where": where or None, "deadline": deadline}
    for key, value in (extra | {"freq": freq, "calendar": calendar}).items():
        if value is not None and belongs[key] != given[0]:
            raise BadInput(f"{key} belongs to {belongs[key]}, not to {given[0]}")
    if cron is not None:
        zone = "UTC" if tz is None else tz
        crons.check(cron, zone)
        return {"kind": "cron", "cron": " ".join(cron.split()), "tz": zone}
    if after_close is not None:
        from tapebook.data.calendar import check_calendar

        return {"kind": "close", "calendar": check_calendar(after_close), "delay": seconds(delay or 0)}
    if on is not None:
        schedule_rule.check_where(on, where or {})
        return {"kind": "event", "topic": on, "where": dict(where or {})}
    return _complete(config, when_complete or "", seconds(deadline or DEADLINE, "deadline"), freq, calendar)


def _complete(
    config: Config, symbols: str | Sequence[str], deadline: float, freq: str | None, calendar: str | None
) -> dict[str, Any]:
    from tapebook.data.calendar import check_calendar
    from tapebook.data.lake import Lake
    from tapebook.schema import Frequency

    names = [part.strip() for part in (symbols.split(",") if isinstance(symbols, str) else symbols)]
    if not all(names):
        raise BadParameter("when_complete", symbols, "names such as AAPL,MSFT")
    length = str(Frequency.parse(freq or "1d"))
    if calendar is None:
        with closing(Lake.open(config)) as lake:
            listed = lake.listing()
        known = dict(zip(listed["symbol"], listed["calendar"], strict=True))
        for name in names:
            if name not in known:
                raise UnknownName("symbol", name, known, "Load it, or say which calendar it has.")
        own = sorted({known[name] for name in names})
        if len(own) > 1:
            raise BadInput(f"these symbols have {' and '.join(own)} as calendars: say which one counts")
        calendar = own[0]
    said = {"kind": "complete", "symbols": names, "freq": length, "calendar": check_calendar(calendar)}
    return said | {"deadline": deadline}


def _anchor(said: Mapping[str, Any], now: datetime) -> datetime:
    """Nothing that was due up to then is made up. Of data, the session that closed last still counts."""
    if said["kind"] != "complete":
        return now
    found = schedule_rule.missed(said, now - timedelta(days=30), now)
    return now if found is None else found[0] - timedelta(seconds=1)


def show(config: Config, name: str, times: int = 10) -> dict[str, Any]:
    """One schedule with the next times at which it is due (UTC; none for one that waits for events)."""
    if times < 0:
        raise BadParameter("times", times, "a whole number, at least 0")
    with _open(config) as catalog:
        row = catalog.schedules.get(name)
    said = {key: row[key] for key in ("name", "template", "parameters")}
    said |= {"when": schedule_rule.told(row["rule"]), "rule": row["rule"], "state": row["state"]}
    said |= {"notify": notice.shown(row), "notify_on": row["notify_on"] if row["notify"] else None}
    coming = schedule_rule.times(row["rule"], datetime.now(UTC)) if row["state"] == "active" else iter(())
    return said | {"timeout": row["timeout"], "created": row["created"], "next": list(islice(coming, times))}


def listing(config: Config) -> pd.DataFrame:
    """List schedules: name, template, when, state, next (UTC), last, its outcome and run."""
    import pandas as pd

    now = datetime.now(UTC)
    with _open(config) as catalog:
        rows, latest = catalog.schedules.all(), catalog.occasions.latest()
    listed = []
    for row in rows:
        last = latest.get(row["name"], {})
        active = row["state"] == "active"
        following = next(schedule_rule.times(row["rule"], now), None) if active else None
        said = {key: row[key] for key in ("name", "template", "state")}
        said |= {"when": schedule_rule.told(row["rule"]), "next": following, "last": _time(last.get("due"))}
        listed.append(said | {"outcome": last.get("state"), "run": last.get("run_id")})
    return pd.DataFrame(listed, columns=_LISTED)


def history(config: Config, name: str, limit: int | None = 50) -> pd.DataFrame:
    """Each time that a schedule became due, newest first: what came of it, which run, and why if none."""
    import pandas as pd

    with _open(config) as catalog:
        catalog.schedules.get(name)
        rows = catalog.occasions.list(name, limit=limit)
    times = {"due", "started", "finished"}
    past = [
        {key: _time(row[key]) if key in times else row["run_id" if key == "run" else key] for key in _PAST}
        for row in rows
    ]
    return pd.DataFrame(past, columns=_PAST)


def pause(config: Config, name: str, *, revision: int | None = None) -> None:
    """Let nothing of it become due, or run, until it is resumed."""
    with _open(config) as catalog:
        catalog.schedules.change_state(name, "paused", seen=revision)


def resume(config: Config, name: str, *, revision: int | None = None) -> None:
    """Go on; what would have been due during the pause is not made up."""
    with _open(config) as catalog:
        _told_so_far(config, catalog)
        catalog.schedules.change_state(name, "active", seen=revision)


def remove(config: Config, name: str, *, revision: int | None = None) -> None:
    """Move a schedule with its history to the trash; its runs stay."""
    with _open(config) as catalog:
        catalog.schedules.remove(name, seen=revision)


def _told_so_far(config: Config, catalog: Catalog) -> None:
    """Tell what the lake holds, so that a schedule does not take it for news."""
    from tapebook.data.lake import Lake
    from tapebook.integration.event_bars import tell

    with closing(Lake.open(config)) as lake:
        tell(lake, catalog)


@contextmanager
def _open(config: Config) -> Iterator[Catalog]:
    from tapebook.data.catalog import Catalog

    with closing(Catalog.open(config)) as catalog:
        yield catalog


def _time(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said).replace(microsecond=0)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
