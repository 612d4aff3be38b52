"""The trend scan against naive twins, arch, planted markets, noise, and a poisoned future."""

from warnings import catch_warnings, simplefilter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.data.synthetic import Regime, random_walk, regimes, trending
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.trend.hurst import hurst
from tapebook.market.trend.kernels import past_scaled, rank_among_past, strongest
from tapebook.market.trend.null import Null, trend_null
from tapebook.market.trend.scanning import stickiness
from tapebook.market.trend.series import one_series, series_of
from tapebook.market.trend.trends import trends
from tapebook.market.trend.unit_roots import adf_and_kpss, unit_roots
from tapebook.market.trend.variance_ratio import variance_ratio, variance_ratios


def panel(close, **kind):
    index = pd.bdate_range("2010-01-04", periods=len(close))
    columns = [f"S{n}" for n in range(close.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(close, index, columns), **kind)


def walk(seed, bars=600, symbols=1, size=0.01):
    steps = np.random.default_rng(seed).standard_normal((bars, symbols)) * size
    return 100.0 * np.exp(steps.cumsum(axis=0))


# ---- trend scanning


def naive_strongest(y, shortest, longest):
    """The formula: a regression for every window."""
    best = (0, 0.0, 0.0)
    for L in range(shortest, min(longest, len(y)) + 1):
        x, v = np.arange(L) - (L - 1) / 2, y[-L:] - y[-L:].mean()
        b = (x @ v) / (x @ x)
        t = b / np.sqrt(((v - b * x) ** 2).sum() / (L - 2) / (x @ x))
        if abs(t) > abs(best[2]):
            best = (L, b, t)
    return best


@given(st.integers(0, 10_000), st.integers(5, 20), st.integers(20, 120))
@settings(max_examples=60)
def test_the_strongest_line_is_that_of_a_regression_for_every_window(seed, shortest, longest):
    y = np.log(walk(seed, 150))[:, 0]
    window, slope, t = strongest(y, shortest, longest)
    assert (window, slope, t) == pytest.approx(naive_strongest(y, shortest, longest), rel=1e-6)


@given(st.floats(0.1, 50.0), st.floats(-100.0, 100.0))
def test_the_t_does_not_depend_on_level_or_size_and_turns_with_the_sign(size, level):
    y = np.log(walk(1, 100))[:, 0]
    window, slope, t = strongest(y, 5, 60)
    other = strongest(level + size * y, 5, 60)
    assert other == pytest.approx((window, size * slope, t), rel=1e-5)
    assert strongest(-y, 5, 60) == pytest.approx((window, -slope, -t), rel=1e-9)


def test_the_null_knows_that_a_random_walk_has_large_t_values():
    null = trend_null(62, 250, 0.0, 0)
    assert 45 < null.quantile(0.95) < 58  # an ordinary t-test would call 2 significant
    assert null.p(null.quantile(0.95)) == pytest.approx(0.05, abs=0.001)
    assert 0 < null.p(1000.0) < 1e-6


def test_a_tail_beyond_what_was_simulated_is_a_power_law_that_joins():
    values = np.random.default_rng(0).pareto(3.0, 50_000) + 1.0
    null = Null.of(values)
    for x in (3.0, 10.0, 40.0):
        assert null.p(x) == pytest.approx(x**-3.0, rel=0.05 if x < 4.0 else 1.0)
    far = np.linspace(1.0, 60.0, 400)
    assert (np.diff([null.p(x) for x in far]) <= 0).all()


def test_autocorrelation_counts_against_a_trend():
    rng = np.random.default_rng(0)
    steps = rng.standard_normal(3000)
    for t in range(1, 3000):
        steps[t] += 0.3 * steps[t - 1]
    assert 0.25 <= stickiness(steps) <= 0.35
    assert stickiness(-steps[::2] * (-1.0) ** np.arange(1500)) == 0.0  # reverting: never below 0
    assert trend_null(5, 20, 0.3, 0).quantile(0.95) > trend_null(5, 20, 0.0, 0).quantile(0.95)


def test_a_planted_trend_is_found_with_its_slope():
    steps = np.random.default_rng(4).standard_normal((500, 3)) * 0.005
    steps[-250:, 1] += 0.005
    steps[-250:, 2] -= 0.005
    told = trends(panel(100 * np.exp(steps.cumsum(axis=0))), horizons=(250,))
    asked = told.findings[told.findings["question"] == "trend"].set_index("symbol")
    assert asked["holds"].to_dict() == {"S0": False, "S1": True, "S2": True}
    assert asked.loc["S1", "effect"] == pytest.approx(0.5, abs=0.1)
    assert asked.loc["S2", "effect"] == pytest.approx(-0.5, abs=0.1)
    assert told.board.set_index("symbol")["trend"].to_dict() == {"S0": "none", "S1": "up", "S2": "down"}


def test_the_interval_leaves_out_0_where_p_is_below_5_percent():
    told = trends(random_walk(symbols=60, bars=400, seed=3).bars)
    asked = told.findings[told.findings["question"] == "trend"]
    outside = (asked["low"] > 0) | (asked["high"] < 0)
    clear = (asked["p"] - 0.05).abs() > 1e-3
    assert (outside == (asked["p"] < 0.05))[clear].all()


# ---- variance ratio, Hurst, unit roots


@pytest.mark.parametrize("q", [2, 5, 10, 20])
def test_the_variance_ratio_is_archs(q):
    from arch.unitroot import VarianceRatio

    y = np.log(walk(7, 1200))[:, 0]
    ratio, _, z = variance_ratio(np.diff(y), np.ones(1199, dtype=bool), q)
    theirs = VarianceRatio(y, q)
    assert (ratio, z) == pytest.approx((theirs.vr, theirs.stat), rel=1e-9)


def test_returns_over_a_gap_are_not_filled():
    close = walk(8, 800)[:, 0]
    close[300:340] = np.nan
    series = one_series("A", close)
    assert len(series.moved) == 800 - 1 - 41
    table = variance_ratios([series]).set_index("horizon")
    first, second = (np.diff(np.log(part)) for part in (close[:300], close[340:]))
    both = np.concatenate([first, second])
    a, b = first - both.mean(), second - both.mean()
    together = (a[1:] @ a[:-1] + b[1:] @ b[:-1]) / (len(a) + len(b) - 2)
    assert table.loc[2, "effect"] == pytest.approx(together / both.var(ddof=1), rel=1e-9)


def test_variance_ratios_of_bars_with_many_gaps_are_not_found_by_chance():
    p = []
    for seed in range(150):
        close = walk(seed, 1000)[:, 0]
        close[np.random.default_rng(seed).random(1000) < 0.1] = np.nan
        p += variance_ratios([one_series("A", close)])["p"].tolist()
    assert len(p) == 600
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.08


def test_variance_ratios_of_clustered_walks_are_rarely_far_out():
    bars = random_walk(symbols=400, bars=1500, seed=3, garch=(0.1, 0.85)).bars
    table = variance_ratios(series_of(bars))
    far = table[table["horizon"] >= 10]
    assert (far["p"] < 0.001).mean() < 0.004
    assert 0.035 < (table["p"] < 0.05).mean() < 0.07
    outside = (table["low"] > 0) | (table["high"] < 0)
    assert (outside == (table["p"] < 0.05))[(table["p"] - 0.05).abs() > 1e-4].all()


def fractional(d, bars, seed):
    """Long memory: (1 − B)^−d of noise, by its weights."""
    weights = np.cumprod(np.concatenate([[1.0], (np.arange(1, bars) - 1 + d) / np.arange(1, bars)]))
    noise = np.random.default_rng(seed).standard_normal(2 * bars)
    return np.convolve(noise, weights)[bars : 2 * bars]


@pytest.mark.parametrize("d", [-0.2, 0.0, 0.3])
def test_the_hurst_exponent_is_that_planted(d):
    told = [hurst(fractional(d, 2500, seed))[0] for seed in range(30)]
    assert np.mean(told) == pytest.approx(0.5 + d, abs=0.03)


def test_the_hurst_interval_covers():
    from tapebook.market.trend.hurst import hursts

    every = []
    for seed in range(200):
        close = 100 * np.exp(np.concatenate([[0.0], 0.01 * fractional(0.2, 1000, seed)]).cumsum())
        every.append(one_series(str(seed), close))
    table = hursts(every, 0)
    inside = ((table["low"] <= 0.2) & (table["high"] >= 0.2)).mean()
    assert 0.89 <= inside <= 0.99


def test_unit_roots_are_archs_and_a_reverting_price_is_told():
    from arch.unitroot import ADF, KPSS

    rng = np.random.default_rng(0)
    level = np.zeros(1000)
    for t in range(1, 1000):
        level[t] = 0.9 * level[t - 1] + 0.01 * rng.standard_normal()
    both = [one_series("back", 100 * np.exp(level)), one_series("walk", walk(3, 1000)[:, 0])]
    table = unit_roots(both).set_index("symbol")
    y = np.log(both[1].close)
    assert table.loc["walk", "adf"] == pytest.approx(ADF(y, lags=7).stat)
    assert table.loc["walk", "kpss"] == pytest.approx(KPSS(y, lags=21).stat)
    assert table["says"].to_dict() == {"back": "reverts", "walk": "random walk"}
    assert table.loc["back", "half_life"] == pytest.approx(np.log(0.5) / np.log(0.9), rel=0.3)


def test_unit_roots_of_published_series():
    """statsmodels' own tests, real GDP: ADF about a level and a line with four lags, KPSS with three."""
    from statsmodels.datasets import macrodata

    y = macrodata.load_pandas().data["realgdp"].to_numpy()
    level, line = (adf_and_kpss(y, trend=trend, lags=4)[0] for trend in ("c", "ct"))
    assert (level.stat, level.pvalue) == pytest.approx((0.97505319, 0.99399563), abs=1e-5)
    assert (line.stat, line.pvalue) == pytest.approx((-1.8566374, 0.67682968), abs=1e-5)
    level, line = (adf_and_kpss(y, trend=trend, lags=3)[1] for trend in ("c", "ct"))
    assert (level.stat, line.stat) == pytest.approx((5.0169, 1.1828), abs=5e-5)
    table = unit_roots([one_series("GDP", np.exp(y / 1000.0))])  # the same test of a price: 4 lags of 203
    assert table["adf"].tolist() == pytest.approx([0.97505319], abs=1e-5)
    assert table["adf_p"].tolist() == pytest.approx([0.99399563], abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_unit_roots_are_statsmodels(seed):
    from statsmodels.tsa.stattools import adfuller, kpss

    close = walk(seed, 800)[:, 0]
    row = unit_roots([one_series("A", close)]).iloc[0]
    theirs = adfuller(np.log(close), maxlag=6, autolag=None, regression="c", result_object=False)
    assert (row["adf"], row["adf_p"]) == pytest.approx(theirs[:2], rel=1e-8)
    with catch_warnings():
        simplefilter("ignore")  # its p-values end at 0.01 and 0.1
        theirs = kpss(np.log(close), nlags=20, regression="c", result_object=False)
    assert row["kpss"] == pytest.approx(theirs[0], rel=1e-8)


# ---- states


def test_ranks_use_the_past_only_and_match_the_obvious():
    values = np.random.default_rng(0).standard_normal(400)
    told = rank_among_past(values, 50)
    assert np.isnan(told[:50]).all()
    for t in (50, 123, 399):
        assert told[t] == (values[:t] <= values[t]).mean()


def test_scaled_returns_use_the_past_only():
    moved = np.random.default_rng(0).standard_normal(300) * 0.01
    poisoned = moved.copy()
    poisoned[200:] = 9.0
    assert (past_scaled(moved, 0.94, 4.0)[:200] == past_scaled(poisoned, 0.94, 4.0)[:200]).all()


def test_the_board_says_what_the_closes_say():
    close = np.concatenate([np.linspace(100, 200, 400), np.linspace(199, 150, 100)])[:, None]
    flat = np.linspace(100, 101, 500)[:, None]
    told = trends(panel(np.hstack([close, flat])), horizons=(20, 60, 250))
    row = told.board.set_index("symbol").loc["S0"]
    assert row["depth"] == pytest.approx(-0.25)
    assert (row["since_peak"], row["deepest"], row["near"]) == (100, pytest.approx(-0.25), pytest.approx(1.0))
    assert row["momentum_60"] == pytest.approx(close[-1, 0] / close[-61, 0] - 1.0)
    assert (row["rank"], bool(row["above"])) == (0.0, False)
    state = told.states.set_index(["symbol", "horizon"]).loc[("S0", 60)]
    mean = pd.Series(close[:, 0]).rolling(60).mean()
    below = (close[:, 0] < mean).to_numpy()
    assert state["since_cross"] == 499 - (np.flatnonzero(~below[59:])[-1] + 59 + 1)


def test_adx_is_ta_libs():
    import talib

    bars = random_walk(symbols=2, bars=300, seed=0).bars
    told = trends(bars).board.set_index("symbol")
    for n, name in enumerate(bars.symbols):
        hlc = [np.ascontiguousarray(bars.values[f][:, n]) for f in ("high", "low", "close")]
        assert told.loc[name, "adx"] == pytest.approx(talib.ADX(*hlc, 14)[-1])


def test_the_volatility_regime_is_by_the_past():
    steps = np.random.default_rng(0).standard_normal(700) * np.r_[np.full(650, 0.01), np.full(50, 0.04)]
    told = trends(panel(100 * np.exp(steps.cumsum())[:, None]))
    assert told.board["regime"].tolist() == ["high"]
    a_year = told.volatility["S0"].iloc[-1] / steps[-20:].std(ddof=1)
    assert a_year == pytest.approx(np.sqrt(panel(walk(1)).periods_per_year))


# ---- noise


@pytest.mark.parametrize("kind", [{}, {"tails": 4}, {"garch": (0.1, 0.85)}])
def test_noise_gives_no_finding(kind):
    told = [trends(random_walk(symbols=4, bars=1000, seed=s, **kind).bars) for s in range(15)]
    assert sum(len(t.found) > 0 for t in told) <= 3
    assert sum(len(t.breaks) > 0 for t in told) <= 2
    quiet = next(t for t in told if not len(t.found))
    assert quiet.summary.startswith("nothing holds: ")


# ---- time


def same(a, b):
    pd.testing.assert_frame_equal(a.findings, b.findings)
    pd.testing.assert_frame_equal(a.board, b.board)
    pd.testing.assert_frame_equal(a.breaks, b.breaks)
    pd.testing.assert_frame_equal(a.unit_roots, b.unit_roots)


def test_as_known_then_is_what_shorter_bars_say():
    bars = random_walk(symbols=3, bars=700, seed=5, garch=(0.1, 0.85)).bars
    then = f"{bars.index[599]:%Y-%m-%d}"
    same(trends(bars, end=then), trends(bars._rows(slice(0, 600))))


def test_a_poisoned_future_changes_no_row_of_a_history():
    market = regimes(symbols=2, bars=1400, seed=3, among=(Regime(0.1, 0.1, 300.0), Regime(-0.2, 0.4, 200.0)))
    close = market.bars.close.to_numpy().copy()
    close[1000:] *= 7.0 + np.arange(400)[:, None] % 3
    b = Bars.from_frames(
        close=pd.DataFrame(close, market.bars.index, list(market.bars.symbols)), calendars="XNYS"
    )
    a, b = trends(market.bars), trends(b)
    then = market.bars.index[1000]
    known = [t.breaks[t.breaks["known"] < then].reset_index(drop=True) for t in (a, b)]
    assert len(known[0]) >= 2
    pd.testing.assert_frame_equal(*known)
    np.testing.assert_array_equal(a.volatility_share.to_numpy()[:1000], b.volatility_share.to_numpy()[:1000])


# ---- figures and ideas


def test_every_question_has_a_figure_with_units_and_the_board_one_row_a_symbol():
    told = trends(trending(symbols=3, bars=900, seed=1, sharpe=6).bars)
    for question in told.findings["question"].unique():
        label = told.findings.index[told.findings["question"] == question][0]
        figure = told.figure(int(label))
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text
        assert question in figure.layout.title.text
    board = told.board_figure()
    words = [a.text for a in board.layout.annotations]
    assert all(f"<b>{name}</b>" in words for name in told.symbols)
    assert "3 symbols" in board.layout.meta["description"]
    assert "2 more not shown" in told.board_figure(rows=1).layout.title.text
    with pytest.raises(UnknownName, match="finding"):
        told.figure(10_000)


def test_ideas_are_strategies_of_the_library_with_parameters_they_take():
    from tapebook.strategy.registry import get

    told = trends(trending(symbols=3, bars=900, seed=1, sharpe=6).bars)
    made = 0
    for label, row in told.findings.iterrows():
        if row["question"] == "change in mean" or (row["question"], row["effect"] > 0) in (
            ("trend", False),
            ("unit root", True),
        ):
            with pytest.raises(BadParameter, match=row["question"]):
                told.idea(label)
            continue
        idea, made = told.idea(label), made + 1
        assert idea.symbols == (row["symbol"],)
        assert set(idea.params) <= set(get(idea.strategy).parameters)
    assert made >= 9


# ---- bad input


def test_symbols_that_cannot_be_judged_are_left_out_with_a_reason():
    close = walk(2, 300, 5)
    close[:, 1], close[:, 2], close[5:, 3] = 100.0, np.nan, np.nan
    close[7, 4] = -1.0
    told = trends(panel(close), min_coverage=0.1)
    assert told.symbols == ("S0",)
    reasons = told.coverage.excluded.set_index("symbol")["reason"].to_dict()
    assert reasons == {
        "S1": "its price never changes",
        "S2": "no bar",
        "S3": "5 bars, 30 needed",
        "S4": "a price at or below 0",
    }
    with pytest.raises(NoData, match="expected at least 50%"):
        trends(panel(close))
    with pytest.raises(NoData, match="at least 1 symbol"):
        trends(panel(walk(1, 1)))


def test_no_return_is_taken_over_a_gap_so_bars_far_apart_are_left_out():
    close = walk(2, 300, 2)
    close[::2, 0] = np.nan
    told = trends(panel(close), min_coverage=0.3)
    assert told.coverage.excluded["reason"].tolist() == ["0 returns between neighbouring bars, 20 needed"]
    assert "S0: 0 returns" in told.summary
    with pytest.raises(BadInput, match="looks at Bars, not DataFrame"):
        trends(pd.DataFrame(close))


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinities_and_symbols_twice_are_refused(value):
    close = walk(2, 300, 2)
    close[7, 1] = value
    with pytest.raises(BadInput, match="infinite for 'S1'"):
        trends(panel(close))
    frame = pd.DataFrame(walk(2, 300, 2), columns=["A", "A"])
    with pytest.raises(BadInput, match="'A' twice"):
        trends(Bars.from_frames(close=frame.set_index(pd.bdate_range("2010-01-04", periods=300))))


def test_short_histories_are_not_asked_what_they_cannot_answer():
    told = trends(panel(walk(2, 80)))
    asked = told.findings[told.findings["question"] == "trend"]
    assert sorted(asked["horizon"]) == [20, 60]
    assert "S0: trend over 250 not asked, it needs 250 bars" in told.warnings
    assert np.isfinite(told.findings["p"]).all()


def test_a_symbol_that_ended_early_is_told():
    close = walk(2, 300, 2)
    close[250:, 1] = np.nan
    told = trends(panel(close))
    assert any(w.startswith("S1: no bar at") for w in told.warnings)
    assert told.board.set_index("symbol").loc["S1", "ts"] == told.closes.index[249]


@pytest.mark.parametrize("horizons", [(), (5,), (20, 20.5), "20", None])
def test_horizons_are_whole_bars_of_at_least_10(horizons):
    with pytest.raises(BadParameter, match="each at least 10"):
        trends(panel(walk(1)), horizons=horizons)


def test_two_symbols_of_the_same_prices_are_each_told():
    one = walk(1, 400)
    told = trends(panel(np.hstack([one, one])))
    board = told.board.drop(columns="symbol")
    pd.testing.assert_series_equal(board.iloc[0], board.iloc[1], check_names=False)
