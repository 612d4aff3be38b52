"""Made markets hold what their truth says, within sampling error; errors are given as standard errors."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tapebook.data import synthetic
from tapebook.data.calendar import sessions
from tapebook.data.panel import Bars
from tapebook.data.quality import check
from tapebook.errors import BadParameter
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.declare import strategy
from tapebook.strategy.rules import Rules

FREE = Rules(fees=0.0, slippage=0.0)
MARKETS = {
    "random_walk": lambda seed: synthetic.random_walk(symbols=3, bars=400, seed=seed),
    "fat": lambda seed: synthetic.random_walk(bars=400, seed=seed, tails=3, garch=(0.08, 0.9), drift=0.06),
    "factor_market": lambda seed: synthetic.factor_market(symbols=4, bars=400, seed=seed),
    "lead_lag": lambda seed: synthetic.lead_lag(pairs=2, bars=400, seed=seed, others=1),
    "cointegrated": lambda seed: synthetic.cointegrated(pairs=2, bars=400, seed=seed, others=1),
    "regimes": lambda seed: synthetic.regimes(symbols=2, bars=400, seed=seed),
    "trending": lambda seed: synthetic.trending(symbols=2, bars=400, seed=seed),
    "precursors": lambda seed: synthetic.precursors(symbols=2, bars=400, seed=seed),
    "planted_edge": lambda seed: synthetic.planted_edge(years=2, seed=seed),
}


def returns(bars: Bars) -> np.ndarray:
    return bars.close.pct_change(fill_method=None).iloc[1:].to_numpy()


def annual_sharpe(values: np.ndarray) -> float:
    return values.mean() / values.std() * np.sqrt(252)


@pytest.mark.parametrize("name", MARKETS)
def test_bars_are_consistent_and_stand_on_sessions(name):
    bars = MARKETS[name](1).bars
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    assert (bars.low.to_numpy() > 0).all()
    assert (bars.low <= bottom).all(axis=None)
    assert (bars.high >= top).all(axis=None)
    assert (bars.volume > 0).all(axis=None)
    assert bars.index.equals(sessions("XNYS", bars.start, bars.end))
    assert set(bars.calendars.values()) == {"XNYS"}


@pytest.mark.parametrize("name", MARKETS)
def test_the_seed_is_the_market(name):
    one, same, other = (MARKETS[name](seed).bars.fingerprint() for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("make", [synthetic.random_walk, synthetic.regimes, synthetic.trending])
def test_minutes_of_a_market_that_never_closes(make):
    bars = make(bars=3000, seed=1, calendar="24/7", freq="1m").bars
    assert len(bars) == 3000
    assert (np.diff(bars.index.asi8) == 60_000_000).all()


def test_a_random_walk_has_its_drift_volatility_and_correlation():
    T = 50_000
    market = synthetic.random_walk(
        symbols=2, bars=T, seed=3, drift=0.5, volatility=0.2, correlation=0.6, calendar="24/7", freq="1h"
    )
    r, year = returns(market.bars), market.bars.periods_per_year
    error = 0.2 * np.sqrt(year / T)
    assert r.mean(axis=0) * year == pytest.approx([0.5, 0.5], abs=4 * error)
    assert r.std(axis=0) * np.sqrt(year) == pytest.approx([0.2, 0.2], rel=4 / np.sqrt(2 * T))
    assert np.corrcoef(r.T)[0, 1] == pytest.approx(0.6, abs=4 * 0.64 / np.sqrt(T))


def test_tails_and_storms():
    calm, fat, storm = (
        returns(synthetic.random_walk(bars=9000, seed=5, **how).bars)[:, 0]
        for how in ({}, {"tails": 4}, {"garch": (0.1, 0.88)})
    )
    kurtosis = [((r - r.mean()) ** 4).mean() / r.var() ** 2 for r in (calm, fat, storm)]
    assert kurtosis[0] == pytest.approx(3.0, abs=4 * np.sqrt(24 / 9000))
    assert min(kurtosis[1:]) > 4.0
    squares = [np.corrcoef(r[1:] ** 2, r[:-1] ** 2)[0, 1] for r in (calm, storm)]
    assert squares[0] < 0.05 < 0.1 < squares[1]
    for r in (calm, fat, storm):
        assert np.corrcoef(r[1:], r[:-1])[0, 1] == pytest.approx(0.0, abs=0.06)
        assert r.std() * np.sqrt(252) == pytest.approx(0.2, rel=0.2)


def test_a_night_has_its_share_of_a_walk():
    bars = synthetic.random_walk(bars=9000, seed=2).bars
    night = np.log(bars.open / bars.close.shift()).iloc[1:, 0]
    whole = np.log(bars.close / bars.close.shift()).iloc[1:, 0]
    assert night.var() / whole.var() == pytest.approx(0.2, abs=0.02)
    assert np.corrcoef(night, whole - night)[0, 1] == pytest.approx(0.0, abs=0.05)


def test_loadings_are_found_by_regression():
    market = synthetic.factor_market(symbols=6, bars=5000, seed=4)
    factors = market.truth.returns.to_numpy()[1:]
    r = returns(market.bars)
    found, *_ = np.linalg.lstsq(factors, r, rcond=None)
    error = 0.2 / 0.15 / np.sqrt(5000)
    np.testing.assert_allclose(found.T, market.truth.loadings, atol=4.5 * error)
    rest = (r - factors @ found).std(axis=0) * np.sqrt(252)
    np.testing.assert_allclose(rest, market.truth.specific, rtol=0.05)


def test_a_follower_follows_at_its_lag_and_at_no_other():
    T = 5000
    market = synthetic.lead_lag(pairs=2, bars=T, seed=6, lag=(1, 5), strength=(0.6, -0.3), others=1)
    r = pd.DataFrame(returns(market.bars), columns=market.bars.symbols)
    for pair in market.truth.pairs.itertuples():
        found = [r[pair.leader].corr(r[pair.follower].shift(-lag)) for lag in range(-6, 7)]
        assert found[pair.lag + 6] == pytest.approx(pair.strength, abs=4 / np.sqrt(T))
        rest = np.delete(found, pair.lag + 6)
        assert np.abs(rest).max() < 4.5 / np.sqrt(T)
    assert abs(r["A0"].corr(r["S0"])) < 4.5 / np.sqrt(T)


def test_hedge_ratio_and_half_life_are_found():
    market = synthetic.cointegrated(pairs=2, bars=9000, seed=7, hedge=(1.0, 0.6), half_life=(5, 20), others=1)
    logs = np.log(market.bars.close)
    for pair in market.truth.pairs.itertuples():
        slope, _ = np.polyfit(logs[pair.x], logs[pair.y], 1)
        assert slope == pytest.approx(pair.hedge, abs=0.05)
        gap = (logs[pair.y] - pair.hedge * logs[pair.x]).to_numpy()
        stay = np.corrcoef(gap[1:], gap[:-1])[0, 1]
        assert np.log(0.5) / np.log(stay) == pytest.approx(pair.half_life, rel=0.2)
        assert gap.std() == pytest.approx(pair.spread, rel=0.1)


def test_regimes_take_their_shares_and_are_what_they_say():
    market = synthetic.regimes(bars=9000, seed=8)
    truth, r = market.truth, returns(market.bars)[:, 0]
    np.testing.assert_allclose(truth.shares, [250 / 310, 60 / 310], atol=1e-12)
    shares = np.bincount(truth.states, minlength=2) / len(truth.states)
    np.testing.assert_allclose(shares, truth.shares, atol=0.12)  # some 29 visits of either
    for k, regime in enumerate(truth.regimes):
        own = r[truth.states.to_numpy()[1:] == k]
        assert own.std() * np.sqrt(252) == pytest.approx(regime.volatility, rel=0.06)
    visits = np.abs(np.diff(truth.states)).sum() + 1
    assert len(truth.states) / visits == pytest.approx((250 + 60) / 2, rel=0.4)


def test_a_trend_pays_who_follows_it_and_a_walk_does_not():
    trend = synthetic.trending(symbols=20, bars=5000, seed=9)
    walk = synthetic.random_walk(symbols=20, bars=5000, seed=9)
    known = trend.truth.direction.to_numpy()[1:] * returns(trend.bars)
    assert annual_sharpe(known) == pytest.approx(3.0, abs=4 * np.sqrt(252 / known.size))

    def followed(bars):
        ahead = np.sign(bars.close.pct_change(60, fill_method=None)).shift()
        return annual_sharpe((ahead * bars.close.pct_change(fill_method=None)).to_numpy()[61:])

    assert followed(trend.bars) > 1.0
    assert abs(followed(walk.bars)) < 4 * np.sqrt(252 / (20 * 5000))


def test_events_come_when_announced_and_false_ones_do_not():
    market = synthetic.precursors(symbols=3, bars=2520, seed=10, events=20, false=10)
    truth, bars = market.truth, market.bars
    assert truth.events["true"].sum() == 60
    assert (~truth.events["true"]).sum() == 30
    assert (truth.events["ts"] == bars.index[truth.events["row"]]).all()
    day, usual = np.log(bars.close / bars.open), bars.volume.median()
    for event in truth.events.itertuples():
        before = bars.volume[event.symbol].iloc[event.row - truth.width + 1 : event.row + 1]
        assert before.mean() / usual[event.symbol] == pytest.approx(truth.surge, rel=0.6)
        jumped = day[event.symbol].iloc[event.row + truth.delay]
        assert jumped == pytest.approx(np.log1p(0.08) if event.true else 0.0, abs=5 * 0.2 / np.sqrt(252))
        assert event.event_row == (event.row + truth.delay if event.true else -1)


def test_the_lake_finds_every_planted_fault():
    bars = synthetic.random_walk(symbols=2, bars=1500, seed=11, volatility=0.15).bars
    faulty = synthetic.bad_prints(bars, seed=12, wrong=6, missing=6, duplicates=6)
    wanted = {"wrong": "bad_print", "missing": "gap", "duplicate": "duplicate"}
    for symbol in bars.symbols:
        own = faulty.table.filter(pl.col("symbol") == symbol).drop("symbol")
        found = check(own, symbol=symbol, freq="1d", calendar="XNYS").to_pandas()
        for fault in faulty.truth[faulty.truth["symbol"] == symbol].itertuples():
            told = set(found.loc[found["ts"] == fault.ts, "check_name"])
            assert wanted[fault.kind] in told, (fault, found)
    assert len(faulty.table) == 2 * 1500 - 6 + 6
    clean = bars.polars()
    changed = faulty.table.join(clean, on=["symbol", "ts", "close"], how="anti")
    assert len(changed) == 6 + 6  # the wrong ones and the second rows


def test_faults_stand_apart_and_need_room():
    bars = synthetic.random_walk(bars=30, seed=1).bars
    with pytest.raises(BadParameter, match="faults stand three bars apart"):
        synthetic.bad_prints(bars, seed=1, wrong=20)
    rows = bars.index.get_indexer(
        synthetic.bad_prints(bars, seed=1, wrong=3, missing=3, duplicates=2).truth["ts"]
    )
    assert np.diff(np.sort(rows)).min() >= 3


# ---- the planted edge


@pytest.mark.parametrize("how", [{}, {"drift": 0.08, "hold": 3.0}, {"tails": 5, "annual_sharpe": 0.5}])
def test_who_follows_the_signal_has_the_planted_sharpe(how):
    market = synthetic.planted_edge(symbols=60, years=20, seed=13, **how)
    bars, on = market.bars, market.truth.signal.to_numpy()
    night = (bars.open / bars.close.shift()).to_numpy()[2:] - 1
    day = (bars.close / bars.open).to_numpy()[2:] - 1
    earned = (1 + on[:-2] * night) * (1 + on[1:-1] * day) - 1
    found = [annual_sharpe(column) for column in earned.T]
    wanted = market.truth.sharpe
    assert np.mean(found) == pytest.approx(wanted, abs=4 * np.sqrt(1 / 20 / 60))
    assert wanted == how.get("annual_sharpe", 1.5)
    drift = (bars.close.to_numpy()[1:] / bars.close.to_numpy()[:-1] - 1).mean() * 252
    assert drift == pytest.approx(how.get("drift", 0.0), abs=4 * 0.21 / np.sqrt(20 * 60))


def test_a_backtest_of_follow_earns_just_that():
    market = synthetic.planted_edge(years=20, seed=14)
    bars, on = market.bars, market.truth.signal.to_numpy()[:, 0]
    bt = run_backtest(strategy(synthetic.follow), bars, params={}, rules=FREE)
    o, c = bars.open.to_numpy()[:, 0], bars.close.to_numpy()[:, 0]
    earned = (1 + on[:-2] * (o[2:] / c[1:-1] - 1)) * (1 + on[1:-1] * (c[2:] / o[2:] - 1)) - 1
    np.testing.assert_allclose(bt.returns.to_numpy()[2:], earned, atol=1e-9)


def test_the_signal_is_told_by_the_bar_itself_and_by_no_later_one():
    market = synthetic.planted_edge(years=5, seed=15)
    entries, exits = synthetic.follow(market.bars)
    np.testing.assert_array_equal(entries, market.truth.signal)
    np.testing.assert_array_equal(exits, ~market.truth.signal)
    for smooth in (1, 7):
        whole = synthetic.follow(market.bars, smooth=smooth)[0]
        part = synthetic.follow(market.bars._rows(slice(0, 600)), smooth=smooth)[0]
        pd.testing.assert_frame_equal(whole.iloc[:600], part)


def test_the_signal_says_nothing_of_the_bar_at_which_it_is_seen():
    """Only of later ones, but for its own persistence: a fresh signal finds no drift behind it."""
    market = synthetic.planted_edge(symbols=40, years=20, seed=16, annual_sharpe=3.0)
    on = market.truth.signal.to_numpy()
    r = np.vstack([np.zeros(40), returns(market.bars)])
    fresh = on[1:] & ~on[:-1]
    before, after = r[1:-1][fresh[:-1]], r[2:][fresh[:-1]]
    error = 0.2 / np.sqrt(252 * len(before))
    assert before.mean() == pytest.approx(market.truth.loss, abs=4 * error)
    assert after.mean() == pytest.approx(market.truth.gain, abs=4 * error)


def test_a_search_has_one_best_region():
    market = synthetic.planted_edge(symbols=30, years=20, seed=17)
    bars = market.bars

    def ratio(threshold, smooth):
        on = (bars.volume.rolling(smooth).mean() > threshold * 1e6).shift(fill_value=False).to_numpy()
        day = (bars.close / bars.open - 1).to_numpy()
        return np.mean([annual_sharpe(column) for column in (on * day).T])

    down = [ratio(threshold, 1) for threshold in (1.0, 1.4, 1.8, 2.2)]
    up = [ratio(threshold, 1) for threshold in (1.0, 0.8, 0.6, 0.45)]
    slower = [ratio(1.0, smooth) for smooth in (1, 3, 10, 30)]
    for path in (down, up, slower):
        assert (np.diff(path) < 0).all(), path


# ---- what is refused


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: synthetic.random_walk(bars=1, seed=1), "'bars' is 1: expected a whole number of at least 2"),
        (lambda: synthetic.random_walk(symbols=0, seed=1), "'symbols' is 0"),
        (lambda: synthetic.random_walk(seed=1, correlation=2.0), "'correlation' is 2.0: expected between 0"),
        (lambda: synthetic.random_walk(seed=1, tails=2.0), "'tails' is 2.0: expected degrees of freedom"),
        (lambda: synthetic.random_walk(seed=1, garch=(0.5, 0.6)), "'garch' is .* with a sum below 1"),
        (lambda: synthetic.random_walk(seed=1, volatility=0.0), "'volatility' is 0.0: expected above 0"),
        (lambda: synthetic.lead_lag(seed=1, lag=0), "'lag' is .*: expected between 1 and 2519 bars"),
        (lambda: synthetic.lead_lag(seed=1, pairs=3, lag=(1, 2)), "'lag' .*one for each of the 3 pairs"),
        (lambda: synthetic.lead_lag(seed=1, strength=1.2), "'strength' is .*: expected a correlation"),
        (lambda: synthetic.cointegrated(seed=1, half_life=0), "'half_life' is .*: expected at least 0.1"),
        (lambda: synthetic.regimes(seed=1, among=[synthetic.CALM]), "'among' .*two regimes or more"),
        (lambda: synthetic.trending(seed=1, length=0.5), "'length' is 0.5: expected at least 1 bar"),
        (lambda: synthetic.precursors(seed=1, bars=100), "'bars' is 100: expected at least 270 for 30"),
        (
            lambda: synthetic.planted_edge(seed=1, annual_sharpe=9.0),
            "'annual_sharpe' is 9.0: expected below 7.9",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(call, said):
    with pytest.raises(BadParameter, match=said):
        call()
