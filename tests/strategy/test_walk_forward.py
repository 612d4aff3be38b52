"""Walk forward: against a slow and obvious twin, a poisoned future, and markets with and without an edge."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.strategy import Signals, registry
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.performance import metrics as m
from tapebook.strategy.rules import Rules
from tapebook.strategy.walk_forward.splits import combinatorial, expanding, paths, rolling
from tapebook.strategy.walk_forward.walk_forward import walk_forward

FREE = Rules(fees=0.0, slippage=0.0)


def market(T=900, seed=0, symbols=1, edge=0.0, holds=40):
    rng = np.random.default_rng(seed)
    steps = rng.normal(0.0, 0.01, (T, symbols))
    if edge:
        steps += edge * 0.01 * np.where((np.arange(T) // holds) % 2, 1.0, -1.0)[:, None]
    days = pd.bdate_range("2001-01-01", periods=T, tz="UTC")
    names = [f"S{n}" for n in range(symbols)]
    close = pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), days, names)
    start = close.shift().fillna(100.0)
    high, low = np.maximum(start, close) * 1.002, np.minimum(start, close) * 0.998
    return Bars.from_frames(open=start, high=high, low=low, close=close, calendars="XNYS")


def above(bars, *, window: int = 10):
    """Be long while the close is above its mean: one state a bar, so that folds begin in a position."""
    mean = bars.close.rolling(window).mean()
    return Signals(bars.close > mean, bars.close < mean)


def tilt(bars, *, window: int = 10):
    """The same as target weights."""
    up = bars.close > bars.close.rolling(window).mean()
    return up.astype(float).where(bars.close.rolling(window).mean().notna())


def walk(function=above, bars=None, rules=FREE, **options):
    options = {"train": 300, "test": 150} | options
    settings = options.pop("settings", {"window": [5, 10, 20, 40]})
    return walk_forward(registry.get(function), bars or market(), settings, rules=rules, **options)


def fixed(said, index):
    """A strategy that says what was decided before, on these rows."""
    if isinstance(said, pd.DataFrame):
        rows = said.loc[index]
        return lambda _: rows
    decision = Signals(said.entries.loc[index], said.exits.loc[index])
    return lambda _: decision


def twin(function, bars, windows, rules, folds):
    """Slow and obvious: what each fold chooses, by a backtest of every setting's decisions in it."""
    chosen = []
    for split in folds:
        (learn,) = split.train
        known = bars.between(end=bars.index[learn.stop - 1])
        window = known.between(start=known.index[learn.start])
        scores = []
        for w in windows:
            made = run_backtest(fixed(function(known, window=w), window.index), window, rules=rules)
            scores.append(made.metrics["sharpe"].value)
        chosen.append(windows[int(np.nanargmax(scores))])
    return chosen


@pytest.mark.parametrize("function", [above, tilt])
@pytest.mark.parametrize("scheme", ["rolling", "expanding"])
@pytest.mark.parametrize("purge", [0, 7])
def test_each_fold_chooses_what_a_slow_twin_chooses(function, scheme, purge):
    bars, windows = market(seed=3), [5, 10, 20, 40]
    folds = (rolling if scheme == "rolling" else expanding)(len(bars), train=300, test=150, purge=purge)
    done = walk(function, bars, scheme=scheme, purge=purge)
    assert done.folds["window"].tolist() == twin(function, bars, windows, FREE, folds)
    assert done.folds["test_start"].tolist() == [bars.index[s.test[0].start] for s in folds]


@pytest.mark.parametrize("function", [above, tilt])
def test_without_a_choice_the_walk_is_one_backtest(function):
    """One combination only: the account trades on through all folds, as a backtest from there does."""
    bars = market(seed=1)
    done = walk(function, bars, settings={"window": [15]})
    begin = 299
    later = bars.between(start=bars.index[begin])
    said = function(bars, window=15)
    if function is above:
        held = pd.DataFrame(
            np.where(said.entries, 1.0, np.where(said.exits, 0.0, np.nan)), said.entries.index
        )
        first = bool(held.ffill().iloc[begin, 0] == 1.0)
        entries, exits = said.entries.loc[later.index].copy(), said.exits.loc[later.index].copy()
        entries.iloc[0], exits.iloc[0] = first, not first
        decision = Signals(entries, exits)
    else:
        decision = said.ffill().loc[later.index]
    plain = run_backtest(lambda _: decision, later, rules=FREE)
    np.testing.assert_allclose(done.backtest.equity, plain.equity, rtol=1e-12)
    assert done.backtest.metrics["trades"] == plain.metrics["trades"]
    assert len(done.folds) == 4
    assert done.changes == 0


def test_a_change_of_settings_closes_at_the_next_open_and_begins_again():
    """By hand: long throughout under both settings; the costs of one way out and one way in are paid."""
    bars = market(seed=2)

    def long(bars, *, size_of: float = 1.0, turn: int = 0):
        # the better setting changes at bar 450, so that fold 2 chooses another than fold 1
        target = np.full(bars.shape, 0.5)
        good = (bars.close.pct_change() > 0).to_numpy()
        rows = np.arange(len(bars))[:, None]
        return pd.DataFrame(
            np.where((rows < 450) == (turn == 0), target, np.where(good, 0.1, 0.5)), bars.index, bars.symbols
        )

    rules = Rules(fees=0.01, slippage=0.0)
    done = walk(long, bars, rules=rules, settings={"turn": [0, 1]}, train=300, test=150)
    changed = done.folds["turn"].diff().fillna(0) != 0
    assert changed.any()
    for border in done.folds.loc[changed, "test_start"]:
        units = done.backtest.orders.loc[done.backtest.orders["ts"] == border, "units"].tolist()
        assert [np.sign(u) for u in units] == [-1, 1], "out and in again, both at this open"
    cash = done.backtest.cash
    assert cash.notna().all()
    worth = (done.backtest.positions * done.backtest.close.ffill()).sum(axis=1) + cash
    np.testing.assert_allclose(worth, done.backtest.equity, rtol=1e-12)


@pytest.mark.parametrize("function", [above, tilt])
@pytest.mark.parametrize("settings", [{"window": [5, 20]}, {"window": [5, 20], "stop_loss": [None, 0.03]}])
def test_equity_is_cash_and_positions_and_costs_are_paid(function, settings):
    bars = market(symbols=3, seed=4)
    done = walk(function, bars, rules=Rules(), settings=settings)
    bt = done.backtest
    worth = (bt.positions * bt.close.ffill()).sum(axis=1) + bt.cash
    np.testing.assert_allclose(worth, bt.equity, rtol=1e-12)
    paid = bt.orders["fees"].sum()
    spent = (bt.orders["units"] * bt.orders["price"]).sum()
    assert bt.cash.iloc[-1] == pytest.approx(bt.start_cash - spent - paid, abs=1e-6)
    assert bt.orders["ts"].is_monotonic_increasing
    assert bt.metrics["orders"].value == len(bt.orders)


def test_the_future_changes_nothing_that_was_chosen_or_earned_before():
    bars = market(seed=5)
    whole = walk(bars=bars, rules=Rules())
    for cut in (560, 700):
        values = {name: np.array(block) for name, block in bars.values.items()}
        for name in ("open", "high", "low", "close"):
            values[name][cut + 1 :] *= 3.0
        other = walk(bars=replace(bars, values=values), rules=Rules())
        before = whole.folds["train_end"] <= bars.index[cut]
        pd.testing.assert_frame_equal(
            whole.folds.loc[before, ["window", "inside_sharpe"]],
            other.folds.loc[before, ["window", "inside_sharpe"]],
        )
        known = whole.paths.index <= bars.index[cut]
        np.testing.assert_array_equal(whole.paths[known], other.paths[known])


def test_a_strategy_that_sees_the_future_gains_nothing_from_it_in_learning():
    def seer(bars, *, ahead: int = 1):
        up = bars.close.shift(-ahead) > bars.close
        return Signals(up, ~up)

    done = walk(seer, settings={"ahead": [1, 2, 3]})
    assert done.folds["inside_sharpe"].min() > 3, "inside a fold it still sees later bars of that fold"
    assert done.folds["train_end"].max() < done.folds["test_start"].max()


def test_stops_and_sizes_can_be_chosen_too():
    done = walk(settings={"window": [10, 20], "stop_loss": [None, 0.02], "size": [0.5, 1.0]})
    assert set(done.varied) == {"window", "stop_loss", "size"}
    assert done.tried == 8
    assert done.folds["size"].isin([0.5, 1.0]).all()
    assert all(stop is None or stop == 0.02 for stop in done.folds["stop_loss"].tolist())


def test_symbols_alone_share_one_choice():
    done = walk(bars=market(symbols=2), alone=True)
    assert done.backtest.equity_by_symbol.shape[1] == 2
    total = done.backtest.equity_by_symbol.sum(axis=1)
    np.testing.assert_allclose(total, done.backtest.equity, rtol=1e-12)


# ---- combinatorial


def test_paths_are_what_a_slow_twin_joins():
    bars, windows = market(seed=6), [5, 10, 20, 40]
    done = walk(bars=bars, scheme="combinatorial", purge=3, embargo=5)
    found = combinatorial(len(bars), groups=6, tests=2, purge=3, embargo=5)
    returns = {
        w: run_backtest(above, bars, params={"window": w}, rules=FREE).returns.to_numpy() for w in windows
    }
    chosen = []
    for split in found:
        rows = [row for run in split.train for row in run]
        chosen.append(max(windows, key=lambda w: m.sharpe(returns[w][rows], 252.0)))
    assert done.folds["window"].tolist() == chosen
    for number, path in enumerate(paths(found)):
        for block, split in path.items():
            mine = done.paths.iloc[block.start : block.stop, number]
            np.testing.assert_allclose(mine, returns[chosen[split]][block.start : block.stop], atol=1e-12)
    assert done.paths.shape == (len(bars), 5)
    assert len(done.sharpes) == 5
    assert "median of 5 paths" in done.metrics["sharpe"].convention
    with pytest.raises(BadInput, match="several histories and no one account: see `paths`"):
        done.backtest  # noqa: B018


# ---- what it is for


def test_on_random_walks_nothing_is_left_and_a_lasting_edge_stays():
    luck, skill = [], []
    for seed in range(12):
        luck.append(walk(bars=market(1_200, seed)).backtest.metrics["sharpe"].value)
        skill.append(walk(bars=market(1_200, seed, edge=0.3)).backtest.metrics["sharpe"].value)
    assert abs(np.mean(luck)) < 0.4
    assert np.mean(skill) > np.mean(luck) + 0.5
    inside = walk(bars=market(1_200, 0)).folds["inside_sharpe"].mean()
    assert inside > np.mean(luck), "the best inside looks better than it is"


def test_words_figures_and_marks():
    done = walk()
    assert repr(done).startswith(
        "Walk forward of above: 4 folds, rolling 300 bars to learn from, 150 to trade"
    )
    assert "efficiency" in repr(done)
    assert "<table" in done._repr_html_()
    assert done.backtest.params["walk_forward"] == "rolling 300 bars to learn from, 150 to trade"
    assert done.figure().layout.annotations[0].text == "Growth of 1 outside"
    assert done.sample.shape == (4, 900)
    shown = walk(rules=Rules(execution="same_close"))
    for said in (repr(shown), shown.figure().layout.title.text, shown.metrics["sharpe"].convention):
        assert "FILLED AT THE SAME CLOSE" in said
    across = walk(rules=Rules(execution="same_close"), scheme="combinatorial")
    assert "FILLED AT THE SAME CLOSE" in across.metrics["sharpe"].convention


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scheme": "anchored"}, "'scheme' is 'anchored': expected one of rolling, expanding, combinatorial"),
        ({"scheme": "combinatorial", "metric": "win_rate"}, "sharpe or total_return"),
        ({"metric": "luck"}, "'metric' is 'luck'"),
        ({"settings": {"window": 10}}, "at least one with several values"),
        ({"train": 900}, "900 bars are too few"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(options, said):
    with pytest.raises((BadParameter, NoData), match=said):
        walk(**options)


def test_a_fold_in_which_nothing_trades_says_which():
    def never(bars, *, window: int = 10):  # noqa: ARG001
        nothing = bars.close > np.inf
        return Signals(nothing, nothing)

    with pytest.raises(NoData, match="no combination traded from 2001-01-01 to"):
        walk(never)
