"""Connections to the catalogue's database: absent, or migrated to this version's tables."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    RowMapping,
    Table,
    Transaction,
    create_engine,
    event,
    insert,
    make_url,
    text,
)
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool

from tapebook import redact
from tapebook.data.again import again, lost
from tapebook.data.catalog.tables import metadata
from tapebook.errors import ConfigError

if TYPE_CHECKING:
    from tapebook.data.catalog.migrate import Migrated

SCHEMA = "tapebook"
"""PostgreSQL keeps the tables in a schema of their own."""
WAIT_SECONDS = 60
"""How long a writer waits for another on SQLite."""
_UNWRITABLE = ("readonly database", "disk is full", "disk I/O error", "unable to open database file")


class Rows:
    """One database. `reading` and `writing` give a connection; a writing block is one transaction."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._migrated = False
        self._lock = RLock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection to read with. Of an absent SQLite file: to an empty catalogue in memory."""
        if self._file is not None and not self._file.exists():
            with self._empty.connect() as connection:
                yield connection
        else:
            self._migrate()
            with self._connected() as connection:
                yield connection

    def _connected(self) -> Connection:
        """Connect; where PostgreSQL was stopped meanwhile, once it is back."""
        return again(self._engine.connect, met=self._migrated)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose changes all land when the block ends, or none does.

        Raises
        ------
        ConfigError
            If the disk is full, or may not be written.
        """
        self._migrate()
        try:
            with self._connected() as connection, connection.begin() as transaction:
                yield connection
                self._commit(connection, transaction)
        except OperationalError as error:
            if not any(word in str(error.orig) for word in _UNWRITABLE):
                raise
            where = self._url.render_as_string(hide_password=True)
            raise ConfigError(f"the catalogue {where} cannot be written: {error.orig}") from error

    def _commit(self, connection: Connection, transaction: Transaction) -> None:
        """End a transaction; where the answer was lost with the connection, the server is asked for it."""
        number = None
        if self._file is None:
            number = connection.scalar(text("SELECT CAST(pg_current_xact_id_if_assigned() AS text)"))
        try:
            transaction.commit()
        except DatabaseError as error:
            if number is None or not lost(error) or not self._landed(number):
                raise

    def _landed(self, number: str) -> bool:
        """Whether a transaction was kept, as the server says once it is back.

        One still in progress there has nobody to end it: the server did not see the connection break.
        """
        status = text("SELECT pg_xact_status(CAST(:number AS xid8))").bindparams(number=number)
        end = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_xid = CAST(CAST(:number AS xid8) AS xid)"
        ).bindparams(number=number)

        def ask() -> str | None:
            with self._engine.connect() as connection:
                told: str | None = connection.scalar(status)
                if told == "in progress":
                    connection.execute(end)
                return told

        while (told := again(ask)) == "in progress":
            time.sleep(0.05)
        return told == "committed"

    @property
    def met(self) -> bool:
        """Whether the database was reached before."""
        return self._migrated

    @property
    def url(self) -> URL:
        """Where the database is."""
        return self._url

    @property
    def engine(self) -> Engine:
        """The database as it is: not migrated, and not made if it is absent."""
        return self._engine

    @property
    def file(self) -> Path | None:
        """The SQLite file; None of PostgreSQL."""
        return self._file

    def close(self) -> None:
        """Let go of every connection."""
        for name in ("_engine", "_empty"):
            if name in self.__dict__:
                self.__dict__.pop(name).dispose()
        self._migrated = False

    @cached_property
    def _file(self) -> Path | None:
        sqlite = self._url.get_backend_name() == "sqlite"
        return Path(self._url.database) if sqlite and self._url.database else None

    @cached_property
    def _engine(self) -> Engine:
        engine = _sqlite(self._url) if self._file is not None else _postgres(self._url)
        event.listen(engine, "before_cursor_execute", _without_credentials, retval=True)
        return engine

    @cached_property
    def _empty(self) -> Engine:
        engine = create_engine(  # one for every thread: by default each would get an empty one of its own
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
        metadata.create_all(engine)
        return engine

    def migrate(self, *, dry_run: bool = False) -> Migrated:
        """Bring the tables to this version's, as the first use does; see `migrate.to_head`."""
        from tapebook.data.catalog import migrate

        with self._lock:
            try:
                if dry_run and self._file is not None and not self._file.exists():
                    return migrate.Migrated(None)
                if dry_run:
                    return migrate.pending(self._engine)
                done = migrate.to_head(self._engine, self._file)
            except ConfigError:
                self.close()
                raise
            except DatabaseError as error:
                self.close()
                where = self._url.render_as_string(hide_password=True)
                raise ConfigError(
                    f"the catalogue {where} cannot be used: {error.orig}. Check `database` in tapebook.toml, "
                    "and that its disk has room and may be written"
                ) from error
            self._migrated = True
            return done

    def _migrate(self) -> None:
        if self._migrated:  # asked by every reader: without the lock
            return
        with self._lock:
            if not self._migrated:
                self.migrate()


def _without_credentials(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
) -> tuple[str, Any]:
    """Write no credential that was revealed in this process into any row."""
    return statement, redact.scrubbed(parameters)


def _sqlite(url: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS})

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = NORMAL")

    return engine


def _postgres(url: Any) -> Engine:
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        connect_args={"options": f"-c search_path={SCHEMA}", "application_name": "tapebook"},
        pool_pre_ping=True,
        pool_size=2,
    )


def insert_with_symbols(connection: Connection, table: Table, symbols: Table, row: dict[str, Any]) -> None:
    """Insert `row`, and one row into `symbols` for each different name of `row["symbols"]`."""
    key = connection.scalar(insert(table).values(row).returning(table.c.seq))
    named = [{"seq": key, "symbol": symbol} for symbol in dict.fromkeys(row["symbols"])]
    if named:
        connection.execute(insert(symbols), named)


def plain(row: RowMapping) -> dict[str, Any]:
    """Give a row's columns without the number that orders the rows."""
    return {str(name): value for name, value in row.items() if name != "seq"}
