"""Change points: a naive twin, planted shifts, noise, what is known when, and ruptures in hindsight."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.data.synthetic import Regime, random_walk, regimes
from tapebook.market.trend.break_kernels import AFTER, BEFORE, BLOCK, COARSE, LEAST, changes
from tapebook.market.trend.breaks import MEAN, VOLATILITY, found, observed, segments, shifts
from tapebook.market.trend.series import one_series, series_of
from tapebook.market.trend.trends import trends


def series(moved):
    return one_series("A", 100.0 * np.exp(np.concatenate([[0.0], moved]).cumsum()))


def shifted(seed, *, ratio=1.0, shift=0.0, bars=900, at=500, tails=None):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(bars) if tails is None else rng.standard_t(tails, bars) / np.sqrt(2.0)
    noise[at:] = noise[at:] * ratio + shift
    return series(0.01 * noise)


# ---- the naive twin: a likelihood for every bar and place, with histories shorter than the second window


def naive_gain(kind, y, s):
    first, second = y[:s], y[s:]
    if kind == 0:
        return 2.0 * (len(y) * np.log(y.mean()) - sum(len(p) * np.log(p.mean()) for p in (first, second)))
    return len(first) * len(second) / len(y) * (first.mean() - second.mean()) ** 2


def naive_best(kind, y, lo, hi, step):
    places = range(lo, hi, step)
    gains = [naive_gain(kind, y, s) for s in places]
    return places[int(np.argmax(gains))]


def naive_score(kind, y):
    n = len(y)
    lo, hi = BEFORE, n + 1 - AFTER
    rough = naive_best(kind, y, lo, hi, COARSE)
    s = naive_best(kind, y, max(lo, rough - COARSE), min(hi, rough + COARSE + 1), 1)
    rest = np.concatenate([y[:s] / y[:s].mean() - 1, y[s:] / y[s:].mean() - 1]) if kind == 0 else None
    if kind == 1:
        rest = np.concatenate([y[:s] - y[:s].mean(), y[s:] - y[s:].mean()])
    variance, wander = np.mean(rest**2), 1.0
    if n >= 2 * BLOCK:
        sums = np.convolve(rest, np.ones(BLOCK), mode="valid")
        wander = max(1.0, np.mean(sums**2) / BLOCK / (1 - BLOCK / n) / variance)
    return naive_gain(kind, y, s) / wander**2 / (variance if kind == 1 else 1.0)


def naive_changes(kind, y, limit):
    start, told, strongest = 0, [], -1.0
    for t in range(BEFORE + AFTER - 1, len(y)):
        part = y[start : t + 1]
        if len(part) < BEFORE + AFTER:
            continue
        score = naive_score(kind, part)
        strongest = max(strongest, score)
        if score > limit:
            at = start + naive_best(kind, part, BEFORE, len(part) - LEAST, 1)
            told.append((start, at, t))
            start = at
    return told, strongest


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("limit", [8.0, 25.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_changes_are_those_of_the_naive_twin(kind, limit, seed):
    how = {"ratio": 2.5} if kind == 0 else {"shift": 1.0}
    y = observed(shifted(seed, bars=400, at=220, **how), VOLATILITY if kind == 0 else MEAN)
    rows, best = changes(kind, y, limit)
    told, strongest = naive_changes(kind, y, limit)
    assert [tuple(int(x) for x in row[:3]) for row in rows] == told
    assert best[3] == pytest.approx(strongest, rel=1e-9)


@given(st.integers(0, 10_000), st.integers(300, 899), st.sampled_from([0, 1]))
@settings(max_examples=40)
def test_a_change_once_told_stays(seed, cut, kind):
    y = observed(shifted(seed, ratio=3.0, shift=1.0), VOLATILITY if kind == 0 else MEAN)
    whole, _ = changes(kind, y, 15.0)
    part, _ = changes(kind, y[:cut].copy(), 15.0)
    known = whole[whole[:, 2] < cut]
    np.testing.assert_array_equal(part[:, :3], known[:, :3])


@given(st.floats(0.01, 100.0), st.sampled_from([0, 1]))
@settings(max_examples=20)
def test_the_unit_of_returns_does_not_matter(size, kind):
    moved = shifted(3, ratio=3.0).moved
    of = VOLATILITY if kind == 0 else MEAN
    one, other = (changes(kind, observed(series(m), of), 20.0)[0] for m in (moved, moved * min(size, 20.0)))
    np.testing.assert_array_equal(one[:, :3], other[:, :3])


# ---- planted and not


@pytest.mark.parametrize(
    ("of", "how"),
    [
        ("volatility", {"ratio": 3.0}),
        ("volatility", {"ratio": 1 / 3}),
        ("volatility", {"ratio": 3.0, "tails": 4}),
        ("mean", {"shift": 1.5}),
        ("mean", {"shift": -1.5}),
    ],
)
def test_clear_shifts_are_told_within_10_bars(of, how):
    index, near = pd.RangeIndex(901), 0
    for seed in range(40):
        table, _ = found([shifted(seed, **how)], index, 252.0, 0.05)
        own = table[table["of"] == of]
        near += bool((own["ts"] - 501).abs().le(10).any())
        assert (own["known"] >= own["ts"]).all()
    assert near >= 36


def test_the_levels_are_those_planted():
    inside, before, after = 0, [], []
    for seed in range(30):
        table, asked = found([shifted(seed, ratio=3.0)], pd.RangeIndex(901), 252.0, 0.05)
        row = table.iloc[0]
        assert (row["of"], row["unit"]) == ("volatility", "% a year")
        assert row["delay"] == row["known"] - row["ts"]
        answer = asked.set_index("question").loc["change in volatility"]
        assert answer["p"] < 0.025
        inside += bool(answer["low"] < np.log(3.0) < answer["high"])
        before.append(row["before"])
        after.append(row["after"])
    a_year = 0.01 * np.sqrt(252.0) * 100.0
    assert np.mean(before) == pytest.approx(a_year, rel=0.05)
    assert np.mean(after) == pytest.approx(3.0 * a_year, rel=0.15)
    assert inside >= 25


def test_regimes_of_a_market_are_told_with_their_dates():
    market = regimes(seed=2, among=(Regime(0.12, 0.12, 500.0), Regime(-0.25, 0.36, 400.0)))
    table = trends(market.bars).breaks
    planted = np.flatnonzero(np.diff(market.truth.states.to_numpy())) + 1
    told = market.bars.index.get_indexer(table.loc[table["of"] == "volatility", "ts"])
    assert len(told) >= 3
    assert all(np.abs(planted - at).min() <= 10 for at in told)


def test_more_symbols_ask_for_more():
    """The chance of any false alarm is shared among all, so the limit grows."""
    one = VOLATILITY.limit(0.05)
    assert VOLATILITY.limit(0.05 / 100) == pytest.approx(one + VOLATILITY.scale * np.log(100), rel=0.02)
    for kind in (VOLATILITY, MEAN):
        assert kind.p(kind.limit(0.01), 2520) == pytest.approx(0.01)
        assert kind.p(kind.limit(0.01), 252) == pytest.approx(0.001, rel=0.01)


# ---- hindsight, and real prices


def test_hindsight_is_pelt_of_ruptures():
    import ruptures

    own = shifted(4, shift=2.0)
    told = segments(own, MEAN, 0.05)
    assert len(told) == 1
    assert abs(told[0] - 500) <= 3
    y = observed(own, MEAN)[:, None]
    assert ruptures.Pelt(model="l2", min_size=20, jump=1).fit(y).predict(pen=60.0)[:-1] == told
    assert segments(series(np.random.default_rng(0).standard_normal(800) * 0.01), MEAN, 0.05) == []


def test_the_nile_fell_after_1898():
    """statsmodels' series: one shift of the mean, from 1097.75 to 849.97."""
    from statsmodels.datasets import nile

    table = nile.load_pandas().data
    flow = table["volume"].to_numpy(dtype=float)
    assert shifts(flow, 3.0 * np.log(len(flow)) * flow.var()) == [28]
    assert table["year"].iloc[27] == 1898
    assert (flow[:28].mean(), flow[28:].mean()) == pytest.approx((1097.75, 849.97), abs=5e-3)
    assert shifts(flow[:30], 1.0) == []


def test_a_table_tells_the_changes_in_hindsight():
    market = regimes(seed=2, among=(Regime(0.12, 0.12, 500.0), Regime(-0.25, 0.36, 400.0)))
    told = trends(market.bars)
    table = told.hindsight[told.hindsight["of"] == "volatility"]
    planted = np.flatnonzero(np.diff(market.truth.states.to_numpy())) + 1
    assert len(table) >= 3
    for row in table.itertuples():
        assert np.abs(planted - market.bars.index.get_loc(row.ts)).min() <= 10
        assert max(row.before, row.after) > 2.0 * min(row.before, row.after)
    assert table["before"].iloc[1:].tolist() == table["after"].iloc[:-1].tolist()
    quiet = trends(random_walk(bars=600, seed=1).bars).hindsight
    assert (len(quiet), quiet["ts"].dtype) == (0, market.bars.index.dtype)


def test_ibm_grew_calm_in_2003(sample_desk):
    table = trends(sample_desk.bars(["IBM"], end="2007-12-31")).breaks
    own = table[(table["of"] == "volatility") & table["ts"].dt.year.eq(2003)]
    assert len(own) == 1
    assert (own["after"] < 0.6 * own["before"]).all()


def test_a_price_that_stands_still_is_judged_all_the_same():
    moved = np.zeros(500)
    moved[10] = 0.01
    table, asked = found([series(moved)], pd.RangeIndex(501), 252.0, 0.05)
    assert (table["of"] == "volatility").all()
    assert np.isfinite(asked[["p", "effect"]]).all(axis=None)


def test_bars_without_enough_returns_are_not_asked():
    index = pd.bdate_range("2010-01-04", periods=38)
    close = 100 + np.random.default_rng(0).standard_normal(38).cumsum()
    bars = Bars.from_frames(close=pd.Series(close, index, name="A"))
    table, asked = found(series_of(bars), bars.index, 252.0, 0.05)
    assert (len(table), len(asked)) == (0, 0)
    assert len(trends(bars).breaks) == 0
