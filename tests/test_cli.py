"""The command line: every word is documented, prints what it should, and fails with a clear line."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tapebook.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "commands.md").read_text()


def words(command, path=()):
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from words(child, (*path, name))
    else:
        yield path, command


COMMANDS = dict(words(main))


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_is_in_the_list_and_explains_itself(path):
    assert f"`tapebook {' '.join(path)}" in PAGE or f"`{' '.join(path)}`" in PAGE
    done = CliRunner().invoke(main, [*path, "--help"])
    assert done.exit_code == 0
    assert COMMANDS[path].help


@pytest.mark.parametrize(
    "path", [p for p in COMMANDS if p[-1] in ("list", "snapshots", "templates", "sources")], ids=" ".join
)
def test_every_listing_takes_json(path):
    assert any(o.name == "json_" for o in COMMANDS[path].params)


@pytest.fixture
def cli(sample_home):
    def call(*args, code=0, home=sample_home):
        done = CliRunner().invoke(main, ["--home", str(home), *args])
        assert done.exit_code == code, done.output
        return done

    return call


def test_an_empty_desk_says_what_to_do_next(cli, tmp_path):
    assert "tapebook ingest sample" in cli("data", "list", home=tmp_path).stderr
    assert json.loads(cli("data", "list", "--json", home=tmp_path).stdout) == []


def test_the_sample_is_listed(cli):
    rows = json.loads(cli("data", "list", "--json").stdout)
    assert {"AAPL", "MSFT", "SP500"} <= {row["symbol"] for row in rows}


def test_a_second_ingest_changes_nothing(cli):
    rows = json.loads(cli("ingest", "sample", "--json").stdout)
    assert sum(row["added"] + row["changed"] for row in rows) == 0


def test_bars_quality_and_snapshots_are_shown(cli):
    shown = json.loads(
        cli("data", "show", "AAPL,MSFT", "--end", "2001-01-31", "--rows", "2", "--json").stdout
    )
    assert [row["symbol"] for row in shown] == ["AAPL", "AAPL", "MSFT", "MSFT"]
    assert json.loads(cli("data", "quality", "AAPL", "--json").stdout)
    assert json.loads(cli("data", "snapshots", "--json").stdout)


def test_sql_reads_and_refuses_to_write(cli):
    rows = json.loads(cli("sql", "select count(*) as n from bars where symbol = 'AAPL'", "--json").stdout)
    assert rows[0]["n"] > 3000
    assert "read-only" in cli("sql", "delete from bars", code=1).stderr


def test_backtest_prints_figures_and_keeps_them(cli):
    done = cli("backtest", "sma_cross", "AAPL", "--fast", "10", "--slow=50", "--fees", "0.002", "--json")
    record = json.loads(done.stdout)
    assert record["params"] == {"fast": 10, "slow": 50}
    assert record["rules"]["fees"] == 0.002
    shown = json.loads(cli("results", "show", record["id"], "--json").stdout)
    assert shown["metrics"] == record["metrics"]
    odds = json.loads(cli("results", "odds", record["id"], "--trials", "20", "--json").stdout)
    assert odds["expectancy"]["trades"]["value"] == shown["metrics"]["trades"]["value"]
    figures = odds["luck"]["figures"]
    assert figures["deflated_sharpe"]["value"] < figures["probabilistic_sharpe"]["value"]
    assert odds["luck"]["verdict"] in ("no evidence", "weak")
    assert "Verdict: " in cli("results", "odds", record["id"]).stdout
    assert "Verdict: " in cli("results", "show", record["id"]).stdout
    tried = json.loads(cli("trials", "--json").stdout)
    assert (tried[0]["family"], tried[0]["symbols"], tried[0]["trials"]) == ("trend", "AAPL", 1)
    assert json.loads(cli("trials", "--batches", "--json").stdout)[0]["settings"] == record["params"]
    assert "Wilson's 95% interval" in cli("results", "odds", record["id"]).stdout
    assert record["id"] in cli("results", "list").stdout
    cli("results", "delete", record["id"], "--yes")
    assert record["id"] not in cli("results", "list").stdout


def test_options_may_stand_before_the_symbols(cli):
    assert cli("backtest", "--no-save", "sma_cross", "AAPL", "--start", "2005", "--fast", "5")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("backtest", "sma_cros", "AAPL"), "Did you mean 'sma_cross'?"),
        (("backtest", "sma_cross", "APPL"), "Did you mean 'AAPL'?"),
        (("backtest", "sma_cross", "AAPL", "--fats", "3"), "Did you mean 'fast'?"),
        (("backtest", "sma_cross", "AAPL", "--fast", "ten"), "parameter 'fast' is 'ten'"),
        (("backtest", "sma_cross", "AAPL", "--fees", "-1"), "parameter 'fees'"),
        (("ingest", "smaple"), "Did you mean 'sample'?"),
        (("ingest", "sample", "APPL"), "Did you mean 'AAPL'?"),
        (("ingest", "files"), "path"),
        (("ingest", "sample", "--freq", "fortnight"), "a bar length such as 1m"),
        (("data", "show", "NOPE"), "NOPE"),
        (("data", "show", "AAPL", "--asof", "99999"), "99999"),
        (("run", "backtets"), "Did you mean 'backtest'?"),
        (("run", "backtest", "-p", "symbol=AAPL"), "Did you mean 'symbols'?"),
        (("runs", "show", "nothing"), "nothing"),
        (("results", "show", "nothing"), "nothing"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, tuple) else "",
)
def test_errors_say_what_was_meant(cli, args, said):
    done = cli(*args, code=1)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_it_starts_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "tapebook", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("tapebook, version")


def test_walk_forward_shows_folds_and_what_was_made_outside(cli):
    asked = ("walk-forward", "sma_cross", "AAPL", "--fast", "5:20:5", "--slow", "50,100", "--purge", "2")
    told = cli(*asked)
    assert "efficiency" in told.stdout
    assert "Verdict: " in told.stdout
    assert "kept as bt-" in told.stderr
    said = json.loads(cli(*asked, "--scheme", "expanding", "--no-save", "--json").stdout)
    assert said["tried"] == 8
    assert said["id"] is None
    assert {"fast", "slow", "inside_sharpe", "outside_sharpe"} <= set(said["folds"][0])
