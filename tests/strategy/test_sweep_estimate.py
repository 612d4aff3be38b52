"""What a sweep is said to take is about what it takes."""

import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.strategy import registry
from tapebook.strategy.memory import remembered
from tapebook.strategy.sweep.sweep import estimate, sweep

CROSS = registry.get("sma_cross")
WORKERS = os.cpu_count() or 1


def market(N=1, T=300, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)), index, list("ABC")[:N])
    return Bars.from_frames(close=close, calendars="XNYS")


def invested(bars):
    return pd.DataFrame(1.0, bars.index, bars.close.columns)


class Clock:
    """Time that passes only where a test says so, on all workers alike, however busy the machine is."""

    def __init__(self, monkeypatch):
        self.spent, self._lock = 0.0, threading.Lock()
        monkeypatch.setattr("tapebook.strategy.sweep.estimate.time", self)

    def perf_counter(self):
        return self.spent / WORKERS

    def spend(self, seconds):
        with self._lock:
            self.spent += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def sleepy(clock):
    """A strategy that takes 20 ms, whatever the parameters."""

    def sleepy(bars, *, a: int = 1, b: int = 1):
        clock.spend(0.02)
        return invested(bars)

    return registry.get(sleepy)


def shared(clock):
    """A strategy that takes 50 ms for each distinct value of `a`, and nothing else."""

    @remembered
    def dear(frame, window):
        clock.spend(0.05)
        return frame.rolling(window, min_periods=1).mean()

    def shared(bars, *, a: int = 1, b: int = 1):
        return invested(bars) * (dear(bars.close, a) > 0)

    return registry.get(shared)


def test_the_time_of_a_known_cost(clock):
    settings = {"a": range(1, 31), "b": range(1, 31)}
    said = estimate(sleepy(clock), market(), settings)
    assert said.combinations == 900
    assert said.seconds == pytest.approx(900 * 0.02 / WORKERS, rel=0.01)
    assert "900 combinations: about" in str(said)
    assert "spread evenly" in repr(said)


def test_an_indicator_that_many_share_is_counted_once(clock):
    settings = {"a": range(1, 21), "b": range(1, 41)}
    strategy = shared(clock)
    said = estimate(strategy, market(), settings)
    begun = clock.perf_counter()
    sweep(strategy, market(), settings)
    took = clock.perf_counter() - begun
    assert took < 800 * 0.05 / WORKERS / 10, "each value's indicator was computed again and again"
    assert took / 3 < said.seconds < took * 3


def test_the_time_of_a_real_strategy(monkeypatch):
    """In processor time, which neighbours do not take away."""
    spent = SimpleNamespace(perf_counter=lambda: time.process_time() / WORKERS)
    monkeypatch.setattr("tapebook.strategy.sweep.estimate.time", spent)
    bars, settings = market(T=2000), {"fast": range(2, 42), "slow": range(50, 90)}
    said = estimate(CROSS, bars, settings)
    begun = spent.perf_counter()
    done = sweep(CROSS, bars, settings)
    took = spent.perf_counter() - begun
    assert took / 3 < said.seconds < took * 3
    assert len(done.table) == said.combinations == 1600


def test_the_memory():
    bars, settings = market(T=200), {"fast": range(2, 42), "slow": range(50, 80)}
    said = estimate(CROSS, bars, settings)
    tracemalloc.start()
    sweep(CROSS, bars, settings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / 3 < said.memory < peak * 3


def test_combinations_that_were_timed_are_not_traded_again():
    asked, lock = [], threading.Lock()

    def watched(bars, *, a: int = 1, b: int = 1):
        with lock:
            asked.append((a, b))
        time.sleep(0.25)
        return invested(bars)

    told = []
    settings = {"a": range(1, 11), "b": range(1, 11)}

    class Enough(Exception):
        pass

    def stop(done, total, what):
        told.append((done, total, what))
        if done > 1 + WORKERS:
            raise Enough

    with pytest.raises(Enough):
        sweep(registry.get(watched), market(), settings, progress=stop)
    done, total, what = told[0]
    assert (done, total) == (1 + WORKERS, 100)
    seconds = float(what.removeprefix("combinations, about ").removesuffix(" s"))
    assert 25 / WORKERS / 2 < seconds < 5 * 25 / WORKERS  # a busy machine sleeps longer, never less
    assert len(set(asked)) == len(asked)


def test_a_short_sweep_is_measured_on_one_and_keeps_its_order():
    told = []
    settings = {"fast": [9, 3, 5], "slow": [30, 20, 50]}
    with ThreadPoolExecutor(1) as pool:
        sw = sweep(CROSS, market(), settings, executor=pool, progress=lambda *said: told.append(said))
    assert (told[0], told[-1]) == ((1, 9, "combinations"), (9, 9, "combinations"))
    assert sw.table[["fast", "slow"]].to_numpy().tolist() == [
        [a, b] for a in settings["fast"] for b in settings["slow"]
    ]


def test_a_guided_search_can_be_estimated(clock):
    settings = {"a": range(1, 1001), "b": range(1, 1001)}
    said = estimate(sleepy(clock), market(), settings, search="optuna", trials=200)
    assert said.combinations == 200
    assert 200 * 0.02 / WORKERS / 2 < said.seconds < 200 * 0.05
