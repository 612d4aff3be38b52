"""One writer at a time: a locked file beside a SQLite catalogue, an advisory lock in PostgreSQL.

Both are let go by the operating system or the server when their holder dies.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import ConfigError, TapebookError

if TYPE_CHECKING:
    from psycopg import Connection

PATIENCE = 600.0
"""Seconds that a writer waits for the others before it gives up."""

UNFINISHED = "unfinished_copy"
"""A table that stands in a lake's catalogue while `tapebook copy` fills it."""
IS_UNFINISHED = (
    "this lake is an unfinished copy: `tapebook copy` into it was begun and did not end. Start it again with "
    "`tapebook copy --to … --again`, which goes on with it"
)

KEY = 0x7461_7065  # "tape": the advisory lock's number
_threads = threading.RLock()  # threads of one process queue here before they queue outside


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold the file lock at `path`."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    with _threads:
        try:
            held = FileLock(path, timeout=PATIENCE, poll_interval=0.01).acquire()
        except Timeout as error:
            raise _busy(str(path)) from error
        with held:
            yield


@contextmanager
def postgres_lock(dsn: str, schema: str) -> Iterator[None]:
    """Hold the advisory lock of this database."""
    import psycopg

    with _threads, _postgres(dsn) as connection:
        connection.execute(f"SET lock_timeout = '{int(PATIENCE)}s'")
        try:
            connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (KEY, schema))
        except psycopg.errors.LockNotAvailable as error:
            raise _busy(f"the schema {schema}") from error
        yield


def file_is_free(held: ExitStack, path: Path) -> bool:
    """Hold the file lock at `path` as long as `held`; False at once if another has it."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held.enter_context(FileLock(path, timeout=0).acquire())
    except Timeout:
        return False
    return True


def postgres_is_free(held: ExitStack, dsn: str, what: str) -> bool:
    """Hold an advisory lock of this database as long as `held`; False at once if another has it."""
    connection = held.enter_context(_postgres(dsn))
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (KEY, what)).fetchone()
    return row is not None and bool(row[0])


def sqlite_has(path: Path, table: str) -> bool:
    """Say whether a table exists. Opened for writing, to recover what a killed process left."""
    if not path.is_file():
        return False
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=PATIENCE)) as connection:
        try:
            query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (?, ?)"
            found = {name for (name,) in connection.execute(query, (table, UNFINISHED)).fetchall()}
        except sqlite3.DatabaseError as error:
            raise ConfigError(f"cannot open the lake at {path}: {error}") from error
    if UNFINISHED in found:
        raise ConfigError(IS_UNFINISHED)
    return table in found


def postgres_has(dsn: str, schema: str, table: str) -> bool:
    """Say whether a table exists."""
    with _postgres(dsn) as connection:
        names = (f"{schema}.{table}", f"{schema}.{UNFINISHED}")
        row = connection.execute("SELECT to_regclass(%s), to_regclass(%s)", names).fetchone()
    if row is not None and row[1] is not None:
        raise ConfigError(IS_UNFINISHED)
    return row is not None and row[0] is not None


def postgres_create(dsn: str, schema: str) -> None:
    """Create a schema that may exist already."""
    postgres_do(dsn, f"CREATE SCHEMA IF NOT EXISTS {schema}")


def postgres_do(dsn: str, statement: str) -> None:
    """Execute one statement."""
    with _postgres(dsn) as connection:
        connection.execute(statement)


def _postgres(dsn: str) -> Connection[Any]:
    try:
        import psycopg
    except ImportError as error:
        raise ConfigError('a desk on PostgreSQL needs psycopg: pip install "tapebook[team]"') from error
    try:
        return psycopg.connect(dsn, autocommit=True)
    except psycopg.OperationalError as error:
        raise ConfigError(f"cannot reach the database of `database=`: {error}") from error


def _busy(what: str) -> TapebookError:
    return TapebookError(
        f"another process has been writing to the lake for {PATIENCE:.0f} seconds (lock: {what}). "
        "Try again when it is done."
    )
