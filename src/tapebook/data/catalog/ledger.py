"""Frozen strategies and the forward ledger: rows are added and read; the database refuses anything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import forward, frozen
from tapebook.errors import UnknownName


@lasting
class Ledger:
    """What was frozen, and what each frozen strategy has decided since."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def freeze(self, row: Mapping[str, Any]) -> None:
        """Insert a frozen strategy."""
        with self._rows.writing() as connection:
            connection.execute(insert(frozen).values(**row))

    def frozen(self, id: str) -> dict[str, Any]:
        """Return a frozen strategy; UnknownName says the nearest id."""
        with self._rows.reading() as connection:
            row = connection.execute(select(frozen).where(frozen.c.id == id)).mappings().one_or_none()
            if row is None:
                known = connection.scalars(select(frozen.c.id).order_by(frozen.c.seq.desc()).limit(1000))
                raise UnknownName("frozen strategy", id, known, "See `tapebook forward list`.")
            return plain(row)

    def list(self) -> Sequence[dict[str, Any]]:
        """List frozen strategies, newest first, with how many entries each has and the last one's time."""
        counts = (
            select(forward.c.frozen_id, func.count().label("entries"), func.max(forward.c.ts).label("last"))
            .group_by(forward.c.frozen_id)
            .subquery()
        )
        query = select(frozen, counts.c.entries, counts.c.last).outerjoin(
            counts, counts.c.frozen_id == frozen.c.id
        )
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query.order_by(frozen.c.seq.desc())).mappings()]

    def entries(self, id: str) -> Sequence[dict[str, Any]]:
        """Return every entry of one frozen strategy, in order."""
        query = select(forward).where(forward.c.frozen_id == id).order_by(forward.c.entry)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def append(self, entries: Sequence[Mapping[str, Any]]) -> bool:
        """Add entries, all or none; False when another process has written one of them already."""
        if not entries:
            return True
        try:
            with self._rows.writing() as connection:
                connection.execute(insert(forward), [dict(entry) for entry in entries])
        except IntegrityError:
            return False
        return True
