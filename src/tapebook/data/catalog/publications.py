"""What is published under which name, what was shown under it before, and which runs are kept for good."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.kinds import kind_of, locked, refuse_unseen
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import pins, publications, runs, shown_runs
from tapebook.data.catalog.trash import discard

KIND = "publication"
_KNOWN = [column.name for column in publications.columns if column.name != "seq"]
_SAID = ("source", "title", "description", "audience", "pinned", "late_hours")


@lasting
class Publications:
    """One row a published name, one a run that a name was given, one a pinned run."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(
        self,
        record: Mapping[str, Any],
        run_id: str | None = None,
        *,
        left: str | None = None,
        seen: int | None = None,
    ) -> None:
        """Publish, or change what a name shows: name, source and what else is known.

        `left` is the run that it showed until now without having been given it, and `run_id`, if the source
        is one run, what it shows: both are added to the history of the name.

        Changed if the name is at another revision than `seen` by now.
        """
        row = {name: record.get(name) for name in _KNOWN}
        with self._rows.writing() as connection:
            old = locked(connection, KIND, str(row["name"]))
            refuse_unseen(connection, KIND, str(row["name"]), seen)
            before = None if old is None else {key: old[key] for key in _SAID}
            after = {key: row[key] for key in _SAID}
            if old is None:
                connection.execute(insert(publications).values(row))
            else:
                kept = {name: value for name, value in row.items() if name != "created"}
                query = update(publications).where(publications.c.name == row["name"])
                connection.execute(query.values(kept))
            if before != after or seen is not None:
                what = "created" if old is None else "changed"
                write_change(connection, KIND, str(row["name"]), what, before=before, after=after, seen=seen)
            for run in (left, run_id):
                if run is not None:
                    _show(connection, str(row["name"]), run)

    def get(self, name: str) -> dict[str, Any]:
        """Return one row. UnknownName with the nearest name that there is, `Deleted` of one in the trash."""
        with self._rows.reading() as connection:
            row = dict(kind_of(KIND).row(connection, name))
        return {key: row[key] for key in _KNOWN}

    def delete(self, name: str, *, seen: int | None = None) -> None:
        """Move a name, with its history, to the trash; its runs stay.

        Raises
        ------
        UnknownName
            If there is none.
        Changed
            If it is at another revision than `seen` by now.
        """
        with self._rows.writing() as connection:
            discard(connection, KIND, name, seen=seen)

    def shown(self, name: str | None = None) -> list[tuple[str, str, str]]:
        """List (name, run, since when) of the runs that were published by their id, newest first."""
        query = select(shown_runs.c.name, shown_runs.c.run_id, shown_runs.c.since)
        query = query.order_by(shown_runs.c.seq.desc())
        if name is not None:
            query = query.where(shown_runs.c.name == name)
        with self._rows.reading() as connection:
            return [(row.name, row.run_id, row.since) for row in connection.execute(query)]

    def pin(self, run_id: str, note: str = "", *, seen: int | None = None) -> None:
        """Keep a run from every rule that clears old ones.

        Changed if it is at another revision than `seen` by now.
        """
        with self._rows.writing() as connection:
            held = locked(connection, "run", run_id)
            connection.execute(delete(pins).where(pins.c.run_id == run_id))
            connection.execute(insert(pins).values(run_id=run_id, note=note, created=_now()))
            if held is not None:
                write_change(connection, "run", run_id, "pinned", after={"why": note}, seen=seen)

    def unpin(self, run_id: str, *, seen: int | None = None) -> bool:
        """Let the rules clear it again; say whether it was pinned. Changed as for `pin`."""
        with self._rows.writing() as connection:
            held = locked(connection, "run", run_id)
            was = bool(connection.execute(delete(pins).where(pins.c.run_id == run_id)).rowcount)
            if held is not None and was:
                write_change(connection, "run", run_id, "unpinned", seen=seen)
            return was

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


def _show(connection: Connection, name: str, run_id: str) -> None:
    """Let a run be the newest that a name shows."""
    newest = (
        select(shown_runs.c.run_id)
        .where(shown_runs.c.name == name)
        .order_by(shown_runs.c.seq.desc())
        .limit(1)
    )
    if connection.scalar(newest) != run_id:
        connection.execute(insert(shown_runs).values(name=name, run_id=run_id, since=_now()))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
