"""The returns that a ledger of trials keeps are those that a backtest of the same settings has."""

import numpy as np
import pandas as pd
import pytest

from cases import case
from tapebook.data.panel import Bars
from tapebook.strategy import registry
from tapebook.strategy.backtest.backtest import run_backtest
from tapebook.strategy.declare import Strategy
from tapebook.strategy.rules import Rules
from tapebook.strategy.signals import Signals
from tapebook.strategy.sweep.work import returns_of

NAMES = ("sma_cross", "donchian_breakout", "cross_momentum", "buy_and_hold")


@pytest.fixture(scope="module")
def bars():
    steps = np.random.default_rng(3).normal(0.0004, 0.02, (400, 3))
    close = pd.DataFrame(
        50 * np.exp(np.cumsum(steps, axis=0)),
        pd.bdate_range("2010-01-04", periods=400, tz="UTC"),
        list("ABC"),
    )
    close.iloc[40:55, 1] = np.nan
    return Bars.from_frames(
        open=close.shift(), high=close * 1.02, low=close * 0.98, close=close, calendars="XNYS"
    )


def slow(found, bars, rules, params, alone):
    """One backtest, or one a symbol."""
    if not alone:
        return run_backtest(found, bars, params=params, rules=rules).returns.to_numpy()[None]
    own = (run_backtest(found, bars[n], params=params, rules=rules) for n in bars.symbols)
    return np.array([bt.returns.to_numpy() for bt in own])


# cross_momentum ranks symbols against each other: alone it is another strategy
ALL = [
    (name, alone) for name in NAMES for alone in (True, False) if (name, alone) != ("cross_momentum", True)
]


@pytest.mark.parametrize("rules", [Rules(), Rules(fees=0.0, execution="same_close", direction="both")])
@pytest.mark.parametrize(("name", "alone"), ALL)
def test_they_are_those_of_a_backtest(bars, name, rules, alone):
    found = registry.get(name)
    answer = returns_of(found, bars, rules, {}, alone=alone)
    assert answer.shape == (len(bars.symbols) if alone else 1, len(bars))
    np.testing.assert_allclose(answer, slow(found, bars, rules, {}, alone), rtol=0, atol=1e-12)


def deciding(said):
    """A strategy that says what it is told to."""

    def drawn(bars):
        chosen = {name: frame[list(bars.symbols)] for name, frame in said.items()}
        return chosen["weights"] if "weights" in chosen else Signals(**chosen)

    return Strategy(drawn)


@pytest.mark.parametrize("alone", [True, False])
def test_random_decisions_with_stops_and_shorts(alone):
    for seed in range(60):
        market, rules, said = case(seed)
        found = deciding(said)
        answer = returns_of(found, market, rules, {}, alone=alone)
        expected = slow(found, market, rules.changed(shared_cash=not alone), {}, alone)
        np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-12, err_msg=str(seed))


def test_what_a_strategy_refuses_has_none(bars):
    assert returns_of(registry.get("sma_cross"), bars, Rules(), {"fast": 9, "slow": 3}, alone=True) is None
