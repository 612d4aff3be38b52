"""What was done to each item, by whom and when; and the revision by which a lost update is refused.

A change of an item is written in the transaction that makes it, under the next number of that item. The pair
(item, number) is unique, so the log itself is the lock: of two writers that saw the same revision one is the
first, and the other is told who that was. A name that is used again after a deletion goes on counting, so
that nobody takes the new one for the one that he has read.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from tapebook.data.catalog.item_tables import changes
from tapebook.errors import Changed
from tapebook.who import who

WORDS = {
    "created": "was made",
    "changed": "was changed",
    "noted": "got another note",
    "tagged": "got other tags",
    "deleted": "was deleted",
    "archived": "was archived",
    "restored": "was restored",
    "emptied": "was destroyed",
    "pinned": "was pinned",
    "unpinned": "was unpinned",
}
"""What can be done to an item, as it is told."""


def write_change(
    connection: Connection,
    kind: str,
    name: str,
    what: str,
    *,
    before: Any = None,
    after: Any = None,
    seen: int | None = None,
) -> int:
    """Write down a change in the caller's transaction, which holds the item's row; return its revision.

    Raises
    ------
    Changed
        If `seen`, the revision that the change was made from, is not the item's.
    """
    last = refuse_other(connection, kind, name, seen)
    row = {"kind": kind, "name": name, "revision": 1 if last is None else last.revision + 1, "what": what}
    if last is None and what != "created":  # it is older than this log, as revision 1
        row["revision"] = 2
    row |= {"at": now(), "who": who(), "before": before, "after": after}
    connection.execute(insert(changes).values(row))
    return int(row["revision"])


def refuse_other(connection: Connection, kind: str, name: str, seen: int | None) -> Row[Any] | None:
    """Return an item's last change; raise `Changed` if the item is at another revision than `seen`."""
    last = latest(connection, kind, name)
    if seen is not None and seen != revision_of(last):
        raise _refused(kind, name, last, seen)
    return last


def latest(connection: Connection, kind: str, name: str) -> Row[Any] | None:
    """Return the last change of an item; None of one that nobody has changed since there is a log."""
    query = select(changes).where(changes.c.kind == kind, changes.c.name == name)
    return connection.execute(query.order_by(changes.c.revision.desc()).limit(1)).one_or_none()


def revision_of(last: Row[Any] | None) -> int:
    """Return the revision that an item is at, by its last change."""
    return 1 if last is None else int(last.revision)


def _refused(kind: str, name: str, last: Row[Any] | None, seen: int) -> Changed:
    """Return the error of a change that was made from another revision than the item's."""
    if last is None:
        return Changed(f"{kind} {name} is at revision 1, not at {seen}: read it again, then change it")
    return Changed(
        f"{kind} {name} {WORDS.get(last.what, last.what)} by {last.who} on {spoken(last.at)}: it is at "
        f"revision {revision_of(last)}, and this change was made from revision {seen}. "
        "Nothing was overwritten: read it again, then change it"
    )


def now() -> str:
    """Return this moment as rows have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def spoken(at: str) -> str:
    """Write a row's moment for a person."""
    return f"{at[:16].replace('T', ' ')} UTC"
