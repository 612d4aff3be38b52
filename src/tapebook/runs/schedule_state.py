"""How schedules stand: when each is next due, what came of it last, what it waits for, whether it is late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapebook.runs import schedule_rule

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog

GRACE = timedelta(minutes=5)
"""How long after its time a worker may take a schedule up."""
ENDED = ("succeeded", "failed", "timed_out", "out_of_memory", "killed", "cancelled", "lost")


@dataclass(frozen=True)
class State:
    """One schedule at a moment.

    `state` is "on time", "paused", "running", "due", "waiting" (for its data) or "stale" (they did not come
    by its deadline). `due` is the time that this is about, `next` the coming one (None for one that waits
    for events, and while paused), both UTC. `last`, `outcome`, `run` and `why` are of the run that ended
    last. `late` says what should have happened by now; "" if nothing.
    """

    name: str
    template: str
    when: str
    state: str
    due: datetime | None
    next: datetime | None
    last: datetime | None
    outcome: str
    run: str
    why: str
    late: str


def states(catalog: Catalog, now: datetime | None = None) -> list[State]:
    """How every schedule stands, by name."""
    moment = now or datetime.now(UTC)
    newest, ended = catalog.occasions.latest(), catalog.occasions.latest(ENDED)
    return [
        _state(row, newest.get(row["name"], {}), ended.get(row["name"], {}), moment)
        for row in catalog.schedules.all()
    ]


def _state(
    row: Mapping[str, Any], latest: Mapping[str, Any], past: Mapping[str, Any], now: datetime
) -> State:
    paused, rule = row["state"] != "active", row["rule"]
    state = str(latest.get("state", ""))
    if paused and state != "running":
        state = "paused"
    elif state not in ("running", "due", "waiting", "stale"):
        state = "on time"
    following = None if paused else next(schedule_rule.times(rule, now), None)
    return State(
        name=row["name"],
        template=row["template"],
        when=schedule_rule.told(rule),
        state=state,
        due=_time(latest.get("due")),
        next=following,
        last=_time(past.get("finished") or past.get("due")),
        outcome=str(past.get("state") or ""),
        run=str(past.get("run_id") or ""),
        why=str(past.get("why") or ""),
        late="" if paused else _late(row, latest, now),
    )


def _late(row: Mapping[str, Any], occasion: Mapping[str, Any], now: datetime) -> str:
    """What should have happened by now: nobody took it up, or its data did not come."""
    if occasion.get("state") == "stale":
        return str(occasion.get("why") or "its data did not come in time")
    began = _time(occasion.get("due")) if occasion.get("state") == "due" else None
    if began is None:
        missed = schedule_rule.times(row["rule"], datetime.fromisoformat(row["anchor"]))
        began = next(missed, None)
    if began is None or began > now - GRACE:
        return ""
    return f"due at {began:%Y-%m-%d %H:%M} UTC, and not begun: is `tapebook worker` running?"


def _time(said: str | None) -> datetime | None:
    return None if said is None else datetime.fromisoformat(said).replace(microsecond=0)
