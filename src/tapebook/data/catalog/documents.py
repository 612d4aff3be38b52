"""Where findings are published to, and which page of a tool is which."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.events import put
from tapebook.data.catalog.kinds import locked, refuse_deleted, refuse_unseen
from tapebook.data.catalog.lease import clock, gone
from tapebook.data.catalog.outbox_tables import document_targets, documents
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.trash import discard
from tapebook.errors import BadInput, UnknownName

LEASE_SECONDS = 1800.0
"""A page is held so long at most: every try, with what the tool wants to be waited for."""


@lasting
class Documents:
    """One row a target (name, kind, options), one a page (target, key, the tool's id of it)."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add_target(
        self, name: str, kind: str, options: Mapping[str, str], *, seen: int | None = None
    ) -> None:
        """Add a target, or change the options of one of the same kind; BadInput if its kind is another.

        Changed if it is at another revision than `seen` by now.
        """
        here = document_targets.c.name == name
        row = {"kind": kind, "options": dict(options)}
        with self._rows.writing() as connection:
            old = locked(connection, "document", name)
            refuse_unseen(connection, "document", name, seen)
            if old is not None and old["kind"] != kind:
                raise BadInput(f"there is a target {name!r} of kind {old['kind']}: choose another name")
            if old is None:
                connection.execute(insert(document_targets).values(name=name, created=_now(), **row))
                write_change(connection, "document", name, "created", after=row, seen=seen)
            elif old["options"] != row["options"]:
                before = {"kind": kind, "options": old["options"]}
                write_change(connection, "document", name, "changed", before=before, after=row, seen=seen)
                connection.execute(update(document_targets).where(here).values(row))

    def targets(self) -> list[dict[str, Any]]:
        """List the targets by name."""
        query = select(document_targets).order_by(document_targets.c.name)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def target(self, name: str) -> dict[str, Any]:
        """Return one target; UnknownName with the nearest."""
        found = {row["name"]: row for row in self.targets()}
        if name not in found:
            with self._rows.reading() as connection:
                refuse_deleted(connection, "document", name)
            raise UnknownName("target", name, found, "Add one with `tapebook document add NAME KIND --to …`.")
        return found[name]

    def remove_target(self, name: str, *, seen: int | None = None) -> None:
        """Move a target, and which pages it has, to the trash; the pages stay. BadInput if it is followed."""
        self.target(name)
        with self._rows.writing() as connection:
            discard(connection, "document", name, seen=seen)

    def list(self) -> list[dict[str, Any]]:
        """List the pages, the one that changed last first."""
        query = select(documents).order_by(documents.c.updated.desc(), documents.c.seq.desc())
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def get(self, target: str, key: str) -> dict[str, Any] | None:
        """Return the row of a page."""
        with self._rows.reading() as connection:
            row = connection.execute(select(documents).where(_is(target, key))).mappings().one_or_none()
        return None if row is None else plain(row)

    def one(self, target: str, key: str) -> dict[str, Any]:
        """Return the row of a page; UnknownName with the nearest."""
        row = self.get(target, key)
        if row is None:
            known = [row["key"] for row in self.list() if row["target"] == target]
            raise UnknownName(f"page at {target}", key, known, "See `tapebook document list`.")
        return row

    def claim(self, target: str, key: str, holder: str) -> dict[str, Any]:
        """Hold a page, so that no other process makes a second one; BadInput while another does."""
        with self._rows.reading() as connection:
            fresh = connection.scalar(select(documents.c.seq).where(_is(target, key))) is None
        if fresh:
            row = {"target": target, "key": key, "title": "", "updated": _now(), "lease": 0.0}
            try:
                with self._rows.writing() as connection:
                    connection.execute(insert(documents).values(row))
            except IntegrityError:  # another process was the first: its row is as good
                pass
        with self._rows.writing() as connection:
            now = clock(connection)
            held = connection.scalar(select(documents.c.holder).where(_is(target, key)))
            free = (documents.c.lease < now) | (documents.c.holder == (held if gone(held) else holder))
            taken = update(documents).where(_is(target, key), free)
            if not connection.execute(taken.values(holder=holder, lease=now + LEASE_SECONDS)).rowcount:
                raise BadInput(f"{key} is being published to {target} by another process: try again later")
        return self.one(target, key)

    def release(self, target: str, key: str, holder: str) -> None:
        """Let go of a page."""
        mine = update(documents).where(_is(target, key), documents.c.holder == holder)
        with self._rows.writing() as connection:
            connection.execute(mine.values(holder=None, lease=0.0))

    def put(self, target: str, key: str, **said: Any) -> None:
        """Write down what became of a page: remote_id, url, digest, run_id, title."""
        row = said | {"updated": _now(), "error": None}
        with self._rows.writing() as connection:
            connection.execute(update(documents).where(_is(target, key)).values(row))

    def failed(self, target: str, key: str, error: str) -> None:
        """Write down why a page could not be published, and tell it as an event."""
        from tapebook.data.catalog.event_types import IntegrationFailed

        with self._rows.writing() as connection:
            connection.execute(update(documents).where(_is(target, key)).values(error=error))
            put(connection, IntegrationFailed(integration=target, what=f"document {key}", error=error))

    def forget(self, target: str, key: str) -> None:
        """Forget which page it is; the target's history says so."""
        with self._rows.writing() as connection:
            held = locked(connection, "document", target)
            gone = connection.execute(delete(documents).where(_is(target, key))).rowcount
            if held is not None and gone:
                write_change(connection, "document", target, "changed", before={"page": key})


def _is(target: str, key: str) -> Any:
    return (documents.c.target == target) & (documents.c.key == key)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
