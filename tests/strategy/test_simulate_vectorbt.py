"""Held equal to vectorbt on random cases, wherever the semantics agree (same orders, to the last digits).

Left out, since they differ on purpose: vectorbt does not check stops on the entry bar, lets a stop win
over a signal at the open, pays one fixed fee for a reversal, and refuses percent sizing with reversals.
"""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.strategy.rules import Rules
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation.simulate import simulate

COLUMNS = 25
COSTS = [{"fees": 0.0, "slippage": 0.0}, {"fees": 0.002, "slippage": 0.001}]


def market(rng, T=120, N=COLUMNS):
    index = pd.date_range("2010-01-01", periods=T, freq="D", tz="UTC", name="ts")
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0))
    open_ = np.vstack([close[0], close[:-1]]) * np.exp(rng.normal(0, 0.01, (T, N)))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.01, (T, N))))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.01, (T, N))))
    named = {"open": open_, "high": high, "low": low, "close": close}
    return Bars.from_frames(
        **{k: pd.DataFrame(v, index, [f"S{n}" for n in range(N)]) for k, v in named.items()}
    )


def chance(bars, rng, share):
    return pd.DataFrame(rng.random(bars.shape) < share, bars.close.index, bars.close.columns)


def shifted(frame):
    return frame.shift(1, fill_value=False)


def same_orders(ours, pf):
    """Ours are rows of (row, symbol, units, price, fees …); a reversal is one order there, two here."""
    theirs = pf.orders.records.sort_values(["idx", "col"])
    units = np.where(theirs["side"] == 0, theirs["size"], -theirs["size"])
    mine = pd.DataFrame(ours.orders[:, :5], columns=["idx", "col", "units", "price", "fees"])
    mine = mine.groupby(["idx", "col"], as_index=False).agg({"units": "sum", "price": "last", "fees": "sum"})
    assert len(mine) == len(theirs)
    np.testing.assert_array_equal(mine[["idx", "col"]], theirs[["idx", "col"]])
    np.testing.assert_allclose(mine["units"], units, rtol=1e-9)
    np.testing.assert_allclose(mine["price"], theirs["price"], rtol=1e-12)
    np.testing.assert_allclose(mine["fees"], theirs["fees"], rtol=1e-9)


def from_signals(bars, signals, rules, **more):
    kinds = {"percent": "percent", "value": "value", "units": "amount"}
    short = signals.short_entries
    sides = {} if short is None else {"short_entries": short, "short_exits": signals.short_exits}
    later = (lambda frame: frame) if rules.same_close else shifted
    import vectorbt as vbt  # here: not every process that collects tests needs its seconds

    return vbt.Portfolio.from_signals(
        bars.close,
        later(signals.entries),
        later(signals.exits),
        **{name: later(frame) for name, frame in sides.items()},
        price=bars.close if rules.same_close else bars.open,
        open=bars.open,
        high=bars.high,
        low=bars.low,
        size=1.0 if rules.size is None else rules.size,
        size_type=kinds[rules.sizing],
        fees=rules.fees,
        fixed_fees=rules.fixed_fee,
        slippage=rules.slippage,
        init_cash=rules.cash,
        freq="1D",
        **more,
    )


def check_long(seed, **options):
    rng = np.random.default_rng(seed)
    bars = market(rng)
    signals = Signals(chance(bars, rng, 0.1), chance(bars, rng, 0.1))
    rules = Rules(shared_cash=False, **options)
    ours, pf = simulate(bars, signals, rules), from_signals(bars, signals, rules)
    assert len(ours.orders) > 100
    same_orders(ours, pf)
    np.testing.assert_allclose(ours.equity, pf.value(), rtol=1e-9)


SIZES = [{"size": 0.4}, {}, {"sizing": "value", "size": 9_000.0}, {"sizing": "units", "size": 120.0}]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("costs", COSTS, ids=["free", "costs"])
def test_long_signals(size, costs):
    check_long(1, **size, **costs, fixed_fee=2.0 if costs["fees"] else 0.0)


def anything(seed):
    """Draw from every option on which both mean the same: sides, sizes, whole lots, costs, execution."""
    rng = np.random.default_rng(seed)
    side = ("long", "short", "both")[seed % 3]
    sizes = SIZES if side == "long" else SIZES[2:]  # there percent has no short side to turn from
    options = dict(sizes[rng.integers(len(sizes))])
    options |= {
        "fees": rng.uniform(0, 0.01),
        "slippage": rng.uniform(0, 0.01),
        "fixed_fee": rng.uniform(0, 9),
    }
    options |= {} if rng.random() < 0.7 else {"fees": 0.0, "slippage": 0.0}
    if side == "both" or rng.random() < 0.3:
        options["fixed_fee"] = 0.0  # a reversal pays it once there, twice here
    if rng.random() < 0.3:
        options |= {"fractional": False, "lot": float(rng.choice([1.0, 0.5, 10.0]))}
    options |= {"execution": "same_close"} if rng.random() < 0.3 else {}
    cash = rng.choice([10_000.0, 100_000.0]) if side == "long" else 1e6  # shorts are not borrowed for here
    return rng, side, Rules(shared_cash=False, cash=float(cash), **options)


def check_anything(seed):
    rng, side, rules = anything(seed)
    bars, often = market(rng), rng.uniform(0.02, 0.2)
    frames = [chance(bars, rng, often) for _ in range(4)]
    more = {} if rules.fractional else {"size_granularity": rules.lot}
    if side == "both":
        signals = theirs = Signals(*frames)
    else:
        signals = theirs = Signals(*frames[:2])
        if side == "short":
            rules, more = rules.changed(direction="short"), more | {"direction": "shortonly"}
            theirs = Signals(frames[1], frames[0])  # ours sells short where the strategy gets out
    ours = simulate(bars, signals, rules)
    pf = from_signals(bars, theirs, rules, **more)
    assert len(ours.orders)
    same_orders(ours, pf)
    np.testing.assert_allclose(ours.equity, pf.value(), rtol=1e-9)
    np.testing.assert_allclose(ours.equity[-1] / rules.cash - 1.0, pf.total_return(), atol=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_any_options(seed):
    """Each seed is 25 markets: 300 cases."""
    check_anything(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 190))
def test_any_options_more(seed):
    """2,250 cases."""
    check_anything(seed)


@pytest.mark.parametrize("costs", COSTS, ids=["free", "costs"])
@pytest.mark.parametrize(
    "sizing", [{"sizing": "value", "size": 9_000.0}, {"sizing": "units", "size": 120.0}], ids=str
)
def test_both_sides_with_reversals(sizing, costs):
    rng = np.random.default_rng(2)
    bars = market(rng)
    signals = Signals(*(chance(bars, rng, 0.08) for _ in range(4)))
    rules = Rules(shared_cash=False, **sizing, **costs)
    ours, pf = simulate(bars, signals, rules), from_signals(bars, signals, rules)
    same_orders(ours, pf)
    np.testing.assert_allclose(ours.equity, pf.value(), rtol=1e-9)


def test_short_only():
    rng = np.random.default_rng(3)
    bars = market(rng)
    a, b = chance(bars, rng, 0.1), chance(bars, rng, 0.1)
    rules = Rules(shared_cash=False, direction="short", sizing="value", size=9_000.0)
    ours = simulate(bars, Signals(entries=b, exits=a), rules)  # ours sells short where the strategy gets out
    same_orders(ours, from_signals(bars, Signals(a, b), rules, direction="shortonly"))


@pytest.mark.parametrize("stop", [{"stop_loss": 0.04}, {"take_profit": 0.05}])
def test_stops_that_do_not_hit_on_the_entry_bar(stop):
    rng = np.random.default_rng(4)
    bars = market(rng, N=200)
    none = chance(bars, rng, 0.0)
    signals = Signals(chance(bars, rng, 0.03), none)
    rules = Rules(shared_cash=False, slippage=0.0, **stop)
    name = {"stop_loss": "sl_stop", "take_profit": "tp_stop"}
    ours = simulate(bars, signals, rules)
    pf = from_signals(
        bars, signals, rules, stop_entry_price="fillprice", **{name[k]: v for k, v in stop.items()}
    )
    at_once = set(ours.trades[(ours.trades[:, 10] == 0) & (ours.trades[:, 13] == 0), 0].astype(int))
    met = 0
    theirs = pf.orders.records
    for n in set(range(200)) - at_once:
        mine = ours.orders[ours.orders[:, 1] == n]
        other = theirs[theirs["col"] == n]
        if stopped_into_a_signal(mine, signals.entries.to_numpy()[:, n]):
            continue
        np.testing.assert_array_equal(mine[:, 0], other["idx"])
        np.testing.assert_allclose(mine[:, 3], other["price"], rtol=1e-12)
        met += len(mine) > 1
    assert met > 20


def stopped_into_a_signal(orders, entries):
    """Whether an entry was due in the very bar of a stop: it is filled at the open here, later there."""
    rows = orders[orders[:, 2] < 0, 0].astype(int)
    return bool(entries[rows - 1].any())


@pytest.mark.parametrize("costs", COSTS, ids=["free", "costs"])
def test_target_weights_in_one_pot(costs):
    rng = np.random.default_rng(5)
    bars = market(rng, N=4)
    weights = pd.DataFrame(
        rng.dirichlet(np.ones(5), len(bars))[:, :4] * 0.95, bars.close.index, bars.close.columns
    )
    weights[rng.random(len(bars)) < 0.8] = np.nan
    weights.iloc[5] = 0.2
    rules = Rules(**costs)
    ours = simulate(bars, weights, rules)
    import vectorbt as vbt

    pf = vbt.Portfolio.from_orders(
        bars.close, weights.shift(1), size_type="targetpercent", price=bars.open, val_price=bars.open,
        group_by=True, cash_sharing=True, call_seq="auto", init_cash=rules.cash, freq="1D", **costs,
    )  # fmt: skip
    same_orders(ours, pf)
    np.testing.assert_allclose(ours.equity, pf.value(), rtol=1e-9)
