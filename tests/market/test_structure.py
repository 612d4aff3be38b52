"""The structure of a market against scikit-learn, scipy, the naive way, planted groups and noise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.synthetic import factor_market
from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.market.correlation.returns import log_returns
from tapebook.market.correlation.structure.choice import most_shared
from tapebook.market.correlation.structure.eigen import edges, largest_of_noise, marchenko_pastur, tracy_widom
from tapebook.market.correlation.structure.structure import structure
from tapebook.market.correlation.structure.tree import distances, spanning_tree


def frame(X, names=None):
    names = names or [f"S{n:02}" for n in range(X.shape[1])]
    return pd.DataFrame(X, pd.bdate_range("2010-01-04", periods=len(X), tz="UTC"), names)


def noise(T=500, N=12, seed=0, tails=None):
    rng = np.random.default_rng(seed)
    return frame(0.01 * (rng.standard_normal((T, N)) if tails is None else rng.standard_t(tails, (T, N))))


def groups(T=800, size=5, many=3, seed=1, own=0.6, market=0.0):
    """`many` groups of `size` symbols, each with a factor of its own, in a mixed order."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.repeat(np.arange(many), size))
    X = np.sqrt(own) * rng.standard_normal((T, many))[:, label] + np.sqrt(1 - own) * rng.standard_normal(
        (T, size * many)
    )
    return frame(0.01 * (X + market * rng.standard_normal((T, 1)))), label


# ---- against others


@pytest.mark.parametrize(("how", "name"), [("ledoit_wolf", "LedoitWolf"), ("oas", "OAS")])
def test_shrunk_matrices_are_scikit_learns(how, name):
    import sklearn.covariance

    returns, _ = groups(T=120)
    told = structure(returns, shrink=how)
    Z = ((returns - returns.mean()) / returns.std(ddof=0)).to_numpy()
    theirs = getattr(sklearn.covariance, name)(assume_centered=True).fit(Z)
    np.testing.assert_allclose(told.shrunk, theirs.covariance_, atol=1e-12)
    assert told.shrinkage == pytest.approx(theirs.shrinkage_)
    np.testing.assert_allclose(told.sample, np.corrcoef(returns.T), atol=1e-12)


@given(st.integers(0, 500), st.integers(3, 15))
@settings(max_examples=20)
def test_the_spanning_tree_is_scipys(seed, N):
    from scipy.sparse.csgraph import minimum_spanning_tree

    R = np.corrcoef(np.random.default_rng(seed).standard_normal((N, 40)))
    tree = spanning_tree(R, [str(n) for n in range(N)])
    theirs = minimum_spanning_tree(distances(R))
    assert tree["distance"].sum() == pytest.approx(theirs.sum())
    edges_ = {frozenset((int(row.a), int(row.b))) for row in tree.itertuples()}
    assert edges_ == {frozenset(pair) for pair in zip(*map(list, theirs.nonzero()), strict=True)}
    assert tree["distance"].is_monotonic_increasing


def test_order_and_clusters_are_scipys():
    from scipy.cluster.hierarchy import fcluster, leaves_list, linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    returns, _ = groups()
    told = structure(returns, shrink="none", linkage="average", clusters_wanted=4)
    flat = squareform(np.sqrt(np.maximum(2.0 * (1.0 - np.corrcoef(returns.T)), 0.0)), checks=False)
    theirs = optimal_leaf_ordering(linkage(flat, "average"), flat)
    assert list(told.order) == [returns.columns[n] for n in leaves_list(theirs)]
    label = dict(zip(returns.columns, fcluster(theirs, 4, "maxclust"), strict=True))
    ours = told.clusters.set_index("symbol")["cluster"]
    assert ours.groupby(pd.Series(label)).nunique().eq(1).all()
    assert ours.nunique() == 4


def test_noise_has_the_density_of_marchenko_and_pastur():
    from scipy.integrate import quad

    low, high = edges(1.0, 0.25)
    assert (low, high) == (0.25, 2.25)
    area, _ = quad(lambda x: float(marchenko_pastur(np.array(x), 1.0, 0.25)), low, high)
    mean, _ = quad(lambda x: x * float(marchenko_pastur(np.array(x), 1.0, 0.25)), low, high)
    assert (area, mean) == (pytest.approx(1.0, abs=1e-6), pytest.approx(1.0, abs=1e-6))
    rng = np.random.default_rng(0)
    values = np.linalg.eigvalsh(np.cov(rng.standard_normal((300, 1200)), bias=True))
    told, bins = np.histogram(values, bins=10, range=(0.3, 2.2), density=False)
    for count, left, right in zip(told, bins[:-1], bins[1:], strict=True):
        share, _ = quad(lambda x: float(marchenko_pastur(np.array(x), 1.0, 0.25)), left, right)
        assert count / 300 == pytest.approx(share, abs=0.02)


def test_the_largest_of_noise_is_tracy_and_widoms():
    """Quantiles of the law of order 1 (Bejan 2005, table 2): 0.9793 at 5 %, 0.4501 at 10 %."""
    assert tracy_widom(0.05) == pytest.approx(0.9793, abs=0.01)
    assert tracy_widom(0.10) == pytest.approx(0.4501, abs=0.01)
    rng, T, N = np.random.default_rng(0), 200, 40
    tops = []
    for _ in range(300):
        X = rng.standard_normal((T, N))
        tops.append(np.linalg.eigvalsh(X.T @ X / T)[-1])
    assert np.mean(np.array(tops) > largest_of_noise(T, N, 0.1)) == pytest.approx(0.1, abs=0.045)


# ---- laws of the cleaned matrices


@pytest.mark.parametrize("name", ["sample", "shrunk", "denoised", "detoned"])
def test_each_matrix_is_a_correlation_matrix(name):
    returns, _ = groups(T=60, size=8, market=0.5)
    R = getattr(structure(returns), name).to_numpy()
    np.testing.assert_allclose(R, R.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(R), 1.0, atol=1e-9)
    assert np.abs(R).max() <= 1.0 + 1e-9
    assert np.linalg.eigvalsh(R).min() > -1e-9


def test_denoising_comes_nearer_to_the_truth_and_detoning_takes_the_market_out():
    returns, label = groups(T=60, size=10, many=3, own=0.4, market=0.7)
    told = structure(returns)
    cov = 0.4 * (label[:, None] == label[None, :]) + 0.6 * np.eye(30) + 0.49
    true = cov / cov[0, 0]
    assert told.standing_out == 3
    off = {n: np.linalg.norm(getattr(told, n) - true) for n in ("sample", "denoised")}
    assert off["denoised"] < 0.8 * off["sample"]
    alone = structure(noise(T=60, N=30))
    assert np.linalg.norm(alone.shrunk - np.eye(30)) < 0.5 * np.linalg.norm(alone.sample - np.eye(30))
    mean = {n: getattr(told, n).to_numpy()[np.triu_indices(30, 1)].mean() for n in ("sample", "detoned")}
    assert mean["sample"] > 0.3
    assert abs(mean["detoned"]) < 0.1
    assert np.linalg.cond(told.denoised) < np.linalg.cond(told.sample)


# ---- planted, and nothing planted


def test_planted_groups_are_the_clusters():
    returns, label = groups()
    told = structure(returns)
    assert told.standing_out == 3
    own = told.clusters.set_index("symbol")["cluster"].reindex(returns.columns).to_numpy()
    for one in range(3):
        assert len(set(own[label == one])) == 1
    assert len(set(own)) == 3
    assert told.eigenvalues["stands_out"].sum() == 3
    assert told.eigenvalues["share"].sum() == pytest.approx(1.0)
    assert (told.clusters["inside"] > told.clusters["outside"] + 0.4).all()
    assert "3 of 15 eigenvalues stand out" in told.summary


@pytest.mark.parametrize("factors", [1, 3])
def test_as_many_stand_out_as_there_are_factors(factors):
    """Loadings differ, so each symbol has noise of its own size; what is taken out takes noise with it."""
    right = 0
    for seed in range(15):
        bars = factor_market(symbols=20, factors=factors, bars=800, seed=seed).bars
        right += structure(log_returns(bars), seed=seed).standing_out == factors
    assert right >= 13


@pytest.mark.parametrize("kind", ["normal", "tails", "storm", "memory", "unequal"])
def test_noise_has_no_structure(kind):
    found = 0
    for seed in range(30):
        X = noise(T=250, N=15, seed=seed, tails=3 if kind == "tails" else None)
        rng = np.random.default_rng(1000 + seed)
        if kind == "storm":
            X *= np.exp(rng.standard_normal((250, 1)) * 0.7)
        elif kind == "memory":
            X = X.ewm(alpha=0.7).mean()
        elif kind == "unequal":
            X *= np.exp(rng.standard_normal(15))
        found += structure(X).standing_out > 0
    assert found <= 5  # 1.5 expected


def test_later_rows_change_nothing_and_the_order_of_symbols_does_not_matter():
    returns, _ = groups()
    one, other = structure(returns.iloc[:500]), structure(returns.iloc[:500, ::-1])
    for a, b in zip(one.tree["distance"], other.tree["distance"], strict=True):
        assert a == pytest.approx(b)
    pairs = one.clusters.set_index("symbol")["cluster"], other.clusters.set_index("symbol")["cluster"]
    same = [p.to_numpy()[:, None] == p.to_numpy()[None, :] for p in (pairs[0], pairs[1].loc[pairs[0].index])]
    assert (same[0] == same[1]).all()


# ---- what cannot be judged


def test_rows_that_one_lacks_are_left_out_and_told():
    returns, _ = groups()
    returns.iloc[:500, 0] = np.nan
    told = structure(returns)
    assert len(told.used) == 300
    assert told.warnings == ("only 300 of 800 rows have all symbols",)
    np.testing.assert_allclose(told.sample, np.corrcoef(returns.iloc[500:].T), atol=1e-12)
    few = structure(noise(T=40, N=30))
    assert "mostly noise" in few.warnings[0]


def test_symbols_that_share_too_little_are_left_out_first():
    returns, _ = groups()
    returns.iloc[:780, 3] = np.nan
    returns.iloc[20:, 7] = np.nan
    used, out = most_shared(returns, 250)
    assert set(out) == {"S03", "S07"}
    assert used.dropna().shape == (800, 13)


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        (lambda X: X.iloc[:20], NoData, "share 20 of 20 rows, 30 needed"),
        (lambda X: X.iloc[:, :2], NoData, "at least 3"),
        (lambda X: X.assign(S01=np.nan), NoData, "S01"),
        (lambda X: X.assign(S01=0.0), BadInput, "S01 has constant returns"),
        (lambda X: X.assign(S01=np.inf), BadInput, "S01 has an infinite return"),
        (lambda X: X.set_axis(["A", *X.columns[:-2], "A"], axis=1), BadInput, "A is there twice"),
    ],
)
def test_what_has_no_structure_is_refused(change, error, text):
    with pytest.raises(error, match=text):
        structure(change(noise()))


@pytest.mark.parametrize(
    "bad",
    [
        {"shrink": "much"},
        {"linkage": "nearest"},
        {"clusters_wanted": 0},
        {"clusters_wanted": 13},
        {"level": 0},
    ],
)
def test_bad_parameters_are_named(bad):
    with pytest.raises(BadParameter, match=next(iter(bad))):
        structure(noise(), **bad)


# ---- figures


def test_figures_show_every_symbol_and_what_stands_out():
    returns, _ = groups()
    told = structure(returns)
    heat = told.heatmap(window=250, frames=4)
    assert list(heat.data[0].x) == list(told.order)
    assert len(heat.frames) == len(heat.layout.sliders[0].steps) == 5
    assert len(heat.layout.shapes) == 3
    last = np.corrcoef(returns[list(told.order)].iloc[-250:].T)
    np.testing.assert_allclose(heat.frames[-1].data[0].z, last, atol=0.0051)
    net = told.network()
    shown = [name for trace in net.data if trace.text is not None for name in trace.text]
    assert sorted(shown) == sorted(returns.columns)
    values = told.eigenvalue_figure()
    out = next(trace for trace in values.data if trace.name == "stands out")
    assert len(out.x) == 3
