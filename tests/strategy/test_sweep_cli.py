"""`tapebook sweep` in a terminal."""

import json

import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.strategy.figures import MARK

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
