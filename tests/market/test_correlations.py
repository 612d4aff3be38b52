"""The correlation scan against numpy, scipy, pandas and scikit-learn, planted markets, noise, poison."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.data.synthetic import factor_market, lead_lag, random_walk
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.correlation.columns import METHODS
from tapebook.market.correlation.correlations import correlations
from tapebook.market.correlation.distance import distance_correlation
from tapebook.market.correlation.kernels import rearranged
from tapebook.market.correlation.null import permuted
from tapebook.market.correlation.products import correlation_matrix, products, standardised
from tapebook.market.correlation.returns import log_returns, residuals
from tapebook.market.correlation.rolling import matrices, rolling, rolling_pair
from tapebook.strategy import registry


def panel(returns, names=None, **kind):
    """Bars whose log returns, from the second row on, are these."""
    steps = np.vstack([np.zeros(returns.shape[1]), returns])
    index = pd.bdate_range("2010-01-04", periods=len(steps))
    columns = names or [f"S{n}" for n in range(returns.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(steps.cumsum(axis=0)), index, columns), **kind)


def noise(T=500, N=4, seed=0, rho=0.3, tails=None):
    rng = np.random.default_rng(seed)
    drawn = rng.standard_normal((T, N)) if tails is None else rng.standard_t(tails, (T, N))
    return 0.01 * (np.sqrt(rho) * rng.standard_normal((T, 1)) + np.sqrt(1 - rho) * drawn)


def of(found, a, b, lag=0):
    rows = found.findings
    return rows[(rows["a"] == a) & (rows["b"] == b) & (rows["lag"] == lag)].iloc[0]


# ---- against others


def test_pearson_is_numpys():
    X = noise()
    found = correlations(panel(X), keep=100, level=0.5)
    np.testing.assert_allclose(found.matrix, np.corrcoef(X.T), atol=1e-12)
    assert of(found, "S0", "S1")["effect"] == pytest.approx(np.corrcoef(X.T)[0, 1], abs=1e-12)


@pytest.mark.parametrize("method", ["spearman", "kendall"])
def test_ranks_are_scipys(method):
    from scipy import stats

    X = noise(T=200, seed=3, tails=3).round(3)  # with ties
    found = correlations(panel(X), method=method)
    for i, j in combinations(range(4), 2):
        theirs = getattr(stats, {"spearman": "spearmanr", "kendall": "kendalltau"}[method])
        R = log_returns(found.bars).to_numpy()
        assert found.matrix.iloc[i, j] == pytest.approx(theirs(R[:, i], R[:, j]).statistic, abs=1e-12)


def test_kendall_counts_ties_as_scipy_does():
    from scipy.stats import kendalltau

    rng = np.random.default_rng(0)
    X = rng.integers(-2, 3, (300, 3)) * 0.01
    found = correlations(panel(X), method="kendall", min_coverage=0.1)
    R = log_returns(found.bars).to_numpy().round(9)
    assert found.matrix.iloc[0, 2] == pytest.approx(
        kendalltau(np.round(R[:, 0], 6), np.round(R[:, 2], 6)).statistic, abs=0.02
    )


def test_partial_is_the_correlation_of_what_the_others_leave():
    X = noise(N=5, seed=5)
    found = correlations(panel(X), method="partial")
    others = np.column_stack([np.ones(len(X)), X[:, 2:]])
    left = [X[:, n] - others @ np.linalg.lstsq(others, X[:, n], rcond=None)[0] for n in (0, 1)]
    expected = np.corrcoef(left)[0, 1]
    assert found.matrix.loc["S0", "S1"] == pytest.approx(expected, abs=1e-10)


def naive_distance(x, y):
    """Székely & Rizzo (2014), by the definition."""

    def centred(v):
        n = len(v)
        d = np.array([[abs(a - b) for b in v] for a in v])
        row = d.sum(axis=1)
        u = d - row[:, None] / (n - 2) - row[None, :] / (n - 2) + d.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(u, 0.0)
        return u

    A, B = centred(x), centred(y)
    return (A * B).sum() / np.sqrt((A * A).sum() * (B * B).sum())


def test_distance_is_its_definition():
    X = noise(T=80, N=2, seed=2)
    assert distance_correlation(X[:, 0], X[:, 1]) == pytest.approx(naive_distance(*X.T), rel=1e-9)


def test_distance_sees_what_a_line_does_not():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(600)
    X = 0.01 * np.column_stack([x, np.abs(x) + 0.3 * rng.standard_normal(600), rng.standard_normal(600)])
    found = correlations(panel(X), method="distance")
    assert found.found[["a", "b"]].to_numpy().tolist() == [["S0", "S1"]]
    assert len(correlations(panel(X)).found) == 0


@pytest.mark.parametrize(("method", "sign"), [("lower_tail", 1), ("upper_tail", -1)])
def test_tail_dependence_is_a_share_of_worst_bars(method, sign):
    X = sign * noise(T=1000, N=2, rho=0.6, seed=4)
    found = correlations(panel(X), method=method, tail=0.05)
    worst = [set(np.argsort(sign * X[:, n])[:50]) for n in (0, 1)]
    row = found.findings.iloc[0]
    assert row["effect"] == pytest.approx(len(worst[0] & worst[1]) / 50)
    assert row["low"] < row["effect"] < row["high"]
    assert row["low"] > 0.05


@given(st.integers(0, 1000), st.integers(5, 40))
@settings(max_examples=15)
def test_rolling_is_pandas(seed, window):
    X = pd.DataFrame(noise(T=120, N=3, seed=seed))
    X.iloc[50, 1] = np.nan
    told = rolling(X, window)
    for row in told.pairs.itertuples():
        line = X[row.a].rolling(window).corr(X[row.b])
        assert row.last == pytest.approx(line.iloc[-1], abs=1e-8)
        assert (row.low, row.high, row.mean) == pytest.approx((line.min(), line.max(), line.mean()), abs=1e-8)
        assert line[row.low_at] == pytest.approx(line.min(), abs=1e-8)
        assert row.windows == line.notna().sum()
    every = [X[i].rolling(window).corr(X[j]) for i, j in combinations(range(3), 2)]
    mean = pd.concat(every, axis=1).mean(axis=1).dropna()
    np.testing.assert_allclose(told.through_time["mean"], mean, atol=1e-8)


def test_a_rolling_matrix_is_of_its_window():
    X = pd.DataFrame(noise(T=300, N=3))
    told = list(matrices(X, 100, 50))
    assert [stamp for stamp, _ in told] == [99, 149, 199, 249, 299]
    np.testing.assert_allclose(told[1][1], np.corrcoef(X.iloc[50:150].T), atol=1e-12)


def test_weights_by_age_are_those_of_numpy_cov():
    X = noise(T=300)
    found = correlations(panel(X), halflife=50.0)
    weights = 0.5 ** (np.arange(300)[::-1] / 50.0)
    cov = np.cov(X[:, :2].T, aweights=weights)
    row = of(found, "S0", "S1")
    assert row["effect"] == pytest.approx(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]), abs=1e-9)
    assert row["n"] == round(weights.sum() ** 2 / (weights**2).sum())


def naive_lag(X, i, j, lag):
    x, y = X[: len(X) - lag, i], X[lag:, j]
    both = np.isfinite(x) & np.isfinite(y)
    return np.corrcoef(x[both], y[both])[0, 1]


@given(st.integers(0, 1000), st.integers(0, 10), st.booleans())
@settings(max_examples=25)
def test_every_lag_is_a_shifted_correlation(seed, lag, holes):
    X = noise(T=200, N=3, seed=seed)
    if holes:
        X[np.random.default_rng(seed).random(X.shape) < 0.1] = np.nan
    made = products(standardised(X), lag)
    for i in range(3):
        for j in range(3):
            assert made.r[i, j] == pytest.approx(naive_lag(X, i, j, lag), abs=1e-9)


@pytest.mark.parametrize("method", ["spearman", "kendall", "distance", "lower_tail"])
def test_a_lag_is_the_measure_of_shifted_rows(method):
    X = noise(T=150, N=3, seed=7)
    X[2:, 1] += X[:-2, 0]
    told = correlations(panel(X), method=method, lags=3, level=0.5, min_bars=50, tail=0.1)
    assert told.asked == 3 * 2 * 3 + 3
    row = of(told, "S0", "S1", 2)
    x, y = X[:-2, 0], X[2:, 1]
    if method == "lower_tail":
        worst = [set(np.argsort(X[:, n])[:15]) for n in (0, 1)]
        both = len({t + 2 for t in worst[0]} & worst[1])
        inside = (sum(t < 148 for t in worst[0]) + sum(t >= 2 for t in worst[1])) / 2
        assert row["effect"] == pytest.approx(both / inside)
    else:
        from scipy import stats

        expected = {
            "spearman": lambda: (
                stats.spearmanr(stats.rankdata(X[:, 0])[:-2], stats.rankdata(X[:, 1])[2:]).statistic
            ),
            "kendall": lambda: stats.kendalltau(x, y).statistic,
            "distance": lambda: naive_distance(x, y),
        }[method]()
        assert row["effect"] == pytest.approx(expected, abs=2e-3)
    assert row["p"] < 0.01
    assert (row["low"], row["high"]) != (row["effect"], row["effect"])


def test_residuals_are_those_of_a_regression():
    X = noise(N=3)
    R = pd.DataFrame(X)
    factor = R.mean(axis=1).to_frame("f")
    left = residuals(R, None)
    A = np.column_stack([np.ones(len(X)), factor])
    np.testing.assert_allclose(left[1], X[:, 1] - A @ np.linalg.lstsq(A, X[:, 1], rcond=None)[0], atol=1e-14)


# ---- laws


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_a_correlation_matrix_is_symmetric_within_one_and_positive(seed):
    R = correlation_matrix(noise(T=60, N=8, seed=seed))
    assert (R == R.T).all()
    assert (np.abs(R) <= 1.0).all()
    assert np.linalg.eigvalsh(R).min() > -1e-10


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_symbols_and_the_size_of_prices_do_not_matter(method):
    X = noise(T=300, N=3)
    one = correlations(panel(X), method=method)
    other = correlations(panel(X[:, ::-1], ["S2", "S1", "S0"]), method=method)
    names = list(one.matrix)
    np.testing.assert_allclose(one.matrix, other.matrix.loc[names, names], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_each_interval_holds_its_effect(method):
    rows = correlations(panel(noise(T=400, seed=8)), method=method).findings
    assert len(rows)
    assert (rows["low"] <= rows["effect"]).all()
    assert (rows["effect"] <= rows["high"]).all()
    assert rows["low"].min() >= -1.0
    assert rows["high"].max() <= 1.0


@pytest.mark.parametrize(("method", "true"), [("pearson", 0.5), ("spearman", 0.4826), ("kendall", 1 / 3)])
def test_intervals_cover(method, true):
    held = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(400)
        X = 0.01 * np.column_stack([x, 0.5 * x + np.sqrt(0.75) * rng.standard_normal(400)])
        row = correlations(panel(X), method=method).findings.iloc[0]
        held += row["low"] <= true <= row["high"]
    assert 0.90 < held / 200 < 0.985


# ---- planted, and nothing planted


def test_planted_leaders_are_found_with_their_lag_and_become_a_strategy():
    market = lead_lag(pairs=4, others=12, bars=1500, lag=[1, 2, 5, 9], strength=[0.3, -0.3, 0.4, 0.5], seed=1)
    found = correlations(market.bars, lags=10, level=0.1)
    planted = {(p.leader, p.follower, p.lag) for p in market.truth.pairs.itertuples()}
    told = {(r.a, r.b, r.lag) for r in found.found.itertuples()}
    assert planted <= told
    assert len(told - planted) <= 2
    turned = next(n for n, r in found.found.iterrows() if (r["a"], r["b"]) == ("A1", "B1"))
    idea = found.idea(turned)
    assert (idea.strategy, idea.symbols) == ("follow_leader", ("A1", "B1"))
    assert idea.params == {"lag": 2, "way": "against"}
    registry.get(idea.strategy).check(idea.params)
    assert found.asked == 20 * 19 * 10 + 20 * 19 // 2
    assert "leads by" in found.summary


def test_the_idea_of_a_planted_leader_gains():
    market = lead_lag(pairs=1, bars=1500, lag=3, strength=0.6, seed=3)
    found = correlations(market.bars, lags=5)
    idea = found.idea(0)
    close = market.bars[idea.symbols].close
    held = registry.get(idea.strategy)(market.bars[idea.symbols], **idea.params).fillna(0.0)
    gained = (held.shift(1) * np.log(close).diff()).sum(axis=1)
    assert gained.mean() / gained.std() * np.sqrt(252) > 3.0


def storm(seed, common=True):
    """Returns that do not correlate and whose volatility rises in all at once."""
    rng = np.random.default_rng(seed)
    h = np.zeros(700)
    for t in range(1, 700):
        h[t] = 0.95 * h[t - 1] + 0.3 * rng.standard_normal()
    return panel(0.01 * np.exp(h)[:, None] * rng.standard_normal((700, 8)))


def remembering(seed):
    X = 0.01 * np.random.default_rng(seed).standard_normal((700, 8))
    for t in range(1, len(X)):
        X[t] += 0.3 * X[t - 1]
    return panel(X)


NOISE = {
    "normal": lambda seed: random_walk(symbols=8, bars=700, seed=seed).bars,
    "tails": lambda seed: random_walk(symbols=8, bars=700, seed=seed, tails=3).bars,
    "garch": lambda seed: random_walk(symbols=8, bars=700, seed=seed, garch=(0.1, 0.85)).bars,
    "storm": storm,
    "memory": remembering,
}


@pytest.mark.parametrize("kind", NOISE)
def test_noise_has_no_leaders(kind):
    false = sum(len(correlations(NOISE[kind](seed), lags=3).found) > 0 for seed in range(60))
    assert false <= 8  # 3 expected


@pytest.mark.parametrize("kind", ["memory", "storm", "tails"])
@pytest.mark.parametrize(
    "how", [{"chance": "effective"}, {"chance": "permutation", "draws": 199}, {"method": "partial"}]
)
def test_other_ways_to_judge_hold_in_noise(kind, how):
    false = sum(len(correlations(NOISE[kind](seed), **how).found) > 0 for seed in range(25))
    assert false <= 5  # 1.25 expected


def test_effective_rows_are_told():
    row = correlations(remembering(1), chance="effective", level=0.5).findings.iloc[0]
    assert 400 < row["n"] < 690  # of 699, with an autocorrelation of 0.3 in both: 699 / (1 + 2 · 0.09 / 0.91)


@pytest.mark.parametrize("method", ["lower_tail", "upper_tail"])
def test_symbols_that_never_fall_together_are_no_finding(method):
    """In 300 bars, 15 of which are the worst, none in common is what chance does half of the time."""
    false = sum(
        len(correlations(random_walk(symbols=8, bars=301, seed=seed).bars, method=method).found) > 0
        for seed in range(40)
    )
    assert false <= 6


def test_a_permutation_is_scipys():
    from scipy.stats import pearsonr, permutation_test

    X = noise(T=60, N=2, seed=4, rho=0.15)
    theirs = permutation_test(
        (X[:, 0],), lambda x: pearsonr(x, X[:, 1]).statistic, permutation_type="pairings", n_resamples=4999,
        rng=np.random.default_rng(0),
    ).pvalue  # fmt: skip
    Z = standardised(X)
    told = permuted(Z, products(Z, 0, np.zeros((1, 2))), 4999, 0, block=1)
    ours = (told.beyond[0, 1] + 1) / 5000
    assert ours == pytest.approx(float(theirs), abs=0.03)
    assert told.deviation[0, 1] == pytest.approx(1.0, rel=0.03)


@given(st.integers(0, 500), st.integers(1, 12), st.integers(3, 60))
@settings(max_examples=20)
def test_an_order_of_blocks_keeps_every_row_and_neighbours(seed, block, T):
    rng = np.random.default_rng(seed)
    rows, blocks = np.arange(2.0 * T).reshape(2, T).astype(np.float32), -(-T // block)
    moved = np.empty_like(rows)
    order = rng.permuted(np.broadcast_to(np.arange(blocks), (2, blocks)), axis=1)
    rearranged(rows, rng.integers(T, size=2), order, block, moved)
    for n in range(2):
        assert sorted(moved[n]) == rows[n].tolist()
        steps = (np.diff(moved[n]) % T) == 1
        assert steps.sum() >= T - blocks - 1


def test_blocks_know_memory():
    """Two independent AR(0.8): 60 ordinary rows would be called bound, blocks of 50 know better."""
    rng, wrong, right = np.random.default_rng(1), [], []
    for _ in range(40):
        X = rng.standard_normal((1000, 2))
        for t in range(1, 1000):
            X[t] += 0.8 * X[t - 1]
        Z = standardised(X)
        own = products(Z, 0, np.zeros((1, 2)))
        for block, told in ((1, wrong), (50, right)):
            told.append(permuted(Z, own, 199, 0, block=block).counted(own, np.array([1]))[0] < 0.05)
    assert np.mean(wrong) > 0.2
    assert np.mean(right) < 0.15


def test_permutation_and_robust_p_values_agree_in_quiet_noise():
    bars = random_walk(symbols=12, bars=800, seed=5).bars
    one, other = (
        correlations(bars, chance=how, level=0.5).findings.set_index(["a", "b"])["p"]
        for how in ("robust", "permutation")
    )
    both = pd.concat([one, other], axis=1, keys=["robust", "drawn"]).dropna()
    assert len(both) > 10
    assert (np.log(both["robust"] / both["drawn"]).abs() < 0.8).all()


# ---- time


@pytest.mark.parametrize(
    "how", [{"lags": 3}, {"method": "kendall"}, {"halflife": 60.0}, {"windows": (None, 120)}]
)
def test_later_bars_change_nothing_that_was_said(how):
    bars = factor_market(symbols=5, bars=500, seed=2).bars
    poisoned = {"close": bars.close.copy()}
    poisoned["close"].iloc[400:] = 1e6 * np.random.default_rng(0).random((100, 5)) + 1.0
    then = correlations(bars._rows(slice(0, 400)), **how)
    for later in (bars, Bars.from_frames(**poisoned, calendars="XNYS")):
        now = correlations(later, end=f"{bars.index[399]:%Y-%m-%d}", **how)
        pd.testing.assert_frame_equal(now.findings, then.findings)
        pd.testing.assert_frame_equal(now.matrix, then.matrix)
    whole, part = rolling(then.returns, 60).through_time, rolling(log_returns(bars), 60).through_time
    pd.testing.assert_frame_equal(whole, part.loc[: whole.index[-1]], rtol=1e-7, check_freq=False)


# ---- bad input


def test_what_cannot_be_judged_is_left_out_and_told():
    X = noise(T=200, N=6)
    bars = panel(X)
    close = bars.close.copy()
    close["S1"] = 50.0
    close["S2"] = np.nan
    close.iloc[:190, 3] = np.nan
    found = correlations(Bars.from_frames(close=close), min_coverage=0.3)
    assert set(found.coverage.excluded["symbol"]) == {"S1", "S2", "S3"}
    assert found.symbols == ("S0", "S4", "S5")
    assert "its price never changes" in found.summary
    assert found.findings["effect"].notna().all()
    with pytest.raises(NoData, match="expected at least 90%"):
        correlations(Bars.from_frames(close=close), min_coverage=0.9)


def test_a_window_in_which_a_symbol_stands_still_or_is_missing_is_said():
    close = panel(noise(T=300, N=4)).close.copy()
    close.iloc[-100:, 1] = close.iloc[-101, 1]
    close.iloc[-100:, 2] = np.nan
    found = correlations(Bars.from_frames(close=close), windows=(None, 80), lags=1, level=0.9)
    told = " ".join(found.warnings)
    assert "15 of 18 pairs and lags were not asked" in told
    assert "of the last 80" in told
    last = found.findings[found.findings["window"] == 80]
    assert set(last["a"]) | set(last["b"]) <= {"S0", "S3"}
    assert found.findings[["effect", "low", "high", "p", "q"]].notna().all(axis=None)
    close.iloc[-100:] = np.nan
    with pytest.raises(NoData, match="nothing could be asked: 6 of 6 pairs"):
        correlations(Bars.from_frames(close=close), windows=(80,))
    with pytest.raises(NoData, match="half-life of 1 bars"):
        correlations(panel(noise()), halflife=1.0)


def test_holidays_at_different_times_leave_no_rolling_window_and_that_is_said():
    close = panel(noise(T=300, N=3)).close.copy()
    for n in range(3):
        close.iloc[n * 7 :: 21, n] = np.nan
    with pytest.raises(NoData, match="align='shared'"):
        correlations(Bars.from_frames(close=close)).rolling(60)
    shared = correlations(Bars.from_frames(close=close), align="shared").rolling(60)
    assert len(shared.pairs) == 3


def test_a_matrix_through_time_is_the_scan_of_its_window():
    bars = panel(noise(T=300, N=3))
    told = dict(correlations(bars, method="spearman").matrices(100, 100))
    assert list(told) == [bars.index[100], bars.index[200], bars.index[300]]
    part = bars._rows(slice(100, 201))
    pd.testing.assert_frame_equal(told[bars.index[200]], correlations(part, method="spearman").matrix)


def test_all_that_hold_are_counted_though_few_are_kept():
    bars = panel(noise(T=400, N=12, rho=0.5))
    whole, few = correlations(bars, lags=1), correlations(bars, lags=1, keep=5)
    assert (len(few.findings), few.held, few.asked) == (5, whole.held, whole.asked)
    assert whole.held == len(whole.found) >= 60
    pd.testing.assert_frame_equal(few.findings, whole.findings.head(5))
    assert f"{whole.held} of 198 questions hold" in few.summary


def test_unequal_histories_use_the_rows_a_pair_shares():
    X = noise(T=400, N=3)
    close = panel(X).close.copy()
    close.iloc[:150, 2] = np.nan
    found = correlations(Bars.from_frames(close=close))
    rows = found.findings.set_index(["a", "b"])
    assert rows.loc[("S0", "S1"), "n"] == 400
    assert rows.loc[("S0", "S2"), "n"] == 250
    expected = np.corrcoef(X[150:, 0], X[150:, 2])[0, 1]
    assert rows.loc[("S0", "S2"), "effect"] == pytest.approx(expected, abs=1e-9)


def test_shared_rows_span_the_same_time():
    close = panel(noise(T=300, N=2)).close.copy()
    close.iloc[100, 1] = np.nan
    one, other = (correlations(Bars.from_frames(close=close), align=how) for how in ("consecutive", "shared"))
    assert (one.findings["n"].iloc[0], other.findings["n"].iloc[0]) == (298, 299)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"method": "cosine"}, "one of pearson"),
        ({"lags": -1}, "0 or more"),
        ({"lags": "3"}, "whole number"),
        ({"lags": 3, "method": "partial"}, "the same bar"),
        ({"lags": 95}, "at most 89"),
        ({"windows": (3,)}, "at least 10"),
        ({"windows": 60}, "at least 10"),
        ({"windows": (60, 60)}, "different"),
        ({"min_bars": 2}, "at least 10"),
        ({"factors": pd.DataFrame({"f": [1.0]})}, "taken out of nothing"),
        ({"tail": 0.01, "method": "lower_tail"}, "at least 5 of 99 rows"),
        ({"block": 90, "chance": "permutation"}, "a quarter"),
        ({"chance": "permutation", "method": "lower_tail"}, "robust"),
        ({"seed": -1}, "0 or more"),
        ({"halflife": 0.0}, "above 0 bars"),
        ({"level": 1.5}, "false findings"),
        ({"of": "levels"}, "cointegration"),
        ({"chance": "luck"}, "permutation"),
        ({"tail": 0.7, "method": "lower_tail"}, "below 0.5"),
        ({"draws": 3, "chance": "permutation"}, "between 99"),
        ({"correction": "none at all"}, "one of bh"),
        ({"align": "filled"}, "shared"),
    ],
)
def test_bad_parameters_say_what_was_expected(bad, text):
    with pytest.raises(BadParameter, match=text):
        correlations(panel(noise(T=99)), **bad)


def test_too_little_is_refused():
    with pytest.raises(NoData, match="at least 2 symbols"):
        correlations(panel(noise(T=100, N=1)))
    with pytest.raises(NoData, match="at least 2 symbols"):
        correlations(panel(noise(T=1, N=2)))
    with pytest.raises(BadInput, match="at least 80 rows"):
        correlations(panel(noise(T=70, N=40)), method="partial")
    X = noise(T=200, N=4)
    X[:, 3] = X[:, 0]
    with pytest.raises(BadInput, match="S0, S3: partial"):
        correlations(panel(X), method="partial")
    with pytest.raises(BadInput, match="32 symbols"):
        correlations(panel(noise(T=100, N=40)), method="distance")
    with pytest.raises(NoData, match="does not fit"):
        correlations(panel(noise(T=100))).rolling(500)
    with pytest.raises(UnknownName, match="S9"):
        correlations(panel(noise(T=100))).lead_lag("S0", "S9")


def test_the_same_series_twice_stale_prices_and_other_clocks_are_told():
    X = noise(T=300, N=4)
    X[:, 1] = X[:, 0]
    X[::3, 2] = 0.0
    bars = panel(X, calendars={"S0": "XNYS", "S1": "XNYS", "S2": "XTKS", "S3": "XLON"})
    told = " ".join(correlations(bars).warnings)
    assert "the same series under two names: S0 and S1" in told
    assert "stale prices: no change in S2 (33%" in told
    assert "hours apart" in told
    few = correlations(panel(noise(T=100, N=3)), of="residuals")
    assert any("bound to correlate" in text for text in few.warnings)


# ---- figures


def test_the_page_of_a_pair_shows_prices_rolling_correlation_and_profile():
    market = lead_lag(pairs=1, bars=400, lag=2, strength=0.7, seed=1)
    found = correlations(market.bars, lags=4)
    figure = found.figure(0)
    assert {trace.name for trace in figure.data} >= {"A0", "B0", "rolling correlation", "correlation"}
    lines = found.lead_lag("A0", "B0", 4).set_index("lag")
    assert lines["correlation"].abs().idxmax() == 2
    assert lines.index.tolist() == list(range(-4, 5))
    line = rolling_pair(found.returns, "A0", "B0", 60)
    expected = found.returns["A0"].rolling(60).corr(found.returns["B0"])
    np.testing.assert_allclose(line, expected, atol=1e-12)


def test_what_moves_at_once_is_no_strategy():
    found = correlations(panel(noise(T=300)))
    with pytest.raises(BadParameter, match="one with a lag"):
        found.idea(0)
    with pytest.raises(UnknownName):
        found.figure(10_000)
