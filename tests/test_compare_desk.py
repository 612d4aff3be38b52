"""Comparing on a desk and on the command line."""

import json

import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.errors import BadInput, UnknownName


def test_results_names_and_functions_side_by_side(sample_desk):
    stored = sample_desk.backtest("sma_cross", "AAPL", fast=5)
    other = sample_desk.backtest("sma_cross", "AAPL", fast=15, save=False)
    done = sample_desk.compare([stored.id, other, "momentum"], "AAPL", draws=200)
    assert done.table.index.tolist() == ["sma_cross fast=5", "sma_cross fast=15", "momentum"]
    named = sample_desk.compare({"a": stored, "b": other}, draws=200)
    assert named.table.index.tolist() == ["a", "b"]
    abroad = sample_desk.backtest("sma_cross", "IBM", fast=5, save=False)
    assert sample_desk.compare([stored, abroad], draws=200).table.index.tolist() == [
        "sma_cross on AAPL",
        "sma_cross on IBM",
    ]
    twice = sample_desk.compare([stored, stored], draws=200)
    assert twice.table.index.tolist() == ["sma_cross", f"sma_cross ({stored.id})"]


def test_a_strategy_needs_bars_and_an_unknown_result_is_named(sample_desk):
    with pytest.raises(BadInput, match=r"'momentum' is a strategy, so there must be bars to trade it on"):
        sample_desk.compare(["momentum", "sma_cross"])
    with pytest.raises(UnknownName, match="bt-20000101"):
        sample_desk.compare(["bt-20000101-000000-0000", "bt-x"])


def test_the_command_line_compares(sample_home):
    def cli(*args):
        return CliRunner().invoke(main, ["--home", str(sample_home), "compare", *args, "--draws", "200"])

    told = cli("sma_cross", "momentum", "--symbols", "AAPL", "--combine", "hrp")
    assert told.exit_code == 0, told.output
    assert "last weights by hrp" in told.stdout
    said = json.loads(cli("sma_cross", "momentum", "--symbols", "AAPL", "--json").stdout)
    assert [row["name"] for row in said["table"]] == ["sma_cross", "momentum"]
    assert len(said["portfolios"]) == 6
    wrong = cli("sma_cross")
    assert wrong.exit_code == 1
    assert "there must be bars to trade it on" in wrong.output


def test_versions_are_compared_by_name(sample_home):
    with Desk.open(sample_home) as desk:
        bars = desk.bars("AAPL")
        desk.save_strategy("sma_cross", name="trend", params={"fast": 5}, bars=bars)
        desk.save_strategy("sma_cross", name="trend", params={"fast": 9}, bars=bars)
        done = desk.compare(["trend@1", "trend@2"], bars, draws=200)
        assert len(done.table) == 2
