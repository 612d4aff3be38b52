"""What the benchmarks of sweeps share: a market, a compiled strategy, and how time is taken."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.strategy.compiled import ENTER, LEAVE, compiled

COSTS = {"fees": 0.001, "slippage": 0.0005}
YEAR = "252 days"


@dataclass(frozen=True)
class Taken:
    """Seconds: of the clock, and of all processors together."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any], runs: int) -> tuple[Taken, Any]:
    """The shortest of some runs, and what it gave."""
    best, answer = Taken(np.inf, np.inf), None
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        found = work()
        taken = Taken(time.perf_counter() - wall, time.process_time() - cpu)
        if taken.wall < best.wall:
            best, answer = taken, found
    return best, answer


def machine() -> str:
    return f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"


def market() -> Bars:
    """One symbol, 2,520 bars."""
    return mixed(1).select("A")


def mixed(N: int) -> Bars:
    """Some symbols, 2,520 bars each, named A, S1, S2, …"""
    steps = np.random.default_rng(0).normal(0.0003, 0.015, (N, 2_520)).T
    days = pd.bdate_range("2010-01-04", periods=2_520, tz="UTC")
    close = pd.DataFrame(100 * np.exp(np.cumsum(steps, axis=0)), days, ["A", *(f"S{i}" for i in range(1, N))])
    start = close.shift().fillna(100.0)
    return Bars.from_frames(open=start, high=close * 1.01, low=close * 0.99, close=close, calendars="XNYS")


@compiled(fast=10, slow=50)
def in_numba(open, high, low, close, volume, p, flags):  # type: ignore[no-untyped-def]  # noqa: ARG001
    """Written for numba; gap is the difference of the two means times fast × slow."""
    fast, slow = int(p[0]), int(p[1])
    one, other, before = close[slow - fast : slow].sum(), close[:slow].sum(), np.nan
    for t in range(slow - 1, close.shape[0]):
        if t >= slow:
            one += close[t] - close[t - fast]
            other += close[t] - close[t - slow]
        gap = one * slow - other * fast
        if gap > 0 and before <= 0:
            flags[t] = ENTER
        elif gap < 0 and before >= 0:
            flags[t] = LEAVE
        before = gap
