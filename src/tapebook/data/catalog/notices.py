"""Notices to people: written with what they tell of, sent afterwards, again after a failure."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.events import Patience, put
from tapebook.data.catalog.lease import clock
from tapebook.data.catalog.outbox_tables import notices
from tapebook.data.catalog.rows import Rows

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event


@dataclass(frozen=True)
class Notice:
    """One notice in the hands of one sender."""

    seq: int
    schedule: str
    channel: str
    kind: str
    title: str
    body: str
    tries: int
    holder: str


@lasting
class Notices:
    """Notices that are to be sent, and were."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list(self, state: str | None = None, limit: int | None = 50) -> list[dict[str, Any]]:
        """List notices, newest first. A channel may hold a credential: never show it."""
        query = select(notices).order_by(notices.c.seq.desc()).limit(limit)
        if state is not None:
            query = query.where(notices.c.state == state)
        with self._rows.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def claim(self, holder: str, seconds: float) -> Notice | None:
        """Take the oldest that is to be sent now and that nobody holds."""
        with self._rows.reading() as connection:
            now = connection.scalar(select(clock(connection)))
            due = (notices.c.state == "pending") & (notices.c.next_try <= time.time())
            query = select(notices).where(due, notices.c.lease < now).order_by(notices.c.seq).limit(1)
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        with self._rows.writing() as connection:
            now = clock(connection)
            here = (notices.c.seq == row.seq) & (notices.c.state == "pending") & (notices.c.lease < now)
            values = {"holder": holder, "lease": now + seconds}
            if not connection.execute(update(notices).where(here).values(values)).rowcount:
                return None
        said = (row.schedule, row.channel, row.kind, row.title, row.body, row.tries)
        return Notice(row.seq, *said, holder)

    def next_try(self) -> float | None:
        """When the next notice is to be sent."""
        query = select(func.min(notices.c.next_try)).where(notices.c.state == "pending")
        with self._rows.reading() as connection:
            found = connection.scalar(query)
        return None if found is None else float(found)

    def sent(self, notice: Notice) -> None:
        """Say that it went."""
        with self._rows.writing() as connection:
            connection.execute(_mine(notice).values(state="sent", error=None, lease=0.0))

    def failed(self, notice: Notice, error: str, channel: str, patience: Patience) -> bool:
        """Note a failure, as an event too when it is the first or the last; True when it is given up.

        `channel` is what of it may be shown.
        """
        tries = notice.tries + 1
        final = tries >= patience.tries
        values: dict[str, Any] = {"tries": tries, "error": error, "lease": 0.0}
        values |= {"state": "failed"} if final else {"next_try": time.time() + patience.wait(tries)}
        with self._rows.writing() as connection:
            changed = connection.execute(_mine(notice).values(values)).rowcount
            if changed and (final or tries == 1):
                put(connection, _failure(notice, error, channel, tries, final))
        return final


def _mine(notice: Notice) -> Any:
    here = (notices.c.seq == notice.seq) & (notices.c.holder == notice.holder)
    return update(notices).where(here, notices.c.state == "pending")


def _failure(notice: Notice, error: str, channel: str, tries: int, final: bool) -> Event:
    from tapebook.data.catalog.event_types import IntegrationFailed

    what = f"{notice.kind} of schedule {notice.schedule} to {channel}"
    return IntegrationFailed(integration="notice", what=what, error=error, tries=tries, final=final)
