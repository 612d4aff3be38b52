"""Batches of runs in the catalogue: one row a batch, one an item of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.kinds import one
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import batch_items, batches
from tapebook.errors import UnknownName


@lasting
class Batches:
    """What was to be run together, and how far that came."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, record: Mapping[str, Any], parameters: Sequence[Mapping[str, Any]]) -> None:
        """Add a batch and its items, all of them waiting, in one transaction."""
        with self._rows.writing() as connection:
            key = connection.scalar(insert(batches).values(**record).returning(batches.c.seq))
            items = [
                {"batch": key, "item": n, "parameters": dict(said), "outcome": "waiting", "tries": 0}
                for n, said in enumerate(parameters)
            ]
            connection.execute(insert(batch_items), items)

    def get(self, id: str) -> Row[Any]:
        """Return a batch's row; its columns are attributes. UnknownName says the nearest id."""
        try:
            return one(self._rows, batches, "batch", id)
        except UnknownName:
            known = [row["id"] for row in self.list(1000)]
            raise UnknownName("batch", id, known, "See `tapebook runs batches`.") from None

    def items(self, id: str) -> list[dict[str, Any]]:
        """List a batch's items in order: item, parameters, outcome, run_id, tries, seconds, error."""
        query = (
            select(batch_items)
            .join(batches, batches.c.seq == batch_items.c.batch)
            .where(batches.c.id == id)
            .order_by(batch_items.c.item)
        )
        with self._rows.reading() as connection:
            found = connection.execute(query).mappings()
            return [{name: value for name, value in row.items() if name != "batch"} for row in found]

    def list(self, limit: int | None = 50) -> list[dict[str, Any]]:
        """List batches, newest first."""
        with self._rows.reading() as connection:
            query = select(batches).order_by(batches.c.seq.desc()).limit(limit)
            return [plain(row) for row in connection.execute(query).mappings()]

    def update(self, id: str, **values: Any) -> None:
        """Change columns of a batch."""
        with self._rows.writing() as connection:
            connection.execute(update(batches).where(batches.c.id == id).values(**values))

    def update_item(self, id: str, item: int, **values: Any) -> None:
        """Change columns of one item."""
        key = select(batches.c.seq).where(batches.c.id == id).scalar_subquery()
        here = (batch_items.c.batch == key) & (batch_items.c.item == item)
        with self._rows.writing() as connection:
            connection.execute(update(batch_items).where(here).values(**values))

    def take(self, id: str, heartbeat: float, **owner: Any) -> bool:
        """Make a batch one's own if nobody has since `heartbeat` was read; say whether it is."""
        here = (batches.c.id == id) & (batches.c.heartbeat == heartbeat)
        values = {"heartbeat": time.time(), "outcome": "running", "cancel": None, **owner}
        with self._rows.writing() as connection:
            return bool(connection.execute(update(batches).where(here).values(**values)).rowcount)

    def heartbeat(self, id: str) -> None:
        """Say that the batch is still being worked on."""
        self.update(id, heartbeat=time.time())
