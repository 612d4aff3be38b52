"""Expectancy against published numbers, closed forms and planted truths."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.errors import BadParameter
from tapebook.strategy import Rules
from tapebook.strategy.luck import odds
from tapebook.strategy.luck.bar_estimates import paths
from tapebook.strategy.luck.expectancy import expectancy
from tapebook.strategy.luck.luck import luck
from tapebook.strategy.luck.resampling import block_length, drawn_rows, interval

CASH = 100_000.0


def made(returns=(), pnl=(), *, stop_loss=None, same_close=False, entry=10_000.0, open_pnl=()):
    """Build a backtest of these bar returns and trade profits, each trade on `entry` of money."""
    values = np.asarray(returns, dtype=float)
    returns = pd.Series(values, pd.date_range("2000-01-01", periods=len(values), tz="UTC"))
    profits = np.asarray([*pnl, *open_pnl], dtype=float)
    trades = pd.DataFrame(
        {
            "pnl": profits,
            "return": profits / entry,
            "units": np.full(len(profits), -entry / 50.0),  # short: the risk has no sign
            "entry_price": np.full(len(profits), 50.0),
            "exit_ts": pd.date_range("2020", periods=len(profits), tz="UTC"),
            "status": ["closed"] * len(pnl) + ["open"] * len(open_pnl),
        }
    )
    return SimpleNamespace(
        returns=returns,
        equity=CASH * (1.0 + returns).cumprod(),
        trades=trades,
        start_cash=CASH,
        periods_per_year=252.0,
        rules=Rules(stop_loss=stop_loss),
        same_close=same_close,
        orders=trades,
        benchmark=None,
        tried=None,
    )


def ar1(rng, T, rho, mean=0.0, scale=0.01):
    noise = rng.normal(0, scale, T)
    values = np.empty(T)
    values[0] = noise[0] / np.sqrt(1 - rho**2)
    for t in range(1, T):
        values[t] = rho * values[t - 1] + noise[t]
    return mean + values


# ---- published numbers


def test_wilsons_interval():
    assert odds.wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert odds.wilson(0, 5)[0] == pytest.approx(0.0, abs=1e-12)
    assert odds.wilson(5, 5)[1] == pytest.approx(1.0)
    assert np.isnan(odds.wilson(0, 0)).all()


@pytest.mark.parametrize(("rho", "published"), [(0.2, 2.88), (0.0, 3.46), (-0.2, 4.17)])
def test_lo_2002_annual_factor(rho, published):
    assert odds.annual_factor(12, rho) == pytest.approx(published, abs=5e-3)
    k = np.arange(1, 12)
    assert odds.annual_factor(12, rho) == pytest.approx(12 / np.sqrt(12 + 2 * np.sum((12 - k) * rho**k)))


def test_block_length_of_archs_own_test():
    rng = np.random.RandomState(0)
    noise = rng.standard_normal(10_000 + 100)
    values = np.zeros(10_100)
    values[0] = noise[0]
    for t in range(1, len(values)):
        values[t] = 0.3 * values[t - 1] + noise[t]
    assert block_length(values[100:]) == pytest.approx(13.635665)


def test_the_dependent_error_is_lo_for_independent_normal_returns():
    returns = np.random.default_rng(0).normal(0.003, 0.01, 50_000)
    ratio = returns.mean() / returns.std()
    expected = np.sqrt((1 + ratio**2 / 2) / len(returns))
    assert odds.dependent_sharpe_error(returns) == pytest.approx(expected, rel=0.05)
    assert odds.dependent_sharpe_error(ar1(np.random.default_rng(0), 50_000, 0.3)) > expected * 1.2


# ---- the bootstrap


@pytest.mark.parametrize("length", [1.0, 4.0, 30.0])
def test_blocks_go_on_at_the_next_row_and_last_as_long_as_asked(length):
    T = 300
    rows = np.concatenate(list(drawn_rows(T, 2000, length, seed=1)))
    assert rows.shape == (2000, T)
    assert rows.min() == 0
    assert rows.max() == T - 1
    goes_on = ((np.diff(rows, axis=1) % T) == 1).mean()
    assert goes_on == pytest.approx(1 - 1 / length + 1 / length / T, abs=0.004)
    every = np.bincount(rows[:, 0], minlength=T)  # a row begins anywhere
    assert every.std() == pytest.approx(np.sqrt(2000 / T), rel=0.25)


def test_draws_in_many_tables_are_all_there():
    tables = list(drawn_rows(60_000, 9, 50.0, seed=0))
    assert [len(table) for table in tables] == [4, 4, 1]


@pytest.mark.parametrize("rho", [0.0, 0.3])
def test_intervals_cover_the_planted_truth(rho):
    rng, truth, covered = np.random.default_rng(11), 0.0004, []
    for market in range(300):
        e = expectancy(made(ar1(rng, 500, rho, truth)), draws=400, seed=market)["bar_expectancy_share"]
        covered.append(e.low <= truth <= e.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_trade_intervals_cover_too():
    rng, covered = np.random.default_rng(5), []
    for market in range(300):
        wins = rng.random(40) < 0.4
        bt = made(pnl=np.where(wins, 300.0, -100.0) * rng.uniform(0.5, 1.5, 40))
        e = expectancy(bt, draws=400, seed=market)["expectancy"]
        covered.append(e.low <= 60.0 <= e.high)
    assert 0.92 <= np.mean(covered) <= 0.98


def test_few_independent_observations_widen_the_interval():
    drawn = np.random.default_rng(0).normal(size=20_000)
    wide, narrow = interval(drawn, 0.95, 10), interval(drawn, 0.95, 1e6)
    assert narrow == pytest.approx((-1.96, 1.96), abs=0.06)
    assert wide[1] > narrow[1] * 1.1
    assert np.isnan(interval(np.array([np.nan]), 0.95, 10)).all()


# ---- laws


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40))
def test_signs_agree(pnl):
    e = expectancy(made(pnl=pnl), draws=100)
    assert np.sign(e["expectancy"].value) == np.sign(sum(pnl))
    if min(pnl) < 0:
        assert np.sign(e["profit_factor"].value - 1) == np.sign(sum(pnl))
    numbers = e.frame()[["value", "low", "high"]].to_numpy()
    assert not np.isinf(numbers).any()
    shown = e.frame().dropna(subset=["low", "high"])
    assert (shown["low"] <= shown["high"]).all()


def test_the_seed_decides():
    bt = made(ar1(np.random.default_rng(1), 300, 0.2), np.random.default_rng(2).normal(10, 100, 60))
    one, same, other = (expectancy(bt, draws=200, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(one.frame(), same.frame())
    pd.testing.assert_frame_equal(one.sizes(), same.sizes())
    assert one["expectancy"].low != other["expectancy"].low
    assert one["expectancy"].value == other["expectancy"].value


@pytest.mark.parametrize(("wins", "odds_b"), [(6, 1.0), (4, 2.0), (3, 5.0), (9, 0.5)])
def test_kelly_of_two_outcomes(wins, odds_b):
    p = wins / 10
    returns = np.array([odds_b] * wins + [-1.0] * (10 - wins))
    found = odds.kelly(returns[None, :], -1.0)[0]
    assert found == pytest.approx(p - (1 - p) / odds_b, abs=1e-6)
    halved = expectancy(made(pnl=returns * 5_000.0), draws=100)["kelly"]  # half is lost at worst
    assert halved.value == pytest.approx(2 * found, abs=1e-6)


def test_kelly_without_an_edge_is_nothing():
    assert odds.kelly(np.array([[1.0, -1.0, -1.0]]), -1.0)[0] == 0.0


def test_r_is_the_loss_at_the_stop_or_else_the_mean_loss():
    pnl = [300.0, -100.0, -200.0, 600.0] * 5
    e = expectancy(made(pnl=pnl, stop_loss=0.02), draws=100)["expectancy_r"]
    assert e.value == pytest.approx(150 / 200)  # 2 % of 10,000
    assert "the loss at the stop of 2.0%" in e.convention
    e = expectancy(made(pnl=pnl), draws=100)["expectancy_r"]
    assert e.value == pytest.approx(150 / 150)
    assert "since no stop_loss is set" in e.convention


def test_open_trades_do_not_count():
    assert expectancy(made(pnl=[1.0] * 12, open_pnl=[-999.0]), draws=100)["expectancy"].value == 1.0


def test_paths_and_sizes_speak_of_the_same_draws():
    e = expectancy(made(np.random.default_rng(3).normal(0.0004, 0.02, 500)), draws=300)
    sizes = e.sizes()
    assert list(sizes.index) == [0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0]
    assert sizes.loc[1.0, "drawdown_95"] == e["drawdown_95"].value
    assert sizes.loc[1.0, "risk_of_ruin"] == e["risk_of_ruin"].value
    final = CASH * (1 + sizes.loc[1.0, "median_growth"]) ** (500 / 252)
    assert final == pytest.approx(e["final_equity"].value)
    assert sizes["drawdown_95"].is_monotonic_decreasing
    assert sizes["risk_of_ruin"].is_monotonic_increasing


def test_paths_drawn_one_by_one_follow_the_plain_product():
    returns = np.random.default_rng(4).normal(0, 0.02, 100)
    drawn = paths(returns, 50, 1.0, seed=9)
    (rows,) = drawn_rows(100, 50, 1.0, seed=9)
    equity = np.cumprod(1 + returns[rows], axis=1)
    before = np.maximum.accumulate(np.column_stack([np.ones(50), equity]), axis=1)[:, 1:]
    np.testing.assert_allclose(np.exp(drawn.growth), equity[:, -1])
    np.testing.assert_allclose(drawn.drawdown, (equity / before - 1).min(axis=1), atol=1e-12)


def test_a_loss_of_all_is_ruin_and_stays_one():
    returns = np.tile([0.3, -0.4, 0.2], 30)
    sizes = expectancy(made(returns), draws=100).sizes([3.0])
    assert sizes.loc[3.0].tolist() == [-1.0, -1.0, 1.0]


# ---- nothing to say


def test_too_little_is_said_not_raised():
    e = expectancy(made())
    assert e.frame()["value"].dropna().tolist() == [0.0]  # the number of trades
    assert "no closed trade, 10 are needed" in e["expectancy"].convention
    assert "30 bars are needed, there are 0" in e["sharpe"].convention
    assert e.sizes().isna().all(axis=None)
    few = expectancy(made(np.full(5, 0.01), [10.0, -5.0, 3.0]))["expectancy"]
    assert few.value == pytest.approx(8 / 3)
    assert np.isnan(few.low)
    assert "10 closed trades are needed, there are 3" in few.convention


def test_constant_returns_and_trades():
    e = expectancy(made(np.zeros(50), [5.0] * 12), draws=100)
    assert (e["expectancy"].low, e["expectancy"].high) == (5.0, 5.0)
    assert e["probability_positive"].value == 1.0
    for name in ("payoff", "profit_factor", "kelly", "expectancy_r"):
        assert np.isnan(e[name].value)
        assert "to measure by" in e[name].convention
    assert e["sharpe"].convention == "none: the bar returns do not vary"
    assert e["final_equity"].value == pytest.approx(CASH)


def test_nothing_but_losses():
    e = expectancy(made(pnl=[-5.0] * 12), draws=100)
    assert e["profit_factor"].value == 0.0
    assert e["kelly"].value == 0.0
    assert np.isnan(e["payoff"].value)


def test_a_profit_factor_without_an_upper_end():
    e = expectancy(made(pnl=[5.0] * 11 + [-1.0]), draws=300)["profit_factor"]
    assert e.value == 55.0
    assert np.isnan(e.high)
    assert "no upper end" in e.convention


def test_after_all_is_lost_bars_say_nothing():
    bt = made([0.01, -0.01] * 20)
    bt.returns = pd.concat([bt.returns, pd.Series([-1.0, np.nan])])
    bt.equity = pd.concat([bt.equity, pd.Series([0.0, 0.0])])
    e = expectancy(bt, draws=100)
    assert not np.isinf(e.frame()[["value", "low", "high"]].to_numpy()).any()
    assert "41 bars" in e["bar_expectancy"].convention


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draws": 5}, "'draws' is 5: expected a whole number of at least 100"),
        ({"confidence": 95}, "'confidence' is 95: expected a share"),
        ({"ruin": 0.0}, "'ruin' is 0.0"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(BadParameter, match=message):
        expectancy(made(), **options)


def test_bad_sizes():
    with pytest.raises(BadParameter, match="multiples of the present size"):
        expectancy(made()).sizes([-1.0])


# ---- how it reads


def test_it_reads_well():
    e = expectancy(made(np.random.default_rng(0).normal(0, 0.01, 60), [30.0, -20.0] * 8, same_close=True))
    assert json.loads(json.dumps(e.to_json()))["win_rate"]["value"] == 0.5
    assert list(e.frame().columns) == ["value", "low", "high", "shown", "unit", "convention"]
    assert e.frame().index.name == "name"
    assert e.frame().loc["win_rate", "shown"] == "50.00% (28.00% to 72.00%)"
    assert "expectancy_r" in str(e)
    assert "<table" in e._repr_html_()
    assert e.frame()["convention"].str.contains("FILLED AT THE SAME CLOSE").all()


def test_luck_of_one_backtest():
    bt = made(np.random.default_rng(0).normal(0.001, 0.01, 1000))
    alone, among = luck(bt), luck(bt, trials=50)
    assert alone["trials"].value == 1
    assert among["deflated_sharpe"].value < among["probabilistic_sharpe"].value
    assert luck(bt, trials=1)["deflated_sharpe"].value == alone["probabilistic_sharpe"].value
    assert among["minimum_backtest"].value > 0
    worse = luck(made(np.random.default_rng(0).normal(-0.001, 0.01, 1000)), trials=5)
    assert np.isnan(worse["minimum_track_record"].value)
    assert np.isnan(worse["minimum_backtest"].value)
    assert "do not vary" in luck(made(np.zeros(10)))["probabilistic_sharpe"].convention
    with pytest.raises(BadParameter, match="'trials' is 0"):
        luck(bt, trials=0)
