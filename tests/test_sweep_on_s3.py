"""A sweep by worker processes, on a team's desk whose bars lie in a bucket."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd
import pytest

from tapebook import Desk


def seen_by_a_worker(home):
    """What a process of its own reads from the bucket."""
    with Desk.open(home) as desk:
        return desk.bars(["A", "B"]).fingerprint()


@pytest.mark.slow
def test_a_sweep_by_processes_is_that_of_threads(postgres_url, s3_bucket, tmp_path):
    (tmp_path / "tapebook.toml").write_text(f'database = "{postgres_url}"\nlake = "{s3_bucket}/desk"\n')
    days = pd.bdate_range("2018-01-01", periods=300, tz="UTC")
    rng = np.random.default_rng(7)
    settings = {"fast": [2, 3, 5], "slow": [8, 13]}
    with Desk.open(tmp_path) as desk:
        for symbol in "AB":
            close = 50 * np.exp(np.cumsum(rng.normal(0.0004, 0.02, len(days))))
            prices = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close, "volume": 1.0}
            desk.lake.write(pd.DataFrame({"symbol": symbol, "freq": "1d", "ts": days, **prices}))
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            away = desk.sweep("sma_cross", ["A", "B"], executor=pool, **settings)
            assert pool.submit(seen_by_a_worker, tmp_path).result(120) == desk.bars(["A", "B"]).fingerprint()
        here = desk.sweep("sma_cross", ["A", "B"], **settings)
        pd.testing.assert_frame_equal(away.table, here.table)
        trials = desk.trials(batches=True)
        assert trials["count"].sum() == 6, "the same ideas, whoever tried them"
