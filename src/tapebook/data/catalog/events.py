"""The outbox: what happened, in an order that no subscriber can miss, and how far each subscriber is.

An event is written in the transaction of the change that it tells, as its last statement (`put`). Subscribers
read by number. A sequence alone would not do: of two transactions on PostgreSQL the later number may commit
first, and a reader that has seen it would skip the earlier one for good. `put` therefore takes one lock until
its transaction ends, *before* it takes a number, so that numbers commit in their order. It is taken last,
after every row's lock, so that no two writers wait for each other. SQLite has one writer at a time anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from tapebook.data.again import lasting
from tapebook.data.catalog.outbox_tables import dead_letters, event_cursors, event_marks, events
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.wake import CHANNEL, Waiter, waiter

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

_LOCK = 0x7A9EB0E7  # any number that no other program on the database takes
KEPT_DAYS = 90
"""Events that every subscriber has had are dropped after so long."""


@dataclass(frozen=True)
class Patience:
    """How often something is tried, and the wait in between: first × factor^n seconds, at most cap."""

    tries: int = 8
    first: float = 1.0
    factor: float = 4.0
    cap: float = 3600.0

    def wait(self, tries: int) -> float:
        """Seconds to wait after so many failures.

        >>> [Patience().wait(n) for n in (1, 2, 3, 7)]
        [1.0, 4.0, 16.0, 3600.0]
        """
        return float(min(self.first * self.factor ** (tries - 1), self.cap))


def put(connection: Connection, event: Event) -> int:
    """Write an event in the caller's transaction and return its number. Let it be the last statement."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    row = {"id": event.id, "topic": event.topic, "at": event.at, "content": event.content}
    number = connection.scalar(insert(events).values(row).returning(events.c.seq))
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT pg_notify(:channel, :topic)"), {"channel": CHANNEL, "topic": event.topic}
        )
    return int(number or 0)


@lasting
class Events:
    """The outbox of one desk."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, *happened: Event) -> None:
        """Write events that tell of no other row, in a transaction of their own."""
        with self._rows.writing() as connection:
            for event in happened:
                put(connection, event)

    def newest(self) -> int:
        """Number of the newest event, 0 of an empty outbox."""
        with self._rows.reading() as connection:
            return int(connection.scalar(select(func.coalesce(func.max(events.c.seq), 0))) or 0)

    def after(self, number: int, topics: Iterable[str] = (), limit: int = 500) -> list[Event]:
        """Events after this number, oldest first; of these topics, or of all."""
        query = select(events).where(events.c.seq > number).order_by(events.c.seq).limit(limit)
        with self._rows.reading() as connection:
            return _read(connection.execute(_of(query, topics)).mappings())

    def latest(
        self, limit: int | None = None, *, topics: Iterable[str] = (), since: str | int | None = None
    ) -> list[Event]:
        """The newest events, oldest of them first.

        Parameters
        ----------
        since : str or int, optional
            Only those at or after a time (UTC, ISO 8601), or after an event's number.
        """
        query = select(events).order_by(events.c.seq.desc()).limit(limit)
        if isinstance(since, int):
            query = query.where(events.c.seq > since)
        elif since is not None:
            query = query.where(events.c.at >= since)
        with self._rows.reading() as connection:
            return _read(connection.execute(_of(query, topics)).mappings())[::-1]

    def get(self, number: int) -> Event | None:
        """The event of this number."""
        with self._rows.reading() as connection:
            found = _read(connection.execute(select(events).where(events.c.seq == number)).mappings())
        return found[0] if found else None

    def mark(self, name: str) -> int:
        """How far something outside has been told of, such as the lake's snapshots; -1 at first."""
        with self._rows.reading() as connection:
            found = connection.scalar(select(event_marks.c.number).where(event_marks.c.name == name))
        return -1 if found is None else int(found)

    def move_mark(self, name: str, before: int, number: int, happened: Sequence[Event]) -> bool:
        """Write events and move the mark from `before` to `number`, all at once; False if another has."""
        from sqlalchemy.exc import IntegrityError

        here = (event_marks.c.name == name) & (event_marks.c.number == before)
        try:
            with self._rows.writing() as connection:
                if not connection.execute(update(event_marks).where(here).values(number=number)).rowcount:
                    if before >= 0:
                        return False
                    connection.execute(insert(event_marks).values(name=name, number=number))
                for event in happened:
                    put(connection, event)
        except IntegrityError:  # another process was the first to say anything
            if self.mark(name) == before:
                raise
            return False
        return True

    def waiter(self) -> Waiter:
        """What sleeps until something happens: at once on PostgreSQL, by looking often on SQLite."""
        return waiter(self._rows)

    def prune(self, days: float = KEPT_DAYS) -> int:
        """Drop events older than this that every cursor has passed and no dead letter names."""
        old = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="milliseconds")
        behind = select(event_cursors.c.topic).where(
            event_cursors.c.topic == events.c.topic, event_cursors.c.after < events.c.seq
        )
        query = delete(events).where(events.c.at < old, ~behind.exists())
        query = query.where(events.c.seq.not_in(select(dead_letters.c.event)))
        with self._rows.writing() as connection:
            return int(connection.execute(query).rowcount)


def _of(query: Any, topics: Iterable[str]) -> Any:
    wanted = list(topics)
    return query.where(events.c.topic.in_(wanted)) if wanted else query


def _read(rows: Iterable[Any]) -> list[Event]:
    from tapebook.data.catalog.event_types import read_event

    return [read_event(r["topic"], r["id"], r["at"], r["content"], r["seq"]) for r in rows]
