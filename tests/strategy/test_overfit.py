"""The odds of luck, against the papers' own numbers (see each source) and against laws."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapebook.errors import BadParameter
from tapebook.strategy.luck import overfit as o

NORMAL = {"skew": 0.0, "kurtosis": 3.0}
HEDGE = {"skew": -2.448, "kurtosis": 10.164}  # Bailey & López de Prado 2012, T 24, SR 0.458


@pytest.mark.parametrize(("moments", "published"), [(NORMAL, 0.982), (HEDGE, 0.913)])
def test_probabilistic_sharpe_of_2012(moments, published):
    assert o.probabilistic_sharpe(0.458, 24, **moments) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize(
    ("sharpe", "skew", "kurtosis", "years"),
    [(0.7079, -0.2250, 2.9570, 0.7152), (0.8183, -1.4455, 7.0497, 1.1593)],
)
def test_minimum_track_record_of_2012_monthly(sharpe, skew, kurtosis, years):
    assert o.minimum_track_record(sharpe, skew=skew, kurtosis=kurtosis) / 12 == pytest.approx(years, abs=1e-4)


def test_the_form_at_the_null_of_2025():
    sharpe = 0.036 / 0.079
    assert o.probabilistic_sharpe(sharpe, 24, **HEDGE, at_null=True) == pytest.approx(0.987, abs=5e-4)
    assert o.probabilistic_sharpe(sharpe, 24, **HEDGE, at_null=True, benchmark=0.1) == pytest.approx(
        0.939, abs=5e-4
    )
    assert o.minimum_track_record(sharpe, **HEDGE, at_null=True) == pytest.approx(13.029, abs=5e-4)
    assert o.sharpe_error(sharpe, 24, **HEDGE) == pytest.approx(0.329, abs=5e-4)
    assert o.sharpe_error(sharpe, 24) == pytest.approx(0.214, abs=5e-4)


@pytest.mark.parametrize(("q", "published"), [(250, 0.9004), (252, 0.8997)])
def test_deflated_sharpe_of_2014(q, published):
    found = o.deflated_sharpe(2.5 / q**0.5, 1250, N=100, variance=0.5 / q, skew=-3, kurtosis=10)
    assert found == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize(
    ("sharpe", "T", "published"), [(0.5, 12, 0.306), (1, 60, 0.158), (1.5, 24, 0.298), (3, 12, 0.677)]
)
def test_lo_2002(sharpe, T, published):
    assert o.sharpe_error(sharpe, T) == pytest.approx(published, abs=5e-4)


def test_five_years_carry_45_trials():
    assert o.minimum_backtest_years(45) == pytest.approx(4.998, abs=5e-4)
    assert o.minimum_backtest_years(45) < 5 < o.minimum_backtest_years(46)


@given(st.integers(2, 10_000))
def test_every_extra_trial_raises_the_hurdle(n):
    assert o.sharpe_hurdle(n + 1, 1.0) > o.sharpe_hurdle(n, 1.0) > o.sharpe_hurdle(1, 1.0) == 0


def slow_pbo(returns, splits):
    blocks = np.array_split(np.arange(len(returns)), splits)
    logits = []
    for chosen in combinations(range(splits), splits // 2):
        inside = np.concatenate([blocks[b] for b in range(splits) if b in chosen])
        outside = np.concatenate([blocks[b] for b in range(splits) if b not in chosen])
        score = [returns[rows].mean(0) / returns[rows].std(0) for rows in (inside, outside)]
        best = score[0].argmax()
        rank = sorted(score[1]).index(score[1][best]) + 1
        share = rank / (returns.shape[1] + 1)
        logits.append(np.log(share / (1 - share)))
    return np.mean(np.array(logits) <= 0), np.array(logits)


@pytest.mark.parametrize("splits", [4, 8])
def test_overfitting_matches_the_slow_way(splits):
    returns = np.random.default_rng(3).normal(0, 0.01, (203, 7))
    found, expected = o.overfitting_probability(returns, splits=splits), slow_pbo(returns, splits)
    assert found[0] == expected[0]
    np.testing.assert_allclose(found[1], expected[1])
    assert len(found[1]) == comb(splits, splits // 2)


def test_a_dominant_column_is_never_overfit_and_noise_is_half_the_time():
    rng = np.random.default_rng(0)
    better = rng.normal(0, 0.01, (400, 10))
    better[:, 4] += 0.02
    assert o.overfitting_probability(better, splits=8)[0] == 0
    noise = [o.overfitting_probability(rng.normal(0, 0.01, (400, 10)), splits=8)[0] for _ in range(60)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.08)


def test_splits_must_fit():
    with pytest.raises(BadParameter, match="an even number from 2 to 5"):
        o.overfitting_probability(np.zeros((10, 3)), splits=7)


def test_a_haircut_grows_with_the_tests_and_takes_all_in_the_end():
    ratios = [o.haircut_sharpe(1.0, 10, n)[0] for n in (1, 10, 50)]
    assert ratios[0] == pytest.approx(1.0)
    assert ratios[0] > ratios[1] > ratios[2] > 0
    assert o.haircut_sharpe(1.0, 10, 10_000) == (0.0, 1.0)
    others = [0.0001, 0.03, 0.2]
    holm, bhy = (o.haircut_sharpe(1.0, 10, 4, method=m, others=others)[1] for m in ("holm", "bhy"))
    assert 0.002 < holm <= o.haircut_sharpe(1.0, 10, 4)[1]
    assert 0.002 < bhy < 0.1


def test_superior_ability_tells_skill_from_noise_and_is_ordered():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (500, 20))
    flat = np.zeros(500)
    p = o.superior_ability(noise, flat, seed=0, draws=300)
    assert p["lower"] <= p["consistent"] <= p["upper"]
    assert p["consistent"] > 0.05
    noise[:, 3] += 0.003
    assert o.superior_ability(noise, flat, seed=0, draws=300)["consistent"] < 0.01


def test_the_haircut_of_the_paper():
    """Harvey & Liu 2015: 0.75 over 20 years and 200 tests leaves about 0.32, a haircut of 60 %."""
    ratio, _ = o.haircut_sharpe(0.75, 20, 200)
    assert ratio == pytest.approx(0.32, abs=0.03)
    assert 1 - ratio / 0.75 == pytest.approx(0.6, abs=0.03)


def test_the_haircut_of_the_authors_program():
    """Their example: 0.912 after autocorrelation, 120 months, 100 tests: p 0.465, ratio 0.232."""
    ratio, p = o.haircut_sharpe(0.912, 10, 100)
    assert (ratio, p) == (pytest.approx(0.232, abs=2e-3), pytest.approx(0.465, abs=3e-3))


@pytest.mark.parametrize(("method", "peer"), [("holm", "holm"), ("bhy", "fdr_by")])
def test_corrections_equal_statsmodels(method, peer, monkeypatch):
    from statsmodels.stats.multitest import multipletests

    monkeypatch.setattr("gc.collect", lambda: 0)  # each call of theirs collects: a tenth of a second
    rng = np.random.default_rng(2)
    for _ in range(20):
        known = rng.uniform(0, 0.1, 8)
        expected = multipletests(known, method=peer)[1][0]
        assert o._adjusted(known[0], 8, method, known[1:]) == pytest.approx(expected)
        padded = multipletests([*known, *[1.0] * 4], method=peer)[1][0]
        assert o._adjusted(known[0], 12, method, known[1:]) == pytest.approx(padded)


def test_more_others_than_tests_is_refused():
    with pytest.raises(BadParameter, match="'N' is 2: expected at least 3"):
        o.haircut_sharpe(1.0, 10, 2, method="holm", others=[0.1, 0.2])


def test_superior_ability_of_what_never_differs_is_none():
    flat = np.zeros(100)
    assert set(o.superior_ability(np.zeros((100, 3)), flat, seed=0).values()) == {1.0}
    with pytest.raises(BadParameter, match="a finite return for every bar"):
        o.superior_ability(np.full((100, 3), np.nan), flat, seed=0)
