"""Report runs in the catalogue."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, delete, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.events import put
from tapebook.data.catalog.item_tables import tags
from tapebook.data.catalog.items import with_tag
from tapebook.data.catalog.kinds import one
from tapebook.data.catalog.rows import Rows, insert_with_symbols, plain
from tapebook.data.catalog.tables import run_symbols, runs

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

_KNOWN = [column.name for column in runs.columns if column.name != "seq"]
_EMPTY: dict[str, Any] = {"parameters": {}, "symbols": [], "metrics": {}}


@lasting
class Runs:
    """One row a run, newest first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, record: Mapping[str, Any]) -> None:
        """Add a run: id, template, template_hash, parameters, started, outcome and what else is known."""
        row = {name: record.get(name, _EMPTY.get(name)) for name in _KNOWN}
        with self._rows.writing() as connection:
            insert_with_symbols(connection, runs, run_symbols, row)
            write_change(connection, "run", row["id"], "created")

    def update(self, id: str, *, only_if: str | None = None, **values: Any) -> bool:
        """Change columns of a run, if its outcome still is `only_if`; say whether a row changed.

        An outcome that ends the run, or corrects how it ended, is told as an event in the same transaction.
        """
        query = update(runs).where(runs.c.id == id)
        if only_if is not None:
            query = query.where(runs.c.outcome == only_if)
        with self._rows.writing() as connection:
            ended = False
            if values.get("outcome", "running") != "running":  # asked first: the row is ours from then on
                other = query.where(runs.c.outcome != values["outcome"]).values(outcome=values["outcome"])
                ended = bool(connection.execute(other).rowcount)
                query = update(runs).where(runs.c.id == id) if ended else query
            found = bool(connection.execute(query.values(values)).rowcount)
            if ended:
                put(connection, _finished(connection, id))
        return found

    def heartbeat(self, id: str) -> None:
        """Say that the run is still going on."""
        self.update(id, heartbeat=time.time())

    def get(self, id: str) -> Row[Any]:
        """Return one row; its columns are attributes. UnknownName says the nearest id."""
        return one(self._rows, runs, "run", id)

    def list(
        self,
        template: str | None = None,
        strategy: str | None = None,
        symbol: str | None = None,
        outcome: str | None = None,
        tag: str | None = None,
        limit: int | None = 50,
    ) -> list[dict[str, Any]]:
        """List rows, newest first, that match every filter given."""
        query = with_tag(select(runs), "run", runs.c.id, tag).order_by(runs.c.seq.desc()).limit(limit)
        said = {"template": template, "strategy": strategy, "outcome": outcome}
        for name, value in said.items():
            if value is not None:
                query = query.where(runs.c[name] == value)
        if symbol is not None:
            query = query.join(run_symbols, run_symbols.c.seq == runs.c.seq)
            query = query.where(run_symbols.c.symbol == symbol)
        with self._rows.reading() as connection:
            rows = connection.execute(query).mappings()
            return [plain(row) for row in rows]

    def of(self, ids: Collection[str]) -> Sequence[dict[str, Any]]:
        """Return the rows of these ids, in any order; of those that there are."""
        with self._rows.reading() as connection:
            found = connection.execute(select(runs).where(runs.c.id.in_(list(ids)))).mappings()
            return [plain(row) for row in found]

    def delete(self, id: str) -> None:
        """Destroy one row, past the trash; UnknownName if there is none."""
        with self._rows.writing() as connection:
            if connection.execute(delete(runs).where(runs.c.id == id)).rowcount:
                connection.execute(delete(tags).where(tags.c.kind == "run", tags.c.name == id))
                write_change(connection, "run", id, "emptied")
                return
        self.get(id)


def _finished(connection: Connection, id: str) -> Event:
    from tapebook.data.catalog.event_types import RunFinished

    row = connection.execute(select(runs).where(runs.c.id == id)).mappings().one()
    same = ("template", "outcome", "title", "strategy", "snapshot", "started", "finished", "seconds", "error")
    said = {name: row[name] for name in same}
    return RunFinished(run=row["id"], symbols=row["symbols"] or [], **said)
