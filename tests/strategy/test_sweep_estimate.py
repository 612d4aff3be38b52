"""What a sweep is said to take is about what it takes."""

import os
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

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


def sleepy(bars, *, a: int = 1, b: int = 1):
    """Takes 20 ms, whatever the parameters."""
    time.sleep(0.02)
    return invested(bars)


@remembered
def dear(frame, window):
    time.sleep(0.05)
    return frame.rolling(window, min_periods=1).mean()


def shared(bars, *, a: int = 1, b: int = 1):
    """Takes 50 ms for each distinct value of `a`, and little else."""
    return invested(bars) * (dear(bars.close, a) > 0)


def test_the_time_of_a_known_cost():
    settings = {"a": range(1, 31), "b": range(1, 31)}
    said = estimate(registry.get(sleepy), market(), settings)
    expected = 900 * 0.02 / WORKERS
    assert said.combinations == 900
    assert expected / 2 < said.seconds < expected * 2
    assert "900 combinations: about" in str(said)
    assert "spread evenly" in repr(said)


def said_and_done(strategy, bars, settings):
    """The estimate, and the sweep that takes about so long; a busy neighbour may spoil two of three tries."""
    for _ in range(3):
        said = estimate(strategy, bars, settings)
        begun = time.perf_counter()
        done = sweep(strategy, bars, settings)
        took = time.perf_counter() - begun
        if took / 3 < said.seconds < took * 3:
            return said, done
    return pytest.fail(f"{said.seconds:.2f} s were said, and it took {took:.2f}, three times")


def test_an_indicator_that_many_share_is_counted_once():
    settings = {"a": range(1, 21), "b": range(1, 41)}
    said, _ = said_and_done(registry.get(shared), market(), settings)
    assert said.seconds < 800 * 0.05 / WORKERS / 2


def test_the_time_of_a_real_strategy():
    bars, settings = market(T=2000), {"fast": range(2, 42), "slow": range(50, 90)}
    said, done = said_and_done(CROSS, bars, settings)
    assert len(done.table) == said.combinations == 1600


def test_the_memory():
    bars, settings = market(T=200), {"fast": range(2, 42), "slow": range(50, 150)}
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
    assert 25 / WORKERS / 2 < seconds < 50 / WORKERS
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


def test_a_guided_search_can_be_estimated():
    settings = {"a": range(1, 1001), "b": range(1, 1001)}
    said = estimate(registry.get(sleepy), market(), settings, search="optuna", trials=200)
    assert said.combinations == 200
    assert 200 * 0.02 / WORKERS / 2 < said.seconds < 200 * 0.05
