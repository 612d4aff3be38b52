"""Where a copy goes: nothing may be there, and while it is filled it cannot be opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from tapebook.data import s3, store_lock
from tapebook.data.catalog import migrate
from tapebook.data.catalog.rows import SCHEMA, Rows
from tapebook.data.catalog.tables import metadata
from tapebook.data.store import SCHEMA as LAKE_SCHEMA
from tapebook.data.store import Store
from tapebook.errors import ConfigError, TapebookError

if TYPE_CHECKING:
    from tapebook.config import Config

_OWN = ("programs",)
"""Tables that have rows in an empty catalogue too."""


class Place:
    """The target of a copy."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.store = Store(config, read_only=False)

    @property
    def name(self) -> str:
        """The database, without a password."""
        with self.rows() as rows:
            return rows.url.render_as_string(hide_password=True).replace("+psycopg", "", 1)

    @contextmanager
    def rows(self) -> Iterator[Rows]:
        """Give the catalogue's database, as it is."""
        rows = Rows(self.config.database)
        try:
            yield rows
        finally:
            rows.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other copy into this place begin; whoever dies lets go.

        Raises
        ------
        TapebookError
            If another copy is under way.
        """
        with ExitStack() as held:
            if self.config.embedded:
                free = store_lock.file_is_free(held, self.store.catalogue.with_name("copying.lock"))
            else:
                free = store_lock.postgres_is_free(held, self.store.dsn, "tapebook copy")
            if not free:
                raise TapebookError(
                    f"another copy into {self.name} is under way: wait for its end, or choose another place"
                )
            yield

    def check(self, *, again: bool, alone: bool = False) -> bool:
        """Look whether a copy may begin here; say whether one was begun before. `alone` if it is held.

        Raises
        ------
        TapebookError
            If something is there already; it says what.
        """
        begun = self._begun()
        if begun and not again:
            if not alone:
                with self.alone():  # one that goes on at this moment did not end either
                    pass
            raise TapebookError(
                f"a copy into {self.name} was begun before and did not end: go on with it with --again"
            )
        if not begun:
            found = [*self._catalogue(), *self._lake(), *self._files()]
            if found:
                raise TapebookError(
                    f"{self.name} and {self.config.lake} are not empty: they hold {', '.join(found[-6:])}. "
                    "A desk is copied into an empty place only"
                )
        return begun

    def begin(self) -> None:
        """Clear what an earlier attempt left but its files, make the tables, and mark all as unfinished."""
        try:
            with self.rows() as rows:
                self._clear(rows)
                migrate.begin_copy(rows.engine, rows.file)
        except DBAPIError as error:
            raise ConfigError(f"{self.name} cannot be filled: {error.orig}") from error
        if self.config.embedded:
            with closing(sqlite3.connect(self.store.catalogue)) as connection:
                connection.execute(f"CREATE TABLE IF NOT EXISTS {store_lock.UNFINISHED} (at TEXT)")
        else:
            store_lock.postgres_create(self.store.dsn, LAKE_SCHEMA)
            store_lock.postgres_do(
                self.store.dsn, f"CREATE TABLE IF NOT EXISTS {LAKE_SCHEMA}.{store_lock.UNFINISHED} (at text)"
            )

    def end(self) -> None:
        """Take the marks away, the catalogue's last."""
        if self.config.embedded:
            with closing(sqlite3.connect(self.store.catalogue)) as connection:
                connection.execute(f"DROP TABLE {store_lock.UNFINISHED}")
                empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
            if empty:
                self.store.catalogue.unlink()
        else:
            store_lock.postgres_do(self.store.dsn, f"DROP TABLE {LAKE_SCHEMA}.{store_lock.UNFINISHED}")
        with self.rows() as rows:
            migrate.end_copy(rows.engine)

    def _begun(self) -> bool:
        try:
            self.store.exists()
        except ConfigError as error:
            if str(error) != store_lock.IS_UNFINISHED:
                raise
            return True
        with self.rows() as rows:
            if rows.file is not None and not rows.file.exists():
                return False
            return self._revision(rows) == migrate.UNFINISHED

    def _revision(self, rows: Rows) -> str | None:
        try:
            with rows.engine.connect() as connection:
                return migrate.revision(connection)
        except DBAPIError as error:
            raise ConfigError(f"{self.name} cannot be used: {error.orig}") from error

    def _catalogue(self) -> list[str]:
        """Tell the rows of a catalogue that is there."""
        with self.rows() as rows:
            if (rows.file is not None and not rows.file.exists()) or self._revision(rows) is None:
                return []
            with rows.engine.connect() as connection:
                there = set(inspect(connection).get_table_names())
                tables = [t for t in metadata.sorted_tables if t.name in there and t.name not in _OWN]
                counts = {t.name: connection.scalar(select(func.count()).select_from(t)) for t in tables}
        return [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count]

    def _lake(self) -> list[str]:
        """Tell the bars of a lake that is there."""
        from tapebook.data.lake import Lake

        with Lake.open(self.config, read_only=True) as lake:
            count = len(lake.listing())
        return [f"bars of {count:,} series"] if count else []

    def _files(self) -> list[str]:
        from pyarrow.fs import FileSelector

        if not s3.is_s3(self.config.lake) and not Path(self.config.lake).exists():
            return []
        filesystem, path = s3.files(self.config.lake)
        with s3.told(self.config.lake):
            found = filesystem.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
        count = sum(file.is_file for file in found)
        return [f"{count:,} files"] if count else []

    def _clear(self, rows: Rows) -> None:
        """Remove catalogues that hold nothing, or half of a copy."""
        if self.config.embedded:
            rows.close()
            for file in (rows.file, self.store.catalogue):
                assert file is not None
                file.parent.mkdir(parents=True, exist_ok=True)
                for ending in ("", "-wal", "-shm"):
                    file.with_name(file.name + ending).unlink(missing_ok=True)
            return
        with rows.engine.begin() as connection:
            for schema in (SCHEMA, LAKE_SCHEMA):
                connection.execute(text(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))
