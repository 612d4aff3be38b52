"""The catalogue's rows, every table of it, as one moment of the source has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from tapebook.data.catalog.rows import SCHEMA, Rows
from tapebook.data.catalog.tables import metadata
from tapebook.errors import TapebookError

MANY = 1_000
"""Rows that are written at a time."""


@dataclass
class Tally:
    """How many rows, and a sum of their hashes that their order does not change."""

    rows: int = 0
    total: int = 0

    def add(self, row: Any) -> None:
        """Count a row."""
        self.rows += 1
        self.total += int.from_bytes(sha256(repr([_plain(value) for value in row]).encode()).digest())

    @property
    def checksum(self) -> str:
        """Sixteen hexadecimal digits."""
        return f"{self.total % 2**256:064x}"[-16:]


def copy_rows(source: Rows, target: Rows, done: Callable[[str], None]) -> dict[str, Tally]:
    """Copy all tables in one transaction; return what the source held, by table.

    Raises
    ------
    TapebookError
        If the target's database takes a row not, or holds afterwards what the source did not.
    """
    counted = {}
    with _moment(source) as given, target.engine.begin() as taken:
        for table in reversed(metadata.sorted_tables):
            taken.execute(table.delete())  # what making the tables has written
        for table in metadata.sorted_tables:
            try:
                counted[table.name] = _copy(given, taken, table)
            except DBAPIError as error:
                raise TapebookError(f"table {table.name} cannot be copied: {error.orig}") from error
            _set_last(taken, table, _last(given, table))
            done(table.name)
    with target.engine.connect() as connection:
        for table in metadata.sorted_tables:
            compare(f"table {table.name}", counted[table.name], _tally(connection, table))
    return counted


def count_rows(source: Rows) -> dict[str, Tally]:
    """Count all tables' rows; nothing is copied."""
    with _moment(source) as connection:
        return {table.name: _tally(connection, table) for table in metadata.sorted_tables}


def compare(what: str, source: Tally, target: Tally) -> None:
    """Refuse a difference between what was read and what was written."""
    if source != target:
        raise TapebookError(
            f"{what} differs after the copy: {source.rows:,} rows ({source.checksum}) at the source, "
            f"{target.rows:,} ({target.checksum}) at the target. The copy stays unfinished"
        )


@contextmanager
def _moment(rows: Rows) -> Iterator[Connection]:
    """Give a connection that sees one moment, whatever others write."""
    with rows.reading() as connection:
        sqlite = connection.dialect.name == "sqlite"
        begin = "BEGIN" if sqlite else "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        connection.exec_driver_sql(begin)
        yield connection


def _copy(given: Connection, taken: Connection, table: Table) -> Tally:
    tally, names = Tally(), table.columns.keys()
    for part in given.execute(select(table).order_by(*table.primary_key.columns)).partitions(MANY):
        for row in part:
            tally.add(row)
        taken.execute(insert(table), [dict(zip(names, row, strict=True)) for row in part])
    return tally


def _tally(connection: Connection, table: Table) -> Tally:
    tally = Tally()
    for part in connection.execute(select(table)).partitions(MANY):
        for row in part:
            tally.add(row)
    return tally


def _plain(value: Any) -> Any:
    """A value as both databases give it: SQLite has no NaN and gives whole floats as they are."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return bytes(value) if isinstance(value, memoryview) else value


def _last(connection: Connection, table: Table) -> int:
    """The highest number that was ever given to a row of the table; 0 if its rows are not numbered."""
    column = table.autoincrement_column
    if column is None:
        return 0
    highest = connection.scalar(select(func.max(column))) or 0
    if connection.dialect.name != "sqlite":
        said = text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column)::regclass)")
        names = {"table": f"{SCHEMA}.{table.name}", "column": column.name}
        return max(highest, connection.scalar(said, names) or 0)
    if table.dialect_options["sqlite"]["autoincrement"]:
        said = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return max(highest, connection.scalar(said, {"table": table.name}) or 0)
    return highest


def _set_last(connection: Connection, table: Table, number: int) -> None:
    """Let numbering go on after `number`."""
    if number == 0:
        return
    if connection.dialect.name != "sqlite":
        assert table.autoincrement_column is not None
        names = {"table": f"{SCHEMA}.{table.name}", "column": table.autoincrement_column.name}
        said = text("SELECT setval(pg_get_serial_sequence(:table, :column)::regclass, :number)")
        connection.execute(said, names | {"number": number})
    elif table.dialect_options["sqlite"]["autoincrement"]:
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table.name})
        said = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :number)")
        connection.execute(said, {"table": table.name, "number": number})
