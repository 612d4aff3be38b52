"""Breaks in correlations against the naive test, planted breaks, noise and a poisoned future."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tapebook.data.panel import Bars
from tapebook.data.synthetic import factor_market
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.correlation import break_kernels as kernels
from tapebook.market.correlation.break_search import limits, probability
from tapebook.market.correlation.breaks import correlation_breaks, mean_products, scaled
from tapebook.market.correlation.correlations import correlations


def changing(rhos, T=900, N=4, seed=0, cuts=None):
    """Returns with a common factor: correlation rhos[k] between cuts k and k + 1."""
    rng = np.random.default_rng(seed)
    cuts = cuts or np.linspace(0, T, len(rhos) + 1).astype(int)[1:-1].tolist()
    rho = np.repeat(rhos, np.diff([0, *cuts, T]))[:, None]
    X = np.sqrt(rho) * rng.standard_normal((T, 1)) + np.sqrt(1 - rho) * rng.standard_normal((T, N))
    return pd.DataFrame(
        0.01 * X, pd.bdate_range("2010-01-04", periods=T, tz="UTC"), [f"S{n}" for n in range(N)]
    )


def naive_products(x, y):
    zx, zy = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = (zx * zy).mean()
    return zx * zy - r * (zx**2 + zy**2) / 2


def naive_test(w, least, lags):
    """By definition: the bridge, the best split, Bartlett's weights on what is left of two means."""
    n = len(w)
    bridge = np.cumsum(w - w.mean())
    spots = range(least, n - least + 1)
    at = max(spots, key=lambda k: bridge[k - 1] ** 2 / (k * (n - k)))
    e = np.concatenate([w[:at] - w[:at].mean(), w[at:] - w[at:].mean()])
    gamma = [e[h:] @ e[: n - h] / n for h in range(lags + 1)]
    scale = np.sqrt(n * (gamma[0] + 2 * sum((1 - h / (lags + 1)) * gamma[h] for h in range(1, lags + 1))))
    walk = np.append(0.0, bridge)
    return np.abs(walk).max() / scale, (walk.max() - walk.min()) / scale, at


# ---- against others


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_its_definition(seed):
    returns = changing([0.1, 0.6], T=300, seed=seed).to_numpy()
    w = np.empty(300)
    kernels.products_of(np.ascontiguousarray(returns[:, 0]), np.ascontiguousarray(returns[:, 1]), w)
    np.testing.assert_allclose(w, naive_products(returns[:, 0], returns[:, 1]), atol=1e-12)
    assert kernels.tested(w, 40, 5) == pytest.approx(naive_test(w, 40, 5))


def test_the_p_value_is_kolmogorovs_and_kuipers():
    assert probability(1.2238, 0.0) == pytest.approx(2 * 0.1, abs=1e-3)  # sup of a bridge at 10 %
    assert probability(0.0, 1.747) == pytest.approx(2 * 0.05, abs=1e-3)  # Kuiper's 5 %
    assert float(probability(1.5, 0.0)) == pytest.approx(2 * stats.kstwobign.sf(1.5))
    for p in (0.2, 0.01, 1e-6):
        sup, reach = limits(p)
        assert float(probability(sup, 0.0)) == pytest.approx(p, rel=1e-6)
        assert float(probability(0.0, reach)) == pytest.approx(p, rel=1e-6)


def test_mean_products_are_the_mean_over_pairs():
    part = changing([0.4], T=100, N=5, seed=3).to_numpy()
    every = [naive_products(part[:, i], part[:, j]) for i in range(5) for j in range(i)]
    np.testing.assert_allclose(mean_products(part), np.mean(every, axis=0), atol=1e-12)


def test_levels_are_numpys():
    returns = changing([0.0, 0.7])
    row = correlation_breaks(returns).found.iloc[0]
    pair = returns[[row["a"], row["b"]]]
    before, after = pair.loc[: row["at"]], pair.loc[row["at"] :].iloc[1:]
    assert row["before"] == pytest.approx(before.corr().iloc[0, 1])
    assert row["after"] == pytest.approx(after.corr().iloc[0, 1])


# ---- planted, and nothing planted


def test_planted_breaks_are_found_with_their_dates():
    near, known, more = [], [], 0
    for seed in range(10):
        returns = changing([0.1, 0.7], seed=seed)
        told = correlation_breaks(returns)
        first = told.mean.sort_values("p").iloc[0]
        assert first["holds"]
        more += int(told.mean["holds"].sum()) - 1
        near.append(abs(returns.index.get_loc(first["at"]) - 449))
        known.append(returns.index.get_loc(first["known"]) - 449)
        assert len(told.found) >= 4
        assert (told.found["after"] > told.found["before"]).mean() > 0.7
    assert more <= 3  # each part is asked again, at 5 %
    assert np.median(near) <= 20
    assert min(known) > 0
    assert np.median(known) < 150


def test_a_correlation_that_comes_back_has_two_breaks():
    returns = changing([0.1, 0.8, 0.1], T=1200, seed=4, cuts=[500, 700])
    mean = correlation_breaks(returns).mean
    held = mean[mean["holds"]]
    at = [returns.index.get_loc(stamp) for stamp in held["at"]]
    assert len(at) == 2
    assert abs(at[0] - 499) < 30
    assert abs(at[1] - 699) < 30


@pytest.mark.parametrize("kind", ["normal", "tails", "storm", "volatility breaks"])
def test_what_does_not_change_has_no_breaks(kind):
    false = 0
    for seed in range(20):
        X = changing([0.3], T=700, N=5, seed=seed)
        rng = np.random.default_rng(seed)
        if kind == "tails":
            X = X / np.sqrt(rng.chisquare(4, X.shape) / 4)
        elif kind == "storm":
            h = pd.Series(0.3 * rng.standard_normal(700)).ewm(alpha=0.05, adjust=False).mean() * 5
            X = X.mul(np.exp(h.to_numpy()), axis=0)
        elif kind == "volatility breaks":
            X.iloc[350:] *= [4.0, 0.3, 1.0, 2.0, 1.0]
        told = correlation_breaks(X)
        false += len(told.found) > 0 or bool(told.mean["holds"].any())
    assert false <= 4  # pairs and mean, 5 % each


# ---- time


def test_later_rows_change_nothing_that_was_said():
    bars = factor_market(symbols=4, bars=700, seed=2).bars
    poisoned = bars.close.copy()
    poisoned.iloc[500:] = 1e6 * np.random.default_rng(0).random((200, 4)) + 1.0
    then = correlations(bars._rows(slice(0, 500))).breaks()
    for later in (bars, Bars.from_frames(close=poisoned, calendars="XNYS")):
        now = correlations(later, end=f"{bars.index[499]:%Y-%m-%d}").breaks()
        pd.testing.assert_frame_equal(now.findings, then.findings)
        pd.testing.assert_frame_equal(now.mean, then.mean)


def test_scaling_looks_back_only():
    returns = changing([0.3], seed=2)
    other = returns.copy()
    other.iloc[600:] = -other.iloc[600:]  # the mean taken off changes, the volatility does not
    one, two = scaled(returns - returns.mean()), scaled(other - other.mean())
    np.testing.assert_allclose(one[:, 30:600], two[:, 30:600], atol=0.15)


def test_a_break_is_known_only_after_it():
    told = correlation_breaks(changing([0.0, 0.6], N=6, seed=1)).found
    assert len(told)
    assert (told["known"] > told["at"]).all()


# ---- what cannot be judged


def test_missing_rows_are_not_filled():
    returns = changing([0.1, 0.7], seed=5)
    returns.iloc[:400, 0] = np.nan
    returns.iloc[::9, 1] = np.nan
    told = correlation_breaks(returns)
    assert told.asked == 6
    assert told.findings[["before", "after", "p", "q"]].notna().all(axis=None)
    late = told.findings[(told.findings["a"] == "S0") | (told.findings["b"] == "S0")]
    assert (late["at"] >= returns.index[400]).all()


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda X: X.iloc[:100], NoData, "shares 120 rows"),
        (lambda X: X.iloc[:1], NoData, "shares 120 rows"),
        (lambda X: X * 0.0, NoData, "no pair that moves"),
        (lambda X: X.iloc[:, :1], NoData, "at least 2"),
        (lambda X: X.assign(S1=np.inf), BadInput, "S1 has an infinite return"),
        (lambda X: X.set_axis(["A", "A", "B", "C"], axis=1), BadInput, "A is there twice"),
    ],
)
def test_what_has_no_breaks_is_refused(change, error, text):
    with pytest.raises(error, match=text):
        correlation_breaks(change(changing([0.3])))


def test_a_constant_series_has_no_break():
    told = correlation_breaks(changing([0.3]).assign(S1=0.0))
    assert not ((told.findings["a"] == "S1") | (told.findings["b"] == "S1")).any()
    assert "3 of 6 pairs were not asked" in told.summary


@pytest.mark.parametrize("bad", [{"level": 0.0}, {"min_size": 5}, {"min_size": "a"}, {"correction": "luck"}])
def test_bad_parameters_are_named(bad):
    with pytest.raises(BadParameter, match=next(iter(bad))):
        correlation_breaks(changing([0.3], T=300), **bad)


# ---- figure and words


def test_a_break_is_drawn_with_its_levels():
    told = correlation_breaks(changing([0.1, 0.7], seed=1))
    figure = told.figure()
    assert {trace.name for trace in figure.data} == {"over the last 60 bars", "between breaks"}
    assert "1 break" in figure.layout.title.text
    assert len(told.figure(0).layout.shapes) >= 2
    assert "the mean correlation broke after 2011-09" in told.summary
    with pytest.raises(UnknownName):
        told.figure(10_000)
