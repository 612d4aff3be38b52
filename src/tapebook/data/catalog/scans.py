"""Stored scans of the market in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, select

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.items import with_tag
from tapebook.data.catalog.kinds import one
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import scans

_KNOWN = [column.name for column in scans.columns if column.name != "seq"]


@lasting
class Scans:
    """One row a stored scan, newest first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, record: Mapping[str, Any]) -> None:
        """Add one scan's row."""
        with self._rows.writing() as connection:
            connection.execute(scans.insert().values({name: record.get(name) for name in _KNOWN}))
            write_change(connection, "scan", record["id"], "created")

    def get(self, id: str) -> Row[Any]:
        """Return one row; its columns are attributes. UnknownName with the nearest id that there is."""
        return one(self._rows, scans, "scan", id)

    def list(
        self, *, kind: str | None = None, tag: str | None = None, limit: int | None = 50
    ) -> list[dict[str, Any]]:
        """List rows, newest first."""
        query = with_tag(select(scans), "scan", scans.c.id, tag).order_by(scans.c.seq.desc()).limit(limit)
        if kind is not None:
            query = query.where(scans.c.kind == kind)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def earlier(self, row: Row[Any]) -> str | None:
        """Return the id of the last scan that asked the same of an earlier market; None if there is none.

        Earlier means: its bars ended before, or they ended at the same bar in an older snapshot. A scan that
        saw the same bars is not earlier, so asking twice, or making an old scan again, changes no answer.
        """
        older = scans.c.end < row.end
        if row.snapshot is not None:
            older |= (scans.c.end == row.end) & (scans.c.snapshot < row.snapshot)
        latest = (scans.c.end.desc(), scans.c.snapshot.desc().nulls_last(), scans.c.seq.desc())
        query = select(scans.c.id).where(scans.c.question == row.question, older).order_by(*latest).limit(1)
        with self._rows.reading() as connection:
            return connection.scalar(query)
