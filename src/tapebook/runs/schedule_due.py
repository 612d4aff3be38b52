"""What is due now: by the clock, by events, by data that are there. Each exactly once, whoever looks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tapebook.errors import NoData, UnknownName
from tapebook.integration import event_bars
from tapebook.runs import notice, schedule_rule

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.data.lake import Lake

_LOG = logging.getLogger("tapebook.worker")


class Due:
    """Looks what became due and writes it down as occasions."""

    def __init__(self, catalog: Catalog, lake: Lake) -> None:
        self._catalog, self._lake, self._snapshot = catalog, lake, -1
        self._coming: dict[tuple[str, str], datetime] = {}
        self._looked: set[tuple[int, int]] = set()
        self._heard: dict[str, int] = {}
        self._said: set[str] = set()

    def mark(self, now: datetime | None = None) -> None:
        """Write down what is due at `now`."""
        moment = now or datetime.now(UTC)
        try:
            self._snapshot = event_bars.tell(self._lake, self._catalog)
        except Exception as error:  # a lake that is away must not keep the clock's schedules from running
            self._say(f"the lake cannot be read: {type(error).__name__}: {error}")
        newest = self._catalog.events.newest()
        for row in self._catalog.schedules.all("active"):
            try:
                self._one(row, moment, newest)
            except Exception as error:  # one that cannot be read must not keep the others from running
                self._say(f"schedule {row['name']}: {type(error).__name__}: {error}")

    def _say(self, said: str) -> None:
        """Warn, once."""
        if said not in self._said:
            self._said.add(said)
            _LOG.warning("%s", said)

    def _one(self, row: Mapping[str, Any], now: datetime, newest: int) -> None:
        rule, name = row["rule"], row["name"]
        if rule["kind"] == "event":
            if self._heard.get(name) != newest:
                self._catalog.schedules.due_by_events(name, partial(schedule_rule.matches, rule))
                self._heard[name] = newest
            return
        if self._later(row, now):
            found = schedule_rule.missed(rule, datetime.fromisoformat(row["anchor"]), now)
            if found is not None:
                due, missed = found
                said = {"missed": missed} | self._waiting(rule, due, now)
                self._catalog.schedules.due_by_time(name, row["anchor"], _utc(due), said)
        if rule["kind"] == "complete":
            self._look(row, now)

    def _later(self, row: Mapping[str, Any], now: datetime) -> bool:
        """Whether the next time of a schedule has come; it is computed once."""
        key = (row["name"], row["anchor"])
        if key not in self._coming:
            self._coming = {old: due for old, due in self._coming.items() if old[0] != row["name"]}
            following = next(schedule_rule.times(row["rule"], datetime.fromisoformat(row["anchor"])), None)
            self._coming[key] = following or datetime.max.replace(tzinfo=UTC)
        return self._coming[key] <= now

    @staticmethod
    def _waiting(rule: Mapping[str, Any], due: datetime, now: datetime) -> dict[str, Any]:
        if rule["kind"] != "complete":
            return {}
        # a schedule that is new, or a worker that was away, gives the data their time from now on
        deadline = max(due, now - timedelta(minutes=1)) + timedelta(seconds=rule["deadline"])
        return {"state": "waiting", "deadline": _utc(deadline)}

    def _look(self, row: Mapping[str, Any], now: datetime) -> None:
        """Look whether the data that a schedule waits for are there, or late."""
        own = self._catalog.occasions.list(row["name"], limit=20)
        own = [occasion for occasion in own if not occasion["key"].startswith("now-")]
        for older in own[1:]:
            if older["state"] == "waiting":
                self._stale(row, older, "the next session has closed")
        if not own or own[0]["state"] not in ("waiting", "stale"):
            return
        latest = own[0]
        if (latest["seq"], self._snapshot) not in self._looked:
            why = lacking(self._lake, row["rule"], datetime.fromisoformat(latest["due"]))
            if not why:
                late = "the data came late" if latest["state"] == "stale" else ""
                self._catalog.occasions.turn(latest["seq"], ["waiting", "stale"], "due", late)
                return
            self._looked.add((latest["seq"], self._snapshot))
        if (
            latest["state"] == "waiting"
            and latest["deadline"]
            and now > datetime.fromisoformat(latest["deadline"])
        ):
            self._stale(row, latest, f"by {latest['deadline'][:16].replace('T', ' ')} UTC")

    def _stale(self, row: Mapping[str, Any], occasion: Mapping[str, Any], until: str) -> None:
        due = datetime.fromisoformat(occasion["due"])
        why = f"not complete {until}: {lacking(self._lake, row['rule'], due) or 'now it is'}"
        tell = notice.compose(row, "failure", f"{row['name']}: stale", f"{row['name']} was not run. {why}")
        self._catalog.occasions.turn(occasion["seq"], ["waiting"], "stale", why, tell)


def lacking(lake: Lake, rule: Mapping[str, Any], close: datetime) -> str:
    """Say what is missing of the session that closed then; "" when every symbol has all its bars.

    Bars shorter than a day are complete when each of the session is there; of longer ones, the last that
    had ended by then.
    """
    stamps = _stamps(rule, close)
    told = []
    for symbol in rule["symbols"]:
        try:
            rows = lake.read(symbol, freq=rule["freq"], start=stamps[0], end=stamps[-1])
            had = {stamp.astimezone(UTC) for stamp in rows.column("ts").to_pylist()}
        except (UnknownName, NoData):
            had = set()
        absent = [stamp for stamp in stamps if stamp not in had]
        if absent:
            form = "%Y-%m-%d %H:%M" if rule["freq"][-1] in "mh" else "%Y-%m-%d"
            more = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
            told.append(f"{symbol} has no bar of {absent[0]:{form}}{more}")
    more = f" and {len(told) - 3} more symbols" if len(told) > 3 else ""
    return "; ".join(told[:3]) + more


def _stamps(rule: Mapping[str, Any], close: datetime) -> list[datetime]:
    import pandas as pd

    from tapebook.data import calendar
    from tapebook.schema import Frequency

    length = Frequency.parse(rule["freq"])
    days = calendar.sessions(rule["calendar"], str((close - timedelta(days=40)).date()), str(close.date()))
    closes = calendar.closes(rule["calendar"], days)
    session = days[int(closes.searchsorted(pd.Timestamp(close), side="right")) - 1]
    if length.intraday:
        opened = calendar.opens(rule["calendar"], days[days == session])[0]
        end = close - timedelta(microseconds=1)
        return list(calendar.expected_bars(rule["calendar"], length, opened, end).to_pydatetime())
    start = session - timedelta(days=400)
    return list(calendar.expected_bars(rule["calendar"], length, start, session).to_pydatetime())[-1:]


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
