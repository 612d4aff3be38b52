"""Connections of DuckDB with DuckLake: made, undone, and let go of where PostgreSQL went away under them."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SETTINGS = """
SET TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
SET python_enable_replacements = false;
"""
_LAKE_SETTINGS = """
SET ducklake_default_data_inlining_row_limit = 0;
SET ducklake_retry_wait_ms = 10;
SET ducklake_max_retry_count = 100;
SET ducklake_retry_backoff = 1.1;
"""  # measured: with DuckLake's defaults two writers starve each other for 8 to 15 seconds


def connect(embedded: bool, *, remote: bool = False) -> DuckDBPyConnection:
    """Open an in-memory DuckDB that can read and write DuckLake; `remote` files too."""
    import duckdb

    extensions = ("ducklake", "sqlite_scanner" if embedded else "postgres_scanner", *["httpfs"] * remote)
    known = all(name in verified and verified[name] == _stamp(verified[name][0]) for name in extensions)
    connection = duckdb.connect(config={"allow_unsigned_extensions": known})
    connection.execute(_SETTINGS)
    for extension in extensions:
        load(connection, extension)
        if not known:
            _note(connection, extension)
    connection.execute(_LAKE_SETTINGS)  # only once ducklake is loaded: a new machine does not have it yet
    return connection


def load(connection: DuckDBPyConnection, extension: str) -> None:
    """Load an extension: from this machine, else from its wheel, else from DuckDB's own server."""
    import duckdb

    try:
        connection.load_extension(extension)
        return
    except duckdb.Error:
        pass
    try:
        from duckdb_extensions import import_extension

        import_extension(extension, con=connection)
    except (ImportError, duckdb.Error):
        connection.install_extension(extension)
    connection.load_extension(extension)


verified: dict[str, tuple[object, ...]] = {}
"""Extensions whose signature DuckDB has checked in this process or the one that it was forked from, with
their file as it was then. Reading 70 MB again for each connection is most of what opening a lake costs;
a file that was touched since is checked again."""


def _note(connection: DuckDBPyConnection, extension: str) -> None:
    query = "SELECT install_path FROM duckdb_extensions() WHERE extension_name = ?"
    row = connection.execute(query, [extension]).fetchone()
    if row and Path(row[0]).is_file():
        verified[extension] = _stamp(row[0])


def _stamp(file: object) -> tuple[object, ...]:
    """Identify a file as it is now."""
    try:
        about = Path(str(file)).stat()
    except OSError:
        return ()
    return (file, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@contextmanager
def closing(cursor: DuckDBPyConnection) -> Iterator[DuckDBPyConnection]:
    """Close a cursor at the end, see `let_go`."""
    try:
        yield cursor
    except BaseException:
        let_go(cursor)
        raise
    cursor.close()


def let_go(connection: DuckDBPyConnection) -> None:
    """Close it; but leave it alone where a lost connection has ruined its database.

    To close or destroy such a one ends the process: DuckDB's own rollback raises where nothing may be raised.
    """
    import duckdb

    try:
        connection.execute("SELECT 1")
    except duckdb.FatalException:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))  # so that not even the end destroys it
        return
    except duckdb.Error:
        pass
    connection.close()


def undo(cursor: DuckDBPyConnection) -> None:
    """Undo the transaction of this cursor, if it still has one."""
    import duckdb

    try:
        cursor.execute("ROLLBACK")
    except duckdb.Error:
        return  # the failed statement has ended the transaction already
