"""Items of every kind alike: their notes, their tags, their history."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import latest, refuse_other, revision_of, write_change
from tapebook.data.catalog.events import put
from tapebook.data.catalog.item_tables import changes, indexed, tags, trash
from tapebook.data.catalog.kinds import KINDS, Kind, kind_of
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.universe_versions import keep_noted
from tapebook.errors import BadParameter

LONGEST_TAG = 80
LONGEST_NOTE = 20_000
BATCH = 500


@lasting
class Items:
    """What can be said of anything that a desk keeps. `kind` is one of `kinds.KINDS`, `name` its own name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return what is known of an item: kind, name, revision, created, note, tags, changed, who.

        `changed` and `who` are of its last change, None of one that is older than the log of changes.
        UnknownName with the nearest name; `Deleted` if it is in the trash.
        """
        found = kind_of(kind)
        with self._rows.reading() as connection:
            row, last = found.row(connection, name), latest(connection, kind, name)
            return {
                "kind": kind,
                "name": name,
                "revision": revision_of(last),
                "created": row[found.at.name],
                "note": row[found.note.name] or "",
                "tags": tags_of(connection, kind, name),
                "changed": None if last is None else last.at,
                "who": None if last is None else last.who,
            }

    def refuse(self, kind: str, name: str, seen: int) -> None:
        """Raise `Changed` if an item is at another revision, before anything is done for its change."""
        with self._rows.reading() as connection:
            kind_of(kind).row(connection, name)
            refuse_other(connection, kind, name, seen)

    def note(self, kind: str, name: str, text: str, *, seen: int | None = None) -> int:
        """Replace an item's note; return its revision.

        Parameters
        ----------
        seen : int, optional
            The revision that the new note was written for.

        Raises
        ------
        Changed
            If the item is at another revision by now.
        """
        if len(text) > LONGEST_NOTE:
            raise BadParameter("note", f"{text[:20]}…", f"at most {LONGEST_NOTE:,} characters")
        found = kind_of(kind)
        with self._rows.writing() as connection:
            before = found.row(connection, name, hold=True)[found.note.name] or ""
            if before == text and seen is None:
                return revision_of(latest(connection, kind, name))
            revision = write_change(
                connection, kind, name, "noted", before={"note": before}, after={"note": text}, seen=seen
            )
            values: dict[str, Any] = {found.note.name: text}
            if found.versioned:  # who saves an earlier state of it whole would take the note back
                values["version"] = found.table.c.version + 1
            connection.execute(update(found.table).where(found.key == name).values(values))
            if kind == "universe":
                keep_noted(connection, name, found.row(connection, name)["version"])
            announce(connection, kind, name, "noted")
        return revision

    def tag(
        self,
        kind: str,
        name: str,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        *,
        seen: int | None = None,
    ) -> list[str]:
        """Give an item tags and take others from it; return those that it has.

        Raises
        ------
        BadParameter
            Of a tag that is no word.
        Changed
            If the item is at another revision than `seen` by now.
        """
        come, go = {tag_name(tag) for tag in add}, {tag_name(tag) for tag in remove}
        found = kind_of(kind)
        with self._rows.writing() as connection:
            found.row(connection, name, hold=True)
            before = tags_of(connection, kind, name)
            after = sorted((set(before) | come) - go)
            if before == after and seen is None:
                return after
            write_change(
                connection, kind, name, "tagged", before={"tags": before}, after={"tags": after}, seen=seen
            )
            here = (tags.c.kind == kind) & (tags.c.name == name)
            connection.execute(delete(tags).where(here, tags.c.tag.not_in(after)))
            fresh = [{"kind": kind, "name": name, "tag": tag} for tag in after if tag not in before]
            if fresh:
                connection.execute(insert(tags), fresh)
            forget_words(connection, kind, name)
        return after

    def tags(self) -> list[dict[str, Any]]:
        """List every tag, how many items of each kind have it: tag, items, kinds."""
        query = select(tags.c.tag, tags.c.kind, func.count()).group_by(tags.c.tag, tags.c.kind)
        told: dict[str, dict[str, int]] = {}
        with self._rows.reading() as connection:
            for tag, kind, count in connection.execute(query):
                told.setdefault(tag, {})[kind] = count
        return [{"tag": tag, "items": sum(told[tag].values()), "kinds": told[tag]} for tag in sorted(told)]

    def tagged(self, kind: str) -> dict[str, list[str]]:
        """Return the tags of every item of a kind that has any, by its name."""
        query = select(tags.c.name, tags.c.tag).where(tags.c.kind == kind).order_by(tags.c.tag)
        told: dict[str, list[str]] = {}
        with self._rows.reading() as connection:
            for name, tag in connection.execute(query):
                told.setdefault(name, []).append(tag)
        return told

    def there(self, kind: str, names: Iterable[str]) -> set[str]:
        """Return those of these names that an item of the kind has, or had before it came into the trash."""
        key, asked, found = kind_of(kind).key, sorted(names), set[str]()
        with self._rows.reading() as connection:
            for start in range(0, len(asked), BATCH):
                part = asked[start : start + BATCH]
                found |= set(connection.scalars(select(key).where(key.in_(part))))
                gone = select(trash.c.name).where(trash.c.kind == kind, trash.c.name.in_(part))
                found |= set(connection.scalars(gone))
        return found

    def kinds(self, name: str, *, gone: bool = False) -> list[str]:
        """Return the kinds that have an item of this name; those that had one, too, if `gone`."""
        had = (
            select(changes.c.kind)
            .where(changes.c.name == name)
            .union(select(trash.c.kind).where(trash.c.name == name))
        )
        with self._rows.reading() as connection:
            past = set(connection.scalars(had)) if gone else set()

            def there(kind: Kind) -> bool:
                query = select(kind.table.c.seq).where(kind.key == name)
                query = query if kind.only is None else query.where(kind.only)
                return connection.scalar(query) is not None

            return [kind.name for kind in KINDS.values() if kind.name in past or there(kind)]

    def history(self, kind: str, name: str) -> list[dict[str, Any]]:
        """List what was done to an item, oldest first: revision, at, who, what, before, after.

        UnknownName if there never was one.
        """
        query = select(changes).where(changes.c.kind == kind, changes.c.name == name)
        with self._rows.reading() as connection:
            rows = connection.execute(query.order_by(changes.c.revision)).mappings().all()
            if not rows:
                kind_of(kind).row(connection, name)
        wanted = ("revision", "at", "who", "what", "before", "after")
        return [{column: plain(row)[column] for column in wanted} for row in rows]


def tag_name(tag: str) -> str:
    """Return a tag as it is kept: small letters.

    >>> tag_name("To-Review")
    'to-review'
    """
    said = tag.strip().casefold()
    if not said or len(said) > LONGEST_TAG or any(letter.isspace() or letter == "," for letter in said):
        expected = f"one word without commas, at most {LONGEST_TAG} characters, such as 'to-review'"
        raise BadParameter("tag", tag, expected)
    return said


def tags_of(connection: Connection, kind: str, name: str) -> list[str]:
    """Return an item's tags, sorted as their code points are, on either database."""
    query = select(tags.c.tag).where(tags.c.kind == kind, tags.c.name == name)
    return sorted(connection.scalars(query))


def with_tag(query: Any, kind: str, key: Any, tag: str | None) -> Any:
    """Narrow a query to the items of a kind that have a tag; `key` is the column of their names."""
    if tag is None:
        return query
    own = select(tags.c.name).where(tags.c.kind == kind, tags.c.tag == tag_name(tag))
    return query.where(key.in_(own))


def forget_words(connection: Connection, kind: str, name: str) -> None:
    """Let the next search read an item anew."""
    connection.execute(delete(indexed).where(indexed.c.kind == kind, indexed.c.name == name))


def announce(connection: Connection, kind: str, name: str, what: str) -> None:
    """Tell a change of a strategy's version as an event; let it be the transaction's last statement."""
    if kind != "strategy":
        return
    from tapebook.data.catalog.event_types import StrategyChanged

    base, _, version = name.rpartition("@")
    put(connection, StrategyChanged(name=base, version=int(version), change=what))  # type: ignore[arg-type]
