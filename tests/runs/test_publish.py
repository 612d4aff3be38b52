"""Publishing: a stable name, what it shows now and showed before, and what clearing old runs spares."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.records_made import make_run
from tapebook.config import Config
from tapebook.data.catalog import Catalog
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs import retention
from tapebook.runs.publish import history, pin, publish, published, unpin, unpublish


@pytest.fixture
def config(tmp_path):
    (tmp_path / "tapebook.toml").touch()
    return Config.load(tmp_path)


@pytest.fixture
def catalog(config):
    catalog = Catalog.open(config)
    yield catalog
    catalog.close()


@pytest.fixture
def add(config, catalog):
    def add(id, *, days=0, template="backtest", outcome="succeeded", **parameters):
        started = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        said = {"id": id, "template": template, "template_hash": "h", "outcome": outcome, "started": started}
        catalog.runs.add(said | {"parameters": parameters, "symbols": []})
        make_run(config.reports, id, template=template, outcome=outcome)
        return id

    return add


def test_a_name_shows_the_run_that_it_was_given_last_and_leafs_back(config, catalog, add):
    for id in ("one", "two"):
        found = publish(config, "apple-trend", run=add(id), title="Apple" if id == "one" else None)
    assert found.title == "Apple", "what is not said again stays"
    assert history(catalog, found) == ["two", "one"]
    publish(config, "apple-trend", run="two", pinned=True)
    assert history(catalog, published(config)[0]) == ["two", "one"], "the same run again is no new page"
    unpublish(config, "apple-trend")
    assert published(config) == []
    publish(config, "apple-trend", run="one")
    assert history(catalog, published(config)[0]) == ["one"], "a name that was taken away has no past"


def test_the_latest_run_of_a_template_with_these_parameters(config, catalog, add):
    add("old", days=2, symbols="AAPL", fees=0.001)
    found = publish(config, "apple", template="backtest", parameters={"symbols": "AAPL"})
    assert history(catalog, found) == ["old"]
    add("broken", outcome="failed", symbols="AAPL")
    add("other", symbols="MSFT")
    assert history(catalog, found) == ["old"]
    add("new", symbols="AAPL", fees=0.002)
    assert history(catalog, found) == ["new", "old"]
    assert found.shows == "latest run of backtest with symbols=AAPL"


def test_a_name_that_shows_another_thing_keeps_what_it_showed(config, catalog, add):
    """Links to it stay good, and no rule clears it."""
    publish(config, "apple", run=add("given", days=99, symbols="AAPL"))
    found = publish(config, "apple", template="portfolio")
    assert history(catalog, found) == ["given"], "there is no other yet"
    add("first", days=99, template="portfolio")
    add("second", days=99, template="portfolio")
    assert history(catalog, found) == ["second", "first", "given"]
    found = publish(config, "apple", template="backtest", parameters={"symbols": "MSFT"})
    add("other", days=99, symbols="MSFT")
    assert history(catalog, found) == ["other", "second", "given"]
    assert [row["run"] for row in retention.prune(config, keep=0)] == ["first"]
    assert history(catalog, publish(config, "apple", page="data-health")) == []
    assert history(catalog, publish(config, "apple", run="second"))[:3] == ["second", "other", "given"]


def test_the_latest_run_of_a_schedule(config, catalog, add):
    from sqlalchemy import insert

    from tapebook.data.catalog.outbox_tables import occasions

    rule = {"name": "nightly", "template": "backtest", "template_hash": "h", "parameters": {}, "rule": {}}
    kept = {"notify": [], "notify_on": "failure", "state": "active", "anchor": "x", "created": "x"}
    catalog.schedules.add(rule | kept)
    found = publish(config, "nightly-report", schedule="nightly")
    assert history(catalog, found) == []
    for number, state in enumerate(("succeeded", "failed", "succeeded")):
        row = {"schedule": "nightly", "key": f"k{number}", "due": "x", "state": state, "missed": 0, "why": ""}
        with catalog._rows.writing() as connection:
            connection.execute(
                insert(occasions).values(row | {"run_id": add(f"r{number}"), "lease": 0.0, "token": 0})
            )
    assert history(catalog, found) == ["r2", "r0"]
    assert found.shows == "latest run of schedule nightly"


def test_what_is_published_is_not_deleted_by_hand(config, add):
    from tapebook.runs import delete

    publish(config, "x", run=add("one"))
    with pytest.raises(BadInput, match="published as x: it stays until `tapebook unpublish x`"):
        delete(config, "one")
    unpublish(config, "x")
    delete(config, "one")


def test_pinned_names_come_first(config, add):
    for name in ("a", "b", "c"):
        publish(config, name, run="one" if name != "a" else add("one"), pinned=name == "a")
    assert [found.name for found in published(config)] == ["a", "c", "b"]


@pytest.mark.parametrize("name", ["", "Run", "a b", "../x", "run", "live", "a/b", "-a", "x" * 81, "é"])
def test_a_name_that_is_no_address_is_refused(config, add, name):
    with pytest.raises(BadParameter, match="small letters, digits and '-'"):
        publish(config, name, run=add("one"))


def test_nothing_is_written_before_all_is_checked(config, add):
    add("bad", outcome="timed_out")
    wrong = [
        ({"run": "bad"}, BadInput, "timed out: only one that succeeded"),
        ({"run": "nothing"}, UnknownName, "no run named 'nothing'"),
        ({"template": "backtes"}, UnknownName, "Did you mean 'backtest'"),
        ({"template": "backtest", "parameters": {"symbls": "A"}}, UnknownName, "Did you mean 'symbols'"),
        ({"page": "secrets"}, UnknownName, "data-health"),
        ({"schedule": "nothing"}, UnknownName, "no schedule named 'nothing'"),
        ({"run": "bad", "page": "data-health"}, BadInput, "shows one thing"),
        ({}, BadInput, "nothing to publish"),
        ({"run": "bad", "parameters": {"a": 1}}, BadInput, "give the template too"),
        ({"page": "data-health", "audience": "a, b c"}, BadParameter, "names of groups"),
        ({"page": "data-health", "late_after": -1}, BadParameter, "hours"),
    ]
    for said, error, words in wrong:
        with pytest.raises(error, match=words):
            publish(config, "x", **said)
    assert published(config) == []


def test_old_runs_go_but_no_pinned_published_or_running_one(config, catalog, add):
    for days in (0, 10, 100, 200, 300):
        add(f"a{days}", days=days, symbols="A")
    add("b400", days=400, symbols="B")
    add("b500", days=500, symbols="B")
    add("going", days=400, outcome="running")
    add("pinned", days=400, symbols="A")
    add("fixed", days=400, symbols="A")
    publish(config, "fixed", run="fixed")
    publish(config, "fixed", run="a0")
    publish(config, "latest", template="backtest", parameters={"symbols": "B"})
    pin(config, "pinned", "for the audit")
    catalog.runs.update("b500", started="2020-01-01T00:00:00+00:00")

    gone = retention.prune(config, keep=2, older_than="90d", dry_run=True)
    assert {row["run"] for row in gone} <= {row["id"] for row in catalog.runs.list(limit=None)}
    with pytest.raises(BadInput, match="pinned: it stays until `tapebook runs unpin`"):
        retention.guard(catalog, "pinned")
    with pytest.raises(BadInput, match="`tapebook unpublish fixed`"):
        retention.guard(catalog, "fixed")
    retention.guard(catalog, "a300")
    done = retention.prune(config, older_than="90d")
    kept = {row["id"] for row in catalog.runs.list(limit=None)}
    assert kept == {"a0", "a10", "going", "pinned", "fixed", "b500"}, "b500 was added last: B's latest"
    assert {f.name for f in config.reports.iterdir()} == kept
    assert all(row["bytes"] > 1000 for row in done)
    unpin(config, "pinned")
    assert [row["run"] for row in retention.prune(config, keep=0, older_than=30)] == ["pinned"]


def test_the_newest_of_each_kind_stay(config, add):
    for symbol in "AB":
        for number in range(3):
            add(f"{symbol}{number}", symbols=symbol)
    assert {row["run"] for row in retention.prune(config, keep=2)} == {"A0", "B0"}


def test_no_rule_clears_nothing(config):
    with pytest.raises(BadInput, match="no rule was given"):
        retention.prune(config)
    for wrong in ("soon", "-1d", ""):
        with pytest.raises(BadParameter, match="an age such as '90d'"):
            retention.prune(config, older_than=wrong)
    with pytest.raises(UnknownName, match="no pinned run named 'x'"):
        unpin(config, "x")


def test_the_command_line_publishes(config, add):
    import json

    from click.testing import CliRunner

    from tapebook.cli import main

    def call(*words, code=0):
        done = CliRunner().invoke(main, ["--home", str(config.home), *words])
        assert done.exit_code == code, done.output
        return done.output

    add("one", symbols="AAPL")
    assert "/apple shows run one (to everyone)" in call("publish", "one", "--as", "apple", "--pin")
    assert "only one that succeeded" in call("publish", add("bad", outcome="failed"), "--as", "x", code=1)
    assert json.loads(call("published", "--json"))[0]["run"] == "one"
    assert json.loads(call("published", "apple", "--json"))[0]["run"] == "one"
    call("runs", "pin", "one", "--note", "audit")
    call("runs", "unpin", "one")
    assert "no run is old enough" in call("runs", "prune", "--older-than", "1d")
    assert "bad" in call("runs", "prune", "--keep", "0", "--dry-run")
    assert (config.reports / "bad").is_dir()
    call("runs", "prune", "--keep", "0", "--yes")
    assert [f.name for f in config.reports.iterdir()] == ["one"]
    call("unpublish", "apple")
