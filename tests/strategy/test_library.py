"""The library: every strategy decides without the future, symbol by symbol, and as its source says."""

import math

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter
from tapebook.strategy import registry
from tapebook.strategy.signals import Signals

NAN = math.nan
LIBRARY = [
    "bollinger_reversion", "buy_and_hold", "cross_momentum", "donchian_breakout", "follow_leader",
    "macd_trend", "momentum", "on_pattern", "on_rule", "on_screen", "pairs_spread", "rsi_reversion",
    "sma_cross", "volatility_target",
]  # fmt: skip
TWO = {"follow_leader", "pairs_spread"}  # the first of two symbols explains the second
QUICK = {
    "momentum": {"lookback": 40},
    "cross_momentum": {"lookback": 60, "skip": 5},
    "pairs_spread": {"window": 40, "enter": 1.5},
    "on_pattern": {"pattern": "doji bullish", "hold": 3},
    "on_rule": {"rule": "return_5 <= -1.0 and volatility_5 > -0.3", "hold": 5},
}


def market(name, T=420, seed=1):
    """Random walks; with many symbols, one listed late and one with a hole."""
    N = 2 if name in TWO else 4
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0003, 0.02, (T, N))
    if N == 2:
        steps[:, 1] = steps[:, 0] + rng.normal(0, 0.004, T)
    close = 50 * np.exp(np.cumsum(steps, axis=0))
    open_ = np.vstack([close[0], close[:-1]])
    frames = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.004,
        "low": np.minimum(open_, close) * 0.996,
        "close": close,
    }
    if N == 4:
        for block in frames.values():
            block[:90, 2] = np.nan
            block[200:215, 1] = np.nan
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    return Bars.from_frames(
        **{k: pd.DataFrame(v, index, list("ABCD")[:N]) for k, v in frames.items()}, calendars="XNYS"
    )


def decide(name, bars):
    answer = registry.get(name)(bars, **QUICK.get(name, {}))
    return (
        [answer.entries.astype(float), answer.exits.astype(float)]
        if isinstance(answer, Signals)
        else [answer]
    )


def test_the_library_is_what_the_readme_says():
    assert [name for name in registry.names() if name in LIBRARY] == LIBRARY


@pytest.mark.parametrize("name", LIBRARY)
def test_it_explains_itself(name):
    found = registry.get(name)
    assert found.name == name
    assert found.description.endswith((".", "beat."))
    assert "Row t" in found.doc or "Decided at" in found.doc
    assert all(p.help for p in found.parameters.values())
    assert len(found.source_hash) == 64


def poison(bars, t, kind):
    """The same bars up to and including t; nonsense after."""
    spoilt = {}
    for field in ("open", "high", "low", "close"):
        frame = getattr(bars, field).copy()
        rows = len(frame) - t - 1
        if kind == "wild":
            frame.iloc[t + 1 :] *= np.linspace(2, 40, rows)[:, None] ** (-1) ** np.arange(frame.shape[1])
        else:
            frame.iloc[t + 1 :] = 1e6 if kind == "huge" else np.nan
        spoilt[field] = frame
    return Bars.from_frames(**spoilt, calendars="XNYS")


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("t", [150, 260, 380])
@pytest.mark.parametrize("kind", ["wild", "huge", "gone", "cut"])
def test_it_cannot_see_the_future(name, t, kind):
    bars = market(name)
    whole = decide(name, bars)
    other = bars.between(end=bars.index[t]) if kind == "cut" else poison(bars, t, kind)
    for before, after in zip(whole, decide(name, other), strict=True):
        pd.testing.assert_frame_equal(before.iloc[: t + 1], after.iloc[: t + 1], check_freq=False)
    assert any(frame.iloc[: t + 1].fillna(0).to_numpy().any() for frame in whole), "it never decided anything"


@pytest.mark.parametrize("name", sorted(set(LIBRARY) - TWO))
def test_columns_may_stand_in_any_order(name):
    bars = market(name)
    there = decide(name, bars)
    back = decide(name, bars.select(*bars.symbols[::-1]))
    for one, other in zip(there, back, strict=True):
        pd.testing.assert_frame_equal(one, other[list(one.columns)])


@pytest.mark.parametrize("name", sorted(set(LIBRARY) - TWO - {"cross_momentum", "volatility_target"}))
def test_a_symbol_decides_for_itself_whatever_the_others_do(name):
    bars = market(name)
    together = decide(name, bars)
    for symbol in bars.symbols:
        own = bars[symbol]
        kept = own.close[symbol].notna()
        frames = {f: getattr(own, f)[kept] for f in ("open", "high", "low", "close")}
        alone = decide(name, Bars.from_frames(**frames, calendars="XNYS"))
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(one[symbol][kept], other[symbol])
            assert not one[symbol][~kept].any()


# ---- in plain loops over one symbol's own closes c (and highs, lows): the events (entry, exit) of bar t


def mean(x):
    return sum(x) / len(x)


def crossings(gap):
    """Bars in which a gap turns positive from known not to be, and the other way."""
    return [(t > 0 and gap[t] > 0 >= gap[t - 1], t > 0 and gap[t] < 0 <= gap[t - 1]) for t in range(len(gap))]


def loops_sma_cross(h, lo, c):
    return crossings([NAN] * 7 + [mean(c[t - 2 : t + 1]) - mean(c[t - 7 : t + 1]) for t in range(7, len(c))])


def loops_momentum(h, lo, c):
    past = [c[t] / c[t - 40] - 1 if t >= 40 else NAN for t in range(len(c))]
    return [(p > 0 and (t == 40 or past[t - 1] <= 0), p <= 0) for t, p in enumerate(past)]


def loops_rsi_reversion(h, lo, c):
    n, strength = 6, [NAN] * len(c)
    moves = [0.0] + [b - a for a, b in zip(c, c[1:], strict=False)]
    up, down = (mean([max(sign * m, 0) for m in moves[1 : n + 1]]) for sign in (1, -1))
    for t in range(n, len(c)):
        if t > n:
            up, down = (up * (n - 1) + max(moves[t], 0)) / n, (down * (n - 1) + max(-moves[t], 0)) / n
        strength[t] = 100 - 100 / (1 + up / down) if down else 100
    return [(t > 0 and strength[t] < 35 <= strength[t - 1], strength[t] > 60) for t in range(len(c))]


def loops_bollinger_reversion(h, lo, c):
    n, told, before = 10, [], False
    for t in range(len(c)):
        x = c[max(0, t - n + 1) : t + 1]
        spread = 1.5 * math.sqrt(sum((v - mean(x)) ** 2 for v in x) / n)
        below = t >= n - 1 and c[t] < mean(x) - spread
        told.append((t >= n and below and not before, t >= n - 1 and c[t] >= mean(x)))
        before = below
    return told


def loops_donchian_breakout(h, lo, c):
    return [
        (t >= 12 and c[t] > max(h[t - 12 : t]), t >= 5 and c[t] < min(lo[t - 5 : t])) for t in range(len(c))
    ]


def loops_macd_trend(h, lo, c):
    fast, slow, n = 5, 12, 4
    quick, calm, line = mean(c[slow - fast : slow]), mean(c[:slow]), []
    for t in range(slow - 1, len(c)):
        if t >= slow:
            quick, calm = quick + 2 / (fast + 1) * (c[t] - quick), calm + 2 / (slow + 1) * (c[t] - calm)
        line.append(quick - calm)
    signal, gap = mean(line[:n]), [NAN] * (slow + n - 2)
    for k in range(n - 1, len(line)):
        signal = signal if k == n - 1 else signal + 2 / (n + 1) * (line[k] - signal)
        gap.append(line[k] - signal)
    return crossings(gap)


def loops_buy_and_hold(h, lo, c):
    return [(t == 0, False) for t in range(len(c))]


LOOPS = {
    "sma_cross": (loops_sma_cross, {"fast": 3, "slow": 8}),
    "momentum": (loops_momentum, {"lookback": 40}),
    "rsi_reversion": (loops_rsi_reversion, {"window": 6, "low": 35, "high": 60}),
    "bollinger_reversion": (loops_bollinger_reversion, {"window": 10, "width": 1.5}),
    "donchian_breakout": (loops_donchian_breakout, {"enter": 12, "leave": 5}),
    "macd_trend": (loops_macd_trend, {"fast": 5, "slow": 12, "signal": 4}),
    "buy_and_hold": (loops_buy_and_hold, {}),
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_decides_as_in_plain_loops(name, seed):
    loops, params = LOOPS[name]
    bars = market(name, seed=seed)
    answer = registry.get(name)(bars, **params)
    for symbol in bars.symbols:
        here = bars.close[symbol].notna()
        expected = loops(*(getattr(bars, f)[symbol][here].tolist() for f in ("high", "low", "close")))
        found = zip(answer.entries[symbol][here], answer.exits[symbol][here], strict=True)
        assert list(found) == [(bool(e), bool(x)) for e, x in expected]
        assert name == "buy_and_hold" or all(sum(side) > 1 for side in zip(*expected, strict=True))


def test_donchian_leaves_its_own_bar_out_of_the_channel():
    close = pd.DataFrame(
        {"A": [10.0, 11, 12, 11, 12.5, 9, 8.9]}, pd.bdate_range("2020-01-01", periods=7, tz="UTC")
    )
    bars = Bars.from_frames(close=close, open=close, high=close + 0.2, low=close - 0.2)
    answer = registry.get("donchian_breakout")(bars, enter=3, leave=2)
    assert answer.entries["A"].tolist() == [False] * 4 + [True, False, False]  # 12.5 above the 12.2 before it
    assert answer.exits["A"].tolist() == [False] * 5 + [True, False]  # 9 below 10.8; 8.9 not below 8.8


def test_cross_momentum_holds_the_strongest_from_the_first_bar_of_a_month():
    bars = market("cross_momentum")
    weights = registry.get("cross_momentum")(bars, lookback=60, skip=5, top=2)
    rows = weights.dropna(how="all")
    months = rows.index.tz_localize(None).to_period("M")
    assert months.is_unique
    assert all(bars.index[bars.index.get_loc(ts) - 1].month != ts.month for ts in rows.index)
    ts = rows.index[-1]
    own = {s: bars.close[s].dropna().loc[:ts] for s in bars.symbols}
    past = {s: x.iloc[-6] / x.iloc[-61] - 1 for s, x in own.items()}
    best = sorted(past, key=past.get)[-2:]
    assert rows.loc[ts].to_dict() == {s: (0.5 if s in best else 0.0) for s in bars.symbols}


def mixed_calendars(T=200, N=2):
    """One symbol that trades every day and one that rests at weekends and over New Year."""
    index = pd.date_range("2019-10-01", periods=T, tz="UTC")
    steps = np.random.default_rng(5).normal(0.001, 0.02, (T, N))
    close = pd.DataFrame(50 * np.exp(steps.cumsum(0)), index, ["COIN", "SHARE"])
    holiday = (index >= "2019-12-31") & (index <= "2020-01-02")
    close.loc[(index.day_of_week >= 5) | holiday, "SHARE"] = np.nan
    return Bars.from_frames(close=close, calendars={"COIN": "24/7", "SHARE": "XNYS"})


def test_cross_momentum_keeps_a_symbol_over_its_exchanges_holidays():
    bars = mixed_calendars()
    assert np.isnan(bars.close.loc["2020-01-01", "SHARE"])
    weights = registry.get("cross_momentum")(bars, lookback=30, skip=0, top=2).dropna()
    assert [f"{ts:%m-%d}" for ts in weights.index] == ["11-01", "12-01", "01-01", "02-01", "03-01", "04-01"]
    assert (weights.iloc[1:] == 0.5).all(axis=None)  # by November only COIN has 30 bars
    close = bars.close.copy()
    close.loc["2020-01-20":, "SHARE"] = np.nan  # delisted: gone at the next rebalancing
    gone = Bars.from_frames(close=close, calendars=dict(bars.calendars))
    weights = registry.get("cross_momentum")(gone, lookback=30, skip=0, top=2).dropna()
    assert weights["SHARE"].tolist() == [0.0, 0.5, 0.5, 0.0, 0.0, 0.0]
    assert weights["COIN"].eq(0.5).all()


def test_volatility_target_in_plain_loops():
    for bars in (market("volatility_target"), mixed_calendars()):
        weights = registry.get("volatility_target")(bars, target=0.2, window=20, every=7)
        N = len(bars.symbols)
        for symbol in bars.symbols:
            close = bars.close[symbol].dropna()
            year = 365 if bars.calendars[symbol] == "24/7" else 252
            for k, ts in enumerate(close.index):
                if k < 20 or k % 7:
                    assert np.isnan(weights.loc[ts, symbol])
                    continue
                returns = [close.iloc[t] / close.iloc[t - 1] - 1 for t in range(k - 19, k + 1)]
                risk = math.sqrt(sum((r - mean(returns)) ** 2 for r in returns) / 19 * year)
                assert weights.loc[ts, symbol] == pytest.approx(min(0.2 / risk, 1) / N)
            assert weights[symbol].drop(close.index).isna().all()
            assert weights[symbol].dropna().nunique() > 5


def loops_pairs(y, x, window, enter, leave):
    """Weights of both sides at each bar in which the position changes, by least squares in loops."""
    held, told = 0, {}
    for t in range(window - 1, len(y)):
        a, b = y[t - window + 1 : t + 1], x[t - window + 1 : t + 1]
        ratio = sum((p - mean(a)) * (q - mean(b)) for p, q in zip(a, b, strict=True)) / sum(
            (q - mean(b)) ** 2 for q in b
        )
        rest = [p - mean(a) - ratio * (q - mean(b)) for p, q in zip(a, b, strict=True)]
        z = rest[-1] / math.sqrt(sum(r * r for r in rest) / (window - 1))
        side = held
        if ratio <= 0 or (held and z * held > -leave):
            side = 0
        elif not held:
            side = -1 if z > enter else 1 if z < -enter else 0
        if side != held:
            told[t] = (side / (1 + ratio), -side * ratio / (1 + ratio)) if side else (0.0, 0.0)
        held = side
    return told


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_pair_is_traded_back_to_its_mean_as_in_plain_loops(seed):
    bars = market("pairs_spread", seed=seed)
    close = bars.close.copy()
    close.iloc[50:55, 0] = np.nan
    close.iloc[120, 1] = np.nan
    close.iloc[200, 0] = -1.0  # as oil was once: no logarithm
    bars = Bars.from_frames(close=close)
    weights = registry.get("pairs_spread")(bars, window=40, enter=1.5, leave=0.25)
    both = close[(close > 0).all(axis=1)]
    expected = loops_pairs(*np.log(both.to_numpy()).T.tolist(), 40, 1.5, 0.25)
    rows = weights.dropna(how="all")
    assert rows.index.tolist() == [both.index[t] for t in expected]
    np.testing.assert_allclose(rows.to_numpy(), list(expected.values()), atol=1e-9)
    assert len(rows) > 6
    held = rows[(rows != 0).any(axis=1)]
    assert (np.sign(held["A"]) == -np.sign(held["B"])).all()
    np.testing.assert_allclose(held.abs().sum(axis=1), 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_of_multiples_or_of_opposites_is_not_traded(seed):
    close = market("pairs_spread", seed=seed).close["A"].copy()
    close.iloc[:20] *= 1e4  # leaves rounding behind in running sums
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.002, len(close)))
    for other in (close * 3.0, noise * 1e9 / close):
        bars = Bars.from_frames(close=pd.DataFrame({"A": close, "B": other}))
        weights = registry.get("pairs_spread")(bars, window=40, enter=0.5, leave=0)
        assert weights.isna().all(axis=None)


def test_a_pair_is_of_two():
    with pytest.raises(BadInput, match="exactly two symbols, got 4: A, B, C, D"):
        registry.get("pairs_spread")(market("sma_cross"))


def test_momentum_of_exactly_nothing_is_not_held():
    index = pd.bdate_range("2010-01-04", periods=8, tz="UTC")
    close = pd.DataFrame({"A": [4.0, 4, 5, 5, 5, 4, 5, 5]}, index)
    answer = registry.get("momentum")(Bars.from_frames(close=close), lookback=2)
    assert answer.entries["A"].tolist() == [False, False, True, False, False, False, False, True]
    assert answer.exits["A"].tolist() == [False] * 4 + [True, True, True, False]


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("price", ["flat", "none"])
def test_a_price_that_stands_still_or_never_was_moves_nothing(name, price):
    index = pd.bdate_range("2010-01-04", periods=300, tz="UTC")
    close = pd.DataFrame(5.0 if price == "flat" else np.nan, index, list("AB"))
    answers = decide(name, Bars.from_frames(close=close))
    entries = answers[0].fillna(0)
    if price == "flat" and name in ("buy_and_hold", "cross_momentum"):
        assert entries.to_numpy().any()
    else:
        assert not entries.to_numpy().any()


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_too_few_bars_are_no_error(name, rows):
    bars = market(name)
    bars = bars.between(end=bars.index[rows - 1]) if rows else bars.between(end="2000")
    assert all(frame.shape == bars.shape for frame in decide(name, bars))


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("sma_cross", {"fast": 50, "slow": 50}, "fewer bars than slow=50"),
        ("macd_trend", {"fast": 30, "slow": 20}, "fewer bars than slow=20"),
        ("rsi_reversion", {"low": 60.0}, "below high=55"),
        ("pairs_spread", {"leave": 2.0, "enter": 1.0}, "below enter=1"),
        ("cross_momentum", {"skip": 100, "lookback": 100}, "fewer bars than lookback=100"),
    ],
)
def test_parameters_that_contradict_each_other(name, params, said):
    with pytest.raises(BadParameter, match=said):
        registry.get(name)(market(name), **params)


def test_a_follower_is_held_on_the_bar_that_its_leader_announced():
    bars = market("follow_leader", T=200)
    weights = registry.get("follow_leader")(bars, lag=2, way="against", threshold=1.0)
    moved = [NAN] + [math.log(b / a) for a, b in zip(bars.close["A"], bars.close["A"][1:], strict=False)]
    for t in range(100, 200):
        told = moved[t - 1] / np.std(moved[t - 61 : t - 1], ddof=1)
        expected = 0.0 if abs(told) < 1.0 else -math.copysign(1.0, told)
        assert weights["B"].iloc[t] == expected
        assert weights["A"].iloc[t] == 0.0


def test_a_leader_needs_one_follower():
    with pytest.raises(BadInput, match="exactly two symbols after the first, got 4"):
        registry.get("follow_leader")(market("sma_cross"))
