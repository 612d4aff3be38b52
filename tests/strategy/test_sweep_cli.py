"""`tapebook sweep` in a terminal."""

import json

import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.strategy.performance.figures import MARK

GRID = ("--fast", "5,10,20", "--slow", "40:60:10", "--start", "2005", "--end", "2008")


@pytest.fixture
def cli(sample_home):
    def call(*args, code=0):
        done = CliRunner().invoke(main, ["--home", str(sample_home), *args])
        assert done.exit_code == code, done.output
        return done

    return call


def test_it_prints_the_best_with_their_neighbours(cli):
    done = cli("sweep", "sma_cross", "AAPL", *GRID, "--top", "2")
    assert "9 of 9 combinations of fast, slow" in done.stdout
    assert "neighbours" in done.stdout
    rows = json.loads(cli("sweep", "sma_cross", "AAPL", *GRID, "--json").stdout)
    assert len(rows) == 9
    assert "warning" not in rows[0]
    assert json.loads(cli("sweep", "sma_cross", "AAPL", *GRID, "--adjust", "none", "--json").stdout) != rows


def test_the_same_close_is_marked(cli):
    assert MARK in cli("sweep", "sma_cross", "AAPL", *GRID, "--execution", "same_close").stdout
    rows = json.loads(cli("sweep", "sma_cross", "AAPL", *GRID, "--execution", "same_close", "--json").stdout)
    assert {row["warning"] for row in rows} == {MARK}


def test_an_estimate_trades_only_a_few(cli):
    said = json.loads(cli("sweep", "sma_cross", "AAPL", *GRID, "--estimate", "--json").stdout)
    assert said["combinations"] == 9
    assert said["seconds"] > 0 < said["memory"]
    assert "9 combinations: about" in cli("sweep", "sma_cross", "AAPL", *GRID, "--estimate").stdout


def test_a_guided_search(cli):
    args = ("sweep", "sma_cross", "AAPL", *GRID, "--search", "optuna", "--trials", "5", "--metric", "calmar")
    done = cli(*args, "--json")
    rows = json.loads(done.stdout)
    assert len(rows) == 5
    assert rows[0]["calmar"] == max(row["calmar"] for row in rows)
    assert json.loads(cli(*args, "--json").stdout) == rows
    said = cli("sweep", "sma_cross", "AAPL", *GRID, "--search", "random", code=1).stderr
    assert "how many combinations to try" in said
