"""A sweep's row is what a backtest says; what is asked, left out, stopped and resumed adds up."""

from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.strategy import registry
from tapebook.strategy.compiled import COVER, ENTER, LEAVE, SHORT, compiled
from tapebook.strategy.condition import condition
from tapebook.strategy.memory import Memory, remembered, remembering
from tapebook.strategy.rules import Rules
from tapebook.strategy.simulation.account_figures import FIGURES
from tapebook.strategy.spans import read_settings, read_text
from tapebook.strategy.sweep.sweep import sweep

CROSS = registry.get("sma_cross")


def market(N=2, T=300, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(
        50 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, (T, N)), axis=0)), index, list("ABC")[:N]
    )
    start = close.shift().fillna(close.iloc[0])
    return Bars.from_frames(open=start, high=close * 1.02, low=close * 0.98, close=close, calendars="XNYS")


def check(sw, rows=6):
    """Some rows of the table against full backtests."""
    varied = list(sw.varied)
    chosen = sw.table[varied].drop_duplicates().sample(rows, random_state=0)
    for settings in chosen.to_dict("records"):
        settings = {k: None if v != v else v for k, v in settings.items()}
        bt = sw.backtest(settings)
        mask = (
            sw.table[varied].astype(object).where(sw.table[varied].notna(), None)
            == pd.Series(settings, dtype=object)
        ) | (sw.table[varied].isna() & pd.Series({k: v is None for k, v in settings.items()}))
        found = sw.table[mask.all(axis=1)]
        if sw.alone:
            ends = found.set_index("symbol")["total_return"]
            expected = bt.equity_by_symbol.iloc[-1] / bt.rules.cash - 1 if len(sw.bars.symbols) > 1 else None
            if expected is not None:
                np.testing.assert_allclose(ends[expected.index], expected, rtol=1e-9, atol=1e-12)
                continue
        numbers = [bt.metrics[name].value for name in FIGURES]
        np.testing.assert_allclose(found[list(FIGURES)].iloc[0].astype(float), numbers, rtol=1e-9, atol=1e-12)


def test_one_symbol_equals_its_backtests():
    sw = sweep(CROSS, market(N=1), {"fast": range(2, 12), "slow": [15, 30, 60]})
    assert (len(sw.table), sw.asked, sw.alone, sw.complete) == (30, 30, True, True)
    check(sw)


def test_rules_vary_too():
    settings = {
        "fast": [3, 5],
        "slow": 20,
        "stop_loss": [None, 0.03, 0.1],
        "direction": ["long", "both"],
        "size": [0.3, 1.0],
    }
    sw = sweep(CROSS, market(N=1), settings, rules=Rules(fees=0.002))
    assert sw.varied == ("fast", "stop_loss", "direction", "size")
    assert len(sw.table) == 24
    check(sw)


def test_symbols_alone_and_together():
    bars, settings = market(N=3), {"fast": [3, 4, 6], "slow": [12, 20]}
    alone = sweep(CROSS, bars, settings, alone=True)
    assert len(alone.table) == 18
    check(alone)
    together = sweep(CROSS, bars, settings)
    assert len(together.table) == 6
    assert "symbol" not in together.table
    check(together)


def test_weights_are_swept():
    bars = market(N=3)
    found = registry.get("volatility_target")
    check(sweep(found, bars, {"target": [0.05, 0.1, 0.2], "window": [10, 30]}), rows=4)
    check(sweep(found, bars, {"target": [0.05, 0.1, 0.2], "window": [10, 30]}, alone=True), rows=3)


def test_where_sample_and_refusals():
    bars, settings = market(N=1), {"fast": range(2, 20), "slow": range(5, 20)}
    every = sweep(CROSS, bars, settings)
    met = sweep(CROSS, bars, settings, where=condition("fast < slow"))
    assert every.asked == 18 * 15
    assert len(every.table) == every.asked - every.refused == len(met.table)
    pd.testing.assert_frame_equal(every.table, met.table)
    some = sweep(
        CROSS, bars, settings, where=lambda fast, slow: fast < slow, search="random", trials=20, seed=3
    )
    assert len(some.table) == 20
    merged = some.table.merge(met.table, on=list(met.table.columns))
    assert len(merged) == 20


class Stops(ThreadPoolExecutor):
    """Raises Ctrl-C after some chunks."""

    def __init__(self, after):
        super().__init__(1)
        self.left = after

    def submit(self, *args, **kwargs):
        self.left -= 1
        if self.left < 0:
            stopped = Future()
            stopped.set_exception(KeyboardInterrupt())
            return stopped
        return super().submit(*args, **kwargs)


def test_what_is_stopped_keeps_what_is_done_and_goes_on():
    bars, settings = market(N=1), {"fast": range(2, 40), "slow": range(41, 61)}
    part = sweep(CROSS, bars, settings, executor=Stops(4))
    assert not part.complete
    assert 100 < len(part.table) < 760
    assert "go on with resume=" in repr(part)
    rest = sweep(CROSS, bars, settings, resume=part)
    assert rest.complete
    whole = sweep(CROSS, bars, settings)
    pd.testing.assert_frame_equal(rest.table, whole.table)
    with pytest.raises(BadParameter, match="a sweep of the same settings"):
        sweep(CROSS, bars, {"fast": [3, 4]}, resume=part)


def test_another_process_gives_the_same():
    bars, settings = market(N=2), {"fast": range(2, 6), "slow": [10, 20]}
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        away = sweep(CROSS, bars, settings, executor=pool, alone=True)
    pd.testing.assert_frame_equal(away.table, sweep(CROSS, bars, settings, alone=True).table)


def test_ranking_robustness_and_pictures():
    sw = sweep(CROSS, market(N=2), {"fast": range(2, 8), "slow": range(10, 16)}, alone=True)
    ranked = sw.ranked("total_return")
    assert ranked["total_return"].is_monotonic_decreasing
    best = sw.best("total_return")
    mean = sw.table.groupby(["fast", "slow"])["total_return"].mean()
    assert mean.idxmax() == (best["fast"], best["slow"])
    robust = sw.robustness("total_return")
    corner = robust[(robust.fast == 2) & (robust.slow == 10)].iloc[0]
    assert corner["neighbours"] == 2
    assert corner["mean"] == pytest.approx((mean[3, 10] + mean[2, 11]) / 2)
    assert corner["worst"] == pytest.approx(min(mean[3, 10], mean[2, 11]))
    chart = sw.heatmap(metric="total_return").data[0]
    assert chart.z.shape == (6, 6)
    assert chart.z[0][0] == pytest.approx(mean[2, 10], abs=1e-5)
    assert len(sw.parallel().data[0].dimensions) == 3
    assert "not yet evidence" in repr(sw)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ({"fast": 3}, BadParameter, "at least one with several values"),
        ({"fast": []}, BadParameter, "at least one value"),
        ({"fats": [1, 2]}, UnknownName, "Did you mean 'fast'"),
        ({"fast": [1, 501]}, BadParameter, "'fast' is 501"),
        ({"fast": [2, 3], "fees": [0.1, -1]}, BadParameter, "'fees' is -1"),
        ({"fast": [2, 3], "slow": "x"}, BadParameter, "'slow' is 'x'"),
    ],
    ids=str,
)
def test_what_cannot_be_swept(settings, error, said):
    with pytest.raises(error, match=said):
        sweep(CROSS, market(N=1), settings)


def test_more_that_cannot_be_swept():
    with pytest.raises(NoData, match="no bars"):
        sweep(CROSS, market(N=1).between("1999", "1999"), {"fast": [2, 3]})
    with pytest.raises(BadParameter, match="at least one combination meets"):
        sweep(CROSS, market(N=1), {"fast": [2, 3]}, where=lambda fast: fast > 9)
    with pytest.raises(BadParameter, match="one of total_return"):
        sweep(CROSS, market(N=1), {"fast": [2, 3]}).best("sharp")
    with pytest.raises(BadParameter, match="a heatmap needs two"):
        sweep(CROSS, market(N=1), {"fast": [2, 3]}).heatmap()


@pytest.mark.parametrize(
    "text", ["__import__('os')", "fast.real", "fast <", "(lambda: 1)()", "slow < fats", "[1]"]
)
def test_a_condition_runs_no_code(text):
    with pytest.raises(BadParameter, match="where"):
        condition(text)(fast=1, slow=2)


def test_values_are_read_from_text():
    read = read_settings(
        CROSS, {"fast": "2:6:2", "slow": "50", "stop_loss": "none,0.05", "size": "0.1:0.3:0.1"}
    )
    assert read == {"fast": [2, 4, 6], "slow": 50, "stop_loss": [None, 0.05], "size": [0.1, 0.2, 0.3]}
    assert read_text(CROSS, " fast=2:6:2  slow=50 stop_loss=none,0.05") == {
        "fast": [2, 4, 6], "slow": 50, "stop_loss": [None, 0.05],
    }  # fmt: skip
    for wrong in ("fast", "fast=", "=3", "fast=3 fast=4", "fast = 3"):
        with pytest.raises(BadParameter, match="'settings' is .* such as 'fast=2:40:2"):
            read_text(CROSS, wrong)
    for wrong in ("5:2", "1:2:0", "a:b", "1:2:3:4", "1,,2"):
        with pytest.raises(BadParameter, match="values such as"):
            read_settings(CROSS, {"fast": wrong})


def test_an_indicator_is_computed_once_and_its_answer_is_ones_own():
    asked = []

    @remembered
    def slow(frame, window):
        asked.append(window)
        return frame * window

    frame = pd.DataFrame({"A": [1.0, 2.0]})
    with remembering(Memory()):
        first = slow(frame, 3)
        first.iloc[0, 0] = -1
        assert slow(frame, 3)["A"].tolist() == [3.0, 6.0]
        slow(frame, 4)
        slow(frame.copy(), 3)
    assert asked == [3, 4, 3]
    small = Memory(limit=40)
    with remembering(small):
        for window in (1, 2, 3, 1):
            slow(frame, window)
    assert asked[3:] == [1, 2, 3, 1]


@compiled(fast=(10, 1, 500, "bars"), slow=(50, 2, 1000, "bars"), family="trend")
def cross(open, high, low, close, volume, p, flags):
    """Dual moving average, compiled."""
    fast, slow = int(p[0]), int(p[1])
    one, other, before = 0.0, 0.0, np.nan
    for t in range(close.shape[0]):
        one += close[t] - (close[t - fast] if t >= fast else 0.0)
        other += close[t] - (close[t - slow] if t >= slow else 0.0)
        if t >= max(fast, slow) - 1:
            gap = one / fast - other / slow
            if gap > 0 and before <= 0:
                flags[t] = ENTER
            if gap < 0 and before >= 0:
                flags[t] = LEAVE
            before = gap


@compiled(days=5, shorts=True)
def swing(open, high, low, close, volume, p, flags):
    """Follow the last days, both ways."""
    n = int(p[0])
    for t in range(n, close.shape[0]):
        up = close[t] > close[t - n]
        was = close[t - 1] > close[t - 1 - n] if t > n else not up
        if up != was:
            flags[t] = ENTER + COVER if up else LEAVE + SHORT


@pytest.mark.parametrize(
    "extra", [{}, {"stop_loss": [None, 0.05]}, {"direction": ["long", "short", "both"]}], ids=str
)
def test_a_compiled_strategy_equals_its_backtests(extra):
    check(sweep(cross, market(N=1), {"fast": [3, 4, 5], "slow": [12, 20], **extra}))
    check(sweep(cross, market(N=3), {"fast": [3, 4, 5], "slow": [12, 20], **extra}, alone=True))
    check(sweep(swing, market(N=1), {"days": [2, 3, 5, 8], "size": [0.4, 0.9], **extra}))


def test_a_compiled_strategy_is_like_any_other():
    bars = market(N=2)
    library = sweep(CROSS, bars, {"fast": [3, 5], "slow": [12, 20]}, alone=True).table
    mine = sweep(cross, bars, {"fast": [3, 5], "slow": [12, 20]}, alone=True).table
    pd.testing.assert_frame_equal(mine, library, rtol=1e-9)
    check(sweep(cross, bars, {"fast": [3, 4], "slow": [12, 20]}), rows=3)
    assert cross(bars, fast=3, slow=9).entries.to_numpy().any()
    assert "fast = 10: a whole number from 1 to 500 (bars)" in repr(cross)
    with pytest.raises(BadParameter, match="'fast' is 0"):
        cross(bars, fast=0)
    with pytest.raises(BadInput, match="is taken"):
        compiled(fees=1.0)(lambda: None)
    holes = bars.close.copy()
    holes.iloc[50:60, 0] = np.nan
    gaps = Bars.from_frames(close=holes, calendars="XNYS")
    check(sweep(cross, gaps, {"fast": [3, 4, 5], "slow": [12, 20]}, alone=True), rows=3)


@pytest.mark.parametrize(
    "given",
    [
        {"rules": Rules(execution="same_close")},
        {"settings": {"execution": "same_close"}},
        {"settings": {"execution": ["next_open", "same_close"]}},
    ],
    ids=["rules", "fixed", "varied"],
)
def test_what_is_filled_at_the_same_close_says_so_everywhere(given):
    from tapebook.strategy.performance.figures import MARK

    settings = {"fast": [3, 5], "slow": [12, 20]} | given.get("settings", {})
    sw = sweep(CROSS, market(N=1), settings, rules=given.get("rules"))
    assert sw.same_close
    for said in (repr(sw), sw._repr_html_(), sw.warning):
        assert MARK in said
    for figure in (sw.heatmap("fast", "slow"), sw.parallel()):
        assert "FILLED AT THE SAME CLOSE" in figure.layout.title.text
    plain = sweep(CROSS, market(N=1), {"fast": [3, 5], "slow": [12, 20]})
    assert (plain.same_close, plain.warning) == (False, "")
    assert MARK not in repr(plain) + plain._repr_html_() + plain.heatmap().layout.title.text
