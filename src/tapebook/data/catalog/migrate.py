"""Bring a catalogue's tables to this version's: one query when they are, Alembic when they are not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from tapebook.data.catalog.tables import HEAD
from tapebook.errors import ConfigError

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x7A9EB00C  # any number that no other program on the database takes


def to_head(engine: Engine, file: Path | None) -> None:
    """Migrate the database; `file` is its SQLite file, made here with its folder when absent."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    if file is None or file.exists():
        with engine.connect() as connection:
            if revision(connection) == HEAD:
                return
    with _alone(engine, file) as connection:
        if revision(connection) != HEAD:
            _upgrade(connection)


def revision(connection: Connection) -> str | None:
    """Return the migration that the database is at; None of an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@contextmanager
def _alone(engine: Engine, file: Path | None) -> Iterator[Connection]:
    """Give a connection while no other process migrates."""
    if file is None:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS tapebook"))
            yield connection
        return
    from filelock import FileLock

    with FileLock(file.with_name(file.name + ".lock")):
        with engine.connect() as connection:  # the file remembers it; two at once would collide
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        with engine.begin() as connection:
            yield connection


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            f"the catalogue is at {revision(connection)!r}, which this tapebook (at {HEAD!r}) does not know: "
            "it was made by a newer one. Upgrade with `pip install -U tapebook`"
        ) from error
