"""The connection to DuckLake: Parquet files in a folder or on S3, and a catalogue in SQLite or PostgreSQL.

One `Store` may be shared by threads: each call gets a cursor of its own. A forked child opens its
own connection. Writers queue on one lock, so that an upsert sees all that came before it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tapebook.data import direct, s3, unheard
from tapebook.data.again import again
from tapebook.data.duck import closing, connect, let_go, undo
from tapebook.data.store_lock import file_lock, postgres_create, postgres_has, postgres_lock, sqlite_has
from tapebook.errors import ConfigError, NoData, TapebookError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tapebook.config import Config

Answer = TypeVar("Answer")
NAME = "lake"
SCHEMA = "tapebook_lake"
"""The PostgreSQL schema of the lake's own catalogue, beside the desk's."""

EMPTY = "the lake is empty. Load something first, for example with `tapebook ingest sample`."

TABLES = {
    "bars": "symbol VARCHAR, freq VARCHAR, ts TIMESTAMPTZ, open DOUBLE, high DOUBLE, low DOUBLE, "
    "close DOUBLE, volume DOUBLE",
    "actions": "symbol VARCHAR, ts TIMESTAMPTZ, split DOUBLE, dividend DOUBLE",
    "instruments": "symbol VARCHAR, calendar VARCHAR, currency VARCHAR, name VARCHAR, source VARCHAR, "
    "asset VARCHAR",
    "quality": "symbol VARCHAR, freq VARCHAR, check_name VARCHAR, severity VARCHAR, ts TIMESTAMPTZ, "
    "value DOUBLE, detail VARCHAR",
}
"""The lake's tables. `bars` is unique in (symbol, freq, ts), `actions` in (symbol, ts)."""


@dataclass
class Transaction:
    """One write in progress: say `changed = True` to keep it; `snapshot` is the newest afterwards."""

    cursor: DuckDBPyConnection
    changed: bool = False
    snapshot: int = -1
    note: str = ""


class Store:
    """Where the lake's tables are: connects when first asked, once a process."""

    def __init__(self, config: Config, *, read_only: bool) -> None:
        self.config, self.read_only = config, read_only
        self.files = config.lake
        self._mutex = threading.RLock()
        self._connection: DuckDBPyConnection | None = None
        self._pid = 0
        self._met = False

    def reading(self) -> DuckDBPyConnection:
        """Return a cursor on the open lake; close it after use (`contextlib.closing`).

        Raises NoData if there is no lake yet: a reader creates nothing.
        """
        return self._cursor(create=False)

    def _cursor(self, *, create: bool) -> DuckDBPyConnection:
        with self._mutex:
            if self._connection is None or self._pid != os.getpid():
                self._connection, self._pid = self._open(create), os.getpid()
                self._met = True
            return self._connection.cursor()

    @property
    def connection(self) -> object:
        """What the cursors of this process belong to at present: another one after a close."""
        return self._connection

    def again(self, act: Callable[[], Answer]) -> Answer:
        """Do something that may be done twice; where PostgreSQL went away meanwhile, once it is back."""
        return act() if self.config.embedded else again(act, self.close, met=self._met)

    def close(self) -> None:
        """Let go of the connection; the next call opens it again."""
        with self._mutex:
            if self._connection is not None and self._pid == os.getpid():
                let_go(self._connection)
            self._connection = None

    @contextmanager
    def alone(self) -> Iterator[DuckDBPyConnection]:
        """Hold the writers' lock and a cursor without a transaction, for what tidies up the files."""
        self._may_write()
        with s3.told(self.files), closing(self._cursor(create=True)) as cursor, self.lock():
            yield cursor

    def _may_write(self) -> None:
        if self.read_only:
            raise TapebookError("this lake was opened read-only: open it with read_only=False to write")

    @contextmanager
    def writing(self, note: str = "") -> Iterator[Transaction]:
        """Hold the writers' lock and one transaction: kept at the end if it changed anything.

        `note` is stored with the snapshot. An error undoes everything and is raised on.
        """
        self._may_write()
        with s3.told(self.files), closing(self._cursor(create=True)) as cursor, self.lock():
            with self.transaction(cursor) as transaction:
                transaction.note = note
                yield transaction
            transaction.snapshot = newest(cursor)

    @contextmanager
    def transaction(self, cursor: DuckDBPyConnection) -> Iterator[Transaction]:
        """One transaction of who holds the writers' lock: kept at the end if it changed anything."""
        guarded = not self.config.embedded and not s3.is_s3(self.files)
        if guarded:
            unheard.give_back(self.files, cursor, self.metadata, forget=True)
        before = unheard.written(self.files) if guarded else set()
        cursor.execute("BEGIN")
        try:
            transaction = Transaction(cursor)
            yield transaction
            if not transaction.changed:
                cursor.execute("ROLLBACK")
                return
            if transaction.note:
                cursor.execute(f"CALL {NAME}.set_commit_message('tapebook', ?)", [transaction.note])
            with unheard.guarded(self.files, before) if guarded else nullcontext():
                cursor.execute("COMMIT")
        except BaseException:
            undo(cursor)
            raise

    def repair(self) -> None:
        """Give back files that the lost commit of a process took away, which came to no other write."""
        if self.config.embedded or s3.is_s3(self.files):
            return
        with closing(self.reading()) as cursor:
            unheard.give_back(self.files, cursor, self.metadata, forget=False)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock that lets one writer at a time through; a killed process lets go of it."""
        if self.config.embedded:
            with file_lock(self.catalogue.with_name(self.catalogue.name + ".lock")):
                yield
        else:
            with postgres_lock(self.dsn, SCHEMA):
                yield

    @property
    def catalogue(self) -> Path:
        """The SQLite file of the lake's catalogue, beside the desk's."""
        return Path(self.config.database.removeprefix("sqlite:///")).with_name("lake.sqlite")

    @property
    def metadata(self) -> str:
        """How a query names the schema of DuckLake's own tables."""
        return f"__ducklake_metadata_{NAME}.{'main' if self.config.embedded else SCHEMA}"

    @property
    def dsn(self) -> str:
        """The PostgreSQL URL as libpq reads it."""
        return "postgresql://" + self.config.database.partition("://")[2]

    # ---- opening

    def _open(self, create: bool) -> DuckDBPyConnection:
        if self.config.embedded:
            with direct.lock:
                direct.opened.add(os.getpid())
        there = self.exists()
        if not create and not there:
            raise NoData(EMPTY)
        connection = connect(self.config.embedded, remote=s3.is_s3(self.files))
        if s3.is_s3(self.files):
            s3.open_door(connection, self.files)
        if there:
            self._attach(connection, create=False)
            if set(TABLES) <= self._stored(connection):
                self._refuse_elsewhere(connection)
                return connection
        if not create:
            connection.close()
            raise NoData(EMPTY)
        with self.lock():
            if not _attached(connection):
                self._prepare(connection)
                self._attach(connection, create=True)
            _create_tables(connection)
        return connection

    def _refuse_elsewhere(self, connection: DuckDBPyConnection) -> None:
        """Refuse a folder that is not there though the catalogue has files: another machine has them."""
        if s3.is_s3(self.files) or Path(self.files).is_dir():
            return
        row = connection.execute(f"SELECT count(*) FROM {self.metadata}.ducklake_data_file").fetchone()
        if row and row[0]:
            connection.close()
            raise ConfigError(
                f"the lake's catalogue names {row[0]:,} files, but there is no folder {self.files}: set "
                "`lake` (TAPEBOOK_LAKE) to where they are; for a team, to a place that every machine sees"
            )

    def _stored(self, connection: DuckDBPyConnection) -> set[str]:
        """Names of the lake's tables, from its catalogue: DuckDB's own list looks at each table as well."""
        query = f"SELECT table_name FROM {self.metadata}.ducklake_table WHERE end_snapshot IS NULL"
        return {name for (name,) in connection.execute(query).fetchall()}

    def exists(self) -> bool:
        """Say whether there is a catalogue; nothing is created."""
        if self.config.embedded:
            return sqlite_has(self.catalogue, "ducklake_snapshot")
        return postgres_has(self.dsn, SCHEMA, "ducklake_snapshot")

    def create(self, connection: DuckDBPyConnection) -> None:
        """Make DuckLake's tables at a place that has none, in a fresh connection."""
        if s3.is_s3(self.files):
            s3.open_door(connection, self.files)
        self._prepare(connection)
        self._attach(connection, create=True)

    def attach(self, connection: DuckDBPyConnection) -> None:
        """See the lake in a fresh connection, also while a copy into it is not finished."""
        if s3.is_s3(self.files):
            s3.open_door(connection, self.files)
        self._attach(connection, create=False)

    def _prepare(self, connection: DuckDBPyConnection) -> None:
        """Make the places of files and catalogue; a bucket that cannot be used is told before."""
        if s3.is_s3(self.files):
            s3.check(connection, self.files)
        else:
            Path(self.files).mkdir(parents=True, exist_ok=True)
        if self.config.embedded:
            self.catalogue.parent.mkdir(parents=True, exist_ok=True)
        else:
            postgres_create(self.dsn, SCHEMA)

    def _attach(self, connection: DuckDBPyConnection, *, create: bool) -> None:
        import duckdb

        if self.config.embedded:
            where = f"sqlite:{self.catalogue}"
            options = ["META_JOURNAL_MODE 'WAL'", "META_BUSY_TIMEOUT 5000"]
        else:
            where, options = f"postgres:{self.dsn}", [f"META_SCHEMA '{SCHEMA}'"]
        options += [f"DATA_PATH {quoted(self.files)}", "OVERRIDE_DATA_PATH true"]  # a desk may be moved
        options += [f"CREATE_IF_NOT_EXISTS {str(create).lower()}"] + ["READ_ONLY"] * self.read_only
        try:
            connection.execute(f"ATTACH {quoted(f'ducklake:{where}')} AS {NAME} ({', '.join(options)})")
        except duckdb.Error as error:
            connection.close()
            told = (
                str(error).replace(self.dsn, "the database of `database=`")
                if not self.config.embedded
                else error
            )
            raise ConfigError(
                f"cannot open the lake at {self.catalogue if self.config.embedded else 'PostgreSQL'}: {told}"
            ) from None


def newest(cursor: DuckDBPyConnection) -> int:
    """Number of the newest snapshot."""
    row = cursor.execute(f"FROM {NAME}.current_snapshot()").fetchone()
    return int(row[0]) if row else -1


def _tables(connection: DuckDBPyConnection) -> set[str]:
    found = connection.execute(
        f"SELECT table_name FROM duckdb_tables() WHERE database_name = '{NAME}'"
    ).fetchall()
    return {name for (name,) in found}


def _attached(connection: DuckDBPyConnection) -> bool:
    query = f"SELECT 1 FROM duckdb_databases() WHERE database_name = '{NAME}'"
    return connection.execute(query).fetchone() is not None


def _create_tables(connection: DuckDBPyConnection) -> None:
    """Create what is missing, in one transaction: other processes see all tables or none."""
    connection.execute("BEGIN")
    for table in TABLES.keys() - _tables(connection):
        connection.execute(f"CREATE TABLE {NAME}.{table} ({TABLES[table]})")
        if table == "bars":
            connection.execute(f"ALTER TABLE {NAME}.bars SET PARTITIONED BY (freq)")
            connection.execute(f"ALTER TABLE {NAME}.bars SET SORTED BY (symbol ASC, ts ASC)")
    connection.execute("COMMIT")


def quoted(text: str) -> str:
    """Write `text` as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def among(column: str, names: Sequence[str]) -> str:
    """Write the condition that `column` is one of `names`."""
    return f"{column} IN ({', '.join(quoted(name) for name in names)})" if names else "false"
