"""The library: every strategy decides without the future, symbol by symbol, and as its source says."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter
from tapebook.strategy import registry
from tapebook.strategy.signals import Signals

LIBRARY = [
    "bollinger_reversion", "buy_and_hold", "cross_momentum", "donchian_breakout", "macd_trend", "momentum",
    "pairs_spread", "rsi_reversion", "sma_cross", "volatility_target",
]  # fmt: skip
QUICK = {
    "momentum": {"lookback": 40},
    "cross_momentum": {"lookback": 60, "skip": 5},
    "pairs_spread": {"window": 40, "enter": 1.5},
}


def market(name, T=420, seed=1):
    """Random walks; with many symbols, one listed late and one with a hole."""
    N = 2 if name == "pairs_spread" else 4
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


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("t", [150, 260, 380])
def test_it_cannot_see_the_future(name, t):
    bars = market(name)
    poisoned = {}
    for field in ("open", "high", "low", "close"):
        frame = getattr(bars, field).copy()
        frame.iloc[t + 1 :] *= (
            np.linspace(2, 40, len(frame) - t - 1)[:, None] ** (-1) ** np.arange(frame.shape[1])
        )
        poisoned[field] = frame
    other = Bars.from_frames(**poisoned, calendars="XNYS")
    whole, spoilt, cut = (
        decide(name, bars),
        decide(name, other),
        decide(name, bars.between(end=bars.index[t])),
    )
    for before, after, short in zip(whole, spoilt, cut, strict=True):
        pd.testing.assert_frame_equal(before.iloc[: t + 1], after.iloc[: t + 1])
        pd.testing.assert_frame_equal(before.iloc[: t + 1], short, check_freq=False)
    assert any(frame.iloc[: t + 1].fillna(0).to_numpy().any() for frame in whole), "it never decided anything"


@pytest.mark.parametrize("name", LIBRARY)
def test_columns_may_stand_in_any_order(name):
    bars = market(name)
    if name == "pairs_spread":
        return  # the first symbol is the one that is explained by the second
    there = decide(name, bars)
    back = decide(name, bars.select(*bars.symbols[::-1]))
    for one, other in zip(there, back, strict=True):
        pd.testing.assert_frame_equal(one, other[list(one.columns)])


@pytest.mark.parametrize(
    "name", sorted(set(LIBRARY) - {"cross_momentum", "pairs_spread", "volatility_target"})
)
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


def test_sma_cross_in_plain_loops():
    bars = market("sma_cross")
    answer = registry.get("sma_cross")(bars, fast=3, slow=8)
    for symbol in bars.symbols:
        own = bars.close[symbol].dropna()
        above = None
        for t in range(7, len(own)):
            gap = own.iloc[t - 2 : t + 1].mean() - own.iloc[t - 7 : t + 1].mean()
            up = above is False and gap > 0
            down = above is True and gap < 0
            assert answer.entries[symbol][own.index[t]] == up
            assert answer.exits[symbol][own.index[t]] == down
            above = bool(gap > 0)


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


def test_volatility_target_in_plain_numbers():
    bars = market("volatility_target")
    weights = registry.get("volatility_target")(bars, target=0.1, window=20, every=5)
    assert weights.iloc[1].isna().all()
    returns = bars.close["A"].iloc[80:101].pct_change().dropna()
    expected = min(0.1 / (returns.std() * 252**0.5), 1) / 4
    assert weights["A"].iloc[100] == pytest.approx(expected)


def test_a_pair_is_traded_back_to_its_mean():
    bars = market("pairs_spread")
    weights = registry.get("pairs_spread")(bars, window=40, enter=1.5).dropna()
    held = weights[(weights != 0).any(axis=1)]
    assert (np.sign(held["A"]) == -np.sign(held["B"])).all()
    np.testing.assert_allclose(held.abs().sum(axis=1), 1.0)
    with pytest.raises(BadInput, match="exactly two symbols, got 4"):
        registry.get("pairs_spread")(market("sma_cross"))


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("sma_cross", {"fast": 50, "slow": 50}, "fewer bars than slow=50"),
        ("macd_trend", {"fast": 30, "slow": 20}, "fewer bars than slow=20"),
        ("rsi_reversion", {"low": 60.0}, "below high=55"),
        ("cross_momentum", {"skip": 100, "lookback": 100}, "fewer bars than lookback=100"),
    ],
)
def test_parameters_that_contradict_each_other(name, params, said):
    with pytest.raises(BadParameter, match=said):
        registry.get(name)(market(name), **params)
