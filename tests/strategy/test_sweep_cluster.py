"""Workers in other processes, a Dask cluster among them, give the table that threads give."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from tapebook.data.panel import Bars
from tapebook.strategy import indicators as ind
from tapebook.strategy import registry
from tapebook.strategy.compiled import ENTER, LEAVE, compiled
from tapebook.strategy.sweep.crew import received, sendable
from tapebook.strategy.sweep.sweep import estimate, sweep

CROSS = registry.get("sma_cross")
EDGE = 0.01


def market(N=2, T=300, seed=0):
    rng, names = np.random.default_rng(seed), [f"S{i}" for i in range(N)]
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)), index, names)
    return Bars.from_frames(close=close, calendars="XNYS")


def band(bars, *, window: int = 10, width: float = 1.0):
    """A function of this file, with an indicator and a constant of its own."""
    middle = ind.sma(bars.close, window)
    return bars.close > middle * (1 + width * EDGE), bars.close < middle


@compiled(days=5)
def rising(open, high, low, close, volume, p, flags):
    n = int(p[0])
    for t in range(n, close.shape[0]):
        flags[t] = ENTER if close[t] > close[t - n] else LEAVE


def from_a_file(folder):
    path = folder / "idea.py"
    path.write_text(
        "import pandas as pd\nfrom tapebook import strategy\nHALF = 0.5\n\n"
        "@strategy(name='half')\ndef idea(bars, *, share: float = 1.0):\n"
        "    return pd.DataFrame(share * HALF, bars.index, bars.close.columns)\n"
    )
    return registry.get(f"{path}:idea")


def asked(folder):
    return [
        (CROSS, {"fast": range(2, 8), "slow": [10, 20, 30]}),
        (registry.get(band), {"window": [5, 10, 20], "width": [0.5, 1.0]}),
        (rising, {"days": range(2, 12)}),
        (from_a_file(folder), {"share": [0.2, 0.5, 1.0]}),
    ]


def test_a_strategy_is_sent_by_name_or_with_its_code(tmp_path):
    assert sendable(CROSS) == "sma_cross"
    for found, _ in asked(tmp_path):
        again = received(sendable(found))
        assert (again.name, again.source_hash, again.parameters) == (
            found.name, found.source_hash, found.parameters,
        )  # fmt: skip
    assert received(sendable(rising))(market(), days=3).entries.equals(rising(market(), days=3).entries)

    def sma_cross(bars, *, fast: int = 1):
        return ind.sma(bars.close, fast)

    assert isinstance(sendable(registry.get(sma_cross)), bytes)  # not the library's, though named so


@pytest.mark.slow
def test_a_pool_of_processes(tmp_path):
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for found, settings in asked(tmp_path):
            away = sweep(found, market(), settings, executor=pool, alone=True).table
            pd.testing.assert_frame_equal(away, sweep(found, market(), settings, alone=True).table)


@pytest.mark.slow
def test_a_dask_cluster(tmp_path):
    from distributed import Client, LocalCluster

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0",
            protocol="tcp", host="127.0.0.1", local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        pool = client.get_executor()
        for found, settings in asked(tmp_path):
            for alone in (True, False):
                away = sweep(found, market(), settings, executor=pool, alone=alone)
                here = sweep(found, market(), settings, alone=alone)
                pd.testing.assert_frame_equal(away.table, here.table)
        guided = {"search": "optuna", "trials": 12}
        away = sweep(CROSS, market(), {"fast": range(2, 9), "slow": range(10, 40)}, executor=pool, **guided)
        here = sweep(CROSS, market(), {"fast": range(2, 9), "slow": range(10, 40)}, **guided)
        pd.testing.assert_frame_equal(away.table, here.table)
        assert (
            estimate(CROSS, market(), {"fast": range(2, 9), "slow": range(10, 40)}, executor=pool).seconds > 0
        )
        large = market(N=100, T=3000)  # 12 MB: sent once to each worker, not with every part
        assert len(sweep(CROSS, large, {"fast": [5, 10, 15], "slow": [50]}, executor=pool).table) == 3
