"""A sample of what a sweep tried, for the odds: real returns, drawn evenly, the best among them."""

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.strategy import registry
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.sample import sample
from tapebook.strategy.sweep.sweep import sweep

CROSS = registry.get("sma_cross")


def market(N=2, T=300, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(
        50 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, (T, N)), axis=0)), index, list("ABC")[:N]
    )
    return Bars.from_frames(open=close.shift().bfill(), close=close, calendars="XNYS")


@pytest.mark.parametrize("alone", [False, True])
def test_returns_are_those_of_the_backtests(alone):
    sw = sweep(CROSS, market(), {"fast": [3, 5], "slow": [12, 20], "stop_loss": [None, 0.05]}, alone=alone)
    found = sw.sample
    assert found.returns.shape == (16 if alone else 8, 300)
    assert found.returns.dtype == np.float64
    assert set(found.symbols) == ({"A", "B"} if alone else {""})
    assert sw.sample is found
    for settings, symbol, returns in zip(found.settings, found.symbols, found.returns, strict=True):
        bt = sw.backtest(settings)
        money = bt.equity if not alone else bt.equity_by_symbol[symbol]
        expected = money / money.shift(fill_value=bt.rules.cash) - 1
        np.testing.assert_allclose(returns, expected, atol=1e-12)


def test_a_large_sweep_is_drawn_from_evenly_with_its_best():
    sw = sweep(CROSS, market(1), {"fast": range(2, 22), "slow": range(30, 60)}, rules=Rules(fees=0.0))
    found = sw.sample
    assert len(found.returns) == len(found.settings) == 128
    assert len({tuple(s.values()) for s in found.settings}) == 128
    assert sw.best() in found.settings
    slow = np.array([s["slow"] for s in found.settings])
    assert abs(slow.mean() - 44.5) < 3  # 128 of 600, evenly: the standard error is 0.7
    assert sample(sw, seed=1).settings != found.settings
    again = sample(sw)
    np.testing.assert_array_equal(again.returns, found.returns)


def test_a_sweep_without_a_row_has_no_sample():
    sw = sweep(CROSS, market(1), {"fast": [50, 60], "slow": [12, 20]})
    assert (len(sw.table), sw.refused, sw.sample) == (0, 4, None)
    assert "4 refused" in repr(sw)
