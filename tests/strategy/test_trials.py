"""What was tried: sketches of returns, groups of like trials, the verdict, the tear sheet that says it."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.strategy import registry
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.luck.luck import luck
from tapebook.strategy.luck.overfit import expected_maximum, superior_ability
from tapebook.strategy.luck.sketch import Sketch, correlations, pooled, residuals, sketch
from tapebook.strategy.luck.trials import Tried, effective, entry_of_backtest
from tapebook.strategy.rules import Rules

DAYS = pd.bdate_range("2001-01-01", periods=2_000, tz="UTC")


def noise(K, T=2_000, seed=0):
    return np.random.default_rng(seed).normal(0, 0.01, (K, T))


def market(drift=0.0, T=2_000, seed=0):
    steps = np.random.default_rng(seed).normal(drift, 0.01, T)
    days = pd.bdate_range("2001-01-01", periods=T, tz="UTC")
    close = pd.DataFrame({"A": 100 * np.exp(np.cumsum(steps))}, days)
    start = close.shift().fillna(100.0)
    top, low = np.maximum(start, close) * 1.001, np.minimum(start, close) * 0.999
    return Bars.from_frames(open=start, high=top, low=low, close=close, calendars="XNYS")


def backtest(bars=None, **params):
    return run_backtest(registry.get("sma_cross"), bars or market(), params=params)


# ---- sketches


def test_a_sketch_adds_days_up_to_weeks():
    returns = pd.Series(noise(1)[0], DAYS)
    made = sketch(returns.to_numpy(), DAYS)
    weeks = np.log1p(returns).resample("W-SUN").sum()
    assert made.unit == "W"
    np.testing.assert_allclose(made.values[0], weeks, atol=1e-12)


def test_a_short_span_is_kept_by_the_day_and_holidays_are_unknown():
    made = sketch(noise(2, 10), DAYS[:10])
    assert (made.unit, made.values.shape) == ("D", (2, 12))
    assert np.isnan(made.values).sum() == 4, "two days of one week-end, twice"


def test_bars_within_a_day_are_added_up():
    hours = pd.date_range("2024-01-02 09:00", periods=10, freq="h", tz="UTC")
    made = sketch(np.full(10, 0.01), hours)
    np.testing.assert_allclose(made.values, [[10 * np.log(1.01)]])


def test_a_loss_of_all_stays_finite():
    assert sketch(np.array([0.1, -1.0, np.nan]), DAYS[:3]).values.tolist()[0][1] == -7.0


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 900), st.integers(0, 900))
def test_packing_keeps_three_digits_and_place(K, T, start):
    made = sketch(noise(K, T), DAYS[start : start + T])
    back = Sketch.unpack(made.pack())
    assert (back.unit, back.first) == (made.unit, made.first)
    np.testing.assert_allclose(back.values, made.values, rtol=2e-3, atol=1e-6)


def test_pooled_sketches_stand_on_one_line_of_time():
    early, late = sketch(noise(1, 1_000), DAYS[:1_000]), sketch(noise(2, 900), DAYS[1_000:1_900])
    both = pooled([late, early])
    assert (len(both), both.first) == (3, early.first)
    assert np.isnan(both.values[0, : late.first - early.first]).all()


def test_correlations_are_those_of_pandas():
    values = noise(6, 300)
    values[2, :150] = np.nan
    values[3] = values[2] * 2 + 0.001
    mine = correlations(values)
    theirs = pd.DataFrame(values.T).corr(min_periods=26).fillna(0.0).to_numpy()
    np.testing.assert_allclose(mine, theirs, atol=1e-9)


# ---- how many were independent


def as_sketch(values):
    return sketch(values, DAYS[: values.shape[1]])


@pytest.mark.parametrize("groups", [1, 4, 10])
def test_groups_of_like_trials_are_found(groups):
    centres, own = noise(groups), noise(groups * 12, seed=1)
    trials = np.repeat(centres, 12, axis=0) + 0.4 * own
    found = effective(as_sketch(trials), len(trials))
    assert found.groups == groups
    assert groups < found.count < 4 * groups, "similar is not the same: the best of twelve is lucky too"


def test_independent_trials_each_count_and_copies_count_once():
    assert effective(as_sketch(noise(60)), 60).count == pytest.approx(60, rel=0.1)
    assert effective(as_sketch(np.repeat(noise(1), 60, axis=0)), 60).count == 1


def test_so_many_independent_trials_are_as_lucky_as_these():
    """Slow and obvious: draw markets without skill, and see how high the best of like trials gets."""
    rng, K, T = np.random.default_rng(5), 40, 260
    mixed = 0.5 * np.eye(K) + 0.5 * np.repeat(np.repeat(np.eye(8), 5, axis=0), 5, axis=1)
    root = np.linalg.cholesky(mixed)
    best = []
    for _ in range(3_000):
        returns = rng.standard_normal((T, K)) @ root.T
        best.append((returns.mean(axis=0) / returns.std(axis=0)).max() * np.sqrt(T))
    long = root @ np.random.default_rng(1).standard_normal((K, 20_000)) * 0.01
    days = pd.date_range("1950-01-01", periods=20_000, tz="UTC")
    found = effective(sketch(long, days), K)
    assert expected_maximum(found.count) == pytest.approx(np.mean(best), abs=0.06)


def test_what_a_sample_missed_is_scaled_up_as_far_as_it_grows():
    assert effective(as_sketch(noise(100)), 5_000).count > 2_500, "all are independent"
    grouped = np.repeat(noise(5), 20, axis=0) + 0.02 * noise(100, seed=1)
    assert effective(as_sketch(grouped), 5_000).count < 12
    assert effective(as_sketch(grouped), 5_000).groups == 5


def test_what_a_benchmark_explains_is_taken_away():
    market, own = noise(1)[0], noise(3, seed=1)
    trials = np.vstack([0.5 * market + own[0], 2.0 * market + own[1], own[2]])
    sample, benchmark = as_sketch(trials), as_sketch(market[None, :])
    rest = residuals(sample, benchmark)
    weekly = np.array([np.polyfit(benchmark.values[0], row, 1)[0] for row in sample.values])
    np.testing.assert_allclose(rest.values, sample.values - weekly[:, None] * benchmark.values, atol=1e-12)
    assert np.abs(correlations(np.vstack([rest.values, benchmark.values]))[-1, :-1]).max() < 1e-9
    later = sketch(market[1_000:], DAYS[1_000:])
    assert np.isnan(residuals(sample, later).values[:, : later.first - sample.first]).all()
    assert residuals(sample, sketch(market[:20], DAYS[:20])) is None, "by the day, not by the week"


def test_trials_that_share_only_the_market_count_as_many_without_it():
    """Long or flat by a coin: alike by the market they hold, independent in when they hold it."""
    rng, bars = np.random.default_rng(0), market(0.0004)
    coins = (rng.random((60, len(bars))) < 0.5) * bars.close["A"].pct_change().fillna(0.0).to_numpy()
    bt = backtest(bars)
    said = replace(bt, tried=Tried(1_000, sketch(coins, bt.returns.index))).luck()
    assert said["independent_trials"].value < 400
    among = re.search(r"among ([\d,]+) independent", said["deflated_alpha"].convention)
    assert int(among[1].replace(",", "")) > 1.8 * said["independent_trials"].value


def test_opposites_are_two_and_what_never_moves_is_none():
    one = noise(1)
    assert effective(as_sketch(np.vstack([one, -one])), 2).count == pytest.approx(2, abs=0.3)
    assert effective(as_sketch(np.vstack([one, 0 * one, 0 * one])), 3).count == 1


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 3), st.integers(1, 1_000))
def test_the_count_lies_between_one_and_all(K, seed, times):
    raw = K * times
    assert 1.0 <= effective(as_sketch(noise(K, 300, seed)), raw).count <= raw


# ---- figures and verdict


def test_the_reality_check_and_spa_are_archs():
    from arch.bootstrap import SPA

    rng = np.random.default_rng(3)
    for lift in (0.0, 0.05, 0.1, 0.15):
        returns, flat = rng.normal(0, 1, (400, 30)), np.zeros(400)
        returns[:, 4] += lift
        mine = superior_ability(returns, flat, seed=0, draws=4_000, block=4)
        told = SPA(-flat, -returns, block_size=4, reps=4_000, seed=1)
        told.compute()
        assert mine["reality_check"] == pytest.approx(told.pvalues["upper"], abs=0.03)
        errors = np.sqrt(told._loss_diff_var)  # arch's own, for returns that arch does not divide
        told = SPA(-flat, -returns / errors, block_size=4, reps=4_000, seed=1)
        told.compute()
        for name, p in told.pvalues.items():
            assert mine[name] == pytest.approx(p, abs=0.03), (lift, name)


def test_more_trials_make_the_same_result_less_credible():
    bt = backtest(market(0.0006))
    sure = [luck(bt, trials=n)["deflated_sharpe"].value for n in (1, 10, 1_000)]
    assert sure == sorted(sure, reverse=True)
    assert luck(bt, trials=1)["deflated_sharpe"].value == luck(bt)["probabilistic_sharpe"].value


def test_a_market_that_only_rises_is_no_edge():
    said = backtest(market(0.002), fast=5, slow=20).luck()
    assert said["probabilistic_sharpe"].value > 0.95
    assert said.verdict == "weak"
    assert "over what A, buy and hold explains" in said.reasons[0]


def test_buy_and_hold_is_its_benchmark():
    bt = run_backtest(registry.get("buy_and_hold"), market(0.002))
    assert bt.luck().verdict == "weak"
    assert "it is its benchmark" in bt.luck()["deflated_alpha"].convention


def test_an_edge_is_worth_a_forward_test():
    bars = market(0.0)
    with_hindsight = bars.open["A"].shift(-2) > bars.open["A"].shift(-1)

    def seer(bars, *, right: float = 0.6):
        luck = np.random.default_rng(1).random(len(bars)) < right
        long = (with_hindsight == luck).to_numpy()
        return pd.DataFrame({"A": np.where(long, 1.0, -1.0)}, bars.index)

    bt = run_backtest(seer, bars, rules=Rules(fees=0.0, slippage=0.0))
    assert luck(bt, trials=100).verdict == "worth a forward test", luck(bt, trials=100)
    assert luck(bt, trials=10**12).verdict != "worth a forward test"
    tried = Tried(1_000, as_sketch(noise(100)), 7, "own strategies on A")
    said = replace(bt, tried=tried).luck()
    assert said["trials"].value == 1_000
    assert said["independent_trials"].value > 500
    assert said["overfitting_probability"].value < 0.2
    assert said.reasons[-1] == "On other symbols this family had 7 trials, not counted here."


def test_no_evidence_says_why():
    flat = run_backtest(registry.get("sma_cross"), market(T=40))
    assert flat.luck().verdict == "no evidence"
    assert flat.luck().reasons[0].startswith("There is no Sharpe ratio to judge: the bar returns do not vary")
    losing = backtest(market(-0.001))
    assert losing.luck().reasons[0].startswith("Its Sharpe ratio could be 0 or less")
    rules = losing.rules.changed(execution="same_close")
    cheat = run_backtest(registry.get("sma_cross"), market(0.002), rules=rules)
    assert cheat.luck().verdict == "no evidence"
    assert cheat.luck().reasons[0].startswith("FILLED AT THE SAME CLOSE")


def test_the_tear_sheet_says_verdict_and_every_figure():
    bt = backtest(market(0.001))
    figure = bt.tearsheet()
    assert f"Verdict: {bt.luck().verdict}" in figure.layout.title.text
    foot = next(a.text for a in figure.layout.annotations if a.name == "luck")
    for name in ("probabilistic_sharpe", "deflated_sharpe", "haircut_sharpe", "reality_check"):
        assert f"<b>{bt.luck()[name]}</b>" in foot
    for said in ("1 independent trial ", "SPA", "CSCV", "White", "haircut"):
        assert said in foot


def test_the_same_computation_has_one_key():
    one, same, other = backtest(), backtest(), backtest(fast=11)
    keys = [entry_of_backtest(bt)["key"] for bt in (one, same, other)]
    assert keys[0] == keys[1] != keys[2]
