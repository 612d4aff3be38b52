"""The doors of screens: the desk's verbs and the command line."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.errors import BadInput, UnknownName
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


def saved(desk):
    """A desk with three symbols that rise, fall and stand still, and a screen that was run once."""
    for symbol, closes in (
        ("UP", np.arange(10.0, 30.0)),
        ("DOWN", np.arange(30.0, 10.0, -1)),
        ("NEW", [9.0]),
    ):
        desk.lake.write(rows(symbol, closes))
    desk.save_screen("high", "close > sma(5)", ["UP", "DOWN", "NEW"], note="what rises")
    return desk.run_screen("high")


def after(desk, symbol, closes):
    desk.lake.write(rows(symbol, closes, start=pd.Timestamp("2012-01-30")))


def hits(desk):
    return [(e.scan, e.symbol, e.change, e.bar[:10]) for e in desk.catalog.events.latest(topics=["scan.hit"])]


def test_a_kept_screen_tells_who_entered_and_who_left(sample_desk):
    first = saved(sample_desk)
    assert (first.found.symbols, first.entered, first.left) == (("UP",), (), ())
    assert "The first run" in first.summary
    assert hits(sample_desk) == []
    after(sample_desk, "UP", [1.0])
    after(sample_desk, "DOWN", [90.0])
    second = sample_desk.run_screen("high")
    assert (second.entered, second.left) == (("DOWN",), ("UP",))
    assert hits(sample_desk) == [
        ("high", "DOWN", "entered", "2012-01-30"), ("high", "UP", "left", "2012-01-30"),
    ]  # fmt: skip
    told = sample_desk.catalog.events.latest(topics=["scan.hit"])[0]
    assert (told.values["close"], told.expression) == (90.0, "close > sma(5)")
    assert sample_desk.run_screen("high").entered == ()
    assert len(hits(sample_desk)) == 2
    runs = sample_desk.screen_runs("high")
    assert list(runs["entered"]) == [[], ["DOWN"], []]
    assert list(runs["first"]) == [False, False, True]


def test_a_changed_screen_begins_anew_and_a_lost_update_is_refused(sample_desk):
    saved(sample_desk)
    assert sample_desk.save_screen("high", "close > sma(5)", ["UP", "DOWN", "NEW"], note="what rises") == 1
    assert sample_desk.save_screen("high", "close < sma(5)", ["UP", "DOWN", "NEW"], version=1) == 2
    with pytest.raises(BadInput, match="screen high is at version 2 by now, not at 1"):
        sample_desk.save_screen("high", "close > 1", version=1)
    assert sample_desk.run_screen("high").ran.entered is None
    assert hits(sample_desk) == []
    with pytest.raises(BadInput, match="was last run on bars to 2012-01-27"):
        sample_desk.run_screen("high", asof="2012-01-20")
    assert sample_desk.screen("high", asof="2012-01-20").symbols == ("DOWN",)


def test_whom_nobody_can_judge_neither_enters_nor_leaves(sample_desk):
    saved(sample_desk)
    sample_desk.lake.write(rows("DOWN", np.full(20, 5.0), start=pd.Timestamp("2012-03-01")))
    done = sample_desk.run_screen("high")
    assert done.found.symbols == ()
    assert (done.entered, done.left, done.ran.inside) == ((), (), ("UP",))


def test_a_run_whose_events_cannot_be_written_is_no_run(sample_desk, monkeypatch):
    saved(sample_desk)
    after(sample_desk, "DOWN", [90.0])

    def fail(*_):
        raise OSError("pulled")

    with monkeypatch.context() as broken:
        broken.setattr("tapebook.data.catalog.screens.put", fail)
        with pytest.raises(OSError, match="pulled"):
            sample_desk.run_screen("high")
    assert len(sample_desk.screen_runs("high")) == 1
    assert sample_desk.run_screen("high").entered == ("DOWN",)
    assert len(hits(sample_desk)) == 1


def test_kept_screens_on_the_command_line(sample_home):
    said = run(sample_home, "screen", "save", "calm", "rsi(14) between 40 and 60", "--universe", THREE)
    assert said.stdout == "calm@1\n", said.output
    assert "The first run" in run(sample_home, "screen", "run", "calm", "--asof", "2004-10-08").output
    told = json.loads(run(sample_home, "screen", "run", "calm", "--asof", "2004-12-08", "--json").stdout)
    assert not told["first"]
    shown = json.loads(run(sample_home, "screen", "show", "calm", "--json").stdout)
    assert [r["entered"] for r in shown["runs"]][0] == told["entered"]
    assert "rsi(14) >= 40" in run(sample_home, "screen", "show", "calm").output
    assert "calm" in run(sample_home, "screen", "list").output
    assert "Did you mean 'calm'?" in run(sample_home, "screen", "run", "clam").output
    assert run(sample_home, "screen", "delete", "calm", "--yes").exit_code == 0
    assert "no screen yet" in run(sample_home, "screen", "list").output


def test_a_universe_is_its_members_of_that_day(sample_desk):
    sample_desk.save_universe("old", [("AAPL", None, "2003-12-31"), ("IBM", "2004-01-01", None)])
    assert sample_desk.scan("close > 0", "@old", asof="2003-06-02").symbols == ("AAPL",)
    found = sample_desk.scan("close > 0 or sma(200) > 0", "@old, MSFT", asof="2004-01-15")
    assert found.symbols == ("IBM", "MSFT")
    assert found.coverage.used == 2


def test_trading_a_screen_uses_no_later_bar(sample_desk):
    """Ranks, crossings, counts of days, spans: whatever it says, the future may be poisoned."""
    bars = sample_desk.bars(THREE, start="2003", end="2005")
    for expression in (
        "rank(change(20)) <= 1 and symbol in (AAPL, IBM)",
        "sma(10) crosses above sma(50) or days_since(close > highest(60)[1]) < 5",
        "close between low[1] and high[1] and volume > 1.5 * avg(volume, 20)",
    ):
        told = sample_desk.check("on_screen", bars, cuts=4, expression=expression, hold=5)
        assert told, (expression, str(told))
        assert "no look-ahead found" in str(told)
