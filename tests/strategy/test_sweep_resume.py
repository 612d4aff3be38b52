"""A sweep that is stopped is taken up again where it was, and only where it would say the same."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from tapebook.cli import main
from tapebook.data.panel import Bars
from tapebook.errors import BadInput, BadParameter
from tapebook.strategy import registry
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.store import KEY
from tapebook.strategy.sweep.sweep import sweep

CROSS = registry.get("sma_cross")
GRID = {"fast": [3, 5, 8], "slow": [12, 20, 30], "stop_loss": [None, 0.05]}


def market(N=1, T=200, seed=0):
    rng = np.random.default_rng(seed)
    index = pd.bdate_range("2010-01-04", periods=T, tz="UTC")
    close = pd.DataFrame(50 * np.exp(np.cumsum(rng.normal(0, 0.02, (T, N)), axis=0)), index, list("ABC")[:N])
    return Bars.from_frames(close=close, calendars="XNYS")


def counted(asked):
    def counts(bars, *, a: int = 1, b: int = 1):
        asked.append((a, b))
        return pd.DataFrame(a / (a + b), bars.index, bars.close.columns)

    return counts


@pytest.mark.parametrize("alone", [False, True])
def test_a_saved_part_gives_the_whole(tmp_path, alone):
    bars = market(N=2)
    part = sweep(CROSS, bars, GRID | {"slow": [12, 30]}, alone=alone)
    path = part.save(tmp_path / "deep" / "part.parquet")
    assert [p.name for p in path.parent.iterdir()] == ["part.parquet"]
    whole = sweep(CROSS, bars, GRID, alone=alone)
    for before in (path, str(path), part):
        pd.testing.assert_frame_equal(sweep(CROSS, bars, GRID, alone=alone, resume=before).table, whole.table)


def test_what_is_done_is_not_traded_again():
    asked = []
    found = registry.get(counted(asked))
    part = sweep(found, market(), {"a": [1, 2, 3], "b": [1, 2]})
    asked.clear()
    whole = sweep(found, market(), {"a": [1, 2, 3, 4], "b": [1, 2]}, resume=part)
    assert sorted(asked) == [(4, 1), (4, 2)]
    assert len(whole.table) == whole.asked == 8
    fewer = sweep(found, market(), {"a": [2, 3], "b": [2]}, resume=whole)
    assert fewer.table[["a", "b"]].to_numpy().tolist() == [[2, 2], [3, 2]]


def test_refused_combinations_are_counted_once():
    settings = {"fast": [5, 40], "slow": [12, 20]}
    part = sweep(CROSS, market(), settings)
    again = sweep(CROSS, market(), settings, resume=part)
    assert part.refused == again.refused == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bars": market(seed=1)}, "the bars are others"),
        ({"rules": Rules(fees=0.002)}, "fees was 0.001 and is 0.002"),
        ({"settings": {"fees": 0.002}}, "fees was 0.001 and is 0.002"),
        ({"settings": {"take_profit": 0.1}}, "take_profit was None and is 0.1"),
        ({"alone": False}, "only one of them trades each symbol alone"),
        ({"strategy": "donchian_breakout", "settings": {}}, "of the same settings"),
        ({"settings": {"size": [0.5, 1.0]}}, "of the same settings: fast, slow, stop_loss, size"),
    ],
    ids=lambda x: x if isinstance(x, str) else None,
)
def test_a_sweep_of_something_else_is_refused(tmp_path, change, said):
    path = sweep(CROSS, market(), GRID).save(tmp_path / "part.parquet")
    settings = GRID | change.get("settings", {})
    if "strategy" in change:
        settings = {"enter": [10, 20]}
    found = registry.get(change.get("strategy", "sma_cross"))
    options = {name: change[name] for name in ("rules", "alone") if name in change}
    with pytest.raises(BadParameter, match=said):
        sweep(found, change.get("bars", market()), settings, resume=path, **options)


def test_changed_code_is_refused():
    def same(bars, *, a: int = 1):
        return pd.DataFrame(a / 10, bars.index, bars.close.columns)

    one = sweep(registry.get(same), market(), {"a": [1, 2]})

    def same(bars, *, a: int = 1):
        return pd.DataFrame(a / 11, bars.index, bars.close.columns)

    with pytest.raises(BadParameter, match="the strategy's code has changed"):
        sweep(registry.get(same), market(), {"a": [1, 2, 3]}, resume=one)


def test_a_file_that_is_no_sweep(tmp_path):
    with pytest.raises(BadInput, match="there is no sweep at .*nothing.parquet"):
        sweep(CROSS, market(), GRID, resume=tmp_path / "nothing.parquet")
    (tmp_path / "text").write_text("fast,slow")
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        sweep(CROSS, market(), GRID, resume=tmp_path / "text")
    pd.DataFrame({"fast": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(BadInput, match="holds no sweep"):
        sweep(CROSS, market(), GRID, resume=tmp_path / "other.parquet")


def test_the_file_says_what_it_is(tmp_path):
    import pyarrow.parquet as pq

    path = sweep(CROSS, market(), GRID, rules=Rules(execution="same_close")).save(tmp_path / "x.parquet")
    told = json.loads(pq.read_schema(path).metadata[KEY])
    assert (told["strategy"], told["symbols"], told["complete"], told["asked"]) == (
        "sma_cross",
        ["A"],
        True,
        18,
    )
    assert "SAME CLOSE" in told["warning"]
    assert told["values"] == GRID


SLOW = """
import time
from pathlib import Path

import pandas as pd

def slow(bars, *, a: int = 1, b: int = 1):
    time.sleep(0.1)
    with Path(__file__).with_name("calls").open("a") as calls:
        calls.write(".")
    return pd.DataFrame(a / (a + b), bars.index, bars.close.columns)
"""


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(sample_home, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    out = tmp_path / "kept.parquet"
    grid = [f"{tmp_path}/slow.py:slow", "AAPL", "--start", "2008", "--a", "1:20", "--b", "1:20"]
    command = [
        sys.executable,
        "-m",
        "tapebook",
        "--home",
        str(sample_home),
        "sweep",
        *grid,
        "--out",
        str(out),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    calls, patience = tmp_path / "calls", time.monotonic() + 60
    while not (calls.exists() and calls.stat().st_size > 40) and time.monotonic() < patience:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=120)
    assert running.returncode == 130, stderr
    assert "stopped: " in stderr
    assert f"--resume {out}" in stderr
    assert "Traceback" not in stderr
    assert "of 400 combinations of a, b (stopped: go on with resume=)" in stdout
    done = len(pd.read_parquet(out))
    assert 1 <= done < 400
    few = ["--home", str(sample_home), "sweep", *grid[:4], "--a", "1:2", "--b", "1:2", "--resume", str(out)]
    more = CliRunner().invoke(main, few)
    assert "4 of 4 combinations" in more.output
    assert len(pd.read_parquet(out)) == 4
    other = CliRunner().invoke(main, [*few, "--fees", "0.01"])
    assert "fees was 0.001 and is 0.01" in other.output
