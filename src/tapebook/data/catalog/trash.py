"""The trash: items that were deleted, whole, until they are brought back or it is emptied.

A deleted item's rows leave their tables and lie here as one JSON, in one transaction. So nothing else has to
know of deleted things (no list, no count, no schedule that still runs), and the name is free again. Files
stay until the trash is emptied: `tapebook.runs.trash` says how, and what a kill in between leaves.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Float,
    Integer,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import latest, now, refuse_other, revision_of, spoken, write_change
from tapebook.data.catalog.item_tables import tags, trash
from tapebook.data.catalog.items import announce, forget_words
from tapebook.data.catalog.kinds import Kind, in_trash, kind_of, locked, refuse_deleted
from tapebook.data.catalog.outbox_tables import event_cursors, events, schedules
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import Json
from tapebook.data.catalog.uses import refuse_used
from tapebook.data.plain import plain as as_json
from tapebook.errors import BadInput, UnknownName
from tapebook.who import who


@lasting
class Trash:
    """What was deleted and can come back."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def put(self, kind: str, name: str, *, seen: int | None = None) -> None:
        """Delete an item: its rows go into the trash.

        Raises
        ------
        UnknownName
            If there is none; `Deleted` if it lies in the trash.
        Changed
            If it is at another revision than `seen` by now.
        BadInput
            If something uses it, with what and what to do first.
        """
        with self._rows.writing() as connection:
            discard(connection, kind, name, seen=seen)

    def restore(self, kind: str, name: str, *, seen: int | None = None) -> None:
        """Bring an item back as it was; of several of this name the one that was deleted last.

        Raises
        ------
        UnknownName
            If none of this name lies in the trash.
        Changed
            If the name is at another revision than `seen` by now.
        BadInput
            If there is another one of this name by now, it is being destroyed, or what it shows is gone.
        """
        with self._rows.writing() as connection:
            row = _held(connection, kind, name)
            refuse_other(connection, kind, name, seen)
            _put_back(connection, kind_of(kind), row)

    def list(self, kind: str | None = None) -> list[dict[str, Any]]:
        """List what lies here, newest first: number, kind, name, revision, deleted, who, note, going."""
        query = select(trash).order_by(trash.c.seq.desc())
        if kind is not None:
            query = query.where(trash.c.kind == kind)
        with self._rows.reading() as connection:
            rows = connection.execute(query).mappings().all()
            at = {
                (row["kind"], row["name"]): revision_of(latest(connection, row["kind"], row["name"]))
                for row in rows
            }
        return [
            {"number": row["seq"], "revision": at[row["kind"], row["name"]]}
            | {column: row[column] for column in ("kind", "name", "deleted", "who")}
            | {"note": row["content"]["row"].get(kind_of(row["kind"]).note.name) or "", "going": row["going"]}
            for row in rows
        ]

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return who deleted an item and when, and its row; None of one that does not lie here."""
        with self._rows.reading() as connection:
            row = in_trash(connection, kind, name)
        if row is None:
            return None
        return {"deleted": row.deleted, "who": row.who, "row": row.content["row"], "going": row.going}

    def refuse(self, kind: str, name: str) -> None:
        """Raise `Deleted` if an item of this name lies here."""
        with self._rows.reading() as connection:
            refuse_deleted(connection, kind, name)

    def names(self, kind: str) -> set[str]:
        """Names of the items of a kind that lie here."""
        with self._rows.reading() as connection:
            return set(connection.scalars(select(trash.c.name).where(trash.c.kind == kind)))

    def begin(self, number: int) -> dict[str, Any] | None:
        """Begin to destroy what has this number: from now on it cannot come back. None if it is not there."""
        with self._rows.writing() as connection:
            here = trash.c.seq == number
            if not connection.execute(update(trash).where(here).values(going=True)).rowcount:
                return None
            row = connection.execute(select(trash).where(here)).mappings().one()
            return {"kind": row["kind"], "name": row["name"], "row": row["content"]["row"]}

    def end(self, number: int) -> None:
        """Forget what has this number: its files are gone."""
        with self._rows.writing() as connection:
            here = (trash.c.seq == number) & trash.c.going.is_(True)
            gone = connection.execute(delete(trash).where(here).returning(trash.c.kind, trash.c.name)).first()
            if gone is None:
                return
            key = kind_of(gone.kind).key
            if connection.scalar(select(key).where(key == gone.name)) is None:  # nobody has the name again
                write_change(connection, gone.kind, gone.name, "emptied")


def discard(connection: Connection, kind: str, name: str, *, seen: int | None = None) -> None:
    """Move an item's rows into the trash, in the caller's transaction; see `Trash.put`."""
    found = kind_of(kind)
    row = found.row(connection, name, hold=True)
    refuse_other(connection, kind, name, seen)
    refuse_used(connection, kind, name)
    content: dict[str, Any] = {"row": as_json(dict(row)), "tags": _take(connection, tags, kind, name)}
    for part in reversed(found.parts):  # what refers to another part goes before it
        here = part.table.c[part.column] == part.owner(name, row["seq"])
        rows = connection.execute(select(part.table).where(here)).mappings().all()
        content[part.table.name] = [as_json(dict(one)) for one in rows]
        connection.execute(delete(part.table).where(here))
    connection.execute(delete(found.table).where(found.key == name))
    forget_words(connection, kind, name)
    if found.soft:
        told = {"kind": kind, "name": name, "deleted": now(), "who": who(), "going": False}
        told |= {"snapshot": row.get("snapshot"), "content": content}
        connection.execute(insert(trash).values(told))
    write_change(connection, kind, name, "deleted")
    announce(connection, kind, name, "deleted")


def _take(connection: Connection, table: Table, kind: str, name: str) -> list[dict[str, Any]]:
    here = (table.c.kind == kind) & (table.c.name == name)
    rows = [dict(row) for row in connection.execute(select(table).where(here)).mappings()]
    connection.execute(delete(table).where(here))
    return rows


def _held(connection: Connection, kind: str, name: str) -> Any:
    """Hold the row of an item that lies here until the transaction ends."""
    here = (trash.c.kind == kind) & (trash.c.name == name)
    connection.execute(update(trash).where(here).values(kind=kind))
    row = in_trash(connection, kind, name)
    if row is None:
        known = connection.scalars(select(trash.c.name).where(trash.c.kind == kind))
        raise UnknownName(f"deleted {kind}", name, known, "See `tapebook trash list`.")
    if row.going:
        raise BadInput(f"{kind} {name} is being destroyed: it cannot come back")
    return row


def _put_back(connection: Connection, kind: Kind, row: Any) -> None:
    content = row.content
    if connection.scalar(select(kind.key).where(kind.key == row.name)) is not None:
        raise BadInput(
            f"there is another {kind.name} {row.name} by now: delete that one first, "
            f"or leave the one of {spoken(row.deleted)} in the trash"
        )
    if kind.name == "publication":
        _refuse_gone(connection, content["row"]["source"])
    seq = _insert(connection, kind.table, content["row"])
    for part in kind.parts:
        for one in content.get(part.table.name, ()):
            _insert(connection, part.table, one | {part.column: part.owner(row.name, seq)})
    if content["tags"]:
        connection.execute(insert(tags), content["tags"])
    if kind.name == "schedule":
        _resume(connection, row.name)
    connection.execute(delete(trash).where(trash.c.seq == row.seq))
    write_change(connection, kind.name, row.name, "restored")
    announce(connection, kind.name, row.name, "restored")


def _refuse_gone(connection: Connection, source: Mapping[str, Any]) -> None:
    """A name does not come back to show what was deleted meanwhile."""
    for kind in ("run", "schedule"):
        name = source.get(kind)
        if name is not None and locked(connection, kind, name) is None:
            raise BadInput(
                f"{kind} {name}, which it shows, was deleted meanwhile: bring it back first "
                f"(`tapebook {kind_of(kind).command} restore {name}`), or publish another under the name"
            )


def _insert(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row as this version's table takes it, under its old number if that is free."""
    said = {column.name: row.get(column.name) for column in table.columns}
    for column in table.columns:
        if said[column.name] is None and not column.nullable and not column.primary_key:
            said[column.name] = _blank(column.type)  # a column that is younger than the deletion
    if "seq" in said and _own_number(table):
        taken = connection.scalar(select(table.c.seq).where(table.c.seq == said["seq"]))
        if taken is not None:
            del said["seq"]
    query = insert(table).values(said)
    if not _own_number(table):
        connection.execute(query)
        return 0
    return int(connection.scalar(query.returning(table.c.seq)) or 0)


def _own_number(table: Table) -> bool:
    """Whether `seq` numbers the table's own rows, rather than those that they belong to."""
    return "seq" in table.c and not table.c.seq.foreign_keys


def _blank(type_: Any) -> Any:
    if isinstance(type_, Json):
        return {}
    for kind, blank in ((String, ""), (Boolean, False), (Integer, 0), (Float, 0.0)):
        if isinstance(type_, kind):
            return blank
    return None


def _resume(connection: Connection, name: str) -> None:
    """A schedule that comes back makes up nothing of the time that it was away, as one that was paused."""
    anchor = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(update(schedules).where(schedules.c.name == name).values(anchor=anchor))
    newest = select(func.coalesce(func.max(events.c.seq), 0)).scalar_subquery()
    mine = event_cursors.c.subscriber == f"schedule:{name}"
    connection.execute(update(event_cursors).where(mine).values(after=newest))
