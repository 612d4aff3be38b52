"""One suite for the catalogue on SQLite and on PostgreSQL."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import insert

from tapebook.config import Config
from tapebook.data.catalog import Catalog, migrate
from tapebook.data.catalog.tables import HEAD, metadata
from tapebook.errors import ConfigError, Deleted, UnknownName


@pytest.fixture(params=["sqlite", "postgres"])
def config(request, tmp_path):
    if request.param == "sqlite":
        return Config.load(tmp_path)
    url = request.getfixturevalue("postgres_url")
    return replace(Config.load(tmp_path), database=url)


@pytest.fixture
def catalog(config):
    catalog = Catalog.open(config)
    yield catalog
    catalog.close()


def record(id="bt-1", **changes):
    said = {
        "id": id,
        "strategy": "sma_cross",
        "code_hash": "abc",
        "symbols": ["AAPL", "MSFT"],
        "params": {"fast": 10, "slow": np.int64(50)},
        "rules": {"fees": 0.001},
        "metrics": {"sharpe": {"value": float("nan"), "unit": "", "convention": "daily, √252"}},
        "snapshot": 3,
        "fingerprint": "f00",
        "start": "2005-01-03",
        "end": "2007-12-31",
        "freq": "1d",
        "adjust": "splits",
        "created": "2026-01-02T03:04:05+00:00",
        "run_id": None,
        "bars": 754,
    }
    return said | changes


def run_record(id="r-1", **changes):
    said = {
        "id": id,
        "template": "backtest",
        "template_hash": "h",
        "parameters": {"symbols": "AAPL"},
        "strategy": "sma_cross",
        "symbols": ["AAPL"],
        "snapshot": 9,
        "outcome": "running",
        "started": "2026-01-02T03:04:05+00:00",
    }
    return said | changes


def test_a_result_comes_back_as_it_was_added(catalog):
    catalog.results.add(record(adjust=False), note="first try")
    row = catalog.results.get("bt-1")
    assert (row.strategy, row.symbols, row.params) == (
        "sma_cross",
        ["AAPL", "MSFT"],
        {"fast": 10, "slow": 50},
    )
    assert (row.snapshot, row.fingerprint, row.note, row.extra) == (3, "f00", "first try", {"bars": 754})
    assert row.adjust == "False"
    assert row.metrics["sharpe"] == {"value": None, "unit": "", "convention": "daily, √252"}


def test_results_are_listed_newest_first_and_filtered(catalog):
    catalog.results.add(record("a"))
    catalog.results.add(record("b", strategy="other", symbols=["IBM"]))
    catalog.results.add(record("c", symbols=["AAPL", "AAPL"]))
    assert [row["id"] for row in catalog.results.list()] == ["c", "b", "a"]
    assert [row["id"] for row in catalog.results.list(strategy="sma_cross")] == ["c", "a"]
    assert [row["id"] for row in catalog.results.list(symbol="AAPL")] == ["c", "a"]
    assert [row["id"] for row in catalog.results.list(symbol="IBM", strategy="sma_cross")] == []
    assert [row["id"] for row in catalog.results.list(limit=1)] == ["c"]


def test_a_deleted_result_is_gone_with_its_symbols(catalog):
    catalog.results.add(record("a"))
    catalog.trash.put("result", "a")
    assert catalog.results.list(symbol="AAPL") == []
    with pytest.raises(Deleted, match="result 'a' was deleted by .* `tapebook results restore a` brings it"):
        catalog.trash.put("result", "a")
    catalog.results.add(record("a"))  # the id is free again


def test_an_unknown_result_says_the_near_one(catalog):
    catalog.results.add(record("bt-20260102-030405-ab12"))
    with pytest.raises(UnknownName, match="Did you mean 'bt-20260102-030405-ab12'"):
        catalog.results.get("bt-20260102-030405-ab1")


def test_runs_are_added_updated_listed_deleted(catalog):
    catalog.runs.add(run_record("r-1"))
    catalog.runs.add(run_record("r-2", strategy=None, symbols=["IBM", "GOOG"]))
    assert catalog.runs.update("r-1", outcome="succeeded", seconds=1.5, metrics={"a": float("inf")})
    assert not catalog.runs.update("r-1", only_if="running", outcome="lost")
    catalog.runs.heartbeat("r-2")
    assert catalog.runs.get("r-2").heartbeat > 1e9
    row = catalog.runs.get("r-1")
    assert (row.outcome, row.seconds, row.metrics) == ("succeeded", 1.5, {"a": None})
    assert [r["id"] for r in catalog.runs.list()] == ["r-2", "r-1"]
    assert [r["id"] for r in catalog.runs.list(symbol="GOOG")] == ["r-2"]
    assert [r["id"] for r in catalog.runs.list(outcome="succeeded", strategy="sma_cross")] == ["r-1"]
    catalog.runs.delete("r-1")
    with pytest.raises(UnknownName, match="no run named 'r-1'"):
        catalog.runs.get("r-1")


def test_strategies_get_a_version_when_their_code_changes(catalog):
    assert catalog.strategies.save("mine", "def f(): ...", "h1", {"fast": 10}, "why") == 1
    assert catalog.strategies.save("mine", "def f(): ...", "h1", {"fast": 10}) == 1
    assert catalog.strategies.save("mine", "def f(): pass", "h2") == 2
    assert catalog.strategies.get("mine").version == 2
    assert catalog.strategies.get("mine", 1).parameters == {"fast": 10}
    with pytest.raises(UnknownName, match="no version of mine named '3'"):
        catalog.strategies.get("mine", 3)
    catalog.strategies.archive("mine")
    assert catalog.strategies.list() == []
    assert len(catalog.strategies.list(archived=True)) == 2
    with pytest.raises(UnknownName, match="Did you mean 'mine'"):
        catalog.strategies.archive("mien")


def test_a_version_knows_where_it_comes_from_and_the_same_settings_are_the_same_version(catalog):
    save = catalog.strategies.save
    assert save("mine", "x = 1", "h", {"fast": 10}, family="trend", extra={"check": {"state": "passed"}}) == 1
    assert save("mine", "x = 1", "h", {"fast": 20}, rules={"fees": 0.0}) == 2
    assert save("mine", "x = 1  # said better", "h", {"fast": 20}, "why", rules={"fees": 0.0}) == 2
    assert save("mine", "x = 1", "h", {"fast": 20}, rules={"fees": 0.1}) == 3
    assert save("mine", "x = 2", "h", {"fast": 10}) == 4, "what the function calls has changed"
    assert save("mine", "x = 1", "h", {"fast": 10}) == 1
    assert save("other", "x = 1", "h", parent="mine@2") == 1
    first, second = catalog.strategies.get("mine", 1), catalog.strategies.get("mine", 2)
    assert (first.parent, first.family, first.extra) == (None, "trend", {"check": {"state": "passed"}})
    assert (second.parent, second.rules, second.notes, second.source) == (
        "mine@1",
        {"fees": 0.0},
        "why",
        "x = 1",
    )
    assert catalog.strategies.get("other").parent == "mine@2"
    assert [row["version"] for row in catalog.strategies.list("mine")] == [4, 3, 2, 1]


def test_an_open_check_may_be_made_later_but_a_waived_one_stays_waived(catalog):
    def state(state):
        catalog.strategies.save("mine", "x = 1", "h", extra={"check": {"state": state}})
        return catalog.strategies.get("mine").extra["check"]["state"]

    assert [state("not checked"), state("passed"), state("unchecked")] == ["not checked", "passed", "passed"]
    catalog.strategies.delete("mine", 1)
    assert [state("unchecked"), state("passed")] == ["unchecked", "unchecked"]


def frozen_row(id, content):
    said = {"id": id, "digest": "d", "strategy": "mine", "frozen_at": "2026", "content": content}
    return insert(metadata.tables["frozen"]).values(said)


@pytest.mark.parametrize(
    ("named_by", "told"),
    [
        (None, ()),
        ("result", ("result bt-1",)),
        ("run", ("run r-1",)),
        ("run of the name", ("run r-1",)),
        ("frozen", ("frozen version f-1",)),
        ("frozen code", ("frozen version f-1",)),
        ("run of another", ()),
    ],
)
def test_a_version_is_archived_while_something_names_it_and_destroyed_otherwise(catalog, named_by, told):
    catalog.strategies.save("mine", "x = 1", "h1")
    catalog.strategies.save("mine", "x = 2", "h2")
    if named_by == "result":
        catalog.results.add(record(code_hash="h2"))
    elif named_by and named_by.startswith("run"):
        ran = {"run": "mine@2", "run of the name": "mine", "run of another": "mine@1"}[named_by]
        catalog.runs.add(run_record(strategy=ran))
    elif named_by:
        with catalog._rows.writing() as connection:
            said = {"version": "mine@2"} if named_by == "frozen" else {"code_hash": "h2"}
            connection.execute(frozen_row("f-1", said))
    assert catalog.strategies.delete("mine", 2) == told
    assert [row["version"] for row in catalog.strategies.list("mine")] == [1]
    assert [row["version"] for row in catalog.strategies.list("mine", archived=True)] == (
        [2, 1] if told else [1]
    )
    assert catalog.strategies.get("mine").version == 1, "the newest that is not archived"
    if told:
        catalog.strategies.restore("mine", 2)
        assert catalog.strategies.get("mine").version == 2


def test_results_are_found_and_counted_by_their_code(catalog):
    assert catalog.results.by_code() == {}
    for id, code in (("a", "h1"), ("b", "h2"), ("c", "h1"), ("d", None)):
        catalog.results.add(record(id, code_hash=code))
    assert catalog.results.by_code() == {"h1": 2, "h2": 1}
    assert [row["id"] for row in catalog.results.list(code_hash="h1")] == ["c", "a"]


def scan_record(id, **changes):
    said = {
        "id": id,
        "kind": "trends",
        "question": "q1",
        "symbols": ["AAPL"],
        "params": {"horizons": [20, 60]},
        "freq": "1d",
        "start": "2005-01-03T00:00:00+00:00",
        "end": "2007-12-31T00:00:00+00:00",
        "snapshot": 3,
        "asked": 12,
        "held": 2,
        "coverage": 0.98,
        "summary": "2 of 12 questions hold",
        "created": "2026-01-02T03:04:05+00:00",
        "run_id": None,
    }
    return said | changes


def test_scans_are_added_listed_and_deleted(catalog):
    catalog.scans.add(scan_record("sc-1"))
    catalog.scans.add(scan_record("sc-2", kind="moves"))
    row = catalog.scans.get("sc-1")
    assert (row.symbols, row.params, row.held, row.coverage) == (["AAPL"], {"horizons": [20, 60]}, 2, 0.98)
    assert [row["id"] for row in catalog.scans.list()] == ["sc-2", "sc-1"]
    assert [row["id"] for row in catalog.scans.list(kind="trends")] == ["sc-1"]
    catalog.trash.put("scan", "sc-1")
    with pytest.raises(Deleted, match="scan 'sc-1' was deleted"):
        catalog.scans.get("sc-1")


def test_the_scan_before_is_the_last_that_saw_an_earlier_market(catalog):
    day = "2008-01-0{}T00:00:00+00:00".format
    made = [
        ("monday", {"end": day(1)}),
        ("tuesday", {"end": day(2)}),
        ("tuesday again", {"end": day(2)}),
        ("tuesday revised", {"end": day(2), "snapshot": 4}),
        ("another question", {"end": day(3), "question": "q2"}),
        ("made up", {"end": day(4), "snapshot": None}),
        ("monday again", {"end": day(1)}),
    ]
    for id, changes in made:
        catalog.scans.add(scan_record(id, **changes))
    earlier = {id: catalog.scans.earlier(catalog.scans.get(id)) for id, _ in made}
    assert earlier == {
        "monday": None,
        "tuesday": "monday again",
        "tuesday again": "monday again",
        "tuesday revised": "tuesday again",
        "another question": None,
        "made up": "tuesday revised",
        "monday again": None,
    }


def test_every_snapshot_that_a_row_names_is_known(catalog):
    assert catalog.named_snapshots() == set()
    catalog.results.add(record("a", snapshot=3))
    catalog.results.add(record("b", snapshot=None))
    catalog.runs.add(run_record(snapshot=9))
    catalog.scans.add(scan_record("s", snapshot=5))
    assert catalog.named_snapshots() == {3, 5, 9}


def test_the_migrations_make_exactly_the_tables(catalog):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(migrate.FOLDER)).get_current_head() == HEAD
    with catalog._rows.writing() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert migrate.revision(connection) == HEAD


def test_processes_add_at_once_and_none_is_lost(config, tmp_path):
    worker = Path(__file__).parent / "catalog_worker.py"
    processes = [
        subprocess.Popen([sys.executable, str(worker), str(tmp_path), config.database, f"p{i}", "15"])
        for i in range(4)
    ]
    assert [p.wait() for p in processes] == [0] * 4
    catalog = Catalog.open(config)
    assert len(catalog.results.list(limit=None)) == 60
    assert len(catalog.results.list(symbol="A", limit=None)) == 60
    versions = [row["version"] for row in catalog.strategies.list()]
    assert sorted(versions) == list(range(1, 61))
    catalog.close()


def test_reading_an_absent_catalogue_makes_nothing(tmp_path):
    catalog = Catalog.open(Config.load(tmp_path))
    assert catalog.results.list() == []
    assert catalog.runs.list() == []
    assert catalog.named_snapshots() == set()
    with pytest.raises(UnknownName, match="no result named 'x'. Known: none."):
        catalog.results.get("x")
    assert list(tmp_path.iterdir()) == []
    catalog.close()


def test_opening_one_at_head_does_not_import_alembic(tmp_path):
    catalog = Catalog.open(Config.load(tmp_path))
    catalog.results.add(record())
    catalog.close()
    code = (
        "import sys; from tapebook.config import Config; from tapebook.data.catalog import Catalog;"
        f"c = Catalog.open(Config.load({str(tmp_path)!r})); assert len(c.results.list()) == 1;"
        "assert 'alembic' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_catalogue_that_may_not_be_written_says_so(tmp_path):
    catalog = Catalog.open(Config.load(tmp_path))
    catalog.results.add(record("a"))
    with catalog._rows._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 1")
    with pytest.raises(ConfigError, match=r"desk\.sqlite cannot be written: attempt to write a readonly"):
        catalog.results.add(record("b"))
    catalog.close()
    assert [row["id"] for row in Catalog.open(Config.load(tmp_path)).results.list()] == ["a"]


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "desk.sqlite").write_text("not a database at all, but long enough to be one" * 9)
    with pytest.raises(ConfigError, match=r"desk\.sqlite cannot be used: .*Check `database`"):
        Catalog.open(Config.load(tmp_path)).results.list()


def test_a_server_that_does_not_answer_is_named_without_its_password(tmp_path):
    config = replace(Config.load(tmp_path), database="postgresql://ann:secret@127.0.0.1:1/desk")
    with pytest.raises(ConfigError, match="cannot be used") as caught:
        Catalog.open(config).results.list()
    assert "secret" not in str(caught.value)
