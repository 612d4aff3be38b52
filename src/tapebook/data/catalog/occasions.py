"""Occasions: each time that a schedule became due, and what came of it.

waiting → due → running → succeeded, failed, timed_out, killed; or stale, if its data did not come in time.
Whoever runs one holds it by a lease that must be renewed, and a token that each new holder raises: one that
was thought dead can neither renew nor finish it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, exists, func, insert, or_, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.lease import clock, gone
from tapebook.data.catalog.outbox_tables import notices, occasions, schedules
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import runs

STALE_SECONDS = 60.0
"""A run that has not been heard of for so long is lost."""


@dataclass(frozen=True)
class Held:
    """One occasion in one holder's hands. `run_id` is the run of an earlier holder, if it came so far."""

    seq: int
    schedule: str
    key: str
    due: str
    missed: int
    token: int
    holder: str
    run_id: str | None


@lasting
class Occasions:
    """What became due, and who is at it."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list(
        self, schedule: str | None = None, states: Iterable[str] = (), limit: int | None = 50
    ) -> list[dict[str, Any]]:
        """List occasions, newest first."""
        query = select(occasions).order_by(occasions.c.seq.desc()).limit(limit)
        if schedule is not None:
            query = query.where(occasions.c.schedule == schedule)
        if wanted := list(states):
            query = query.where(occasions.c.state.in_(wanted))
        with self._rows.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def latest(self, states: Iterable[str] = ()) -> dict[str, dict[str, Any]]:
        """The newest occasion of each schedule, or the newest in one of these states."""
        newest = select(func.max(occasions.c.seq)).group_by(occasions.c.schedule)
        if wanted := list(states):
            newest = newest.where(occasions.c.state.in_(wanted))
        with self._rows.reading() as connection:
            rows = connection.execute(select(occasions).where(occasions.c.seq.in_(newest))).mappings()
            return {row["schedule"]: dict(row) for row in rows}

    def run_ids(self, schedule: str, *, succeeded: bool = True) -> Sequence[str]:
        """Ids of the runs that a schedule made, newest first."""
        query = select(occasions.c.run_id).where(
            occasions.c.schedule == schedule, occasions.c.run_id.is_not(None)
        )
        if succeeded:
            query = query.where(occasions.c.state == "succeeded")
        with self._rows.reading() as connection:
            return list(connection.scalars(query.order_by(occasions.c.seq.desc())))

    # ---- running

    def claim(self, holder: str, seconds: float, only: int | None = None) -> Held | None:
        """Take the occasion that has been due the longest, or that a dead holder left; None if there is none.

        A schedule runs one at a time, and a paused one only what a person asked for.
        """
        query = select(occasions, runs.c.outcome, runs.c.heartbeat).join(
            runs, runs.c.id == occasions.c.run_id, isouter=True
        )
        query = query.where(occasions.c.state.in_(("due", "running")))
        query = query.order_by(occasions.c.due, occasions.c.seq)
        if only is not None:
            query = query.where(occasions.c.seq == only)
        with self._rows.reading() as connection:
            now = connection.scalar(select(clock(connection)))
            rows = connection.execute(query).all()
        for row in rows:
            if row.state == "running" and not _abandoned(row, float(now or 0)):
                continue
            if held := self._take(row, holder, seconds):
                return held
        return None

    def _take(self, row: Any, holder: str, seconds: float) -> Held | None:
        other = occasions.alias("other")
        busy = exists().where(
            other.c.schedule == row.schedule, other.c.state == "running", other.c.seq != row.seq
        )
        may = exists().where(
            schedules.c.name == row.schedule,
            or_(schedules.c.state == "active", occasions.c.key.like("now-%"), occasions.c.state == "running"),
        )
        query = (
            update(occasions)
            .where(occasions.c.seq == row.seq, occasions.c.token == row.token, ~busy, may)
            .where(occasions.c.state == row.state)
        )
        with self._rows.writing() as connection:
            # the schedule's row first, so that no two take two of its occasions at the same time
            connection.execute(
                select(schedules.c.seq).where(schedules.c.name == row.schedule).with_for_update()
            )
            values = {"state": "running", "holder": holder, "lease": clock(connection) + seconds}
            values |= {"token": row.token + 1, "started": _utc()}
            if not connection.execute(query.values(values)).rowcount:
                return None
        return Held(row.seq, row.schedule, row.key, row.due, row.missed, row.token + 1, holder, row.run_id)

    def renew(self, held: Held, seconds: float) -> bool:
        """Hold it for so long from now; False if it was lost to another."""
        with self._rows.writing() as connection:
            values = {"lease": clock(connection) + seconds}
            return bool(connection.execute(_mine(held).values(values)).rowcount)

    def begin(self, held: Held, run_id: str) -> bool:
        """Say which run it becomes, before that starts: whoever comes after can look what became of it."""
        with self._rows.writing() as connection:
            return bool(connection.execute(_mine(held).values(run_id=run_id)).rowcount)

    def give_back(self, held: Held, why: str) -> None:
        """Let another run it: this program ends."""
        values = {"state": "due", "holder": None, "lease": 0.0, "why": why}
        with self._rows.writing() as connection:
            connection.execute(_mine(held).values(values))

    def end(
        self, held: Held, state: str, why: str, run_id: str | None, tell: Iterable[Mapping[str, Any]] = ()
    ) -> bool:
        """Say what came of it, with the notices that tell of it, in one transaction; False if it was lost."""
        values = {"state": state, "why": why, "run_id": run_id, "finished": _utc(), "lease": 0.0}
        with self._rows.writing() as connection:
            if not connection.execute(_mine(held).values(values | {"holder": None})).rowcount:
                return False
            _tell(connection, tell)
        return True

    # ---- waiting for data

    def turn(
        self, seq: int, before: Iterable[str], state: str, why: str, tell: Iterable[Mapping[str, Any]] = ()
    ) -> bool:
        """Turn an occasion that is in one of the states `before` into another; False if somebody else has."""
        here = (occasions.c.seq == seq) & occasions.c.state.in_(list(before))
        values = {"state": state, "why": why} | (
            {"finished": _utc()} if state == "stale" else {"finished": None}
        )
        with self._rows.writing() as connection:
            if not connection.execute(update(occasions).where(here).values(values)).rowcount:
                return False
            _tell(connection, tell)
        return True


def _abandoned(row: Any, now: float) -> bool:
    """Whether a holder has certainly ended, or was silent for too long, and its run with it."""
    if gone(row.holder):
        return True
    alive = row.outcome == "running" and (row.heartbeat or 0) > time.time() - STALE_SECONDS
    return row.lease < now and not alive


def _tell(connection: Connection, tell: Iterable[Mapping[str, Any]]) -> None:
    for notice in tell:
        said = {"state": "pending", "tries": 0, "next_try": 0.0, "lease": 0.0, "created": _utc()}
        connection.execute(insert(notices).values(said | dict(notice)))


def _mine(held: Held) -> Any:
    mine = (
        (occasions.c.seq == held.seq) & (occasions.c.token == held.token) & (occasions.c.state == "running")
    )
    return update(occasions).where(mine)


def _utc() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
