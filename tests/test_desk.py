"""The desk's one object, on the sample: what an analyst types, end to end."""

import numpy as np
import pandas as pd
import pytest

from tapebook import Desk, Rules, Signals
from tapebook.errors import BadParameter, NoData, UnknownName


def test_an_empty_folder_is_a_desk(tmp_path):
    with Desk.open(tmp_path) as desk:
        assert desk.symbols().empty
        assert desk.results().empty
        with pytest.raises((NoData, UnknownName), match="ingest"):
            desk.bars("AAPL")
    assert not list(tmp_path.iterdir()), "looking must not write"


def test_bars_keep_the_order_asked_and_the_holes(sample_desk):
    bars = sample_desk.bars("MSFT, FB,AAPL", start="2012-05")
    assert bars.symbols == ("MSFT", "FB", "AAPL")
    assert bars.close["FB"].isna().sum() == 13  # listed on 2012-05-18
    assert bars.snapshot == sample_desk.lake.snapshot()


def test_splits_are_taken_out_by_default(sample_desk):
    raw = sample_desk.bars("AAPL", adjust=False).close["AAPL"].pct_change()
    adjusted = sample_desk.bars("AAPL").close["AAPL"].pct_change()
    assert raw["2005-02-28"] < -0.45
    assert abs(adjusted["2005-02-28"]) < 0.1
    assert adjusted["2000-09-29"] == pytest.approx(-0.5187, abs=1e-3)  # a true fall


def test_a_result_is_kept_and_comes_back(sample_desk):
    bt = sample_desk.backtest("sma_cross", "AAPL", fast=10, slow=50, fees=0.002, note="first")
    assert bt.rules.fees == 0.002
    assert bt.params == {"fast": 10, "slow": 50}
    again = sample_desk.load(bt.id)
    pd.testing.assert_series_equal(again.equity, bt.equity, check_freq=False)
    listed = sample_desk.results(strategy="sma_cross", symbol="AAPL")
    assert list(listed["id"]) == [bt.id]
    assert sample_desk.results(symbol="MSFT").empty
    sample_desk.delete_result(bt.id)
    with pytest.raises(UnknownName, match=bt.id):
        sample_desk.load(bt.id)


def test_a_result_is_the_same_again_on_its_snapshot(sample_home):
    with Desk.open(sample_home) as desk:
        first = desk.backtest("momentum", ["AAPL", "MSFT"])
        desk.delete("MSFT", start="2010")
        assert desk.backtest("momentum", ["AAPL", "MSFT"]).fingerprint != first.fingerprint
    with Desk.open(sample_home, snapshot=first.snapshot) as pinned:
        again = pinned.backtest("momentum", ["AAPL", "MSFT"])
    assert again.fingerprint == first.fingerprint
    assert again.metrics.to_json() == first.metrics.to_json()


def test_a_function_of_ones_own(sample_desk):
    def up_day(bars, *, days: int = 1):
        """Hold after a rise."""
        rose = bars.close > bars.close.shift(days)
        return Signals(rose, ~rose)

    bt = sample_desk.backtest(up_day, sample_desk.bars("IBM"), days=2, rules=Rules(cash=1_000), save=False)
    assert bt.id is None
    assert bt.strategy == "up_day"
    assert bt.start_cash == 1_000


def test_settings_of_strategy_and_rules_share_one_call(sample_desk):
    with pytest.raises(UnknownName, match="Did you mean 'slippage'"):
        sample_desk.backtest("sma_cross", "AAPL", slipage=0)
    with pytest.raises(UnknownName, match="Did you mean 'fast'"):
        sample_desk.backtest("sma_cross", "AAPL", fas=3)
    with pytest.raises(BadParameter, match="fees"):
        sample_desk.backtest("sma_cross", "AAPL", fees=-1)


def test_a_benchmark_from_the_lake(sample_desk):
    bt = sample_desk.backtest("buy_and_hold", "AAPL", benchmark="SP500", save=False)
    index = sample_desk.bars("SP500").close["SP500"]
    assert bt.benchmark.name == "SP500"
    growth = index.asof(bt.equity.index[-1]) / index.asof(bt.equity.index[0])
    assert bt.benchmark.iloc[-1] / bt.start_cash == pytest.approx(growth)


def test_sql_in_both_frames(sample_desk):
    query = "select symbol, count(*) as n from bars where symbol in ('AAPL', 'FB') group by all order by all"
    answer = sample_desk.sql(query)
    assert list(answer["symbol"]) == ["AAPL", "FB"]
    assert sample_desk.sql(query, out="polars")["n"].to_list() == answer["n"].tolist()


@pytest.mark.parametrize(
    "name",
    ["sma_cross", "rsi_reversion", "donchian_breakout", "macd_trend", "cross_momentum", "volatility_target"],
)
def test_the_library_trades_real_data(sample_desk, name):
    bt = sample_desk.backtest(name, ["AAPL", "GOOG", "IBM", "MSFT"], save=False)
    assert bt.metrics["orders"].value > 5
    assert np.isfinite(bt.equity).all()
    assert bt.equity.iloc[-1] == pytest.approx(
        bt.cash.iloc[-1] + (bt.positions * bt.close.ffill()).iloc[-1].sum()
    )
