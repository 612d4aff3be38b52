"""The pattern scan against TA-Lib, stumpy and slow twins, planted and empty markets, poisoned futures."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.calendar import sessions
from tapebook.data.panel import Bars
from tapebook.data.synthetic import factor_market, random_walk
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.market.pattern import kernels as kernel
from tapebook.market.pattern.candles import candle_names, candles, functions
from tapebook.market.pattern.events import KINDS, Own, catalogue, direction, occurrences
from tapebook.market.pattern.figures import path
from tapebook.market.pattern.judgement import answered
from tapebook.market.pattern.patterns import ALL, Patterns, patterns
from tapebook.market.pattern.shapes import LENGTH, matrix_profile, motifs
from tapebook.strategy.lookahead.lookahead import check


def market(steps, *, opens=None, calendar="XNYS", spread=0.004, start="2012-01-03", seed=0):
    """Bars that open where the bar before closed, with log returns `steps` (T, N)."""
    T, N = steps.shape
    index = sessions(calendar, start, "2024-12-31")[:T]
    names = [f"S{n}" for n in range(N)]
    close = 100.0 * np.exp(steps.cumsum(axis=0))
    before = np.vstack([np.full(N, 100.0), close[:-1]]) if opens is None else opens
    wick = 1.0 + spread * np.random.default_rng(seed).random((2, T, N))
    frames = {
        "open": before,
        "high": np.maximum(before, close) * wick[0],
        "low": np.minimum(before, close) / wick[1],
        "close": close,
        "volume": 1e6 * np.exp(0.4 * np.random.default_rng(seed + 1).standard_normal((T, N))),
    }
    return Bars.from_frames(
        **{k: pd.DataFrame(v, index, names) for k, v in frames.items()}, calendars=calendar
    )


def holey(T=600, seed=3):
    """Three walks: one listed late, one with a hole and a bar without a low."""
    steps = 0.01 * np.random.default_rng(seed).standard_normal((T, 3))
    night = np.exp(0.006 * np.random.default_rng(seed + 1).standard_normal((T, 3)))
    opens = 100.0 * np.exp(steps.cumsum(axis=0) - steps) * night
    bars = market(steps, opens=opens, seed=seed)
    values = {name: block.copy() for name, block in bars.values.items()}
    for block in values.values():
        block[:120, 1] = np.nan
        block[300:307, 2] = np.nan
    values["low"][400, 2] = np.nan
    frames = {name: pd.DataFrame(block, bars.index, list(bars.symbols)) for name, block in values.items()}
    return Bars.from_frames(**frames, calendars="XNYS")


def of(scan, pattern, symbol="S0", horizon=1):
    rows = scan.findings
    return rows[
        (rows["pattern"] == pattern) & (rows["symbol"] == symbol) & (rows["horizon"] == horizon)
    ].iloc[0]


# ---- against others


def test_candlesticks_are_ta_libs():
    import talib

    bars = holey()
    assert len(functions()) == len(talib.get_function_groups()["Pattern Recognition"]) == 61
    own = Own.of(bars, 0)
    found = candles(own.open, own.high, own.low, own.close)
    seen = 0
    for name, function in functions().items():
        said = getattr(talib, function)(own.open, own.high, own.low, own.close)
        for end, sign in (("bullish", 1), ("bearish", -1)):
            row = found[candle_names().index(f"{name} {end}")]
            np.testing.assert_array_equal(row, np.sign(said) == sign, err_msg=f"{name} {end}")
            seen += row.sum()
    assert seen > 300


def test_candlesticks_skip_bars_that_lack_a_price():
    import talib

    bars = holey()
    there = bars.close["S2"].notna() & bars.low["S2"].notna()
    prices = [getattr(bars, name)["S2"][there].to_numpy() for name in ("open", "high", "low", "close")]
    said = pd.Series(talib.CDLDOJI(*prices) > 0, bars.index[there]).reindex(bars.index, fill_value=False)
    np.testing.assert_array_equal(occurrences(bars, "doji bullish")[:, 2], said)


def shape_series(n=260):
    return market(0.01 * np.random.default_rng(5).standard_normal((n, 1))).close["S0"].to_numpy()


@pytest.mark.parametrize("length", [8, 20])
@pytest.mark.parametrize("left", [False, True])
def test_the_matrix_profile_is_the_nearest_of_all_windows(length, left):
    close = shape_series()
    windows = np.lib.stride_tricks.sliding_window_view(np.log(close), length)
    z = [(w - w.mean()) / w.std() for w in windows]
    distance, neighbour = matrix_profile(close, length, left=left)
    for i in range(0, len(z), 7):
        far = {
            j: np.linalg.norm(z[i] - z[j])
            for j in range(len(z))
            if abs(i - j) > -(-length // 4) and (j < i or not left)
        }
        if not far:
            assert neighbour[i] == -1
            assert np.isnan(distance[i])
            continue
        assert neighbour[i] == min(far, key=far.get)
        assert distance[i] == pytest.approx(min(far.values()), abs=1e-7)


STUMPY = """
import sys, numpy, stumpy
numpy.save(sys.argv[2], stumpy.stump(numpy.load(sys.argv[1]), int(sys.argv[3])).astype(float))
"""


def test_the_matrix_profile_is_stumpys(tmp_path):
    close, given, told = shape_series(), tmp_path / "given.npy", tmp_path / "told.npy"
    np.save(given, np.log(close))
    plain = os.environ | {"NUMBA_DISABLE_JIT": "1"}  # to compile theirs takes half a minute, to run it 0.3 s
    subprocess.run([sys.executable, "-c", STUMPY, given, told, str(LENGTH)], env=plain, check=True)
    theirs = np.load(told)
    distance, neighbour = matrix_profile(close)
    np.testing.assert_allclose(distance, theirs[:, 0], atol=1e-6)
    np.testing.assert_array_equal(neighbour, theirs[:, 1].astype(int))
    np.testing.assert_array_equal(matrix_profile(close, left=True)[1], theirs[:, 2].astype(int))


def test_a_shape_that_is_planted_twice_is_the_motif():
    rng = np.random.default_rng(2)
    steps = 0.01 * rng.standard_normal((400, 1))
    steps[301:320] = steps[101:120]
    close = market(steps).close["S0"].to_numpy()
    first = [at for what, number, at, _ in motifs(close) if (what, number) == ("motif", 1)]
    assert {100, 300} <= set(first)
    starts = sorted(first)
    assert min(np.diff(starts)) >= LENGTH


def test_a_shape_is_drawn_with_what_came_next():
    scan = patterns(holey(), kinds=("shapes",))
    own = scan.shapes[(scan.shapes["symbol"] == "S2") & (scan.shapes["shape"] == "motif")]
    figure = scan.shape_figure("S2", number=int(own["number"].iloc[0]))
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(lines) == (own["number"] == own["number"].iloc[0]).sum()
    close = scan.bars.close["S2"].dropna()
    first = close.index.get_loc(own["start"].iloc[0])
    assert lines[0].y[list(lines[0].x).index(0)] == 0.0
    expected = 100.0 * np.log(close.iloc[first] / close.iloc[first + LENGTH - 1])
    assert lines[0].y[0] == pytest.approx(expected)
    with pytest.raises(UnknownName, match="shape"):
        scan.shape_figure("S2", "discord", 9)


# ---- against slow and obvious twins


def slow(bars, symbol, event, h):
    """Mean forward log return after events and after all other bars, hit rates, halves: one bar at a time."""
    own = bars.close[symbol].notna().to_numpy()
    opens, marks = bars.open[symbol].to_numpy()[own], event[own]
    n = len(opens)
    after, other, halves = [], [], ([[], []], [[], []])
    for t in range(n):
        if t + 1 + h > n - 1:
            continue
        f = np.log(opens[t + 1 + h] / opens[t + 1])
        (after if marks[t] else other).append(f)
        halves[t >= n // 2][0 if marks[t] else 1].append(f)
    up = [float(np.mean(np.array(part) > 0)) for part in (after, other)]
    return np.mean(after) - np.mean(other), len(after), up, [np.mean(a) - np.mean(b) for a, b in halves]


@pytest.mark.parametrize("h", [1, 5, 20])
@pytest.mark.parametrize("pattern", ["doji bullish", "20-bar high", "Tuesday", "volume 2x up"])
def test_effects_are_those_of_the_slow_twin(pattern, h):
    bars = holey()
    scan = patterns(bars, horizons=(h,), min_events=5)
    event = occurrences(bars, pattern)
    for n, symbol in enumerate(bars.symbols):
        effect, count, up, halves = slow(bars, symbol, event[:, n], h)
        row = of(scan, pattern, symbol, h)
        assert row["n"] == count
        assert row["effect"] == pytest.approx(effect, abs=1e-12)
        assert [row["hit_rate"], row["base_rate"]] == pytest.approx(up, abs=1e-12)
        assert [row["first_half"], row["second_half"]] == pytest.approx(halves, abs=1e-12)
        assert row["stable"] == all(np.sign(half) == np.sign(effect) for half in halves)


def test_the_pooled_effect_is_a_regression_with_a_mean_for_each_symbol():
    bars = holey()
    event = occurrences(bars, "Tuesday")
    top, bottom = 0.0, 0.0
    for n, symbol in enumerate(bars.symbols):
        effect, k, _, _ = slow(bars, symbol, event[:, n], 5)
        valid = int(bars.close[symbol].notna().sum()) - 1 - 5
        size = k * (valid - k) / valid
        top, bottom = top + effect * size, bottom + size
    row = of(patterns(bars, kinds=("seasons",), horizons=(5,)), "Tuesday", ALL, 5)
    assert row["effect"] == pytest.approx(top / bottom, abs=1e-12)


def test_one_bar_after_normal_returns_is_students_t_test():
    """With h = 1 and rare events the ratio is the one-sample t of the events' returns less the base."""
    from scipy import stats

    steps = 0.01 * np.random.default_rng(8).standard_normal((2000, 1))
    bars = market(steps)
    mask = np.zeros((1, 2000), dtype=bool)
    mask[0, 20:1990:80] = True
    own = Own.of(bars, 0)
    told = np.zeros((1, 1, kernel.FIELDS))
    paid, asked = np.zeros((2, 1, 1, 2000))
    kernel.follow(mask, own.step, own.rows, np.array([1]), told, paid, asked)
    told[..., kernel.MEMORY], told[..., kernel.SKEW] = 1.0, 0.0
    moved = own.step[1:-1]
    theirs = stats.ttest_1samp(own.step[np.flatnonzero(mask[0]) + 1], moved.mean())
    assert answered(told, 5).p[0, 0] == pytest.approx(theirs.pvalue, rel=0.03)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 30))
def test_the_sum_of_steps_is_the_sum_of_forward_returns(seed, h):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 200))
    step = np.r_[rng.standard_t(3, n - 1) * 0.01, np.nan]
    mask = rng.random((1, n)) < 0.2
    told, (paid, asked) = np.zeros((1, 1, kernel.FIELDS)), np.zeros((2, 1, 1, n))
    kernel.follow(mask, step, np.arange(n), np.array([h]), told, paid, asked)
    f = np.array([step[t + 1 : t + 1 + h].sum() for t in range(n - 1 - h)])
    m = mask[0, : len(f)]
    if 0 < m.sum() < len(f):
        assert told[0, 0, kernel.SUM] == pytest.approx(((m - m.mean()) * f).sum(), abs=1e-10)
        assert asked.sum() == pytest.approx(0.0, abs=1e-9)
        assert paid.sum() == pytest.approx(told[0, 0, kernel.SUM], abs=1e-10)


def test_levels_are_what_they_say():
    bars = holey()
    own = bars.close["S0"].notna()
    high, low, close, open_ = (getattr(bars, name)["S0"][own] for name in ("high", "low", "close", "open"))
    top = high.rolling(20).max().shift(1)
    out = close > top
    fresh = out & ~out.shift(1, fill_value=False)
    np.testing.assert_array_equal(occurrences(bars, "20-bar high")[:, 0], fresh)
    ranges = pd.concat([high, close.shift(1)], axis=1).max(axis=1) - pd.concat(
        [low, close.shift(1)], axis=1
    ).min(axis=1)
    ranges.iloc[0] = np.nan
    usual = ranges.rolling(14).mean().shift(1)
    gap = open_ - close.shift(1) > 0.5 * usual
    np.testing.assert_array_equal(occurrences(bars, "gap up 0.5 ATR")[:, 0], gap)
    volume = bars.volume["S0"]
    busy = (volume > 2.0 * volume.rolling(20).median().shift(1)) & (close.diff() > 0)
    np.testing.assert_array_equal(occurrences(bars, "volume 2x up")[:, 0], busy)


def test_gaps_are_found_where_they_are():
    steps = 0.01 * np.random.default_rng(1).standard_normal((300, 1))
    close = 100.0 * np.exp(steps.cumsum(axis=0))
    opens = np.vstack([[100.0], close[:-1]])
    opens[100] *= 1.06
    opens[200] *= 0.94
    bars = market(steps, opens=opens)
    assert np.flatnonzero(occurrences(bars, "gap up 1 ATR")[:, 0]).tolist() == [100]
    assert np.flatnonzero(occurrences(bars, "gap down 1 ATR")[:, 0]).tolist() == [200]


def test_seasons_are_those_of_the_bar_that_is_traded():
    index = sessions("XNYS", "2012-01-03", "2012-12-31")
    bars = market(0.01 * np.random.default_rng(0).standard_normal((len(index), 1)))

    def traded(name):
        rows = np.flatnonzero(occurrences(bars, name)[:, 0])
        return [str(index[row + 1].date()) for row in rows if row + 1 < len(index)]

    assert all(pd.Timestamp(day).day_of_week == 0 for day in traded("Monday"))
    assert len(traded("Monday")) == sum(index[1:].day_of_week == 0)
    assert "2012-07-03" in traded("before holiday")
    assert "2012-07-05" in traded("after holiday")
    assert "2012-10-31" in traded("after holiday")  # the exchange was closed for hurricane Sandy
    assert "2012-05-25" in traded("before holiday")  # Memorial Day, a Monday
    june = [day for day in traded("turn of month") if day.startswith("2012-06")]
    assert june == ["2012-06-01", "2012-06-04", "2012-06-05", "2012-06-29"]


def test_hours_are_the_exchanges_own():
    from tapebook.data.calendar import expected_bars

    index = expected_bars("XNYS", "1h", "2024-03-04", "2024-03-22")  # summer time began on the 10th
    steps = 0.002 * np.random.default_rng(0).standard_normal(len(index))
    close = pd.DataFrame({"A": 100 * np.exp(steps.cumsum())}, index)
    bars = Bars.from_frames(open=close, high=close, low=close, close=close, freq="1h", calendars="XNYS")
    rows = np.flatnonzero(occurrences(bars, "hour 09")[:, 0])
    rows = rows[rows + 1 < len(index)]
    local = index[rows + 1].tz_convert("America/New_York")
    assert set(local.hour) == {9}
    assert len(rows) == 14


# ---- the future


def poisoned(bars, t):
    frames = {}
    for name in ("open", "high", "low", "close", "volume"):
        frame = getattr(bars, name).copy()
        frame.iloc[t + 1 :] *= np.linspace(2.0, 40.0, len(frame) - t - 1)[:, None]
        frames[name] = frame
    return Bars.from_frames(**frames, calendars="XNYS")


def test_what_was_known_then_does_not_change():
    bars = holey()
    t = 450
    then = patterns(bars.between(end=bars.index[t]))
    for later in (bars, poisoned(bars, t)):
        again = patterns(later, end=str(bars.index[t].date()))
        pd.testing.assert_frame_equal(again.findings, then.findings)
        pd.testing.assert_frame_equal(again.events, then.events)
        pd.testing.assert_frame_equal(again.shapes, then.shapes)


def test_events_up_to_a_bar_are_those_of_a_scan_that_ended_there():
    bars = holey()
    whole = patterns(bars).events
    for t in (330, 451, 598):
        short = patterns(bars.between(end=bars.index[t])).events
        pd.testing.assert_frame_equal(whole[whole["ts"] <= bars.index[t]], short)
    assert (whole["known_at"] > whole["ts"]).all()
    assert set(whole["kind"]) == set(KINDS)


@pytest.mark.parametrize(
    ("pattern", "side"),
    [
        ("doji bullish", "long"),
        ("turn of month", "short"),
        ("gap down 0.5 ATR", "short"),
        ("55-bar low", "short"),
        ("volume 2x up", "long"),
        ("recurring shape that rose", "long"),
        ("shape never seen", "long"),
    ],
)
def test_the_strategy_does_not_look_ahead(pattern, side):
    bars = random_walk(bars=460, seed=4, tails=4).bars
    found = check("on_pattern", bars, params={"pattern": pattern, "hold": 3, "side": side}, cuts=10)
    assert found.ok is True, str(found)
    assert found.checked > 0


def rejected(draw, k=20, count=4000, T=1000, at=0.001):
    """Share of p-values below `at` of k events at random in markets of independent steps."""
    rng = np.random.default_rng(0)
    told, paid = np.zeros((count, 1, 1, kernel.FIELDS)), np.zeros((1, 1, T))
    for n in range(count):
        mask = np.zeros((1, T), dtype=bool)
        mask[0, rng.choice(T - 5, k, replace=False)] = True
        step = draw(rng, T)
        step[-1] = np.nan
        kernel.follow(mask, step, np.arange(T), np.array([1]), told[n], paid, paid)
    return float((answered(told, 5).p < at).mean())


def test_few_events_of_skewed_returns_fool_nobody():
    assert rejected(lambda rng, T: 1.0 - rng.exponential(size=T)) < 0.004  # 0.011 uncorrected
    assert rejected(lambda rng, T: rng.standard_normal(T)) < 0.0025


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.floats(-1.5, 1.5))
def test_the_interval_leaves_out_0_where_p_is_below_5_percent(seed, skew):
    rng = np.random.default_rng(seed)
    told = np.abs(rng.standard_normal((200, kernel.FIELDS))) + 1e-3
    told[:, kernel.SUM] = 4.0 * rng.standard_normal(200)
    told[:, kernel.WEIGHT2], told[:, kernel.WEIGHT4] = 25.0, 25.0
    told[:, kernel.SQUARES] = told[:, kernel.SUM] ** 2 / 25.0 + rng.random(200)
    told[:, kernel.MEMORY], told[:, kernel.SKEW] = 1.0, skew
    told[:, kernel.EVENTS], told[:, kernel.OTHERS] = 25.0, 100.0
    made = answered(told, 5)
    clear = np.abs(made.p - 0.05) > 1e-6
    assert (((made.low > 0) | (made.high < 0)) == (made.p < 0.05))[clear].all()
    assert ((made.low <= made.effect) & (made.effect <= made.high)).all()
    plain = told.copy()
    plain[:, kernel.SKEW] = 0.0
    assert (answered(plain, 5).p <= made.p + 1e-12).all()


def test_the_strategy_holds_as_long_as_it_is_told():
    from tapebook.strategy import registry

    bars = holey()
    event = occurrences(bars, "20-bar high")
    said = registry.get("on_pattern")(bars, pattern="20-bar high", hold=4)
    for n, symbol in enumerate(bars.symbols):
        own = np.flatnonzero(bars.close[symbol].notna())
        marks = event[own, n]
        for place, row in enumerate(own):
            due = place >= 4 and marks[place - 4] and not marks[place - 3 : place + 1].any()
            assert said.entries.iloc[row, n] == marks[place]
            assert said.exits.iloc[row, n] == due


# ---- what is there is found, and nothing else


def planted(seed=0, T=2000, N=3, gain=0.003):
    """Bars that rise more on Wednesdays, from the open on."""
    bars = market(0.01 * np.random.default_rng(seed).standard_normal((T, N)), seed=seed)
    steps = 0.01 * np.random.default_rng(seed).standard_normal((T, N))
    steps[bars.index.day_of_week == 2] += gain
    return market(steps, seed=seed)


def test_a_weekday_that_pays_is_found():
    scan = patterns(planted(), horizons=(1,))
    row = of(scan, "Wednesday", ALL)
    assert row["holds"]
    assert row["low"] < 0.003 < row["high"]
    assert row["stable"]
    assert scan.findings.iloc[0]["pattern"] == "Wednesday"
    assert {*scan.found["pattern"]} <= {"Wednesday", "Monday", "Tuesday", "Thursday", "Friday"}
    idea = scan.idea(0)
    assert (idea.strategy, idea.params["pattern"], idea.params["side"]) == ("on_pattern", "Wednesday", "long")


NULLS = {
    "normal": lambda seed: random_walk(symbols=3, bars=1000, seed=seed).bars,
    "Student t(4)": lambda seed: random_walk(symbols=3, bars=1000, seed=seed, tails=4).bars,
    "GARCH": lambda seed: random_walk(symbols=3, bars=1000, seed=seed, garch=(0.1, 0.85)).bars,
    "factors": lambda seed: factor_market(symbols=6, bars=1000, seed=seed).bars,
}


@pytest.mark.parametrize("name", NULLS)
def test_nothing_is_found_where_nothing_is(name):
    hits = sum(len(patterns(NULLS[name](seed)).found) > 0 for seed in range(15))
    assert hits <= 3  # of 15 at 5 %: more has a chance of 0.5 %


def test_memory_is_no_season():
    hits = 0
    for seed in range(25):
        steps = 0.01 * np.random.default_rng(seed).standard_normal((1000, 3))
        for t in range(1, 1000):
            steps[t] += 0.2 * steps[t - 1]
        hits += len(patterns(market(steps, seed=seed), kinds=("seasons",)).found) > 0
    assert hits <= 4


def test_symbols_that_are_copies_are_one_witness():
    steps = 0.01 * np.random.default_rng(0).standard_normal((1500, 1))
    one = market(steps)
    frames = {
        name: pd.concat([getattr(one, name)["S0"].rename(f"S{n}") for n in range(8)], axis=1)
        for name in ("open", "high", "low", "close", "volume")
    }
    scan = patterns(Bars.from_frames(**frames, calendars="XNYS"), kinds=("seasons",))
    for horizon in (1, 5, 20):
        alone, together = (of(scan, "Tuesday", name, horizon) for name in ("S3", ALL))
        assert together["effect"] == pytest.approx(alone["effect"], abs=1e-12)
        assert together["p"] == pytest.approx(alone["p"], rel=0.02)


# ---- what it looks like


def test_the_scan_says_what_it_is():
    scan = patterns(holey())
    assert isinstance(scan, Patterns)
    assert list(scan.findings.columns) == [
        "kind", "pattern", "symbol", "horizon", "effect", "low", "high", "unit", "n", "p", "q", "holds",
        "first_half", "second_half", "stable", "hit_rate", "base_rate",
    ]  # fmt: skip
    assert "questions" in scan.summary
    few = scan.findings[scan.findings["n"] < 20]
    assert len(few)
    assert few["p"].isna().all()
    with pytest.raises(BadParameter, match="at least 20 events"):
        scan.idea(int(few.index[0]))
    with pytest.raises(UnknownName, match="finding"):
        scan.figure(10**6)


def test_recent_is_the_end_of_events():
    scan = patterns(holey())
    last = scan.recent(3)
    events = scan.events
    assert len(last) == (events["ts"] >= scan.bars.index[-3]).sum()
    assert last["ts"].is_monotonic_decreasing
    row = last.iloc[0]
    best = scan.findings[
        (scan.findings["pattern"] == row["pattern"]) & (scan.findings["symbol"] == row["symbol"])
    ].iloc[0]
    assert (row["effect"], row["horizon"]) == (best["effect"], best["horizon"])
    with pytest.raises(BadParameter, match="bars"):
        scan.recent(0)


@pytest.mark.parametrize("symbol", ["S1", ALL])
def test_the_figure_shows_the_finding(symbol):
    scan = patterns(holey())
    row = of(scan, "Tuesday", symbol, 5)
    symbols = scan.symbols if symbol == ALL else (symbol,)
    told = path(scan, "Tuesday", "seasons", symbols, 10).loc[5]
    assert told["mean"] - told["base"] == pytest.approx(row["effect"], abs=1e-12)
    figure = scan.figure(int(row.name))
    assert figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text == "mean log return, %"
    assert {trace.name for trace in figure.data} >= {"after the pattern", "after any other bar"}


@pytest.mark.parametrize(
    ("freq", "calendar", "seasons"),
    [
        ("1d", "24/7", {"Sunday", "turn of month", "May"}),
        ("1w", "XNYS", {"May"}),
        ("1mo", "24/7", {"May"}),
        ("1h", "24/7", {"hour 00", "hour 23", "Saturday", "May"}),
        ("15m", "XLON", {"hour 08", "hour 16", "before holiday", "May"}),
    ],
)
def test_bars_of_every_length_have_their_seasons(freq, calendar, seasons):
    from tapebook.data.calendar import expected_bars

    ends = {"1h": "2020-06-30", "15m": "2020-06-30"}.get(freq, "2024-12-31")
    index = expected_bars(calendar, freq, "2016-01-01" if freq[-1] in "dwo" else "2020-04-01", ends)
    walk = 0.01 * np.random.default_rng(0).standard_normal((len(index), 2))
    close = pd.DataFrame(100.0 * np.exp(walk.cumsum(axis=0)), index, ["A", "B"])
    scan = patterns(Bars.from_frames(close=close, freq=freq, calendars=calendar), kinds=("seasons",))
    assert seasons <= set(scan.findings["pattern"])
    assert len(scan.found) == 0


def test_directions():
    assert [
        direction(name)
        for name in ("doji bullish", "three black crows bearish", "gap up 1 ATR", "gap down 0.5 ATR",
                     "20-bar high", "55-bar low", "volume 2x up", "volume 4x down", "Monday",
                     "recurring shape that rose", "recurring shape that fell", "shape never seen")
    ] == [1, -1, 1, -1, 1, -1, 1, -1, 0, 1, -1, 0]  # fmt: skip
    names = [name for _, name in catalogue(holey().freq)]
    assert len(names) == len(set(names)) == 122 + 22 + 4 + 6 + 4 + 3


def test_bars_of_closes_alone_are_asked_what_they_can_tell():
    whole = holey()
    scan = patterns(Bars.from_frames(close=whole.close, calendars="XNYS"))
    assert set(scan.findings["kind"]) == {"seasons", "shapes"}
    assert "no opens" in scan.warnings[0]
    assert "no volume" in scan.warnings[1]
    with pytest.raises(NoData, match="none of 122 patterns"):
        patterns(Bars.from_frames(close=whole.close, calendars="XNYS"), kinds=("candlesticks",))


def test_symbols_that_cannot_be_judged_are_left_out_with_a_reason():
    bars = holey()
    frames = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name, frame in frames.items():
        frame["flat"] = 5.0
        frame["none"] = np.nan
        frame["young"] = frame["S0"].where(np.arange(len(frame)) >= len(frame) - 1)
        frame["low price"] = frame["S0"] - (200.0 if name != "volume" else 0.0)
    scan = patterns(Bars.from_frames(**frames, calendars="XNYS"), min_coverage=0.3, kinds=("seasons",))
    why = dict(scan.coverage.excluded.itertuples(index=False))
    assert why == {
        "flat": "its price never changes",
        "none": "no bar",
        "young": "1 bars, 60 needed",
        "low price": "a price at or below 0",
    }
    with pytest.raises(NoData, match="at least 99%"):
        patterns(Bars.from_frames(**frames, calendars="XNYS"), min_coverage=0.99)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kinds": ("candles",)}, "Did you mean 'candlesticks'"),
        ({"kinds": ()}, "one or more of"),
        ({"horizons": (0,)}, "from 1 to 250"),
        ({"horizons": ()}, "from 1 to 250"),
        ({"horizons": (5, 5)}, "each horizon once"),
        ({"min_events": 2}, "at least 5"),
        ({"level": 1.5}, "below 1"),
        ({"correction": "fdr"}, "one of bh"),
    ],
)
def test_bad_parameters_are_told(asked, message):
    with pytest.raises((BadParameter, UnknownName), match=message):
        patterns(holey(), **asked)


def test_a_pattern_that_is_none_is_told():
    with pytest.raises(UnknownName, match="Did you mean 'turn of month'"):
        occurrences(holey(), "turn of the month")


def test_the_sample_gives_the_same_twice(sample_desk):
    bars = sample_desk.bars(["AAPL", "IBM", "MSFT"])
    one, two = patterns(bars), patterns(bars, seed=5)
    pd.testing.assert_frame_equal(one.findings, two.findings)
    assert of(one, "Monday", "IBM")["n"] > 300


def test_what_the_scan_saw_is_not_looked_for_again(monkeypatch):
    """Horizons in several rooms share the marks; events and the recent ones are read from them."""
    bars = holey()
    whole = patterns(bars, kinds=("seasons", "gaps", "breakouts"))
    monkeypatch.setattr("tapebook.market.pattern.patterns._ROOM", 1)
    parted = patterns(bars, kinds=("seasons", "gaps", "breakouts"))
    pd.testing.assert_frame_equal(parted.findings, whole.findings)
    monkeypatch.setattr("tapebook.market.pattern.patterns.masks", lambda *_: 1 / 0)
    pd.testing.assert_frame_equal(parted.events, whole.events)
    assert len(whole.recent(5)) == (whole.events["ts"] >= bars.index[-5]).sum()
