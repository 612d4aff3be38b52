"""The sweep's kernel says of one symbol what the simulator and the figures say, for every rule."""

import numpy as np
import pytest

from cases import case
from tapebook.strategy.performance.figures import figures
from tapebook.strategy.performance.tables import order_frame, trade_frame
from tapebook.strategy.rules import Rules
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation import column as c
from tapebook.strategy.simulation.account_figures import FIGURES
from tapebook.strategy.simulation.simulate import (
    carried,
    direction,
    flags_of,
    numbers_of,
    prices_of,
    simulate,
    volatility,
)


def both(bars, rules, said):
    signals = Signals(**said)
    done = simulate(bars, signals, rules)
    full = figures(
        done.equity,
        rules.cash,
        252.0,
        invested=(done.positions != 0).any(axis=1),
        orders=order_frame(done.orders, bars),
        trades=trade_frame(done.trades, bars),
        benchmark=None,
        benchmark_name="",
        same_close=False,
    )
    prices = prices_of(bars)
    risk = (
        volatility(prices[3], rules.volatility_bars, 252.0)[0]
        if rules.sizing == "volatility"
        else np.empty(0)
    )
    out = np.empty(len(FIGURES))
    sizing = ["percent", "value", "units", "volatility"].index(rules.sizing)
    flags = flags_of(signals, direction(signals, rules))[0]
    scratch = np.empty(len(bars))
    c.column(
        *(p[0] for p in carried(prices)),
        flags,
        risk,
        numbers_of(rules, 1),
        sizing,
        rules.same_close,
        252.0,
        scratch,
        out,
    )
    return np.array([full[name].value for name in FIGURES]), out, done


def check(seeds):
    traded = 0
    for seed in seeds:
        bars, rules, said = case(seed)
        if "weights" in said:
            continue
        one = bars.symbols[0]
        expected, found, done = both(bars[one], rules, {n: f[[one]] for n, f in said.items()})
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=f"{seed} {rules}")
        traded += len(done.orders) > 3
    return traded


def test_it_equals_the_simulator_and_the_figures():
    assert check(range(300)) > 120


@pytest.mark.slow
def test_it_equals_them_in_two_thousand_cases():
    assert check(range(5_000, 7_700)) > 1_000


def test_nothing_traded_is_nothing():
    bars, _, said = case(1)
    one = bars[bars.symbols[0]]
    never = {n: f[[one.symbols[0]]] & False for n, f in said.items()}
    expected, found, _ = both(one, Rules(), never)
    np.testing.assert_array_equal(found, expected)
