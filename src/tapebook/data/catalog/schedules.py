"""Schedules: what runs when. A schedule that waits for events is a subscriber of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import refuse_other, write_change
from tapebook.data.catalog.events import Events
from tapebook.data.catalog.kinds import kind_of, refuse_deleted
from tapebook.data.catalog.outbox_tables import event_cursors, events, occasions, schedules, subscribers
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.trash import discard
from tapebook.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

KIND = "schedule"
BATCH = 200
_DEEP = 50
"""How far back it is looked whether a schedule caused an event itself."""


@lasting
class Schedules:
    """One row a schedule, by name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, row: Mapping[str, Any], topic: str | None = None) -> None:
        """Add a schedule; one with a topic hears what happens from now on. BadInput if the name is taken."""
        name = row["name"]
        try:
            with self._rows.writing() as connection:
                connection.execute(insert(schedules).values(**row))
                if topic is not None:
                    _listen(connection, name, topic, row["created"])
                write_change(connection, KIND, name, "created", after=_asked(row))
        except IntegrityError:
            raise BadInput(
                f"there is a schedule {name!r} already: choose another name, or replace it (--replace)"
            ) from None

    def replace(self, row: Mapping[str, Any], topic: str | None = None, *, seen: int | None = None) -> None:
        """Let a schedule run something else, or at another time; its history and its state stay.

        Raises
        ------
        UnknownName
            If there is none.
        Changed
            If it is at another revision than `seen` by now.
        """
        name = row["name"]
        fresh = {key: value for key, value in row.items() if key not in ("name", "state", "created")}
        with self._rows.writing() as connection:
            before = kind_of(KIND).row(connection, name, hold=True)
            write_change(
                connection, KIND, name, "changed", before=_asked(before), after=_asked(row), seen=seen
            )
            connection.execute(update(schedules).where(schedules.c.name == name).values(fresh))
            connection.execute(delete(subscribers).where(subscribers.c.name == _subscriber(name)))
            if topic is not None:
                _listen(connection, name, topic, row["created"])

    def get(self, name: str) -> dict[str, Any]:
        """Return one row; UnknownName says the nearest name."""
        with self._rows.reading() as connection:
            row = (
                connection.execute(select(schedules).where(schedules.c.name == name)).mappings().one_or_none()
            )
            if row is None:
                refuse_deleted(connection, KIND, name)
                known = connection.scalars(select(schedules.c.name))
                raise UnknownName("schedule", name, known, "See `tapebook schedule list`.")
            return plain(row)

    def all(self, state: str | None = None) -> list[dict[str, Any]]:
        """List rows by name."""
        query = select(schedules).order_by(schedules.c.name)
        if state is not None:
            query = query.where(schedules.c.state == state)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def change_state(self, name: str, state: str, *, seen: int | None = None) -> None:
        """Pause or resume. What became due during a pause is not made up."""
        with self._rows.writing() as connection:
            if seen is not None:
                kind_of(KIND).row(connection, name, hold=True)
                refuse_other(connection, KIND, name, seen)
            here = (schedules.c.name == name) & (schedules.c.state != state)
            values = {"state": state} | ({"anchor": _utc()} if state == "active" else {})
            changed = connection.execute(update(schedules).where(here).values(values)).rowcount
            if changed:
                write_change(connection, KIND, name, "changed", after={"state": state})
            if changed and state == "active":
                newest = select(func.coalesce(func.max(events.c.seq), 0)).scalar_subquery()
                mine = event_cursors.c.subscriber == _subscriber(name)
                connection.execute(update(event_cursors).where(mine).values(after=newest))
        self.get(name)

    def remove(self, name: str, *, seen: int | None = None) -> None:
        """Move a schedule with its history to the trash; its runs stay.

        Raises
        ------
        UnknownName
            If there is none.
        Changed
            If it is at another revision than `seen` by now.
        BadInput
            If a published name shows what it runs.
        """
        with self._rows.writing() as connection:
            discard(connection, KIND, name, seen=seen)

    # ---- what becomes due

    def due_by_time(self, name: str, before: str, due: str, row: Mapping[str, Any]) -> bool:
        """Add the occasion that became due at `due`, if the anchor still is `before`; False if another did.

        Both in one transaction: it is added exactly once, whoever looks and whenever one is killed.
        """
        here = (schedules.c.name == name) & (schedules.c.anchor == before) & (schedules.c.state == "active")
        with self._rows.writing() as connection:
            if not connection.execute(update(schedules).where(here).values(anchor=due)).rowcount:
                return False
            self._put(connection, name, {"key": due, "due": due} | dict(row))
        return True

    def due_by_events(self, name: str, matches: Callable[[Event], bool]) -> int:
        """Move the schedule's cursor, and add one occasion for what matched; return how many did.

        One that is still waiting to run takes in what came after it. An event that the schedule caused
        itself, through a run of its own or a chain of schedules, does not count.
        """
        mine = event_cursors.c.subscriber == _subscriber(name)
        count = 0
        while True:
            with self._rows.reading() as connection:
                cursor = connection.execute(select(event_cursors).where(mine)).mappings().one_or_none()
            if cursor is None:
                return count
            waiting = Events(self._rows).after(cursor["after"], [cursor["topic"]], limit=BATCH)
            if not waiting:
                return count
            with self._rows.writing() as connection:
                moved = update(event_cursors).where(mine, event_cursors.c.after == cursor["after"])
                if not connection.execute(moved.values(after=waiting[-1].seq)).rowcount:
                    continue  # another worker was faster: look what is left
                found = [e for e in waiting if matches(e) and not _own(connection, name, e, _DEEP)]
                if found:
                    self._put_event(connection, name, found)
            count += len(found)

    def due_now(self, name: str, key: str) -> int:
        """Add an occasion that a person asked for; return its number."""
        self.get(name)
        with self._rows.writing() as connection:
            return self._put(connection, name, {"key": key, "due": _utc()})

    def _put_event(self, connection: Connection, name: str, found: list[Event]) -> None:
        last = found[-1]
        waiting = (
            (occasions.c.schedule == name) & (occasions.c.state == "due") & occasions.c.cause.is_not(None)
        )
        more = {"missed": occasions.c.missed + len(found), "cause": last.seq}
        if not connection.execute(update(occasions).where(waiting).values(more)).rowcount:
            said = {"key": last.id, "due": last.at, "cause": last.seq, "missed": len(found) - 1}
            self._put(connection, name, said)

    def _put(self, connection: Connection, name: str, row: Mapping[str, Any]) -> int:
        said: dict[str, Any] = {"state": "due", "missed": 0, "why": "", "lease": 0.0, "token": 0}
        said |= dict(row)
        if said["state"] == "due" and not said["key"].startswith("now-"):
            # one that was missed before and still waits is taken in: several missed are made up once
            older = (occasions.c.schedule == name) & (occasions.c.state == "due")
            older &= occasions.c.cause.is_(None) & occasions.c.key.not_like("now-%")
            gone = connection.execute(delete(occasions).where(older).returning(occasions.c.missed)).all()
            said["missed"] += sum(missed + 1 for (missed,) in gone)
        made = insert(occasions).values(said | {"schedule": name}).returning(occasions.c.seq)
        return int(connection.scalar(made) or 0)


def _asked(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a schedule runs, and when."""
    return {key: row.get(key) for key in ("template", "parameters", "rule", "timeout", "notify_on")}


def _listen(connection: Connection, name: str, topic: str, created: str) -> None:
    """Let a schedule hear what happens from now on."""
    said = {"name": _subscriber(name), "kind": KIND, "topics": [topic], "passing": False}
    connection.execute(insert(subscribers).values(said | {"created": created, "seen": 0.0}))
    newest = connection.scalar(select(func.coalesce(func.max(events.c.seq), 0)))
    cursor = {"subscriber": _subscriber(name), "topic": topic, "after": newest}
    connection.execute(insert(event_cursors).values(cursor | {"tries": 0, "next_try": 0.0, "lease": 0.0}))


def _own(connection: Connection, name: str, event: Event, deep: int) -> bool:
    """Whether a schedule caused an event: its run ended, or one of a schedule that its run's end started."""
    run = getattr(event, "run", None)
    if run is None or not deep:
        return False
    query = select(occasions.c.schedule, occasions.c.cause).where(occasions.c.run_id == run)
    made = connection.execute(query).first()
    if made is None or made.schedule == name:
        return made is not None
    if made.cause is None:
        return False
    content = connection.scalar(select(events.c.content).where(events.c.seq == made.cause)) or {}
    return "run" in content and _own(connection, name, _Run(content["run"]), deep - 1)  # type: ignore[arg-type]


class _Run:
    """As much of an event as `_own` looks at."""

    def __init__(self, run: str) -> None:
        self.run = run


def _subscriber(name: str) -> str:
    return f"{KIND}:{name}"


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
