"""Bring a catalogue's tables to this version's: one query when they are, Alembic when they are not.

A migration is one transaction, on SQLite too: what interrupts it leaves the catalogue as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, delete, insert, inspect, text

from tapebook import __version__
from tapebook.data.catalog.tables import HEAD, programs
from tapebook.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
UNFINISHED = "unfinished copy"
"""What a catalogue says instead of a migration while `tapebook copy` fills it."""
_LOCK = 0x7A9EB00C  # any number that no other program on the database takes


@dataclass(frozen=True)
class Migrated:
    """What a migration did, or would do: from where, by which steps, and the copy made before (SQLite)."""

    before: str | None
    steps: tuple[tuple[str, str], ...] = ()
    backup: Path | None = None

    def __str__(self) -> str:
        if self.before is None and not self.steps:
            return "there is no catalogue yet: the first write makes one"
        if not self.steps:
            return f"the catalogue is at {HEAD}, as this tapebook ({__version__}) has it"
        told = "\n".join(f"  {number}  {what}" for number, what in self.steps)
        kept = f"\nas it was: {self.backup}" if self.backup else ""
        return f"from {self.before or 'an empty database'} to {HEAD}:\n{told}{kept}"


def to_head(engine: Engine, file: Path | None) -> Migrated:
    """Migrate the database; `file` is its SQLite file, made here with its folder when absent.

    Of a SQLite file that holds a catalogue a copy is made first, beside it. Whoever comes while another
    process migrates waits for it.

    Raises
    ------
    ConfigError
        If a newer tapebook made the catalogue, or a copy into it was never finished.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    if file is None or file.exists():
        with engine.connect() as connection:
            if revision(connection) == HEAD:
                return Migrated(HEAD)
    with _alone(engine, file) as connection:
        before = revision(connection)
        if before == HEAD:
            return Migrated(HEAD)
        steps = _ahead(connection, before)
        backup = _backed_up(file, before) if file is not None and before is not None else None
        _upgrade(connection)
        return Migrated(before, steps, backup)


def pending(engine: Engine) -> Migrated:
    """Say what `to_head` would do; nothing is changed."""
    with engine.connect() as connection:
        before = revision(connection)
        return Migrated(before, () if before == HEAD else _ahead(connection, before))


def revision(connection: Connection) -> str | None:
    """Return the migration that the database is at; None of an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


@contextmanager
def _alone(engine: Engine, file: Path | None) -> Iterator[Connection]:
    """Give a connection in a transaction while no other process migrates."""
    if file is None:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS tapebook"))
            yield connection
        return
    from filelock import FileLock

    with FileLock(file.with_name(file.name + ".lock")), engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = WAL")  # the file remembers it; two would collide
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")  # a table that is made anew is dropped first
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # Python's driver begins none for a CREATE TABLE
            yield connection
            _refuse_orphans(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _refuse_orphans(connection: Connection) -> None:
    orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if orphan is not None:
        raise ConfigError(f"the migration would leave a row of {orphan[0]!r} without the one it belongs to")


def _backed_up(file: Path, before: str) -> Path:
    """Copy a SQLite catalogue beside itself, whole, while nobody may write to it."""
    copy = file.with_name(f"{file.stem}.{before}{file.suffix}")
    part = copy.with_name(copy.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(part)) as target:
            source.backup(target)
        part.replace(copy)
    except (sqlite3.Error, OSError) as error:
        part.unlink(missing_ok=True)
        raise ConfigError(
            f"the catalogue {file} is older than this tapebook and no copy of it can be made at {copy}, "
            f"so it is not migrated: {error}"
        ) from error
    return copy


def begin_copy(engine: Engine, file: Path | None) -> None:
    """Make an absent catalogue's tables, and mark it in the same transaction as one that is being filled."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    with _alone(engine, file) as connection:
        _upgrade(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = :mark"), {"mark": UNFINISHED})


def end_copy(engine: Engine) -> None:
    """Say that a catalogue is whole: from now on it can be opened."""
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})


def _upgrade(connection: Connection) -> None:
    from alembic import command

    command.upgrade(_config(connection), "head")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(delete(programs).where(programs.c.migration == HEAD))
    connection.execute(insert(programs).values(migration=HEAD, version=__version__, at=now))


def _ahead(connection: Connection, before: str | None) -> tuple[tuple[str, str], ...]:
    """List the migrations after `before`, in order, each with the first line that says what it does.

    Raises
    ------
    ConfigError
        If this tapebook does not know `before`.
    """
    from alembic.script import ScriptDirectory

    if before == UNFINISHED:
        raise ConfigError(
            "this catalogue is an unfinished copy: `tapebook copy` into it was begun and did not end. Start "
            "it again with `tapebook copy --to … --again`, which goes on with it"
        )
    script = ScriptDirectory.from_config(_config(connection))
    known = {step.revision: step for step in script.walk_revisions()}
    if before is not None and before not in known:
        raise ConfigError(
            f"the catalogue is at {before!r}, which this tapebook ({__version__}, {HEAD!r}) does not know: "
            f"it was made by a newer one. {_to_install(connection)}"
        )
    ahead = [step for number, step in known.items() if before is None or number > before]
    return tuple((step.revision, (step.doc or "").strip()) for step in reversed(ahead))


def _to_install(connection: Connection) -> str:
    """Say which version knows a catalogue that is newer than this one."""
    if not inspect(connection).has_table("programs"):
        return "Upgrade with `pip install -U tapebook`"
    made_by = connection.scalar(text("SELECT version FROM programs ORDER BY at DESC, migration DESC LIMIT 1"))
    if made_by == __version__:
        return f"Bring this checkout of {__version__} up to date"
    return f"Upgrade with `pip install -U 'tapebook>={made_by}'`"


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config: Any = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config  # type: ignore[no-any-return]
