"""Figures against published numbers, laws, and the cases where there is nothing to measure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.metrics import Metric, Metrics

# empyrical's own tests (tests/test_stats.py, "mixed_returns"), daily
MIXED = np.array([np.nan, 1, 10, -4, 2, 3, 2, 1, -10]) / 100
some_returns = st.lists(st.floats(-0.5, 0.5, allow_subnormal=False), min_size=2, max_size=60).map(np.array)


@pytest.mark.parametrize(
    ("ours", "published"),
    [
        (m.sharpe(MIXED, 252), 1.7238613961706866),
        (m.annual_return(MIXED, 252), 1.9135925373194),
        (m.annual_volatility(MIXED, 252), 0.9136465399704637),
        (m.sortino(MIXED, 252), 2.605531251673693),
        (m.omega(MIXED), 1.357142857142857),
        (m.drawdowns(np.cumprod(1 + np.nan_to_num(MIXED)), 1.0).min(), -0.1),
    ],
)
def test_empyrical_publishes_the_same(ours, published):
    assert ours == pytest.approx(published, rel=1e-9)


def test_drawdown_counts_from_the_initial_cash():
    assert m.drawdowns(np.array([90.0, 80.0, 95.0, 110.0, 99.0]), 100.0) == pytest.approx(
        [-0.1, -0.2, -0.05, 0, -0.1]
    )
    assert m.drawdown_bars(m.drawdowns(np.array([90.0, 80.0, 95.0, 110.0, 99.0]), 100.0)) == 3


@pytest.mark.parametrize("flat", [np.zeros(50), np.full(50, 0.01), np.array([0.01])])
def test_what_never_varies_has_no_sharpe(flat):
    assert np.isnan(m.sharpe(flat, 252))
    assert np.isnan(m.skewness(flat))
    assert np.isnan(m.kurtosis(flat))


def test_moments_of_a_known_sample():
    x = np.array([1.0, 2.0, 3.0, 4.0, 10.0])  # mean 4, deviations -3 -2 -1 0 6
    second, third, fourth = 50 / 5, (-27 - 8 - 1 + 216) / 5, (81 + 16 + 1 + 1296) / 5
    assert m.skewness(x) == pytest.approx(third / second**1.5)
    assert m.kurtosis(x) == pytest.approx(fourth / second**2)


def test_tails():
    r = np.arange(-10, 11) / 100.0
    assert m.value_at_risk(r) == pytest.approx(-0.09)
    assert m.conditional_value_at_risk(r) == pytest.approx((-0.10 - 0.09) / 2)
    assert m.tail_ratio(r) == pytest.approx(1.0)


def test_a_series_against_itself_and_twice_itself():
    r = np.random.default_rng(0).normal(0, 0.01, 300)
    itself, twice = m.against(r, r, 252), m.against(2 * r, r, 252)
    assert itself["beta"] == pytest.approx(1)
    assert itself["alpha"] == pytest.approx(0, abs=1e-12)
    assert itself["excess_return"] == 0
    assert np.isnan(itself["information_ratio"])
    assert twice["beta"] == pytest.approx(2)
    assert twice["correlation"] == pytest.approx(1)


@given(some_returns, st.floats(0.1, 5))
def test_sharpe_does_not_depend_on_scale(r, factor):
    one, other = m.sharpe(r, 252), m.sharpe(r * factor, 252)
    assert (np.isnan(one) and np.isnan(other)) or one == pytest.approx(other, rel=1e-6) or abs(one) > 1e6


@given(some_returns)
def test_total_return_compounds(r):
    half = len(r) // 2
    whole = (1 + m.total_return(r[:half])) * (1 + m.total_return(r[half:])) - 1
    assert m.total_return(r) == pytest.approx(whole, rel=1e-9, abs=1e-12)


@given(some_returns)
def test_drawdown_is_a_loss_and_at_least_the_worst_bar(r):
    equity = np.cumprod(1 + r)
    drawdown = m.drawdowns(equity, 1.0)
    assert (drawdown <= 0).all()
    assert drawdown.min() <= min(r.min(), 0) + 1e-12


def test_metrics_go_through_json_and_show_what_is_missing():
    metrics = Metrics({"a": Metric(0.1234, "share", "x"), "b": Metric(np.nan, "ratio", "y")})
    again = Metrics.from_json(metrics.to_json())
    assert again["a"] == metrics["a"]
    assert np.isnan(again["b"].value)
    assert [str(x) for x in again.values()] == ["12.34%", "–"]
    assert metrics.to_json()["b"]["value"] is None
    assert "convention" in metrics.frame().columns
