"""The lake: its files as they are, and DuckLake's tables row by row, so that snapshots keep their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tapebook.data import s3
from tapebook.data.copying.rows import Tally, compare
from tapebook.data.duck import connect, load
from tapebook.data.store import NAME, SCHEMA, TABLES, Store, quoted
from tapebook.errors import ConfigError, TapebookError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AT_ONCE = 4
"""Files that are copied at a time: a bucket answers slowly, and to many."""
CHUNK = 1 << 22
_TARGET = "copied"
_GONE = "ducklake_files_scheduled_for_deletion"
"""Names files that no snapshot has; they are not copied."""


def copy_files(
    source: Store, target: Store, files: list[tuple[str, int]], done: Callable[[str], None]
) -> None:
    """Copy files, and read each back: what is there already with the right content stays."""
    (given, here), (taken, there) = s3.files(source.files), s3.files(target.files)

    def one(path: str) -> str:
        wanted = _digest(given, f"{here}/{path}")
        if taken.get_file_info(f"{there}/{path}").is_file and _digest(taken, f"{there}/{path}") == wanted:
            return path
        taken.create_dir(f"{there}/{path}".rpartition("/")[0])
        with (
            given.open_input_stream(f"{here}/{path}") as read,
            taken.open_output_stream(f"{there}/{path}") as write,
        ):
            while chunk := read.read(CHUNK):
                write.write(chunk)
        if _digest(taken, f"{there}/{path}") != wanted:
            raise TapebookError(f"file {path} differs after it was copied to {target.files}")
        return path

    with s3.told(source.files), s3.told(target.files), ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for path in pool.map(one, [path for path, _ in files]):
                done(path)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _digest(filesystem: Any, path: str) -> bytes:
    found = sha256()
    with filesystem.open_input_stream(path) as read:
        while chunk := read.read(CHUNK):
            found.update(chunk)
    return found.digest()


def copy_metadata(source: Store, target: Store, cursor: DuckDBPyConnection) -> int:
    """Make DuckLake's tables at the target and fill them; return how many rows they have."""
    with closing(connect(target.config.embedded, remote=s3.is_s3(target.files))) as connection:
        target.create(connection)
    with _attached(cursor, target) as where:
        tables = [name for name in _tables(cursor, where) if name != _GONE]
        _refuse_inlined(cursor, source)
        columns = {name: _columns(cursor, where, name) for name in tables}
        cursor.execute("BEGIN")
        for name in tables:
            kept = "key <> 'data_path'" if name == "ducklake_metadata" else "true"
            cursor.execute(f"DELETE FROM {where}.{name} WHERE {kept}")
            if name != "ducklake_inlined_data_tables":  # none of ours; DuckLake makes them when it needs one
                cast = ", ".join(f'"{column}"::{kind}' for column, kind in columns[name])
                cursor.execute(
                    f"INSERT INTO {where}.{name} SELECT {cast} FROM {source.metadata}.{name} WHERE {kept}"
                )
        cursor.execute("COMMIT")
        rows = 0
        for name in set(tables) - {"ducklake_metadata", "ducklake_inlined_data_tables"}:
            tallies = [_tally(cursor, f"{at}.{name}", columns[name]) for at in (source.metadata, where)]
            compare(f"DuckLake's table {name}", *tallies)
            rows += tallies[0].rows
    return rows


def compare_bars(source: DuckDBPyConnection, target: Store) -> dict[str, dict[tuple[str, ...], Tally]]:
    """Compare every table of the lake by symbol, as the newest snapshot has it; return what was counted."""
    counted = {}
    with closing(connect(target.config.embedded, remote=s3.is_s3(target.files))) as connection:
        target.attach(connection)
        for table in TABLES:
            counted[table] = by_symbol(source, table)
            there = by_symbol(connection, table)
            for key in counted[table] | there:
                compare(
                    f"{table} of {' '.join(key)}", counted[table].get(key, Tally()), there.get(key, Tally())
                )
    return counted


def by_symbol(cursor: DuckDBPyConnection, table: str) -> dict[tuple[str, ...], Tally]:
    """Count the rows of a table of the lake by symbol, and by length where it has one."""
    names = [column.split()[0] for column in TABLES[table].split(", ")]
    keys = [name for name in ("symbol", "freq") if name in names]
    query = (
        f"SELECT {', '.join(keys)}, count(*), sum(hash({', '.join(names)})::HUGEINT) "
        f"FROM {NAME}.{table} GROUP BY ALL"
    )
    return {tuple(row[:-2]): Tally(row[-2], int(row[-1])) for row in cursor.execute(query).fetchall()}


@contextmanager
def _attached(cursor: DuckDBPyConnection, target: Store) -> Iterator[str]:
    """Give the target's catalogue under a name, as tables like any others."""
    import duckdb

    load(cursor, "sqlite_scanner" if target.config.embedded else "postgres_scanner")
    kind, at = ("sqlite", str(target.catalogue)) if target.config.embedded else ("postgres", target.dsn)
    try:
        cursor.execute(f"ATTACH {quoted(at)} AS {_TARGET} (TYPE {kind})")
    except duckdb.Error as error:  # it tells the URL, password and all
        raise ConfigError(f"cannot open the target's database: {str(error).replace(at, kind)}") from None
    try:
        yield f"{_TARGET}.{'main' if target.config.embedded else SCHEMA}"
    finally:
        cursor.execute(f"DETACH {_TARGET}")


def _tables(cursor: DuckDBPyConnection, where: str) -> list[str]:
    database, schema = where.split(".")
    query = (
        "SELECT table_name FROM information_schema.tables WHERE table_catalog = ? AND table_schema = ? "
        "AND table_name LIKE 'ducklake_%' ORDER BY table_name"
    )
    return [name for (name,) in cursor.execute(query, [database, schema]).fetchall()]


def _columns(cursor: DuckDBPyConnection, where: str, table: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in cursor.execute(f"DESCRIBE {where}.{table}").fetchall()]


def _tally(cursor: DuckDBPyConnection, table: str, columns: list[tuple[str, str]]) -> Tally:
    cast = ", ".join(f'"{column}"::{kind}' for column, kind in columns)
    row = cursor.execute(f"SELECT count(*), sum(hash({cast})::HUGEINT) FROM {table}").fetchone()
    return Tally(int(row[0]), int(row[1] or 0)) if row else Tally()


def _refuse_inlined(cursor: DuckDBPyConnection, source: Store) -> None:
    """Refuse rows that lie in the catalogue instead of a file: tapebook writes none."""
    query = f"SELECT table_name FROM {source.metadata}.ducklake_inlined_data_tables"
    for (name,) in cursor.execute(query).fetchall():
        row = cursor.execute(f"SELECT count(*) FROM {source.metadata}.{name}").fetchone()
        if row and row[0]:
            raise TapebookError(
                f"the lake keeps {row[0]:,} rows in its catalogue ({name}), which another program wrote, "
                "so that they cannot be copied. Flush them with DuckLake's ducklake_flush_inlined_data first"
            )
