"""The kinds of item that a desk keeps: where the rows of each lie, and what all of them have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, ColumnElement, Connection, Row, String, Table, cast, select, update

from tapebook.data.catalog import outbox_tables as o
from tapebook.data.catalog import tables as t
from tapebook.data.catalog.changes import refuse_other, spoken
from tapebook.data.catalog.item_tables import trash
from tapebook.errors import Deleted, UnknownName

if TYPE_CHECKING:
    from tapebook.data.catalog.rows import Rows


@dataclass(frozen=True, eq=False)
class Part:
    """Rows of another table that belong to an item.

    `column` holds the item's name behind `prefix`; without a prefix it holds the number of the item's row.
    """

    table: Table
    column: str
    prefix: str | None = ""

    def owner(self, name: str, seq: int) -> str | int:
        """Return what the column holds for an item."""
        return seq if self.prefix is None else f"{self.prefix}{name}"


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind: `key` is an item's name, `mark` its text that can change, `about` what else to find it by.

    `command` is the group of commands that has it. What is not `soft` cannot come back from a deletion. Of
    what is `versioned` the column `version` says which state a later one was made from.
    """

    name: str
    command: str
    table: Table
    key: ColumnElement[Any]
    at: Column[Any]
    mark: tuple[Column[Any], ...]
    about: tuple[Column[Any], ...] = ()
    parts: tuple[Part, ...] = ()
    only: ColumnElement[bool] | None = None
    soft: bool = True
    versioned: bool = False

    @property
    def note(self) -> Column[Any]:
        """The column of its note."""
        return self.mark[0]

    def row(self, connection: Connection, name: str, *, hold: bool = False) -> Mapping[str, Any]:
        """Return an item's row, held until the transaction ends if `hold`.

        Raises
        ------
        UnknownName
            With the nearest name; a `Deleted` if it is in the trash.
        """
        here = self.key == name
        query = select(self.table).where(here)
        query = query if self.only is None else query.where(self.only)
        if hold and connection.dialect.name == "sqlite":  # takes its one writer's lock before it reads
            connection.execute(update(self.table).where(here).values({self.note.name: self.note}))
        elif hold:
            query = query.with_for_update()
        found = connection.execute(query).mappings().one_or_none()
        if found is None:
            refuse_deleted(connection, self.name, name)
            known = connection.scalars(select(self.key).order_by(self.table.c.seq.desc()).limit(1000))
            raise UnknownName(self.name, name, known, f"See `tapebook {self.listed}`.")
        return dict(found)

    @property
    def listed(self) -> str:
        """The command that lists them."""
        own = {"strategy": "versions", "document": "targets", "events": "subscribers", "published": ""}
        return f"{self.command} {own.get(self.command, 'list')}".strip()


def _named(table: Table) -> ColumnElement[Any]:
    return table.c.name + "@" + cast(table.c.version, String)


_SCHEDULE = "schedule:"
_ALL = (
    Kind(
        "strategy", "strategy", t.strategies, _named(t.strategies), t.strategies.c.created,
        (t.strategies.c.notes,), (t.strategies.c.family,),
    ),
    Kind(
        "result", "results", t.results, t.results.c.id, t.results.c.created,
        (t.results.c.note,), (t.results.c.strategy, t.results.c.symbols),
        (Part(t.result_symbols, "seq", None),),
    ),
    Kind(
        "scan", "scans", t.scans, t.scans.c.id, t.scans.c.created,
        (t.scans.c.note,), (t.scans.c.kind, t.scans.c.symbols, t.scans.c.summary),
    ),
    Kind(
        "run", "runs", t.runs, t.runs.c.id, t.runs.c.started,
        (t.runs.c.note, t.runs.c.title), (t.runs.c.template, t.runs.c.strategy, t.runs.c.symbols),
        (Part(t.run_symbols, "seq", None),),
    ),
    Kind(
        "screen", "screen", t.screens, t.screens.c.name, t.screens.c.created,
        (t.screens.c.note, t.screens.c.expression), (),
        (Part(t.screen_runs, "screen"),),
        versioned=True,
    ),
    Kind(
        "universe", "universe", t.universes, t.universes.c.id, t.universes.c.created,
        (t.universes.c.note,), (),
        (Part(t.memberships, "universe", None),),
        versioned=True,
    ),
    Kind(
        "document", "document", o.document_targets, o.document_targets.c.name, o.document_targets.c.created,
        (o.document_targets.c.note,), (o.document_targets.c.kind,),
        (Part(o.documents, "target"),),
    ),
    Kind(
        "schedule", "schedule", o.schedules, o.schedules.c.name, o.schedules.c.created,
        (o.schedules.c.note,), (o.schedules.c.template,),
        (
            Part(o.occasions, "schedule"),
            Part(o.subscribers, "name", _SCHEDULE),
            Part(o.event_cursors, "subscriber", _SCHEDULE),
        ),
    ),
    Kind(
        "secret", "secrets", t.secrets, t.secrets.c.id, t.secrets.c.created,
        (t.secrets.c.note,),
        soft=False,  # a credential that is forgotten must not lie in a trash
    ),
    Kind(
        "subscription", "events", o.subscribers, o.subscribers.c.name, o.subscribers.c.created,
        (o.subscribers.c.note,), (o.subscribers.c.kind,),
        (Part(o.event_cursors, "subscriber"), Part(o.dead_letters, "subscriber")),
        only=o.subscribers.c.passing.is_(False) & (o.subscribers.c.kind != "schedule"),
    ),
    Kind(  # what is said of a published name in the gallery is its note
        "publication", "published", t.publications, t.publications.c.name, t.publications.c.created,
        (t.publications.c.description, t.publications.c.title), (),
        (Part(t.shown_runs, "name"),),
    ),
    Kind(
        "symbol", "data", t.symbols, t.symbols.c.id, t.symbols.c.created,
        (t.symbols.c.note, t.symbols.c.title),
        only=t.symbols.c.there.is_(True),
        soft=False,  # its bars have a log and a way back of their own
    ),
)  # fmt: skip
KINDS = {kind.name: kind for kind in _ALL}


@cache
def kind_of(name: str) -> Kind:
    """Return a kind; UnknownName with the nearest."""
    if name not in KINDS:
        raise UnknownName("kind of item", name, KINDS)
    return KINDS[name]


def locked(connection: Connection, kind: str, name: str) -> Mapping[str, Any] | None:
    """Return an item's row, held until the transaction ends; None if there is none."""
    try:
        return kind_of(kind).row(connection, name, hold=True)
    except UnknownName:
        return None


def refuse_unseen(connection: Connection, kind: str, name: str, seen: int | None) -> None:
    """Refuse a change that was made from a revision (`seen`) of an item that is gone, or at another by now.

    Raises
    ------
    UnknownName
        If there is none; `Deleted` if it lies in the trash.
    Changed
        If it is at another revision.
    """
    if seen is not None:
        kind_of(kind).row(connection, name)
        refuse_other(connection, kind, name, seen)


def in_trash(connection: Connection, kind: str, name: str) -> Row[Any] | None:
    """Return the row of the trash that holds an item: of several of its name the one deleted last."""
    query = select(trash).where(trash.c.kind == kind, trash.c.name == name)
    return connection.execute(query.order_by(trash.c.seq.desc()).limit(1)).one_or_none()


def refuse_deleted(connection: Connection, kind: str, name: str) -> None:
    """Raise `Deleted` if an item of this name lies in the trash."""
    row = in_trash(connection, kind, name)
    if row is not None and not row.going:
        command = f"tapebook {kind_of(kind).command} restore {name}"
        raise Deleted(kind, name, row.who, spoken(row.deleted), command)


def one(rows: Rows, table: Table, kind: str, id: str) -> Row[Any]:
    """Return the row of this id; its columns are attributes. UnknownName says the nearest id."""
    with rows.reading() as connection:
        row = connection.execute(select(table).where(table.c.id == id)).one_or_none()
        if row is None:
            refuse_deleted(connection, kind, id)
            known = connection.scalars(select(table.c.id).order_by(table.c.seq.desc()).limit(1000))
            raise UnknownName(kind, id, known, f"See `tapebook {kind}s list`.")
        return row
