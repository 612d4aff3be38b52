"""The simulator equals its slow twin on random markets, decisions and rules; and a few cases by hand."""

import numpy as np
import pandas as pd
import pytest

import naive
from cases import case
from tapebook.data.panel import Bars
from tapebook.strategy.rules import Rules
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation import kernel as k
from tapebook.strategy.simulation.simulate import simulate

REASONS = ("signal", "stop", "target", "trailing", "end")


def compare(bars, rules, said):
    blocks = {name: bars.values[name].tolist() for name in ("open", "high", "low", "close")}
    expected = naive.simulate(**blocks, rules=rules, **{n: f.to_numpy().tolist() for n, f in said.items()})
    decision = said["weights"] if "weights" in said else Signals(**said)
    found = simulate(bars, decision, rules)
    assert len(found.orders) == len(expected.orders)
    for ours, theirs in zip(found.orders, expected.orders, strict=True):
        assert (int(ours[k.ROW]), int(ours[k.SYMBOL]), int(ours[k.DECIDED])) == (
            theirs.row,
            theirs.symbol,
            theirs.decided,
        )
        assert REASONS[int(ours[k.REASON])] == theirs.reason
        numbers = (theirs.units, theirs.price, theirs.fees, theirs.slippage)
        np.testing.assert_allclose(ours[[k.AMOUNT, k.PRICE, k.FEE, k.SLIP]], numbers, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.equity, expected.equity, rtol=1e-10)
    np.testing.assert_allclose(found.cash, expected.cash, rtol=1e-9, atol=1e-5)
    np.testing.assert_allclose(found.positions, expected.positions, rtol=1e-9, atol=1e-9)
    columns = [
        k.T_SYMBOL,
        k.T_IN,
        k.T_OUT,
        k.T_UNITS,
        k.T_ENTRY,
        k.T_FEES,
        k.T_PNL,
        k.T_RETURN,
        k.T_MAE,
        k.T_MFE,
    ]
    names = ("symbol", "entry_row", "exit_row", "units", "entry_price", "fees", "pnl", "ret", "mae", "mfe")
    theirs = [[getattr(trade, name) for name in names] for trade in expected.trades]
    assert len(found.trades) == len(theirs)
    if theirs:
        np.testing.assert_allclose(found.trades[:, columns], theirs, rtol=1e-7, atol=1e-7)
    told = [("open" if row[k.T_OPEN] else "closed", REASONS[int(row[k.T_REASON])]) for row in found.trades]
    assert told == [(trade.status, trade.exit_reason) for trade in expected.trades]
    return len(found.orders)


def test_the_simulator_equals_its_slow_twin():
    orders = [compare(*case(seed)) for seed in range(300)]
    assert sum(n > 5 for n in orders) > 200


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_the_simulator_equals_its_slow_twin_in_more_cases(block):
    for seed in range(1_000 + 300 * block, 1_300 + 300 * block):
        compare(*case(seed))


def test_one_trade_by_hand():
    """Bought 100 at 10 + 0.1 %, sold at 12 - 0.1 %, fees 1 %: every figure by hand."""
    index = pd.date_range("2020-01-01", periods=5, freq="D", tz="UTC")
    frame = lambda *values: pd.DataFrame({"A": values}, index)  # noqa: E731
    bars = Bars.from_frames(
        open=frame(9.0, 10, 11, 12, 12),
        high=frame(9.5, 11, 13, 12, 12),
        low=frame(9.0, 9.5, 11, 11, 12),
        close=frame(9.0, 11, 12, 11, 12),
    )
    no = False
    signals = Signals(frame(True, no, no, no, no), frame(no, no, True, no, no))
    rules = Rules(cash=10_000, fees=0.01, slippage=0.001, sizing="units", size=100)
    done = simulate(bars, signals, rules)
    bought, sold = 100 * 10.01, 100 * 11.988
    cash = 10_000 - bought * 1.01
    np.testing.assert_allclose(
        done.equity, [10_000, cash + 1_100, cash + 1_200, cash + sold * 0.99, cash + sold * 0.99]
    )
    (trade,) = done.trades
    assert trade[k.T_PNL] == pytest.approx(sold * 0.99 - bought * 1.01)
    assert trade[k.T_MAE] == pytest.approx(9.5 / 10.01 - 1)
    assert trade[k.T_MFE] == pytest.approx(13 / 10.01 - 1)
    assert (trade[k.T_IN], trade[k.T_OUT]) == (1, 3)
