"""What was revised, in the catalogue: written once a snapshot, read to tell which results are stale."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.outbox_tables import event_marks
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import results, revisions, scans
from tapebook.data.revised import Revised

MARK = "revisions"


@lasting
class Revisions:
    """One row a snapshot, symbol and bar length that was revised."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, before: int, seen: int, found: Sequence[Revised]) -> None:
        """Write revisions and move the mark from `before` to `seen`, all at once or, if another has, not.

        A `seen` of -1 says that the lake was made anew: what is known of the earlier one goes.
        """
        rows = [
            asdict(one)
            | {name: getattr(one, name).isoformat(timespec="seconds") for name in ("known", "first", "last")}
            for one in found
        ]
        here = (event_marks.c.name == MARK) & (event_marks.c.number == before)
        try:
            with self._rows.writing() as connection:
                moved = connection.execute(update(event_marks).where(here).values(number=seen)).rowcount
                if not moved and before >= 0:
                    return
                if not moved:
                    connection.execute(insert(event_marks).values(name=MARK, number=seen))
                if seen < before:
                    connection.execute(delete(revisions))
                if rows:
                    connection.execute(insert(revisions), rows)
        except IntegrityError:  # another process was the first
            return

    def list(
        self, symbols: Collection[str] | None = None, *, after: int = -1, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """List revisions of snapshots after `after`, newest first; of these symbols, or of all."""
        query = select(revisions).where(revisions.c.snapshot > after).order_by(revisions.c.seq.desc())
        if symbols is not None:
            query = query.where(revisions.c.symbol.in_(list(symbols)))
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query.limit(limit)).mappings()]

    def read_by(self, runs: Collection[str]) -> dict[str, Sequence[dict[str, Any]]]:
        """Say what the stored results and scans of runs have read: rows by run id."""
        found: dict[str, Any] = {}
        with self._rows.reading() as connection:
            for table in (results, scans):
                query = select(table).where(table.c.run_id.in_(list(runs)))
                for row in connection.execute(query).mappings():
                    found.setdefault(row["run_id"], []).append(plain(row))
        return found
