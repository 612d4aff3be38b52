"""Moves: a slow twin, real cases of the sample, nothing planted, a poisoned future, bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.move.chance import tail_p, told_then
from tapebook.market.move.moves import Move, described, marks, moves
from tapebook.market.move.walk import walked


def panel(returns, names=None):
    index = pd.bdate_range("2010-01-04", periods=len(returns))
    columns = names or [f"S{n}" for n in range(returns.shape[1])]
    return Bars.from_frames(close=pd.DataFrame(100.0 * np.exp(returns.cumsum(axis=0)), index, columns))


def noise(T=500, N=4, seed=0, tails=4):
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((T, N)) if tails is None else rng.standard_t(tails, (T, N)) / np.sqrt(2.0)
    return 0.01 * (0.7 * rng.standard_normal((T, 1)) + 0.7 * own)


def naive(logs, deviation, horizons, threshold, settle):
    """The rule of `moves` as it is told, one bar after the other."""
    told, now, T = [], 1, len(logs)
    free = 1
    while now < T:
        sizes = {}
        for h in horizons:
            if now - h >= 0 and deviation[now - h] > 0:
                size = (logs[now] - logs[now - h]) / (deviation[now - h] * np.sqrt(h))
                if np.isfinite(size) and abs(size) >= threshold:
                    sizes[h] = abs(size)
        best = max(sizes, key=sizes.get) if sizes else None
        if best is not None and now - best + 1 < free:
            best = max((h for h in sizes if now - h + 1 >= free), default=None)
        if best is None:
            now += 1
            continue
        first, base = now - best + 1, logs[now - best]
        if best == 1:
            told.append((now, now, now, False))
            free = now = now + 1
            continue
        side, extreme, end = np.sign(logs[now] - base), now, None
        for later in range(now + 1, T):
            if side * logs[later] > side * logs[extreme]:
                extreme = later
            elif later - extreme >= settle or side * (logs[later] - base) < side * (logs[extreme] - base) / 2:
                end = later
                break
        told.append((first, extreme, T - 1 if end is None else end, end is None))
        free = now = T if end is None else end + 1
    return told


@given(st.integers(0, 10_000), st.floats(1.0, 3.0), st.integers(1, 8))
@settings(max_examples=60)
def test_the_walk_is_the_rule_as_told(seed, threshold, settle):
    rng = np.random.default_rng(seed)
    logs = (0.01 * rng.standard_t(3, 250)).cumsum()
    deviation = np.where(np.arange(250) < 20, np.nan, 0.01 * rng.uniform(0.5, 2.0, 250))
    got = walked(logs, deviation, (1, 5, 20), threshold, settle)
    assert [(g.first, g.last, g.known, g.open) for g in got] == naive(
        logs, deviation, (1, 5, 20), threshold, settle
    )


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_moves_of_a_symbol_do_not_overlap(seed):
    table = moves(panel(noise(seed=seed)), threshold=2.5).table
    for _, own in table.sort_values("start").groupby("symbol"):
        assert (own["start"].iloc[1:].to_numpy() > own["known_at"].iloc[:-1].to_numpy()).all()
    assert table["size"].abs().is_monotonic_decreasing
    assert (table["known_at"] >= table["end"]).all()
    np.testing.assert_allclose(np.expm1(table["change"].to_numpy(float)), table["percent"].to_numpy(float))


@pytest.mark.parametrize("cut", [260, 333, 400, 471])
def test_later_bars_change_no_settled_move(cut):
    X = noise(seed=3)
    bars, poisoned = panel(X), X.copy()
    poisoned[cut:] = 0.3 * np.random.default_rng(1).standard_normal(poisoned[cut:].shape)
    then = moves(bars.between(end=bars.index[cut - 1]), threshold=2.5, market=True).table
    told = moves(panel(poisoned), threshold=2.5, market=True).table
    settled = then[~then["open"].astype(bool)].reset_index(drop=True)
    now = told[(told["known_at"] < bars.index[cut]) & ~told["open"].astype(bool)].reset_index(drop=True)
    by = ["symbol", "start"]
    pd.testing.assert_frame_equal(
        settled.sort_values(by, ignore_index=True), now.sort_values(by, ignore_index=True), check_dtype=False
    )
    assert len(settled) > 3


def test_a_listing_changes_nothing_that_was_said_before_it_counts():
    X = noise(T=700, N=5, seed=4)
    close = panel(X).close.copy()
    close.iloc[:300, 2] = np.nan  # listed at row 300, and one of the others from its 120th bar
    close.iloc[:420, 3] = 50.0  # its price does not move at first
    bars = Bars.from_frames(close=close)
    cut = bars.index[410]
    then, told = moves(bars, end=cut, threshold=2.5), moves(bars, threshold=2.5)
    assert set(then.coverage.excluded["symbol"]) == {"S2", "S3"}
    assert not len(told.coverage.excluded)
    settled = then.table[~then.table["open"].astype(bool)]
    now = told.table[(told.table["known_at"] <= cut) & ~told.table["open"].astype(bool)]
    by = ["symbol", "start"]
    pd.testing.assert_frame_equal(
        settled.sort_values(by, ignore_index=True), now.sort_values(by, ignore_index=True), check_dtype=False
    )
    assert len(settled) > 5
    again = told.until(cut)
    pd.testing.assert_frame_equal(again.table, then.table)
    assert again.states.names == then.states.names
    for name in then.states.names:
        np.testing.assert_array_equal(again.states[name], then.states[name])


def test_a_bar_that_a_symbol_lacks_loses_no_move():
    X = noise(T=600, tails=None, seed=2)
    X[401, 1] -= 0.25
    close = panel(X).close.copy()
    close.iloc[np.arange(6, 600, 7), 0] = np.nan  # another calendar
    close.iloc[[390, 399, 400], 1] = np.nan  # holidays before the jump
    found = moves(Bars.from_frames(close=close))
    top = found.table.iloc[0]
    assert (top["symbol"], top["bars"], top["kind"], top["scope"]) == ("S1", 1, "jump", "single name")
    assert top["start"] == close.index[401]
    assert top["change"] == pytest.approx(np.log(close.iloc[401, 1] / close.iloc[398, 1]))
    assert {"S0", "S1", "S2", "S3"} >= set(found.table["symbol"])
    weekly = close.copy()
    weekly.iloc[np.arange(600) % 7 >= 5, 1:] = np.nan  # weekends of three of them
    assert moves(Bars.from_frames(close=weekly)).table["start"].isin(found.bars.index).all()


def test_a_span_is_taken_from_the_symbols_first_bar_to_its_last():
    bars = panel(noise())
    found = moves(bars, threshold=2.5)
    week = found.exact(Move("S1", "2011-03"))
    assert (week.start.day, week.end.day) == (1, 31)
    assert str(Move("S1", "2011-03-01")) == "S1 on 2011-03-01"
    for wrong, said in (
        (Move("S1", "2031-01-01"), "expected a span within the bars of S1, 2010-01-04 to"),
        (Move("S1", "2011-03-05", "2011-03-06"), "expected a span"),  # a weekend
        (Move("S1", "2011-03-05", "2011-02-01"), "expected a span"),
        (Move("S1", bars.index[0], bars.index[3]), "needs a close before its first bar"),
    ):
        with pytest.raises(BadInput, match=said):
            found.exact(wrong)
    with pytest.raises(BadInput, match="50 bars of its symbol before it"):
        described(found, found.exact(Move("S1", bars.index[50])))
    with pytest.raises(BadParameter, match="start"):
        Move("S1", None)
    flat = noise()
    flat[300, 1] = 0.0
    still = moves(panel(flat), threshold=50.0)
    with pytest.raises(BadInput, match="nothing moved"):
        described(still, still.exact(Move("S1", bars.index[300])))
    with pytest.raises(NoData, match="No move of 50 deviations or more.*Take a lower threshold="):
        still.move(0)


def test_what_is_looked_at_is_not_searched():
    bars = panel(noise(), ["A", "B", "C", "VIX"])
    found = moves(bars, series=bars.close[["VIX"]], threshold=2.5)
    assert found.bars.symbols == ("A", "B", "C")
    assert {"vix_level", "vix_change"} <= set(found.states.names)


def test_end_is_what_was_known_then():
    bars = panel(noise(seed=5))
    at = bars.index[380]
    pd.testing.assert_frame_equal(
        moves(bars, end=at.date(), threshold=2.5).table, moves(bars.between(end=at), threshold=2.5).table
    )


def test_a_move_that_goes_on_is_open():
    X = noise(T=300, tails=None)
    X[-3:, 0] += 0.04
    table = moves(panel(X), horizons=(5,)).table
    row = table[table["symbol"] == "S0"].iloc[0]
    assert row["open"]
    assert row["direction"] == "up"
    assert row["kind"] == "rally"


def test_one_planted_jump_is_found_and_is_its_own():
    X = noise(T=600, tails=None, seed=2)
    X[400, 1] -= 0.25
    found = moves(panel(X))
    top = found.table.iloc[0]
    assert (top["symbol"], top["kind"], top["bars"], top["scope"]) == ("S1", "jump", 1, "single name")
    assert top["start"] == found.bars.index[400]
    assert top["holds"]
    assert top["q"] < 0.01
    starts, inside = marks(found.table, found.bars)
    assert starts[400, 1]
    assert inside[400, 1]
    assert found.move(0) == Move("S1", top["start"], top["end"])


def test_a_planted_market_fall_is_the_markets():
    X = noise(T=600, tails=None, seed=2)
    X[400:410] -= 0.04
    found = moves(panel(X), market=True)
    during = found.table[(found.table["start"] >= found.bars.index[396]) & (found.table["size"] < 0)]
    assert set(during["symbol"]) == {"S0", "S1", "S2", "S3", "market"}
    assert (during["scope"] == "market").all()
    assert found.figure("S0").data
    assert "market" in found.figure("market").layout.title.text
    with pytest.raises(UnknownName, match="no symbol named 'S9'"):
        found.figure("S9")
    assert "market" in found.summary


def test_chance_is_rarely_called_a_finding():
    """Student t(4) and GARCH markets: at most about 5 % have a move that holds (40 markets here)."""
    bad = 0
    for seed in range(40):
        X = noise(T=600, N=3, seed=seed)
        if seed % 2:
            e, h = np.random.default_rng(seed).standard_normal((600, 3)), np.ones((600, 3))
            for t in range(1, 600):
                h[t] = 0.05 + 0.1 * h[t - 1] * e[t - 1] ** 2 + 0.85 * h[t - 1]
            X = 0.01 * np.sqrt(h) * e
        bad += bool(moves(panel(X), threshold=3.0).table["holds"].any())
    assert bad <= 5  # P(more | 5 %) is 0.01


def test_the_tail_is_the_share_of_a_pareto_law():
    rng = np.random.default_rng(0)
    before = rng.pareto(3.0, 50_000) + 1.0
    for size in (1.5, 4.0, 10.0):
        assert tail_p(size, before) == pytest.approx(size**-3.0, rel=0.15)
    assert np.isnan(tail_p(4.0, before[:50]))


def test_q_counts_only_what_was_known():
    p, known = np.array([0.001, 0.0001, 0.01]), np.array([5, 9, 9])
    q = told_then(p, known, np.arange(10) * 10.0)
    np.testing.assert_allclose(q, [50 * 0.001, 90 * 0.0001, 90 * 0.01 / 3])


def test_apple_fell_alone_in_2000_and_all_fell_in_2008(sample_desk):
    bars = sample_desk.bars(["AAPL", "GOOG", "IBM", "MSFT", "NASDAQ", "SP500"], end="2013-03-01")
    table = moves(bars).table
    apple = table[(table["symbol"] == "AAPL") & (table["start"] == pd.Timestamp("2000-09-29", tz="UTC"))]
    assert apple["scope"].tolist() == ["single name"]
    assert apple["percent"].iloc[0] == pytest.approx(-0.519, abs=0.01)
    assert apple["kind"].iloc[0] == "jump"
    assert abs(apple["market_part"].iloc[0]) < 0.1
    assert apple["p"].iloc[0] < 0.001  # q is 0.37: seven months of bars before it say no more of the tail
    crisis = table[table["start"].between(*pd.to_datetime(["2008-09-15", "2008-10-31"], utc=True))]
    assert len(crisis) >= 5
    assert (crisis["scope"] == "market").mean() >= 0.8
    assert (crisis["breadth"] > 0.7).all()


def test_bad_input_says_what_to_do():
    bars = panel(noise(T=200))
    for wrong in ({"horizons": ()}, {"horizons": (0,)}, {"threshold": 0.0}, {"settle": 0}, {"level": 1.0}):
        with pytest.raises(BadParameter, match=next(iter(wrong))):
            moves(bars, **wrong)
    with pytest.raises(BadParameter, match="3 symbols"):
        moves(bars["S0"], market=True)
    with pytest.raises(NoData, match="120 bars"):
        moves(bars.between(end=bars.index[0]))
    with pytest.raises(UnknownName, match="move"):
        moves(bars).move(9999)
    X = noise(T=200)
    X[:, 2] = 0.0
    found = moves(panel(X))
    assert found.coverage.excluded["symbol"].tolist() == ["S2"]
    assert "never changes" in found.coverage.excluded["reason"].iloc[0]
    with pytest.raises(BadInput, match="S2 was left out: its price never changes"):
        found.line("S2")
    alone = moves(panel(noise(T=400, N=1)), threshold=2.5).table
    assert set(alone["scope"]) == {"alone"}
