"""Intervals of 95 % cover 95 %, and verdicts are rarely wrong: benchmarks/bench_calibration.py has it all."""

import importlib
import sys
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.strategy.luck import odds
from tapebook.strategy.luck.resampling import drawn_rows, mean_errors, spread


@pytest.fixture(scope="module")
def bench():
    folder = str(Path(__file__).parents[2] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        return importlib.import_module("bench_calibration")
    finally:
        sys.path.remove(folder)


# ---- how far draws fall short


def test_the_error_of_a_drawn_mean_is_that_of_the_draws():
    values = np.cumsum(np.random.default_rng(1).normal(size=200)) / 10.0
    for block in (1.0, 7.0):
        drawn = np.concatenate([values[rows].mean(axis=1) for rows in drawn_rows(200, 20_000, block, 3)])
        assert mean_errors((values - values.mean())[:, None], block)[0] == pytest.approx(
            drawn.std(), rel=0.02
        )


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_what_repeats_itself_says_less(bench, rho):
    from scipy.signal import lfilter

    values = lfilter([1.0], [1.0, -rho], np.random.default_rng(2).normal(size=100_000))
    truth = (1.0 + rho) / (1.0 - rho)
    assert odds.repeated(values) == pytest.approx(truth, rel=0.03)
    narrow = spread(values, block=1.0)
    assert narrow.factor == pytest.approx(sqrt(truth), rel=0.02)
    assert narrow.independent == pytest.approx(len(values) / truth, rel=0.03)
    assert spread(values, block=2000.0).factor == pytest.approx(1.0, abs=0.1)  # such blocks have seen it


def test_what_turns_back_is_not_made_narrower():
    values = np.tile([1.0, -1.0], 50)
    assert odds.repeated(values) == 1.0
    assert spread(values, 1.0) == (1.0, 100.0)
    drawn = np.array([0.5, 2.0])
    assert spread(values, 1.0).of(drawn, 1.0) is drawn


def test_constant_values_are_left_alone():
    assert spread(np.full(20, 3.0), 2.0) == (1.0, 10.0)
    assert spread(np.array([1.0, 2.0]), 1.0).factor == 1.0


@settings(max_examples=50, deadline=None)
@given(st.floats(1.0, 4.0), st.floats(0.01, 100.0), st.integers(0, 1000))
def test_wider_draws_keep_their_order_their_middle_and_a_ratio_its_sign(factor, value, seed):
    drawn = np.sort(value * np.random.default_rng(seed).lognormal(size=50))
    by = spread(np.arange(9.0), 1.0)._replace(factor=factor)
    for wider in (by.of(drawn, value), by.of(drawn, value, ratio=True)):
        assert (np.diff(wider) >= 0).all()
        assert ((wider <= value * (1 + 1e-12)) == (drawn <= value * (1 + 1e-12))).mean() >= 0.98
    assert (by.of(drawn, value, ratio=True) > 0).all()
    endless = by.of(np.array([0.5 * value, np.inf]), value, ratio=True)
    assert np.isinf(endless[1])


def test_dependent_wins_are_fewer_wins(bench):
    rng = np.random.default_rng(3)
    runs = np.repeat(rng.random(60) < 0.5, 5)
    alone = rng.permutation(runs)
    wide, narrow = (
        bench.of_trades(bench.backtest(np.zeros(2), np.where(won, 0.02, -0.01)), 200, 1, 0.95)["win_rate"]
        for won in (runs, alone)
    )
    assert wide.value == narrow.value == runs.mean()
    assert wide.high - wide.low > 1.6 * (narrow.high - narrow.low)
    assert "independent ones" in wide.convention
    low, high = odds.wilson(runs.sum(), len(runs))
    assert narrow.low <= low + 1e-12
    assert narrow.high >= high - 1e-12


def test_kellys_interval_holds_its_value_and_what_can_be_staked(bench):
    for seed in range(20):
        trades = bench.traded("Student-t(4)", 40, np.random.default_rng(seed))
        kelly = bench.of_trades(bench.backtest(np.zeros(2), trades), 200, seed, 0.95)["kelly"]
        assert 0.0 <= kelly.low <= kelly.value <= kelly.high <= -1.0 / trades.min() + 1e-9


# ---- coverage


@pytest.mark.slow
@pytest.mark.parametrize("process", ["iid normal", "Student-t(4)", "AR(1) 0.3"])
@pytest.mark.parametrize("T", [250, 1250])
def test_intervals_of_95_percent_cover_92_to_98(bench, process, T):
    for name, (hit, of) in bench.covered(process, T, first=0, markets=300).items():
        share = hit / of
        error = 2.0 * sqrt(share * (1.0 - share) / of)
        assert of >= 285, name
        assert share + error >= 0.92, (name, share)
        assert share - error <= 0.98, (name, share)


@pytest.mark.slow
def test_the_best_of_a_thousand_without_an_edge_is_not_worth_a_forward_test(bench):
    kinds, searches = list(bench.NULLS), bench.BY_LUCK
    said = [bench.asked((kinds[n % 4], searches[n % 3], 1000 + n, False)) for n in range(24)]
    assert sum(verdict == bench.WORTH for verdict in said) <= 3  # 95 % of 24, and two errors
    assert said.count(bench.NO_EVIDENCE) >= 1


@pytest.mark.slow
def test_a_planted_edge_is_worth_a_forward_test(bench):
    said = [bench.asked(("Sharpe 1.5", "volume", seed, seed == 0)) for seed in range(6)]
    assert said.count(bench.WORTH) >= 5
