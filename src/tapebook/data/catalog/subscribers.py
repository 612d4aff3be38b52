"""Who hears of events, how far each is, and what could not be delivered.

A subscriber has a cursor a topic: a topic that cannot be delivered does not hold up the others. Delivery is
exclusive by a lease on the cursor, and a cursor moves only for its holder: two workers do not deliver side by
side, and one that was thought dead moves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, func, insert, or_, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.events import Patience, put
from tapebook.data.catalog.kinds import refuse_deleted, refuse_unseen
from tapebook.data.catalog.lease import clock
from tapebook.data.catalog.outbox_tables import dead_letters, event_cursors, events, subscribers
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.trash import discard
from tapebook.data.catalog.wake import CHANNEL
from tapebook.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

GONE_SECONDS = 3600.0
"""A passing subscriber (a notebook) that has not been heard of for so long is forgotten."""


@dataclass(frozen=True)
class Claimed:
    """One cursor in one holder's hands: the events of `topic` after number `after` are to be delivered."""

    subscriber: str
    topic: str
    holder: str
    after: int
    tries: int


@lasting
class Subscribers:
    """Subscribers, their cursors and their dead letters."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self,
        name: str,
        kind: str,
        topics: Iterable[str],
        *,
        target: str | None = None,
        secret: str | None = None,
        passing: bool = False,
        after: int | None = None,
        seen: int | None = None,
    ) -> None:
        """Add a subscriber that hears what happens from now on, or after event number `after`.

        A passing one is forgotten an hour after it was last `seen`. One of the same name and kind that is
        there already keeps its place in the topics that it has had; BadInput if its kind is another,
        Changed if it is at another revision than `seen` by now.
        """
        wanted = list(topics)
        row: dict[str, Any] = {"name": name, "kind": kind, "topics": wanted, "target": target}
        row |= {"secret": secret, "passing": passing, "created": _utc(), "seen": time.time()}
        with self._rows.writing() as connection:
            refuse_unseen(connection, "subscription", name, seen)
            here = subscribers.c.name == name
            known = connection.execute(
                update(subscribers).where(here, subscribers.c.kind == kind).values(row)
            ).rowcount
            if not known:
                if connection.scalar(select(subscribers.c.kind).where(here)) is not None:
                    raise BadInput(f"there is a subscriber {name!r} of another kind: choose another name")
                connection.execute(insert(subscribers).values(row))
            had = set(
                connection.scalars(select(event_cursors.c.topic).where(event_cursors.c.subscriber == name))
            )
            if after is None:
                after = int(connection.scalar(select(func.coalesce(func.max(events.c.seq), 0))) or 0)
            fresh = [topic for topic in wanted if topic not in had]
            for topic in fresh:
                connection.execute(insert(event_cursors).values(_cursor(name, topic, after)))
            dropped = (event_cursors.c.subscriber == name) & event_cursors.c.topic.not_in(wanted)
            connection.execute(delete(event_cursors).where(dropped))
            if not passing and (set(wanted) != had or not known):
                what = "changed" if known else "created"
                said = {"kind": kind, "topics": wanted}
                write_change(connection, "subscription", name, what, after=said, seen=seen)

    def remove(self, name: str, *, seen: int | None = None) -> None:
        """Move a subscriber with its cursors and dead letters to the trash; a passing one is forgotten.

        UnknownName if there is none.
        """
        with self._rows.writing() as connection:
            here = (subscribers.c.name == name) & subscribers.c.passing.is_(True)
            if not connection.execute(delete(subscribers).where(here)).rowcount:
                discard(connection, "subscription", name, seen=seen)

    def get(self, name: str) -> Row[Any]:
        """Return one row; UnknownName says the nearest name."""
        with self._rows.reading() as connection:
            row = connection.execute(select(subscribers).where(subscribers.c.name == name)).one_or_none()
            if row is None:
                refuse_deleted(connection, "subscription", name)
                known = connection.scalars(select(subscribers.c.name))
                raise UnknownName("subscriber", name, known, "See `tapebook events subscribers`.")
            return row

    def all(self, kind: str | None = None) -> list[dict[str, Any]]:
        """List subscribers by name; `waiting` counts the events still to come, `dead` their letters."""
        behind = (
            select(func.count())
            .select_from(event_cursors.join(events, events.c.topic == event_cursors.c.topic))
            .where(event_cursors.c.subscriber == subscribers.c.name, events.c.seq > event_cursors.c.after)
        )
        dead = select(func.count()).where(dead_letters.c.subscriber == subscribers.c.name)
        error = select(func.max(event_cursors.c.error)).where(
            event_cursors.c.subscriber == subscribers.c.name
        )
        query = select(
            subscribers,
            behind.scalar_subquery().label("waiting"),
            dead.scalar_subquery().label("dead"),
            error.scalar_subquery().label("error"),
        ).order_by(subscribers.c.name)
        if kind is not None:
            query = query.where(subscribers.c.kind == kind)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def seen(self, name: str) -> None:
        """Say that a passing subscriber is still there."""
        with self._rows.writing() as connection:
            connection.execute(update(subscribers).where(subscribers.c.name == name).values(seen=time.time()))

    def forget_gone(self) -> None:
        """Remove passing subscribers that have not been heard of."""
        gone = subscribers.c.passing.is_(True) & (subscribers.c.seen < time.time() - GONE_SECONDS)
        with self._rows.writing() as connection:
            connection.execute(delete(subscribers).where(gone))

    # ---- delivery

    def due(self, kind: str, name: str | None = None) -> list[tuple[str, str]]:
        """Cursors, as (subscriber, topic), with something to deliver now."""
        more = select(events.c.seq).where(
            events.c.topic == event_cursors.c.topic, events.c.seq > event_cursors.c.after
        )
        query = (
            select(event_cursors.c.subscriber, event_cursors.c.topic)
            .join(subscribers, subscribers.c.name == event_cursors.c.subscriber)
            .where(subscribers.c.kind == kind, event_cursors.c.next_try <= time.time(), more.exists())
            .order_by(event_cursors.c.subscriber, event_cursors.c.topic)
        )
        if name is not None:
            query = query.where(subscribers.c.name == name)
        with self._rows.reading() as connection:
            return [(row.subscriber, row.topic) for row in connection.execute(query)]

    def next_try(self) -> float | None:
        """When the next failed delivery is due to be tried again."""
        query = select(func.min(event_cursors.c.next_try)).where(event_cursors.c.tries > 0)
        with self._rows.reading() as connection:
            found = connection.scalar(query)
        return None if found is None else float(found)

    def claim(self, subscriber: str, topic: str, holder: str, seconds: float) -> Claimed | None:
        """Take a cursor for so long, unless another holds it or its next try is later."""
        with self._rows.writing() as connection:
            now = clock(connection)
            free = or_(event_cursors.c.lease < now, event_cursors.c.holder == holder)
            query = (
                update(event_cursors)
                .where(_at(subscriber, topic), event_cursors.c.next_try <= time.time(), free)
                .values(holder=holder, lease=now + seconds)
                .returning(event_cursors.c.after, event_cursors.c.tries)
            )
            row = connection.execute(query).one_or_none()
        return None if row is None else Claimed(subscriber, topic, holder, int(row.after), int(row.tries))

    def delivered(self, held: Claimed, number: int) -> bool:
        """Move the cursor past an event; False if the holder has lost it."""
        values = {"after": number, "tries": 0, "next_try": 0.0, "error": None}
        with self._rows.writing() as connection:
            return bool(connection.execute(_mine(held).values(values)).rowcount)

    def failed(
        self, held: Claimed, event: Event, error: str, patience: Patience, wait: float = 0.0
    ) -> tuple[int, bool]:
        """Note a failed delivery; after the last try put the event among the dead letters and go on.

        Returns
        -------
        (int, bool)
            How often it was tried, and whether it is dead. What went wrong is itself an event, at the first
            failure and when it is given up, unless that event is of this very kind.
        """
        tries = held.tries + 1
        dead = tries >= patience.tries
        later = time.time() + max(patience.wait(tries), wait)
        values: dict[str, Any] = {"tries": tries, "next_try": later, "error": error}
        if dead:
            values = {"after": event.seq, "tries": 0, "next_try": 0.0, "error": error}
        with self._rows.writing() as connection:
            if not connection.execute(_mine(held).values(values)).rowcount:
                return tries, False
            if dead:
                said = {"subscriber": held.subscriber, "event": event.seq, "topic": event.topic}
                said |= {"tries": tries, "error": error, "died": _utc(), "again": False}
                connection.execute(insert(dead_letters).values(said))
            if event.topic != "integration.failed" and (dead or tries == 1):
                put(connection, _failure(held.subscriber, event, error, tries, dead))
        return tries, dead

    def release(self, held: Claimed) -> None:
        """Let another take the cursor."""
        with self._rows.writing() as connection:
            connection.execute(_mine(held).values(lease=0.0))

    # ---- dead letters

    def letters(self, subscriber: str | None = None, again: bool | None = None) -> list[dict[str, Any]]:
        """List dead letters, oldest first, with the event's id."""
        query = (
            select(dead_letters, events.c.id.label("event_id"))
            .join(events, events.c.seq == dead_letters.c.event)
            .order_by(dead_letters.c.seq)
        )
        if subscriber is not None:
            query = query.where(dead_letters.c.subscriber == subscriber)
        if again is not None:
            query = query.where(dead_letters.c.again.is_(again))
        with self._rows.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def redeliver(self, numbers: Iterable[int] | None = None, subscriber: str | None = None) -> int:
        """Mark dead letters for one more try, all of them by default; say how many."""
        query = update(dead_letters).values(again=True)
        if numbers is not None:
            query = query.where(dead_letters.c.seq.in_(list(numbers)))
        if subscriber is not None:
            query = query.where(dead_letters.c.subscriber == subscriber)
        with self._rows.writing() as connection:
            count = int(connection.execute(query).rowcount)
            if count and connection.dialect.name == "postgresql":
                connection.execute(func.pg_notify(CHANNEL, "again").select())
            return count

    def settle(self, number: int, error: str | None) -> None:
        """Say how a redelivery went: the letter is gone, or dead again."""
        here = dead_letters.c.seq == number
        with self._rows.writing() as connection:
            if error is None:
                connection.execute(delete(dead_letters).where(here))
            else:
                values = {"again": False, "error": error, "tries": dead_letters.c.tries + 1, "died": _utc()}
                connection.execute(update(dead_letters).where(here).values(values))

    def take_letter(self, number: int) -> bool:
        """Take a letter that is marked for one more try; False if another has."""
        here = (dead_letters.c.seq == number) & dead_letters.c.again.is_(True)
        with self._rows.writing() as connection:
            return bool(connection.execute(update(dead_letters).where(here).values(again=False)).rowcount)


def _cursor(name: str, topic: str, after: int) -> dict[str, Any]:
    said: dict[str, Any] = {"subscriber": name, "topic": topic, "after": after}
    return said | {"tries": 0, "next_try": 0.0, "lease": 0.0}


def _at(subscriber: str, topic: str) -> Any:
    return (event_cursors.c.subscriber == subscriber) & (event_cursors.c.topic == topic)


def _mine(held: Claimed) -> Any:
    return update(event_cursors).where(
        _at(held.subscriber, held.topic), event_cursors.c.holder == held.holder
    )


def _failure(subscriber: str, event: Event, error: str, tries: int, final: bool) -> Event:
    from tapebook.data.catalog.event_types import IntegrationFailed

    what = f"{event.topic} {event.id} to {subscriber}"
    return IntegrationFailed(integration="subscriber", what=what, error=error, tries=tries, final=final)


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
