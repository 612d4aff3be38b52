"""Universes in the catalogue: read, saved whole under a new version, deleted."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import latest, spoken, write_change
from tapebook.data.catalog.kinds import one, refuse_unseen
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import memberships, universe_versions, universes
from tapebook.data.catalog.trash import discard
from tapebook.data.universe import Universe, parted
from tapebook.errors import Changed, UnknownName

SHOWN = 3
"""Symbols that are named where members changed."""
_MEMBER = (memberships.c.symbol, memberships.c.since, memberships.c.until)


@lasting
class Universes:
    """Named lists of symbols with dates of membership; every version that was saved can be read."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def get(self, name: str, version: int | None = None) -> Universe:
        """Return one as it is, or as it was in a version; UnknownName with the nearest name, or version."""
        if version is not None:
            return self._earlier(name, version)
        row = one(self._rows, universes, "universe", name)
        query = select(memberships).where(memberships.c.universe == row.seq)
        with self._rows.reading() as connection:
            members = [(m.symbol, m.since, m.until) for m in connection.execute(query)]
        return Universe.of(name, members, row.note, row.version)

    def named(self, reference: str) -> Universe:
        """Return the one that "@sp500" or "@sp500@3" names."""
        return self.get(*parted(reference))

    def versions(self) -> dict[str, int]:
        """Return the version that each is at."""
        with self._rows.reading() as connection:
            rows = connection.execute(select(universes.c.id, universes.c.version)).all()
        return {str(name): int(version) for name, version in rows}

    def changed(self, reference: str, start: str | None, end: str | None) -> str:
        """Say whose membership from `start` to `end` is another now than in the version "@sp500@3".

        "" for nobody's, of a universe that is gone, and of what names no version.
        """
        name, version = parted(reference)
        newest = self.versions().get(name)
        if version is None or newest in (None, version):
            return ""
        span = [date.fromisoformat(day[:10]) if day else None for day in (start, end)]
        try:
            others = self.get(name, version).differing(self.get(name), *span)
        except UnknownName:  # it is older than its versions are kept
            return ""
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        return (
            f"members of @{name} changed since version {version}: {', '.join(others[:SHOWN])}{more}"
            if others
            else ""
        )

    def _earlier(self, name: str, version: int) -> Universe:
        kept = universe_versions
        query = select(kept).where(kept.c.name == name)
        with self._rows.reading() as connection:
            rows = {row.version: row for row in connection.execute(query)}
        if version not in rows:
            self.get(name)  # another name may have been meant
            raise UnknownName(f"version of the universe {name}", str(version), map(str, rows))
        return Universe.of(name, rows[version].members, "", version)

    def list(self) -> list[dict[str, Any]]:
        """List them: name, version, how many memberships and symbols, note, when and by whom."""
        counted = (
            select(
                memberships.c.universe,
                func.count().label("memberships"),
                func.count(memberships.c.symbol.distinct()).label("symbols"),
            )
            .group_by(memberships.c.universe)
            .subquery()
        )
        query = select(universes, counted.c.memberships, counted.c.symbols).join(
            counted, counted.c.universe == universes.c.seq
        )
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query.order_by(universes.c.id)).mappings()]

    def save(self, universe: Universe, who: str, *, seen: int | None = None) -> int:
        """Save it in place of the one of its name, and return its new version.

        Raises
        ------
        Changed
            If somebody has saved it since `universe.version`, or it is at another revision than `seen`:
            nothing is overwritten unseen.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        told: dict[str, Any] = {"note": universe.note, "updated": now, "who": who}
        with self._rows.writing() as connection:
            refuse_unseen(connection, "universe", universe.name, seen)
            told["version"] = version = self._next(connection, universe)
            here = (universes.c.id == universe.name) & (universes.c.version == universe.version)
            if not connection.execute(update(universes).where(here).values(told)).rowcount:
                self._new(connection, universe, told | {"id": universe.name, "created": now})
            key = connection.scalar(select(universes.c.seq).where(universes.c.id == universe.name))
            gone = delete(memberships).where(memberships.c.universe == key)
            before = [list(row) for row in connection.execute(gone.returning(*_MEMBER))]
            rows = [
                {
                    "universe": key,
                    "symbol": m.symbol,
                    "since": str(m.since or ""),
                    "until": str(m.until or ""),
                }
                for m in universe.members
            ]
            connection.execute(insert(memberships), rows)
            after = [[row["symbol"], row["since"], row["until"]] for row in rows]
            went = _beside(before, after) if universe.version else None
            row = {"name": universe.name, "version": version, "members": after, "at": now, "who": who}
            connection.execute(insert(universe_versions).values(row))
            what, came = "changed" if universe.version else "created", _beside(after, before)
            write_change(connection, "universe", universe.name, what, before=went, after=came, seen=seen)
        return version

    def delete(self, name: str, *, seen: int | None = None) -> None:
        """Move one to the trash; UnknownName if there is none, BadInput if a screen or a schedule uses it."""
        with self._rows.writing() as connection:
            discard(connection, "universe", name, seen=seen)

    def _next(self, connection: Connection, universe: Universe) -> int:
        """Count on, also where a name is used again: a version stays what it was."""
        kept = universe_versions
        last = connection.scalar(select(func.max(kept.c.version)).where(kept.c.name == universe.name))
        return max(last or 0, universe.version) + 1

    def _new(self, connection: Connection, universe: Universe, row: dict[str, Any]) -> None:
        there = connection.scalar(select(universes.c.version).where(universes.c.id == universe.name))
        if there is not None or universe.version:
            last = latest(connection, "universe", universe.name)
            by = "" if last is None else f" (by {last.who} on {spoken(last.at)})"
            raise Changed(
                f"the universe {universe.name} was saved as version {there or 'none'} by now{by}, and this "
                f"is made of version {universe.version}: read it again, change that, and save"
            )
        connection.execute(insert(universes).values(row))


def _beside(these: list[list[Any]], others: list[list[Any]]) -> dict[str, Any]:
    """Memberships that are among these alone: what a change took away, or brought."""
    known = {tuple(member) for member in others}
    return {"members": sorted(member for member in these if tuple(member) not in known)}
