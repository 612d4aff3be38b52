"""A backtest as its users meet it: tables that add up, records that come back, nothing from the future."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.strategy.backtest.backtest import Backtest, run_backtest
from tapebook.strategy.performance.figures import MARK
from tapebook.strategy.rules import Rules
from tapebook.strategy.signals import Signals


def market(T=260, N=3, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = 50 * np.exp(np.cumsum(rng.normal(0.0005, 0.02, (T, N)), axis=0))
    open_ = np.vstack([close[0], close[:-1]]) * np.exp(rng.normal(0, 0.005, (T, N)))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    named = {"open": open_, "high": high, "low": low, "close": close}
    frames = {k: pd.DataFrame(v, index, [f"S{n}" for n in range(N)]) for k, v in named.items()}
    return Bars.from_frames(**frames, calendars="XNYS", snapshot=7)


def crossing(bars, *, fast: int = 3, slow: int = 9):
    """Follow the shorter mean."""
    above = bars.close.rolling(fast).mean() > bars.close.rolling(slow).mean()
    return Signals(above & ~above.shift(fill_value=False), ~above & above.shift(fill_value=False))


def equal(bars):
    """Hold all alike, every tenth bar anew."""
    weights = pd.DataFrame(np.nan, bars.close.index, bars.close.columns)
    weights.iloc[::10] = 0.9 / len(bars.symbols)
    return weights


def never(bars):
    """Stay out."""
    return Signals(bars.close < 0, bars.close < 0)


@pytest.fixture(scope="module")
def bt():
    return run_backtest(crossing, market(), rules=Rules(stop_loss=0.05))


def test_equity_is_cash_and_positions(bt):
    value = bt.cash + (bt.positions * bt.close).sum(axis=1)
    np.testing.assert_allclose(bt.equity, value, rtol=1e-12)
    assert bt.equity.iloc[0] == bt.start_cash == 100_000


def test_profit_is_what_the_trades_made(bt):
    assert bt.equity.iloc[-1] - bt.start_cash == pytest.approx(bt.trades["pnl"].sum(), rel=1e-9)
    assert bt.trades["fees"].sum() == pytest.approx(bt.orders["fees"].sum())
    assert (bt.trades["mae"] <= 0).all()
    assert (bt.trades["mfe"] >= 0).all()
    m = bt.metrics
    assert np.sign(m["expectancy"].value) == np.sign(m["profit_factor"].value - 1)


def test_orders_follow_their_decision(bt):
    signals = bt.orders["reason"] == "signal"
    assert (bt.orders.loc[signals, "decided_ts"] < bt.orders.loc[signals, "ts"]).all()
    assert bt.orders["units"].abs().gt(0).all()
    assert {"signal", "stop"} <= set(bt.orders["reason"])


def test_weights_are_fractions_of_equity(bt):
    assert bt.weights.sum(axis=1).max() <= 1 + 1e-9
    assert (bt.weights[bt.positions == 0].fillna(0) == 0).all().all()


def test_the_future_changes_nothing():
    bars = market()
    full = run_backtest(crossing, bars)
    cut = run_backtest(crossing, bars.between(end=bars.index[150]))
    pd.testing.assert_series_equal(full.equity.iloc[:151], cut.equity)
    assert len(cut.orders) > 5
    poisoned = {n: getattr(bars, n).copy() for n in ("open", "high", "low", "close")}
    for frame in poisoned.values():
        frame.iloc[151:] = 1e6
    after = run_backtest(crossing, Bars.from_frames(**poisoned, calendars="XNYS"))
    pd.testing.assert_series_equal(full.equity.iloc[:151], after.equity.iloc[:151])


def test_columns_may_stand_in_any_order():
    bars = market()
    one = run_backtest(equal, bars)
    other = run_backtest(equal, bars.select("S2", "S0", "S1"))
    np.testing.assert_allclose(one.equity, other.equity, rtol=1e-12)


def test_one_pot_or_a_pot_each():
    bars = market()
    apart = run_backtest(crossing, bars, rules=Rules(shared_cash=False, cash=50_000))
    assert apart.start_cash == 150_000
    np.testing.assert_allclose(apart.equity_by_symbol.sum(axis=1), apart.equity)
    alone = run_backtest(crossing, bars["S1"], rules=Rules(cash=50_000))
    np.testing.assert_allclose(apart.equity_by_symbol["S1"], alone.equity)
    assert run_backtest(crossing, bars).equity_by_symbol is None


def test_a_strategy_that_never_trades_has_no_sharpe():
    bt = run_backtest(never, market())
    assert np.isnan(bt.metrics["sharpe"].value)
    assert np.isnan(bt.metrics["win_rate"].value)
    assert bt.metrics["total_return"].value == 0
    assert "sharpe –" in repr(bt)


def test_same_close_says_so_everywhere(tmp_path):
    bt = run_backtest(crossing, market(), rules=Rules(execution="same_close"))
    assert bt.same_close
    assert MARK in repr(bt)
    assert MARK in bt._repr_html_()
    assert all(MARK in metric.convention for metric in bt.metrics.values())
    assert bt.record()["same_close"] is True
    assert (bt.orders["decided_ts"] == bt.orders["ts"]).all()


def test_it_comes_back_from_disk_whole(bt, tmp_path):
    named = bt.named("bt-1", "2026-01-01T00:00:00+00:00")
    named.write(tmp_path / "bt-1")
    again = Backtest.read(tmp_path / "bt-1")
    assert again.record() == named.record()
    for name in ("equity", "cash", "benchmark"):
        pd.testing.assert_series_equal(getattr(again, name), getattr(named, name), check_freq=False)
    for name in ("positions", "close", "orders", "trades", "weights"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(named, name), check_freq=False)
    assert again.rules == named.rules
    assert again.metrics.to_json() == named.metrics.to_json()


@pytest.mark.parametrize(
    "rules", [Rules(), Rules(shared_cash=False), Rules(direction="both", fees=0.003)], ids=str
)
def test_the_portfolio_is_vectorbts_and_agrees(rules):
    bt = run_backtest(crossing, market(), rules=rules)
    pf = bt.portfolio
    value = pf.value() if rules.shared_cash else pf.value().sum(axis=1)
    np.testing.assert_allclose(value, bt.equity, rtol=1e-9)
    assert pf.positions.closed.count().sum() == bt.metrics["trades"].value
    if rules.shared_cash:
        stats = pf.stats()
        assert stats["Total Return [%]"] == pytest.approx(100 * bt.metrics["total_return"].value)
        assert stats["Sharpe Ratio"] == pytest.approx(bt.metrics["sharpe"].value, rel=1e-6)
        assert stats["Total Fees Paid"] == pytest.approx(bt.metrics["fees_paid"].value)


def test_benchmarks():
    bars = market()
    own = run_backtest(crossing, bars)
    growth = (bars.close / bars.close.iloc[0]).mean(axis=1)
    np.testing.assert_allclose(own.benchmark, 100_000 * growth)
    assert own.benchmark.name == "buy and hold, equal parts"
    by_name = run_backtest(crossing, bars, benchmark="S1")
    np.testing.assert_allclose(by_name.benchmark, 100_000 * bars.close["S1"] / bars.close["S1"].iloc[0])
    series = run_backtest(crossing, bars, benchmark=bars.close["S1"].iloc[20:].rename("index"))
    assert series.benchmark.iloc[:21].eq(100_000).all()
    assert series.metrics["beta"].convention.endswith("against index")
    with pytest.raises(UnknownName, match="Did you mean"):
        run_backtest(crossing, bars, benchmark="S11")


def test_what_cannot_be_done_is_refused():
    bars = market()
    with pytest.raises(NoData, match="no bars to trade"):
        run_backtest(crossing, bars.between("1999", "1999"))
    with pytest.raises(BadParameter, match="target weights"):
        run_backtest(equal, bars, rules=Rules(size=0.5))
    with pytest.raises(UnknownName, match="Did you mean 'fast'"):
        run_backtest(crossing, bars, params={"fats": 3})
