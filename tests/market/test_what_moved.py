"""Attribution: parts that sum, betas of the past only, planted betas, real cases."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.explanation.what_moved import attribution
from tapebook.market.move.moves import Move

GROUPS = {"S0": "a", "S1": "a", "S2": "a", "S3": "b", "S4": "b", "S5": "b"}


def panel(X):
    index = pd.bdate_range("2010-01-04", periods=len(X))
    columns = [f"S{n}" for n in range(X.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(X.cumsum(axis=0)), index, columns))


def returns(T=400, N=6, seed=0):
    rng = np.random.default_rng(seed)
    return 0.01 * (rng.standard_normal((T, 1)) + rng.standard_t(4, (T, N)))


def over(bars, first, last, symbol="S0"):
    return Move(symbol, bars.index[first], bars.index[last])


@given(
    st.integers(0, 10_000), st.integers(100, 380), st.integers(1, 19), st.booleans(), st.booleans(),
    st.sampled_from([None, "S4"]), st.booleans(),
)  # fmt: skip
@settings(max_examples=60)
def test_parts_sum_to_the_move(seed, first, length, grouped, factored, market, gaps):
    X = returns(seed=seed)
    bars = panel(X)
    if gaps:
        close = bars.close.copy()
        close.iloc[np.random.default_rng(seed).integers(0, 90, 20), 3] = np.nan
        bars = Bars.from_frames(close=close)
    factors = pd.DataFrame({"oil": X[:, 5] ** 2, "rates": X[:, 1] + 0.01}, bars.index) if factored else None
    move = over(bars, first, first + length)
    told = attribution(bars, move, groups=GROUPS if grouped else None, factors=factors, market=market)
    logs = np.log(bars.close["S0"])
    change = logs.iloc[first + length] - logs.iloc[first - 1]
    assert told.change == pytest.approx(change, abs=1e-12)
    assert told.parts["part"].sum() == pytest.approx(change, abs=1e-10)
    assert told.expected + told.unexplained == pytest.approx(change, abs=1e-10)
    assert told.path["expected"].iloc[-1] == pytest.approx(told.expected, abs=1e-10)
    betas = told.parts.drop("unexplained")
    assert (betas["low"] < betas["beta"]).all()
    assert (betas["beta"] < betas["high"]).all()


def test_one_driver_is_a_plain_regression():
    from scipy.stats import linregress

    bars = panel(returns(N=2, seed=4))
    told = attribution(bars, over(bars, 300, 305), market="S1", window=200)
    moved = np.log(bars.close).diff().to_numpy()
    fit = linregress(moved[100:300, 1], moved[100:300, 0])
    row = told.parts.loc["market"]
    assert row["beta"] == pytest.approx(fit.slope, rel=1e-9)
    assert told.rows == 200
    assert row["high"] - row["beta"] == pytest.approx(1.9720175 * fit.stderr, rel=1e-5)
    assert row["part"] == pytest.approx(fit.slope * moved[300:306, 1].sum(), rel=1e-9)


def test_nothing_from_the_move_on_touches_the_betas():
    X = returns(seed=7)
    bars, poisoned = panel(X), X.copy()
    poisoned[310:] = 0.2
    a = attribution(bars, over(bars, 300, 304), groups=GROUPS)
    b = attribution(panel(poisoned), over(bars, 300, 304), groups=GROUPS)
    pd.testing.assert_frame_equal(a.parts, b.parts)
    poisoned[300:] = np.random.default_rng(0).standard_normal(poisoned[300:].shape)
    c = attribution(panel(poisoned), over(bars, 300, 304), groups=GROUPS)
    columns = ["beta", "low", "high"]
    pd.testing.assert_frame_equal(a.parts[columns], c.parts[columns])
    assert a.peers == c.peers


def test_the_market_leaves_the_symbol_itself_out():
    X = returns(seed=1)
    X[300, 0] -= 0.5
    told = attribution(panel(X), over(panel(X), 300, 300))
    others = np.delete(X[300], 0).mean()
    assert told.parts.loc["market", "driver"] == pytest.approx(others, abs=1e-9)
    assert told.unexplained == pytest.approx(-0.5, abs=0.06)
    assert told.p < 1e-6


def test_planted_betas_are_within_their_intervals():
    inside = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        f = 0.01 * rng.standard_normal((400, 1))
        X = np.hstack([1.5 * f + 0.01 * rng.standard_normal((400, 1)), f])
        row = attribution(panel(X), over(panel(X), 350, 352), market="S1").parts.loc["market"]
        inside.append(row["low"] <= 1.5 <= row["high"])
    assert 0.87 <= np.mean(inside) <= 1.0


def test_the_unexplained_part_of_nothing_is_seldom_surprising():
    p = [attribution(panel(X), over(panel(X), 380, 384)).p for X in (returns(seed=s) for s in range(100))]
    assert np.mean(np.array(p) <= 0.05) <= 0.11  # 5 % of 100, and chance


def test_apple_was_alone_and_2008_was_not(sample_desk):
    bars = sample_desk.bars(["AAPL", "GOOG", "IBM", "MSFT", "NASDAQ", "SP500"], end="2013-03-01")
    day = pd.Timestamp("2000-09-29", tz="UTC")
    apple = attribution(bars, Move("AAPL", day, day), market="SP500")
    assert apple.change == pytest.approx(np.log(1 - 0.5187), abs=0.005)
    assert abs(apple.expected / apple.change) < 0.15
    assert apple.p < 1e-6
    assert "more than chance" in apple.summary
    span = [pd.Timestamp(s, tz="UTC") for s in ("2008-10-01", "2008-10-10")]
    for symbol in ("MSFT", "IBM", "AAPL", "GOOG"):
        told = attribution(bars, Move(symbol, *span), market="SP500")
        assert told.parts.loc["market", "share"] > 0.6, symbol
        assert told.parts["part"].sum() == pytest.approx(told.change, abs=1e-10)


def test_bad_input_says_what_to_do():
    bars = panel(returns())
    move = over(bars, 300, 301)
    with pytest.raises(BadParameter, match="at least 40 bars"):
        attribution(bars, move, window=10)
    with pytest.raises(UnknownName, match="XYZ"):
        attribution(bars, Move("XYZ", move.start, move.end))
    with pytest.raises(UnknownName, match="has to be among the bars"):
        attribution(bars, move, market="SPY")
    with pytest.raises(BadInput, match="does not lie in the bars"):
        attribution(bars.between(end=bars.index[200]), move)
    with pytest.raises(NoData, match="usable bars before it"):
        attribution(bars, over(bars, 20, 22))
    alone = attribution(bars["S0"], move)
    assert alone.parts.index.tolist() == ["drift", "unexplained"]


def test_a_driver_that_cannot_be_asked_is_left_out_and_named():
    X = returns(seed=2)
    bars = panel(X)
    young = np.where(np.arange(400) < 280, np.nan, X[:, 1])  # 20 returns before the move
    gone = np.where(np.arange(400) >= 290, np.nan, X[:, 2])  # none during it
    wild = np.where(np.arange(400) == 250, np.inf, X[:, 3])  # an infinity is no return
    factors = pd.DataFrame({"young": young, "gone": gone, "wild": wild, "flat": 0.0}, bars.index)
    told = attribution(bars, over(bars, 300, 304), factors=factors)
    assert told.left_out == ("young", "gone", "flat")
    assert "wild" in told.parts.index
    assert "Not asked, for want of returns: young, gone, flat." in told.summary
    assert told.parts["part"].sum() == pytest.approx(told.change, abs=1e-10)


def test_factors_have_stamps_and_names_of_their_own():
    bars = panel(returns())
    move = over(bars, 300, 301)
    for index, columns, said in (
        (pd.RangeIndex(400), ["oil"], "one row a stamp, in UTC"),
        (pd.date_range("1980-01-01", periods=400, tz="UTC"), ["oil"], "the same stamps"),
        (bars.index, ["market"], "the name 'market' is taken"),
        (bars.index, ["oil", "oil"], "the name 'oil' is taken"),
    ):
        factors = pd.DataFrame(np.ones((400, len(columns))), index, columns)
        with pytest.raises(BadInput, match=said):
            attribution(bars, move, factors=factors)


def test_a_holiday_within_or_before_the_move_loses_none_of_it():
    X = returns(seed=6)
    close = panel(X).close.copy()
    close.iloc[[150, 299, 302], 0] = np.nan
    bars = Bars.from_frames(close=close)
    told = attribution(bars, over(bars, 300, 304))
    assert told.change == pytest.approx(np.log(close.iloc[304, 0] / close.iloc[298, 0]))
    assert told.parts["part"].sum() == pytest.approx(told.change, abs=1e-10)
    assert told.parts.loc["drift", "driver"] == 4  # its own bars; the market's days in between count whole
    others = np.log(close.iloc[:, 1:]).diff().mean(axis=1)
    assert told.parts.loc["market", "driver"] == pytest.approx(others.iloc[299:305].sum())
    with pytest.raises(NoData, match="no close at its first or last bar"):
        attribution(bars, over(bars, 299, 304))


def test_a_newcomer_is_no_part_of_the_market():
    X = returns(seed=6)
    close = panel(X).close.copy()
    close.iloc[:275, 5] = np.nan  # 25 bars before the move
    told = attribution(Bars.from_frames(close=close), over(panel(X), 300, 304))
    without = attribution(Bars.from_frames(close=close.iloc[:, :5]), over(panel(X), 300, 304))
    pd.testing.assert_frame_equal(told.parts, without.parts)
