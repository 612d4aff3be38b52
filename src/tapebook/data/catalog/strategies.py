"""Saved versions of strategies in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError

from tapebook.data.catalog.rows import Rows, plain
from tapebook.data.catalog.tables import strategies
from tapebook.errors import UnknownName

_TRIES = 50


class Strategies:
    """One row a version: the source as it was, so that an old result can be understood."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def save(
        self,
        name: str,
        source: str,
        code_hash: str,
        parameters: Mapping[str, Any] | None = None,
        notes: str = "",
    ) -> int:
        """Save the source as the next version, unless the newest version is this very code.

        Returns
        -------
        int
            The version that holds the source, from 1.
        """
        for _ in range(_TRIES):  # another process may take the number first
            newest = self._newest(name)
            if newest is not None and newest.code_hash == code_hash:
                return int(newest.version)
            row: dict[str, Any] = {
                "name": name,
                "version": 1 if newest is None else newest.version + 1,
                "source": source,
                "code_hash": code_hash,
                "parameters": dict(parameters or {}),
                "notes": notes,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "archived": False,
            }
            try:
                with self._rows.writing() as connection:
                    connection.execute(insert(strategies).values(row))
            except IntegrityError:
                continue
            return int(row["version"])
        raise UnknownName("free version of strategy", name, ())

    def get(self, name: str, version: int | None = None) -> Row[Any]:
        """Return one version, the newest by default. UnknownName says the nearest name."""
        query = select(strategies).where(strategies.c.name == name)
        if version is not None:
            query = query.where(strategies.c.version == version)
        with self._rows.reading() as connection:
            row = connection.execute(query.order_by(strategies.c.version.desc()).limit(1)).one_or_none()
            if row is not None:
                return row
            pairs = connection.execute(select(strategies.c.name, strategies.c.version)).all()
        if version is not None and any(pair.name == name for pair in pairs):
            known = [str(pair.version) for pair in pairs if pair.name == name]
            raise UnknownName(f"version of {name}", str(version), known)
        raise UnknownName("saved strategy", name, {pair.name for pair in pairs})

    def list(self, archived: bool = False) -> list[dict[str, Any]]:
        """List every version, newest first; archived ones only when asked for."""
        query = select(strategies).order_by(strategies.c.seq.desc())
        if not archived:
            query = query.where(strategies.c.archived.is_(False))
        with self._rows.reading() as connection:
            rows = connection.execute(query).mappings()
            return [plain(row) for row in rows]

    def archive(self, name: str) -> None:
        """Hide every version of `name` from `list`; they stay readable."""
        self.get(name)
        with self._rows.writing() as connection:
            connection.execute(update(strategies).where(strategies.c.name == name).values(archived=True))

    def _newest(self, name: str) -> Row[Any] | None:
        query = select(strategies).where(strategies.c.name == name)
        with self._rows.reading() as connection:
            return connection.execute(query.order_by(strategies.c.version.desc()).limit(1)).one_or_none()
