"""The doors of screens: the desk's verbs and the command line."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.errors import UnknownName
from tapebook.strategy.screen.fault import BadExpression

THREE = "AAPL,IBM,MSFT"


def rows(symbol, closes, start="2012-01-02"):
    ts = pd.bdate_range(start, periods=len(closes), tz="UTC")
    prices = dict.fromkeys(("open", "high", "low", "close"), closes)
    return pd.DataFrame({"symbol": symbol, "freq": "1d", "ts": ts, **prices, "volume": 1000.0})


def run(home, *words):
    return CliRunner().invoke(main, ["--home", str(home), *words])


def test_a_scan_is_the_indicators_of_that_day(sample_desk):
    found = sample_desk.scan("close > sma(50) and rsi(14) > 50", THREE, asof="2004-10-08")
    bars = sample_desk.bars(THREE, end="2004-10-08")
    from tapebook.strategy.indicators import rsi, sma

    wanted = (bars.close > sma(bars.close, 50)) & (rsi(bars.close, 14) > 50)
    assert found.symbols == tuple(wanted.columns[wanted.iloc[-1]])
    assert found.symbols
    assert found.end == pd.Timestamp("2004-10-08", tz="UTC")
    assert "3 of 3 symbols had enough bars" in found.summary


def test_prices_as_of_a_day_are_those_that_were_printed(sample_desk):
    """AAPL split 2 for 1 on 2005-02-28: before, its price was twice what today's adjusted series says."""
    found = sample_desk.scan("close > 0", "AAPL", asof="2005-02-01")
    printed = sample_desk.bars("AAPL", end="2005-02-01", adjust=False)
    adjusted = sample_desk.bars("AAPL", end="2005-02-01")
    assert adjusted.close.iloc[-1, 0] < printed.close.iloc[-1, 0]
    assert found.table["close"].item() == pytest.approx(printed.close.iloc[-1, 0])
    np.testing.assert_allclose(found.bars.values["volume"][-1], printed.values["volume"][-1], rtol=1e-9)
    np.testing.assert_allclose(
        found.bars.close.pct_change().to_numpy()[1:], adjusted.close.pct_change().to_numpy()[1:], rtol=1e-9
    )


def test_a_snapshot_is_what_the_lake_held(sample_desk):
    then = sample_desk.lake.snapshot()
    sample_desk.lake.write(rows("NEW", np.linspace(10, 20, 30)))
    assert "NEW" in sample_desk.scan("close > sma(20)", asof="2012-02-10").symbols
    assert "NEW" not in sample_desk.scan("close > sma(20)", asof="2012-02-10", snapshot=then).symbols
    assert "NEW" not in sample_desk.scan("close > 0", asof=then).bars.symbols


def test_an_expression_is_judged_before_anything_is_read(sample_desk):
    with pytest.raises(BadExpression, match="Did you mean 'sma'"):
        sample_desk.scan("close > smaa(5)", "NO_SUCH")
    with pytest.raises(UnknownName, match="NO_SUCH"):
        sample_desk.scan("close > sma(5)", "NO_SUCH")


def test_hits_over_the_past_are_traded_as_any_strategy(sample_desk):
    bars = sample_desk.bars(THREE, start="2004", end="2006")
    found = sample_desk.scan("close > sma(50) and rsi(2) < 10", bars)
    traded = sample_desk.backtest(found, hold=5)
    assert traded.metrics["trades"].value > 10
    same = sample_desk.backtest("on_screen", bars, expression=found.expression, hold=5, save=False)
    assert traded.metrics["total_return"].value == same.metrics["total_return"].value
    by_idea = sample_desk.backtest(found.idea(hold=5), bars, save=False)
    assert by_idea.metrics["total_return"].value == same.metrics["total_return"].value
    assert sample_desk.check(found, bars, cuts=3, hold=5)


def test_the_command_line(sample_home):
    asked = ("close > sma(50) and rsi(14) > 50", "--asof", "2004-10-08", "--universe", THREE)
    said = run(sample_home, "scan", *asked)
    assert said.exit_code == 0, said.output
    assert "of 3 symbols found as of 2004-10-08" in said.output
    told = json.loads(run(sample_home, "scan", *asked, "--json").stdout)
    assert told["coverage"] == {"asked": 3, "used": 3, "excluded": []}
    assert {"symbol", "bar", "close", "sma(50)", "rsi(14)"} == set(told["hits"][0])
    counted = run(sample_home, "scan", *asked, "--history")
    assert "hits" in counted.output
    wrong = run(sample_home, "scan", "close > smaa(3)")
    assert wrong.exit_code == 1
    assert "Did you mean 'sma'?" in wrong.output
    assert "\n  close > smaa(3)\n          ^^^^\n" in wrong.output
    assert "Did you mean 'trends'?" in run(sample_home, "scan", "trnds").output
    assert "rsi(series=close, bars=14)" in run(sample_home, "screen", "words").output
