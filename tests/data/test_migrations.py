"""A catalogue of every migration that was ever released comes to this version with all its rows."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace

import pytest
import sqlalchemy as sa
from alembic import command
from click.testing import CliRunner

from tapebook import Desk, __version__
from tapebook.cli import main
from tapebook.config import Config
from tapebook.data.catalog import Catalog, migrate
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import HEAD
from tapebook.errors import ConfigError

NUMBERS = [f"{n:04}" for n in range(1, int(HEAD) + 1)]
SAID = {
    "outcome": "succeeded", "state": "active", "topic": "run.finished", "kind": "backtest", "freq": "1d",
    "started": "2026-01-02T03:04:05+00:00", "symbols": ["AAPL"], "audience": ["everyone"], "adjust": "splits",
    "rule": {"cron": "0 18 * * *", "tz": "UTC"}, "source": "x = 1",
}  # fmt: skip
"""What a column must say for the desk to read its row; of any other, its type decides."""


@pytest.fixture(params=["sqlite", "postgres"])
def config(request, tmp_path):
    if request.param == "sqlite":
        return Config.load(tmp_path)
    return replace(Config.load(tmp_path), database=request.getfixturevalue("postgres_url"))


@pytest.fixture
def rows(config):
    rows = Rows(config.database)
    yield rows
    rows.close()


def at(rows, number):
    """Bring an empty database to a migration, with the code that brings it to the newest."""
    if rows.file is not None:
        rows.file.parent.mkdir(parents=True, exist_ok=True)
    with migrate._alone(rows._engine, rows.file) as connection:
        command.upgrade(migrate._config(connection), number)


def reflected(rows):
    tables = sa.MetaData()
    tables.reflect(rows._engine)
    own = ("alembic_version", "programs")  # a migration itself writes there
    return [table for table in tables.sorted_tables if table.name not in own]


def value(column, number, given):
    """A sensible value of a column: what it refers to, what it must say, or something of its type."""
    for key in column.foreign_keys:
        return given[key.column.table.name][key.column.name]
    kind = column.type
    if column.name in SAID:
        return SAID[column.name]
    if isinstance(kind, sa.JSON):
        return {"said": [number, "é", None]}
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.Integer):
        return number
    if isinstance(kind, sa.Float):
        return number + 0.1
    if isinstance(kind, sa.LargeBinary):
        return bytes([0, 255, number])
    return f"{column.name} {number}"[: kind.length]


def filled(rows):
    """Put two rows into every table, one with all that may be missing missing; return what was written."""
    tables, written = reflected(rows), {}
    with rows._engine.begin() as connection:
        for number in (1, 2):
            given = {}
            for table in tables:
                row = {
                    column.name: None if number == 2 and column.nullable else value(column, number, given)
                    for column in table.columns
                }
                connection.execute(table.insert(), row)
                given[table.name] = row
                written.setdefault(table.name, []).append(row)
    return written


def held(rows, written):
    """The columns that were written, as they are now."""
    with rows._engine.connect() as connection:
        return {
            table.name: [
                {name: row[name] for name in written[table.name][0]}
                for row in connection.execute(table.select().order_by(*table.primary_key.columns)).mappings()
            ]
            for table in reflected(rows)
            if table.name in written
        }


FROM = [("sqlite", number) for number in NUMBERS[:-1]] + [
    pytest.param("postgres", number, marks=[] if number in ("0001", "0006") else pytest.mark.slow)
    for number in NUMBERS[:-1]
]


@pytest.mark.parametrize(("config", "number"), FROM, indirect=["config"])
def test_a_catalogue_of_every_migration_comes_to_the_newest_with_its_rows(config, rows, number):
    at(rows, number)
    written = filled(rows)
    assert held(rows, written) == written
    with Desk(config) as desk:
        planned = desk.migrate(dry_run=True)
        assert [step for step, _ in planned.steps] == NUMBERS[NUMBERS.index(number) + 1 :]
        assert set(desk.catalog.results.get("id 1").symbols) == {"AAPL"}  # the first use migrates
        assert desk.results()["id"].tolist() == ["id 2", "id 1"]
        assert desk.runs()["id"].tolist() == ["id 2", "id 1"]
        assert len(desk.catalog.strategies.list(archived=True)) == 2
        assert desk.migrate().steps == ()
        for room, since in {
            "scans": "0003",
            "secrets": "0005",
            "events": "0006",
            "universes": "0009",
        }.items():
            if number >= since and room != "events":
                assert len(getattr(desk.catalog, room).list()) == 2
    assert held(rows, written) == written
    if rows.file is not None:
        with closing(sqlite3.connect(rows.file.with_name(f"desk.{number}.sqlite"))) as kept:
            assert kept.execute("SELECT version_num FROM alembic_version").fetchone() == (number,)
            assert kept.execute("SELECT count(*) FROM runs").fetchone() == (2,)


def test_ledgers_stay_locked_after_a_migration(rows):
    at(rows, "0002")
    filled(rows)
    rows.migrate()
    with pytest.raises(sa.exc.DBAPIError, match="is a ledger"), rows.writing() as connection:
        connection.execute(sa.text("DELETE FROM forward"))


def test_an_interrupted_migration_leaves_the_catalogue_as_it_was(config, rows, monkeypatch):
    at(rows, "0003")
    written = filled(rows)
    before = {table.name: table.columns.keys() for table in reflected(rows)}
    really = migrate.insert
    monkeypatch.setattr(migrate, "insert", lambda *_: 1 / 0)  # all steps are done, and then this
    with pytest.raises(ZeroDivisionError):
        rows.migrate()
    assert {table.name: table.columns.keys() for table in reflected(rows)} == before
    assert held(rows, written) == written
    with rows._engine.connect() as connection:
        assert migrate.revision(connection) == "0003"
    monkeypatch.setattr(migrate, "insert", really)
    rows.close()
    assert rows.migrate().before == "0003"
    assert held(rows, written) == written


KILLED = """
import os, signal, sys
from tapebook.data.catalog import migrate
from tapebook.data.catalog.rows import Rows
migrate.insert = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Rows(sys.argv[1]).migrate()
"""


def test_a_killed_migration_leaves_the_catalogue_as_it_was(config, rows):
    at(rows, "0008")
    written = filled(rows)
    rows.close()
    assert subprocess.run([sys.executable, "-c", KILLED, config.database]).returncode == -9
    with rows._engine.connect() as connection:
        assert migrate.revision(connection) == "0008"
    assert held(rows, written) == written
    rows.migrate()
    assert held(rows, written) == written


WAITS = """
import sys
from tapebook.data.catalog.rows import Rows
rows = Rows(sys.argv[1])
sys.stdin.readline()
print(len(rows.migrate().steps))
"""


def test_of_several_processes_that_migrate_one_does_and_the_others_wait(config, rows):
    at(rows, "0004")
    filled(rows)
    rows.close()
    command_line = [sys.executable, "-c", WAITS, config.database]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command_line, **pipes) for _ in range(3)]
    told = [process.communicate("now\n")[0].strip() for process in processes]
    assert sorted(told) == ["0", "0", str(len(NUMBERS) - 4)]
    assert [process.returncode for process in processes] == [0, 0, 0]


@pytest.mark.parametrize(
    ("made_by", "told"),
    [("9.8.7", r"pip install -U 'tapebook>=9\.8\.7'"), (__version__, "Bring this checkout of .* up to date")],
)
def test_an_older_program_says_which_version_to_install(config, rows, made_by, told):
    rows.migrate()
    with rows.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        new = {"migration": "9999", "version": made_by, "at": "2999-01-01"}
        connection.execute(sa.insert(migrate.programs).values(new))
    for use in (lambda catalog: catalog.migrate(), lambda catalog: catalog.runs.list()):
        with closing(Catalog.open(config)) as catalog, pytest.raises(ConfigError, match=told):
            use(catalog)


def test_a_copy_that_cannot_be_made_keeps_the_old_catalogue(tmp_path, monkeypatch):
    rows = Rows(Config.load(tmp_path).database)
    at(rows, "0009")
    (tmp_path / "data" / "desk.0009.sqlite").mkdir()
    with pytest.raises(
        ConfigError, match="no copy of it can be made at .*desk.0009.sqlite, so it is not migr"
    ):
        rows.migrate()
    with rows._engine.connect() as connection:
        assert migrate.revision(connection) == "0009"
    rows.close()


def test_the_command_says_what_it_would_do_and_does_it(tmp_path):
    rows = Rows(Config.load(tmp_path).database)
    at(rows, "0010")
    rows.close()

    def told(*words):
        done = CliRunner().invoke(main, ["--home", str(tmp_path), "migrate", *words])
        return done.exit_code, done.output

    code, said = told("--check")
    assert code == 1
    assert said.startswith(f"would migrate from 0010 to {HEAD}:\n  0011  What is the same for every kind")
    code, said = told("--json")
    assert (code, json.loads(said)["before"]) == (0, "0010")
    assert json.loads(said)["backup"].endswith("desk.0010.sqlite")
    assert told("--dry-run") == (0, f"the catalogue is at {HEAD}, as this tapebook ({__version__}) has it\n")
    assert CliRunner().invoke(main, ["--home", str(tmp_path / "new"), "migrate", "--check"]).exit_code == 0
