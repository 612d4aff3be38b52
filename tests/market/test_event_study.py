"""Event studies: twins of the tests, how often they reject nothing, planted effects, poison, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.explanation.event_study import TESTS, event_study, mean_correlation


def panel(X):
    index = pd.bdate_range("2010-01-04", periods=len(X))
    columns = [f"S{n}" for n in range(X.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(X.cumsum(axis=0)), index, columns))


def returns(seed=0, T=330, N=20, industry=0.0, tails=None):
    """The first half of the symbols share an industry."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((T, N)) if tails is None else rng.standard_t(tails, (T, N))
    X = 0.01 * (rng.standard_normal((T, 1)) + own)
    X[:, : N // 2] += 0.01 * industry * rng.standard_normal((T, 1))
    return X


def on_one_day(bars, row=300, count=10):
    return [(f"S{n}", bars.index[row]) for n in range(count)]


def naive(X, places, window, estimation, gap):
    """Each number by its definition; the market is the mean of the other columns."""
    first, last = window
    W, told = last - first + 1, []
    for n, row in places:
        x, y = np.delete(X, n, axis=1).mean(axis=1), X[:, n]
        end = row + first - gap
        a, b = x[end - estimation : end], y[end - estimation : end]
        beta, alpha = np.polyfit(a, b, 1)
        residual = b - alpha - beta * a
        during = slice(row + first, row + last + 1)
        ar = y[during] - alpha - beta * x[during]
        variance = (residual**2).sum() / (estimation - 2)
        off = (x[during] - a.mean()).sum() ** 2 / ((a - a.mean()) ** 2).sum()
        told.append((ar, residual, ar.sum() / np.sqrt(variance * (W + W**2 / estimation + off))))
    n = len(told)
    scar = np.array([t[2] for t in told])
    patell = scar.sum() / np.sqrt(n)
    bmp = scar.mean() * np.sqrt(n) / scar.std(ddof=1)
    R = np.corrcoef([t[1] for t in told])
    rho = max(0.0, (R.sum() - n) / (n * (n - 1)))
    mean = np.mean([t[1] for t in told], axis=0)
    bw = np.mean([t[0].sum() for t in told]) / (mean.std(ddof=1) * np.sqrt(W))
    ranks = np.mean(
        [(np.argsort(np.argsort([*t[1], *t[0]])) + 1) / (estimation + W + 1) - 0.5 for t in told], axis=0
    )
    rank = ranks[-W:].mean() / (np.sqrt((ranks**2).mean()) / np.sqrt(W))
    kp = bmp * np.sqrt((1 - rho) / (1 + (n - 1) * rho))
    return [bw, patell, bmp, kp, rank], np.mean([t[0] for t in told], axis=0)


@given(st.integers(0, 10_000), st.integers(-3, 0), st.integers(0, 3), st.integers(0, 15))
@settings(max_examples=25)
def test_every_test_is_its_definition(seed, first, last, gap):
    X = returns(seed=seed, industry=0.7, tails=4)
    bars = panel(X)
    told = event_study(bars, on_one_day(bars), window=(first, last), estimation=200, gap=gap)
    moved = np.log(bars.close).diff().to_numpy()
    expected, abnormal = naive(moved, [(n, 300) for n in range(10)], (first, last), 200, gap)
    assert told.tests.index.tolist() == list(TESTS)
    np.testing.assert_allclose(told.tests["statistic"], expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(told.average["abnormal"], abnormal, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(told.average["cumulative"].iloc[-1], told.events["cumulative"].mean())


def rejected(case, count, **kind):
    told = []
    for seed in range(count):
        X = returns(seed=seed, **kind)
        bars = panel(X)
        rng = np.random.default_rng(seed)
        rows = np.full(10, 300) if case == "one day" else rng.permutation(np.arange(230, 329, 5))[:10]
        events = [(f"S{n}", bars.index[row]) for n, row in enumerate(rows)]
        told.append(event_study(bars, events, estimation=150, window=(0, 0)).tests["p"] <= 0.05)
    return np.mean(told, axis=0)


@pytest.mark.parametrize("kind", [{}, {"tails": 4}])
def test_separate_events_of_nothing_are_rejected_as_often_as_said(kind):
    assert (rejected("separate", 100, **kind) <= 0.12).all()  # 5 % of 100, and three deviations


def test_clustered_events_are_not_many_witnesses():
    share = dict(zip(TESTS, rejected("one day", 100, industry=1.0), strict=True))
    assert share["Kolari-Pynnonen"] <= 0.12
    assert share["Brown-Warner"] <= 0.12
    assert share["rank"] <= 0.12
    assert share["Patell"] > 0.15
    assert share["Boehmer-Musumeci-Poulsen"] > 0.15


def planted(seed, effect=0.03):
    X, rows = returns(seed=seed), range(250, 320, 7)
    for n, row in enumerate(rows):
        X[row, n] += effect
    bars = panel(X)
    events = pd.DataFrame({"symbol": [f"S{n}" for n in range(10)], "ts": bars.index[list(rows)]})
    return event_study(bars, events, estimation=150)


def test_a_planted_effect_is_found_and_drawn():
    told = [planted(seed) for seed in range(20)]
    power = np.mean([study.tests["p"] <= 0.05 for study in told], axis=0)
    assert (power[:4] >= 0.9).all()
    assert power[4] >= 0.6  # a rank is the same for a jump of any size
    assert np.mean([study.average["abnormal"][0] for study in told]) == pytest.approx(0.03, abs=0.003)
    names = {trace.name for trace in told[0].figure().data}
    assert {"events", "95 % without an effect"} <= names


def test_bars_after_the_window_and_in_the_gap_change_nothing():
    X = returns(seed=8)
    bars, poisoned = panel(X), X.copy()
    poisoned[302:] = 0.5
    poisoned[290:299] = np.random.default_rng(0).standard_normal((9, 20))
    a = event_study(bars, on_one_day(bars), estimation=200)
    b = event_study(panel(poisoned), on_one_day(bars), estimation=200)
    pd.testing.assert_frame_equal(a.tests, b.tests)
    pd.testing.assert_frame_equal(a.events, b.events)


def test_the_mean_model_and_a_named_market():
    X = returns(seed=2)
    bars = panel(X)
    mean = event_study(bars, on_one_day(bars), estimation=200, model="mean", window=(0, 0))
    moved = np.log(bars.close).diff().to_numpy()
    expected = moved[300, :10] - moved[90:290, :10].mean(axis=0)
    np.testing.assert_allclose(mean.events["cumulative"], expected, atol=1e-12)
    named = event_study(bars, on_one_day(bars), estimation=200, market="S19")
    beta = np.polyfit(moved[89:289, 19], moved[89:289, 0], 1)[0]
    assert named.events["beta"].iloc[0] == pytest.approx(beta)


def test_mean_correlation_is_of_shared_bars_only():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 100))
    rows = np.arange(100)
    assert mean_correlation([(rows, a), (rows, a)]) == pytest.approx(1.0)
    assert mean_correlation([(rows, a), (rows + 200, a)]) == 0.0
    assert mean_correlation([(rows, a), (rows, -a)]) == 0.0
    both = mean_correlation([(rows, a + b), (rows + 50, np.concatenate([(a + b)[50:], b[:50]]))])
    assert both == pytest.approx(1.0)


def test_apple_in_2000_and_earnings_days_differ_from_nothing(sample_desk):
    bars = sample_desk.bars(["AAPL", "IBM", "MSFT", "SP500"], end="2013-03-01")
    days = [("AAPL", "2000-09-29"), ("MSFT", "2006-04-28"), ("IBM", "2005-04-15"), ("MSFT", "2004-11-15")]
    told = event_study(bars, days, estimation=120, window=(0, 0), market="SP500")
    assert told.events["cumulative"].max() < -0.05
    assert told.tests.loc["Brown-Warner", "p"] < 1e-6
    assert told.events["standardised"].iloc[0] < -10.0


def test_bad_input_says_what_to_do():
    bars = panel(returns())
    day = bars.index[300]
    for wrong in ({"window": (1, 0)}, {"estimation": 10}, {"gap": -1}, {"model": "capm"}):
        with pytest.raises(BadParameter, match=next(iter(wrong))):
            event_study(bars, on_one_day(bars), **wrong)
    with pytest.raises(BadInput, match="same symbol and date twice"):
        event_study(bars, [("S0", day), ("S0", day)])
    with pytest.raises(BadInput, match="expected symbol and ts"):
        event_study(bars, pd.DataFrame({"symbol": ["S0"]}))
    with pytest.raises(UnknownName, match="XYZ"):
        event_study(bars, [("XYZ", day), ("S0", day)])
    with pytest.raises(BadParameter, match="3 symbols or more"):
        event_study(bars["S0", "S1"], [("S0", day)])
    with pytest.raises(UnknownName, match="among the bars"):
        event_study(bars, on_one_day(bars), market="SPY")
    with pytest.raises(NoData, match="none of 2 events can be used.*bars before it"):
        event_study(bars, [("S0", bars.index[15]), ("S1", bars.index[20])])
    close = bars.close.copy()
    close["S3"], close.iloc[300, 4] = 50.0, np.nan
    told = event_study(Bars.from_frames(close=close), on_one_day(bars))
    reasons = told.dropped.set_index("symbol")["reason"]
    assert "never change" in reasons["S3"]
    assert len(told.events) == 9  # S4 has no bar that day: its next one, with the return since its last


def test_one_event_is_told_by_its_own_past():
    X = returns(seed=3)
    X[300, 0] += 0.3
    bars = panel(X)
    told = event_study(bars, [("S0", bars.index[300])], estimation=200, window=(0, 0))
    assert told.tests["p"].isna().tolist() == [False, False, True, True, False]
    assert told.tests.loc["Brown-Warner", "statistic"] == pytest.approx(
        told.events["standardised"][0], rel=0.1
    )
    assert "1 event: abnormal return over bar 0 " in told.summary
    assert "more than chance (Brown–Warner" in told.summary


def test_a_holiday_is_spanned_by_the_next_return_and_the_markets_over_the_same_time():
    X = returns(seed=5)
    whole = panel(X)
    close = whole.close.copy()
    close.iloc[[150, 299, 300], 0] = np.nan
    told = event_study(
        Bars.from_frames(close=close), [("S0", whole.index[299])], estimation=200, window=(0, 0)
    )
    assert told.events["ts"][0] == whole.index[301]
    moved = np.diff(np.log(whole.close.to_numpy()), axis=0, prepend=np.nan)
    own = [row for row in range(1, 302) if row not in (150, 299, 300)]
    y, x = np.log(close.iloc[own, 0]).diff().to_numpy(), moved[:, 1:].mean(axis=1)
    x = np.diff(np.nan_to_num(x).cumsum()[own], prepend=np.nan)
    beta, alpha = np.polyfit(x[-211:-11], y[-211:-11], 1)
    assert told.events["beta"][0] == pytest.approx(beta)
    assert told.events["cumulative"][0] == pytest.approx(y[-1] - alpha - beta * x[-1])
