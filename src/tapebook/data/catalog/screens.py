"""Kept screens in the catalogue, each run of them, and the events of what entered and left."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import latest, spoken, write_change
from tapebook.data.catalog.event_types import ScanHit
from tapebook.data.catalog.events import put
from tapebook.data.catalog.kinds import refuse_deleted, refuse_unseen
from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import screen_runs, screens
from tapebook.data.catalog.trash import discard
from tapebook.errors import BadInput, Changed, UnknownName

Hits = Mapping[str, Mapping[str, Any]]
"""What a run found: symbol → what to say of it (its bar, and the numbers that were compared)."""


@dataclass(frozen=True)
class Ran:
    """One run of a kept screen. `entered` and `left` are None where there is no run to compare with."""

    name: str
    seq: int
    inside: tuple[str, ...]
    entered: tuple[str, ...] | None
    left: tuple[str, ...] | None


@lasting
class Screens:
    """One row a kept screen."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def save(
        self,
        name: str,
        asked: Mapping[str, Any],
        version: int | None = None,
        *,
        seen: int | None = None,
    ) -> int:
        """Keep a screen, or change one; return its version.

        Parameters
        ----------
        asked : mapping
            expression, symbols (None for all), freq, adjust, note; a note that is not given stays.
        version : int, optional
            The version that the change was made from: a change that came between is not overwritten.
        seen : int, optional
            The revision that it was made from, which a note or a tag raises too.
        """
        now = _now()
        with self._rows.writing() as connection:
            old = _locked(connection, name)
            if version is not None and (old is None or old.version != version):
                raise _refused(connection, name, None if old is None else old.version, version)
            refuse_unseen(connection, "screen", name, seen)
            if old is None:
                row = {"note": "", **asked, "name": name, "version": 1, "created": now, "updated": now}
                connection.execute(insert(screens).values(row))
                write_change(connection, "screen", name, "created", after=dict(asked))
                return 1
            if all(getattr(old, key) == value for key, value in asked.items()):
                return int(old.version)
            changed = {**asked, "version": old.version + 1, "updated": now}
            connection.execute(update(screens).where(screens.c.seq == old.seq).values(changed))
            before = {key: getattr(old, key) for key in asked}
            write_change(connection, "screen", name, "changed", before=before, after=dict(asked))
            return int(old.version) + 1

    def get(self, name: str) -> Row[Any]:
        """Return one row; its columns are attributes. UnknownName with the nearest name."""
        with self._rows.reading() as connection:
            row = connection.execute(select(screens).where(screens.c.name == name)).one_or_none()
            return _found(connection, name, row)

    def delete(self, name: str, *, seen: int | None = None) -> None:
        """Move a screen and its runs to the trash; UnknownName if there is none, BadInput if it is used."""
        with self._rows.writing() as connection:
            discard(connection, "screen", name, seen=seen)

    def runs(self, name: str, limit: int | None = 50) -> list[dict[str, Any]]:
        """List the runs of a screen, newest first."""
        query = select(screen_runs).where(screen_runs.c.screen == name)
        with self._rows.reading() as connection:
            rows = connection.execute(query.order_by(screen_runs.c.seq.desc()).limit(limit)).mappings()
            return [plain(row) for row in rows]

    def list(self) -> list[dict[str, Any]]:
        """List rows by name."""
        with self._rows.reading() as connection:
            return [
                plain(row) for row in connection.execute(select(screens).order_by(screens.c.name)).mappings()
            ]

    def ran(
        self, name: str, version: int, run: Mapping[str, Any], hits: Hits, judged: Collection[str]
    ) -> Ran:
        """Write a run, and one event for each symbol that entered or left, in one transaction.

        Compared is with the last run of the same expression and symbols. A symbol that could not be judged
        neither enters nor leaves.

        Parameters
        ----------
        version : int
            The version of the screen that was run.
        run : mapping
            bar (newest stamp, ISO 8601), snapshot, asked, used.

        Raises
        ------
        BadInput
            If the screen was changed meanwhile, or a run has seen later bars.
        """
        with self._rows.writing() as connection:
            row = _found(connection, name, _locked(connection, name))
            if row.version != version:
                raise BadInput(f"screen {name} was changed while it ran: run it again")
            last = _last(connection, name)
            if last is not None and last.bar > run["bar"]:
                raise BadInput(
                    f"screen {name} was last run on bars to {last.bar[:10]}, which is later than "
                    f"{run['bar'][:10]}: what entered since cannot be told. Look back with `tapebook scan`"
                )
            comparable = last is not None and last.asked_of == _question(row)
            before = set(last.inside) if last is not None and comparable else set()
            inside = sorted(set(hits) | (before - set(judged)))
            entered, left = sorted(set(inside) - before), sorted(before - set(inside))
            if not comparable:
                entered = left = []
            values = {
                **run, "screen": name, "at": _now(), "asked_of": _question(row), "hits": hits,
                "inside": inside, "entered": entered, "left": left, "first": not comparable,
            }  # fmt: skip
            seq = connection.scalar(insert(screen_runs).values(values).returning(screen_runs.c.seq))
            for change, names in (("entered", entered), ("left", left)):
                for symbol in names:
                    put(connection, _event(row, symbol, change, run, hits.get(symbol, {})))
        told = (tuple(entered), tuple(left)) if comparable else (None, None)
        return Ran(name, int(seq or 0), tuple(inside), *told)


def _event(
    row: Row[Any], symbol: str, change: Any, run: Mapping[str, Any], found: Mapping[str, Any]
) -> ScanHit:
    values = {key: value for key, value in found.items() if key != "bar"}
    return ScanHit(
        scan=row.name, symbol=symbol, change=change, bar=str(found.get("bar", run["bar"])),
        expression=row.expression, snapshot=run["snapshot"], values=values,
    )  # fmt: skip


def _question(row: Row[Any]) -> str:
    """What makes two runs comparable."""
    return repr([row.expression, row.symbols, row.freq, row.adjust])


def _locked(connection: Connection, name: str) -> Row[Any] | None:
    """The row of a screen, held until the transaction ends."""
    if connection.dialect.name == "sqlite":  # takes its one writer's lock before it reads
        connection.execute(update(screens).where(screens.c.name == name).values(name=name))
    return connection.execute(select(screens).where(screens.c.name == name).with_for_update()).one_or_none()


def _last(connection: Connection, name: str) -> Row[Any] | None:
    query = select(screen_runs).where(screen_runs.c.screen == name).order_by(screen_runs.c.seq.desc())
    return connection.execute(query.limit(1)).one_or_none()


def _refused(connection: Connection, name: str, found: int | None, version: int) -> Changed:
    last = latest(connection, "screen", name)
    by = "" if last is None else f", by {last.who} on {spoken(last.at)}"
    where = "is gone" if found is None else f"is at version {found} by now"
    return Changed(f"screen {name} {where}, not at {version}{by}: read it again, then change it")


def _found(connection: Connection, name: str, row: Row[Any] | None) -> Row[Any]:
    if row is None:
        refuse_deleted(connection, "screen", name)
        known = connection.scalars(select(screens.c.name))
        raise UnknownName("screen", name, known, "See `tapebook screen list`.")
    return row


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
