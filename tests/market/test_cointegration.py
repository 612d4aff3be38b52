"""The cointegration scan against statsmodels, the naive way, planted pairs, independent walks and poison."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.data.synthetic import cointegrated, random_walk
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.market.cointegration.cointegration import JOHANSEN, cointegration
from tapebook.market.cointegration.kernels import akaike, pulled
from tapebook.market.cointegration.pairs import engle_granger, hedge_interval, johansen, mackinnon
from tapebook.strategy import registry


@pytest.fixture(scope="module")
def market():
    """Two bound pairs beside two walks of their own."""
    return cointegrated(pairs=2, bars=900, seed=3, hedge=(0.8, 1.2), half_life=(6, 15), others=2)


@pytest.fixture(scope="module")
def scan(market):
    return cointegration(market.bars)


def pair_of(found, a, b):
    return next(row for row in found.itertuples() if {row.a, row.b} == {a, b})


# ---- against others


@pytest.mark.parametrize("lags", ["aic", 0, 3])
def test_both_ways_are_statsmodels_coint(market, lags):
    from statsmodels.tsa.stattools import coint

    logs = np.log(market.bars.close.to_numpy())
    first, second = np.array([(0, 1), (3, 4)]).T
    told = engle_granger(logs, first, second, 130, lags)
    how = {"autolag": "aic"} if lags == "aic" else {"autolag": None, "maxlag": lags}
    for n, (i, j) in enumerate(zip(first, second, strict=True)):
        for way, (y, x) in enumerate(((i, j), (j, i))):
            stat, p, _ = coint(logs[:, y], logs[:, x], trend="c", **how)
            assert told["stat"][n, way] == pytest.approx(stat, abs=1e-7)
            assert told["p"][n, way] == pytest.approx(p, abs=1e-9)


def naive_lags(u, most):
    """Ng & Perron (2001): least squares for each number of lags, all over the same rows."""
    d, best = np.diff(u), (np.inf, 0)
    y = d[most:]
    for k in range(most + 1):
        X = np.column_stack([u[most:-1], *[d[most - i : len(d) - i] for i in range(1, k + 1)]])
        beta, *_ = np.linalg.lstsq(X, y, rcond=None)
        variance = ((y - X @ beta) ** 2).mean()
        far = beta[0] ** 2 * (X[:, 0] @ X[:, 0]) / variance
        best = min(best, (np.log(variance) + 2.0 * (far + k) / len(y), k))
    return best[1]


@pytest.mark.parametrize("seed", range(8))
def test_the_modified_criterion_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    u = np.cumsum(0.2 * rng.standard_normal(400)) + rng.standard_normal(400)
    u -= u.mean()
    assert akaike(u, np.diff(u), 14, True) == naive_lags(u, 14)


def test_johansen_and_its_limit_are_statsmodels(market, scan):
    from statsmodels.tsa.vector_ar.vecm import coint_johansen

    row = pair_of(scan.found, "Y0", "X0")
    logs = np.log(market.bars.close[[row.a, row.b]].to_numpy())
    told = coint_johansen(logs, 0, max(row.lags, 1))
    assert row.johansen == pytest.approx(told.lr1[0])
    assert pytest.approx(told.cvt[0, 1]) == JOHANSEN
    assert row.johansen > JOHANSEN
    walks = np.log(market.bars.close[["S0", "S1"]].to_numpy())
    assert johansen(walks[:, 0], walks[:, 1], 1) < JOHANSEN


def test_the_hedge_ratio_is_a_regression_and_the_pull_an_autoregression(market, scan):
    import statsmodels.api as sm

    row = pair_of(scan.found, "Y1", "X1")
    y, x = np.log(market.bars.close[row.a]), np.log(market.bars.close[row.b])
    fit = sm.OLS(y, sm.add_constant(x)).fit()
    assert row.hedge == pytest.approx(fit.params.iloc[1])
    u = fit.resid.to_numpy()
    one = sm.OLS(u[1:], u[:-1]).fit(cov_type="HC0")
    pull, error, z, _ = pulled(u)
    assert (pull + 1.0, error) == (pytest.approx(one.params[0]), pytest.approx(one.bse[0]))
    assert row.effect == pytest.approx(-100.0 * pull)
    assert row.half_life == pytest.approx(np.log(0.5) / np.log(one.params[0]))
    assert row.z == pytest.approx(u[-1] / np.sqrt(u @ u / (len(u) - 2)))
    assert z == pytest.approx(row.z)


def test_the_error_of_the_hedge_ratio_is_that_of_dynamic_least_squares(market):
    """Stock & Watson (1993): the slope of a regression with leads and lags, by the textbook."""
    import statsmodels.api as sm

    logs = np.log(market.bars.close[["Y0", "X0"]].to_numpy())
    y, x, d = logs[:, 0], logs[:, 1], np.diff(logs[:, 1])
    rows = np.arange(3, len(y) - 2)
    X = sm.add_constant(np.column_stack([x[rows], *[d[rows - 1 + k] for k in range(-2, 3)]]))
    slope = sm.OLS(y[rows], X).fit().params[1]
    low, high = hedge_interval(y, x, 6.0)
    assert (low + high) / 2 == pytest.approx(slope, abs=1e-9)
    assert low < 0.8 < high


def test_a_p_value_is_that_of_the_worse_direction(market, scan):
    told = engle_granger(np.log(market.bars.close.to_numpy()), np.array([4]), np.array([5]), 130, "maic")
    rows = scan.findings[scan.findings["a"].isin(["S0", "S1"]) & scan.findings["b"].isin(["S0", "S1"])]
    assert rows["p"].iloc[0] == pytest.approx(told["p"][0].max())
    assert sorted(rows[["p_ab", "p_ba"]].iloc[0]) == pytest.approx(sorted(told["p"][0]))
    assert (scan.findings["p"] == scan.findings[["p_ab", "p_ba"]].max(axis=1)).all()
    assert mackinnon(np.array([np.nan, -3.3377]))[1] == pytest.approx(0.05, abs=0.002)  # MacKinnon's 5 %


# ---- planted, and nothing planted


def test_planted_pairs_are_found_with_hedge_and_half_life(market, scan):
    assert {frozenset((row.a, row.b)) for row in scan.found.itertuples()} == {
        frozenset(("Y0", "X0")),
        frozenset(("Y1", "X1")),
    }
    for planted in market.truth.pairs.itertuples():
        row = pair_of(scan.found, planted.y, planted.x)
        hedge = planted.hedge if row.a == planted.y else 1.0 / planted.hedge
        assert row.hedge_low <= hedge <= row.hedge_high
        assert 0.5 < row.half_life / planted.half_life < 2.0
        assert row.low < row.effect < row.high
    assert len(scan.findings) == 15
    assert "half-life" in scan.summary
    assert scan.findings["q"].notna().all()


@pytest.mark.parametrize("kind", [{}, {"tails": 4}, {"garch": (0.1, 0.85)}, {"correlation": 0.5}])
def test_walks_are_not_bound(kind):
    any_found = [
        len(cointegration(random_walk(symbols=6, bars=500, seed=seed, **kind).bars).found) > 0
        for seed in range(12)
    ]
    assert sum(any_found) <= 2


def test_much_noise_about_a_slow_walk_is_not_bound_to_others():
    rng, wrong = np.random.default_rng(2), []
    for _ in range(20):
        walks = np.cumsum(0.003 * rng.standard_normal((600, 2)), axis=0)
        walks[:, 0] += 0.01 * rng.standard_normal(600)
        index = pd.bdate_range("2010-01-04", periods=600)
        close = pd.DataFrame(100 * np.exp(walks), index, ["A", "B"])
        wrong.append(len(cointegration(Bars.from_frames(close=close)).found))
    assert sum(wrong) <= 3


def test_two_that_each_come_back_to_a_level_are_not_asked():
    rng = np.random.default_rng(0)
    u = np.zeros((600, 3))
    for t in range(1, 600):
        u[t] = [0.5, 0.5, 1.0] * u[t - 1] + 0.01 * rng.standard_normal(3)
    close = pd.DataFrame(100 * np.exp(u), pd.bdate_range("2010-01-04", periods=600), ["L1", "L2", "W"])
    scan = cointegration(Bars.from_frames(close=close))
    assert ("L1", "L2") not in set(zip(scan.findings["a"], scan.findings["b"], strict=True))
    assert any("comes back to a level by itself" in text for text in scan.warnings)


# ---- time


def test_later_bars_change_nothing_that_was_said(market):
    bars, then = market.bars, cointegration(market.bars._rows(slice(0, 700)))
    poisoned = bars.close.copy()
    poisoned.iloc[700:] = 1e6 * np.random.default_rng(0).random((200, 6)) + 1.0
    for later in (bars, Bars.from_frames(close=poisoned, calendars="XNYS")):
        now = cointegration(later, end=f"{bars.index[699]:%Y-%m-%d}")
        pd.testing.assert_frame_equal(now.findings, then.findings)
    assert len(then.found)


# ---- what is asked, and bad input


def test_only_the_pairs_named_are_asked_and_counted(market):
    scan = cointegration(market.bars, pairs=[("Y0", "X0"), ("X0", "Y0"), ("S0", "S1")])
    assert len(scan.findings) == 2
    assert scan.symbols == ("Y0", "X0", "S0", "S1")
    assert scan.found.iloc[0]["q"] == pytest.approx(2 * scan.found.iloc[0]["p"])


def test_unequal_histories_missing_and_same_prices_are_told(market):
    close = market.bars.close.copy()
    close.iloc[:400, 4] = np.nan
    close.iloc[500:, 5] = np.nan
    close["TWIN"] = 2.0 * close["X0"]
    close["STILL"] = 50.0
    scan = cointegration(Bars.from_frames(close=close), min_bars=250)
    told = " ".join(scan.warnings)
    assert "1 pairs share fewer than 250 bars" in told
    assert "X0 and TWIN are one and the same price" in told
    assert scan.coverage.excluded.to_numpy().tolist() == [["STILL", "its price never changes"]]
    rows = scan.findings[(scan.findings["a"] == "S0") | (scan.findings["b"] == "S0")]
    assert set(rows["n"]) == {500}
    assert scan.findings[["effect", "low", "high", "p", "q", "hedge", "z"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("bad", "error", "text"),
    [
        ({"lags": "bic"}, BadParameter, '"aic", "maic"'),
        ({"lags": 61}, BadParameter, "from 0 to 60"),
        ({"min_bars": 20}, BadParameter, "at least 130"),
        ({"min_bars": "a"}, BadParameter, "at least 130"),
        ({"level": 2.0}, BadParameter, "false findings"),
        ({"pairs": []}, BadParameter, "at least one pair"),
        ({"pairs": ["XY"]}, BadParameter, "two different symbols"),
        ({"pairs": [("Y0", "Y0")]}, BadParameter, "two different symbols"),
        ({"pairs": [("Y0", "XO")]}, UnknownName, "X0"),
        ({"min_bars": 2000}, NoData, "at least 2 symbols of 2000 bars"),
        ({"min_coverage": 1.0, "end": "2001-01-01"}, NoData, "0 of"),
    ],
)
def test_what_cannot_be_asked_is_said(market, bad, error, text):
    with pytest.raises(error, match=text):
        cointegration(market.bars, **bad)


def test_prices_that_are_all_the_same_series_are_refused():
    close = random_walk(symbols=1, bars=400, seed=0).bars.close
    twins = pd.concat([close, 3.0 * close], axis=1, keys=["A", "B"]).droplevel(1, axis=1)
    with pytest.raises(NoData, match="no two symbols share"):
        cointegration(Bars.from_frames(close=twins))


# ---- what follows


def test_a_finding_is_a_spread_a_figure_and_a_strategy_that_gains(market, scan):
    row = scan.row(0)
    gap = scan.spread(0)
    assert gap.mean() == pytest.approx(0.0, abs=1e-12)
    assert gap.iloc[-1] / gap.std(ddof=2) == pytest.approx(row["z"])
    figure = scan.figure(0)
    assert {trace.name for trace in figure.data} == {row["a"], row["b"], "spread"}
    idea = scan.idea(0)
    assert (idea.strategy, idea.symbols) == ("pairs_spread", (row["a"], row["b"]))
    registry.get(idea.strategy).check(idea.params)
    bars = market.bars[idea.symbols]
    held = registry.get(idea.strategy)(bars, **idea.params).ffill().fillna(0.0)
    gained = (held.shift(1) * bars.close.pct_change()).sum(axis=1)
    assert gained.mean() / gained.std() * np.sqrt(252) > 1.0
    with pytest.raises(UnknownName):
        scan.spread(10_000)
