"""What is published under which name, what was shown under it before, and which runs are kept for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import pins, publications, runs, shown_runs
from tapebook.errors import UnknownName

_KNOWN = [column.name for column in publications.columns if column.name != "seq"]


@lasting
class Publications:
    """One row a published name, one a run that a name was given, one a pinned run."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, record: Mapping[str, Any], run_id: str | None = None) -> None:
        """Publish, or change what a name shows: name, source and what else is known.

        `run_id`, if the source is one run, is added to the history of the name.
        """
        row = {name: record.get(name) for name in _KNOWN}
        with self._rows.writing() as connection:
            known = select(publications.c.seq).where(publications.c.name == row["name"])
            if connection.scalar(known) is None:
                connection.execute(insert(publications).values(row))
            else:
                kept = {name: value for name, value in row.items() if name != "created"}
                query = update(publications).where(publications.c.name == row["name"])
                connection.execute(query.values(kept))
            if run_id is not None:
                newest = (
                    select(shown_runs.c.run_id)
                    .where(shown_runs.c.name == row["name"])
                    .order_by(shown_runs.c.seq.desc())
                    .limit(1)
                )
                if connection.scalar(newest) != run_id:
                    said = {"name": row["name"], "run_id": run_id, "since": _now()}
                    connection.execute(insert(shown_runs).values(said))

    def get(self, name: str) -> dict[str, Any]:
        """Return one row. UnknownName with the nearest name that there is."""
        found = self.list()
        for row in found:
            if row["name"] == name:
                return row
        raise UnknownName("publication", name, [row["name"] for row in found], "See `tapebook published`.")

    def delete(self, name: str) -> None:
        """Take a name away, with its history; its runs stay. UnknownName if there is none."""
        self.get(name)
        with self._rows.writing() as connection:
            connection.execute(delete(shown_runs).where(shown_runs.c.name == name))
            connection.execute(delete(publications).where(publications.c.name == name))

    def shown(self, name: str | None = None) -> list[tuple[str, str, str]]:
        """List (name, run, since when) of the runs that were published by their id, newest first."""
        query = select(shown_runs.c.name, shown_runs.c.run_id, shown_runs.c.since)
        query = query.order_by(shown_runs.c.seq.desc())
        if name is not None:
            query = query.where(shown_runs.c.name == name)
        with self._rows.reading() as connection:
            return [(row.name, row.run_id, row.since) for row in connection.execute(query)]

    def pin(self, run_id: str, note: str = "") -> None:
        """Keep a run from every rule that clears old ones."""
        with self._rows.writing() as connection:
            connection.execute(delete(pins).where(pins.c.run_id == run_id))
            connection.execute(insert(pins).values(run_id=run_id, note=note, created=_now()))

    def unpin(self, run_id: str) -> bool:
        """Let the rules clear it again; say whether it was pinned."""
        with self._rows.writing() as connection:
            return bool(connection.execute(delete(pins).where(pins.c.run_id == run_id)).rowcount)

    def pinned(self) -> dict[str, str]:
        """Return {run: note} of the pinned runs."""
        with self._rows.reading() as connection:
            return {row.run_id: row.note for row in connection.execute(select(pins))}

    def succeeded(self, template: str, limit: int | None = 500) -> list[dict[str, Any]]:
        """List id, parameters and start of a template's runs that succeeded, newest first."""
        query = (
            select(runs.c.id, runs.c.parameters, runs.c.started)
            .where(runs.c.template == template, runs.c.outcome == "succeeded")
            .order_by(runs.c.seq.desc())
            .limit(limit)
        )
        with self._rows.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def list(self) -> list[dict[str, Any]]:
        """Every publication: pinned ones first, then the newest."""
        query = select(publications).order_by(publications.c.pinned.desc(), publications.c.seq.desc())
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
