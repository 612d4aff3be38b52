"""Sealed credentials in the catalogue: ciphertexts only, what opens them lies elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, text, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.kinds import one, refuse_unseen
from tapebook.data.catalog.rows import SCHEMA, Rows, plain
from tapebook.data.catalog.tables import secrets
from tapebook.data.catalog.trash import discard

Sealed = tuple[bytes, str]
"""A ciphertext, and the name of the key that opens it."""


@lasting
class Secrets:
    """One row a credential: its name, how often it was set, its ciphertext and its key's name."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def list(self) -> list[dict[str, Any]]:
        """List rows by name."""
        with self._rows.reading() as connection:
            return [
                plain(row) for row in connection.execute(select(secrets).order_by(secrets.c.id)).mappings()
            ]

    def get(self, name: str) -> Row[Any]:
        """Return one row; UnknownName with the nearest name that there is."""
        return one(self._rows, secrets, "secret", name)

    def put(
        self,
        name: str,
        seal: Callable[[Mapping[str, Any], set[str]], Sealed],
        *,
        when: str,
        who: str,
        seen: int | None = None,
    ) -> int:
        """Store a credential and return its version; `seal` gets its row and the keys' names in use."""
        mine = secrets.c.id == name
        with self._rows.writing() as connection:
            _alone(connection)
            refuse_unseen(connection, "secret", name, seen)
            in_use = set(connection.scalars(select(secrets.c.key_id)))
            before = connection.execute(select(secrets).where(mine)).one_or_none()
            version = 1 if before is None else before.version + 1
            created = when if before is None else before.created
            row = {"id": name, "version": version, "created": created, "updated": when, "who": who}
            sealed, key_id = seal(row, in_use)
            row |= {"sealed": sealed, "key_id": key_id}
            if before is None:
                connection.execute(insert(secrets).values(row))
            else:
                connection.execute(update(secrets).where(mine).values(row))
            what = "created" if before is None else "changed"
            write_change(connection, "secret", name, what, after={"version": version}, seen=seen)
        return int(version)

    def reseal(self, again: Callable[[dict[str, Any]], Sealed]) -> int:
        """Replace every ciphertext in one transaction: all of them, or none if `again` raises."""
        with self._rows.writing() as connection:
            _alone(connection)
            rows = [dict(row) for row in connection.execute(select(secrets)).mappings()]
            for row in rows:
                sealed, key_id = again(row)
                changed = update(secrets).where(secrets.c.seq == row["seq"])
                connection.execute(changed.values(sealed=sealed, key_id=key_id))
        return len(rows)

    def delete(self, name: str, *, seen: int | None = None) -> None:
        """Destroy one row: a credential that is forgotten lies in no trash.

        Raises
        ------
        UnknownName
            If there is none.
        Changed
            If it is at another revision than `seen` by now.
        BadInput
            If a schedule, a documentation target or a subscription uses it.
        """
        with self._rows.writing() as connection:
            discard(connection, "secret", name, seen=seen)


def _alone(connection: Connection) -> None:
    """Let no other process write secrets until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {SCHEMA}.secrets IN SHARE ROW EXCLUSIVE MODE"))
    else:  # the first write takes the one lock of SQLite, also when it changes nothing
        connection.execute(delete(secrets).where(secrets.c.seq < 0))
