"""Comparing and combining: published libraries' numbers, a slow twin, calibration, a poisoned future."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cases
from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.strategy import registry
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.backtest.combine import METHODS, combine, hrp, weights
from tapebook.strategy.backtest.compare import _drawn, _pairs, compare, holm
from tapebook.strategy.luck.resampling import drawn_rows
from tapebook.strategy.rules import Rules

DAYS = pd.bdate_range("2010-01-01", periods=1_000, tz="UTC", name="ts")


def five():
    """Returns of five parts in two groups, as PyPortfolioOpt was given them."""
    rng = np.random.default_rng(7)
    f = rng.normal(0, 0.01, (500, 2))
    parts = [
        f[:, 0] + rng.normal(0.0005, 0.005, 500),
        f[:, 0] + rng.normal(0.0003, 0.008, 500),
        f[:, 1] + rng.normal(0.0004, 0.004, 500),
        f[:, 1] * 2 + rng.normal(0, 0.01, 500),
        rng.normal(0.0002, 0.012, 500),
    ]
    return np.column_stack(parts)


def test_hierarchical_risk_parity_is_pyportfolioopts():
    """PyPortfolioOpt 1.6, HRPOpt(returns).optimize(), single linkage."""
    expected = [0.183105, 0.139426, 0.340702, 0.074796, 0.261971]
    np.testing.assert_allclose(hrp(np.cov(five().T)), expected, atol=1e-6)


def test_the_highest_sharpe_ratio_is_pyportfolioopts():
    """PyPortfolioOpt 1.6, EfficientFrontier(mean × 252, cov × 252).max_sharpe(risk_free_rate=0)."""
    expected = [0.22612, 0.05328, 0.0, 0.0, 0.72059]
    np.testing.assert_allclose(weights(five(), "mean_variance"), expected, atol=2e-4)


def test_no_other_mix_has_a_higher_sharpe_ratio():
    past, rng = five(), np.random.default_rng(0)
    best = weights(past, "mean_variance")
    covariance, mean = np.cov(past.T), past.mean(axis=0)

    def ratio(w):
        return w @ mean / np.sqrt(w @ covariance @ w)

    assert all(ratio(w) <= ratio(best) + 1e-9 for w in rng.dirichlet(np.ones(5) * 0.5, 5_000))


def test_where_all_lose_the_calmest_mix_is_held():
    past = five() - 0.01
    found, covariance = weights(past, "mean_variance"), np.cov(past.T)
    others = np.random.default_rng(0).dirichlet(np.ones(5), 5_000)
    assert all(found @ covariance @ found <= w @ covariance @ w + 1e-9 for w in others)


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_shares_of_one(method):
    past = five()
    past[:, 3] = 0.0
    found = weights(past, method)
    assert found.sum() == pytest.approx(1.0)
    assert (found >= 0).all()
    assert found[3] == (0.2 if method == "equal" else 0.0)


def test_inverse_volatility_by_hand():
    past = np.column_stack([np.tile([0.01, -0.01], 50), np.tile([0.03, -0.03], 50)])
    np.testing.assert_allclose(weights(past, "inverse_volatility"), [0.75, 0.25])


def frame(values, start=0):
    return pd.DataFrame(values, DAYS[start : start + len(values)], list("abcde")[: values.shape[1]])


def slow_twin(returns, method, lookback, cost):
    """Money in each part, day by day."""
    K, money, made = returns.shape[1], None, []
    money = np.full(returns.shape[1], 1.0 / K)
    for t in range(len(returns)):
        before = money.sum()
        money = money * (1.0 + returns.iloc[t].to_numpy())
        last = t + 1 < len(returns) and returns.index[t + 1].month != returns.index[t].month
        if last and t + 1 >= 60:
            past = returns.iloc[max(0, t + 1 - lookback) : t + 1].to_numpy()
            wanted, total = weights(past, method), money.sum()
            paid = cost * np.abs(wanted - money / total).sum() * total
            money = wanted * (total - paid)
        made.append(money.sum() / before - 1.0)
    return np.array(made)


@pytest.mark.parametrize("method", METHODS)
def test_a_combination_earns_what_a_slow_twin_earns(method):
    returns = frame(five())
    done = combine(returns, method, cost=0.002, lookback=120)
    np.testing.assert_allclose(done.returns, slow_twin(returns, method, 120, 0.002), atol=1e-14)
    assert done.weights.iloc[0].tolist() == [0.2] * 5
    assert done.costs > 0


def test_the_future_changes_no_weight_before_it():
    returns = frame(five())
    poisoned = returns.copy()
    poisoned.iloc[300:] = 0.05
    for method in METHODS:
        one, other = combine(returns, method), combine(poisoned, method)
        before = one.weights.index < DAYS[300]
        pd.testing.assert_frame_equal(one.weights[before], other.weights[other.weights.index < DAYS[300]])
        np.testing.assert_array_equal(one.returns[:300], other.returns[:300])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "best"}, "'method' is 'best': expected one of equal, inverse_volatility"),
        ({"rebalance": "daily"}, "'rebalance' is 'daily'"),
        ({"lookback": 10}, "'lookback' is 10: expected at least 60 bars"),
    ],
)
def test_what_cannot_be_combined_is_said(options, said):
    with pytest.raises(BadParameter, match=said):
        combine(frame(five()), **options)


# ---- comparing


def backtests(**more):
    bars = cases.market(np.random.default_rng(0), 600, 2, holes=False)
    rules = Rules(**more)
    fast = run_backtest(registry.get("sma_cross"), bars, params={"fast": 5, "slow": 20}, rules=rules)
    slow = run_backtest(registry.get("sma_cross"), bars.between(start=bars.index[50]), rules=rules)
    hold = run_backtest(registry.get("buy_and_hold"), bars, rules=rules)
    return {"fast": fast, "slow": slow, "hold": hold}


def test_a_comparison_is_on_shared_bars_only():
    done = compare(backtests(), draws=200)
    assert len(done.returns) == 550
    assert done.left_out == {"fast": 50, "slow": 0, "hold": 50}
    assert done.table.loc["slow", "sharpe"] == pytest.approx(backtests()["slow"].metrics["sharpe"].value)
    assert done.table["sharpe_low"].lt(done.table["sharpe"]).all()
    assert done.table["sharpe_high"].gt(done.table["sharpe"]).all()
    assert done.differences[["first", "second"]].to_numpy().tolist() == [
        ["fast", "slow"], ["fast", "hold"], ["slow", "hold"],
    ]  # fmt: skip
    np.testing.assert_allclose(done.correlation, np.corrcoef(done.returns.T), atol=1e-12)
    assert "less hold" in repr(done)
    assert "<table" in done._repr_html_()
    assert len(done.figure().data) == 3
    assert done.heatmap().data[0].z.shape == (3, 3)
    assert done.portfolios().index.tolist()[3:] == [f"{name}, all" for name in METHODS]


def test_fills_at_the_same_close_are_marked():
    done = compare(backtests(execution="same_close"), draws=200)
    assert "fast: FILLED AT THE SAME CLOSE" in repr(done)
    assert "FILLED AT THE SAME CLOSE" in done.figure().layout.title.text


def test_drawn_figures_are_those_of_drawn_rows():
    block = np.random.default_rng(0).normal(0.001, 0.01, (200, 3))
    means, deviations = _drawn(block, 50, 4.0, 0)
    rows = np.concatenate(list(drawn_rows(200, 50, 4.0, 0)))
    np.testing.assert_allclose(means, block[rows].mean(axis=1), atol=1e-15)
    np.testing.assert_allclose(deviations, block[rows].std(axis=1, ddof=1), rtol=1e-9)


def test_equal_strategies_are_told_apart_about_as_rarely_as_promised():
    rng, p = np.random.default_rng(4), []
    for seed in range(300):
        noise = rng.normal(0, 0.01, (502, 3))
        lagged = noise[2:] + 0.2 * noise[1:-1]
        returns = frame(lagged[:, :2] + lagged[:, 2:] + 0.0004)
        drawn = _drawn(returns.to_numpy(), 300, 3.0, seed)
        p.append(_pairs(returns, drawn, 252.0, 3.0, 0.95)["sharpe_p"].iloc[0])
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.09


def test_a_large_difference_is_found():
    rng = np.random.default_rng(1)
    common = rng.normal(0, 0.01, 1_000)
    returns = frame(np.column_stack([common + 0.001, common + rng.normal(0, 0.001, 1_000)]))
    drawn = _drawn(returns.to_numpy(), 1_000, 2.0, 0)
    row = _pairs(returns, drawn, 252.0, 2.0, 0.95).iloc[0]
    assert row["sharpe_p"] < 0.01
    assert row["sharpe_low"] > 0
    assert row["mean_return"] == pytest.approx(0.252, abs=0.03)


def test_holms_correction_is_statsmodels():
    from statsmodels.stats.multitest import multipletests

    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.3240, 0.4262, 0.03])
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_what_cannot_be_compared_is_said():
    made = backtests()
    with pytest.raises(BadInput, match="expected two backtests or more, got 1"):
        compare({"fast": made["fast"]})
    with pytest.raises(BadInput, match="bars of one length can be compared only: fast has 1d, slow has 1h"):
        compare({"fast": made["fast"], "slow": replace(made["slow"], freq="1h")})
    moved = made["slow"].equity.copy()
    moved.index = moved.index + pd.DateOffset(years=40)
    with pytest.raises(NoData, match="they share 0 bars: expected at least 60. They span fast 2010-01-01 to"):
        compare({"fast": made["fast"], "slow": replace(made["slow"], equity=moved)})
