"""The dual moving average of backtesting.py's own README under `optimize`, against tapebook.

backtesting.py is AGPL: it is no dependency of tapebook and never imported here. Give it an environment
of its own, and name its Python:

    python -m venv /tmp/peer && /tmp/peer/bin/pip install backtesting
    TAPEBOOK_PEER_PYTHON=/tmp/peer/bin/python python benchmarks/bench_sweep_backtesting.py
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pandas as pd

from bench_sweep import ours, plain_numpy
from bench_sweep_market import in_numba, machine, market, timed

PEER = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover

class Cross(Strategy):
    fast, slow = 10, 50
    def init(self):
        close = pd.Series(self.data.Close)
        self.one = self.I(lambda: close.rolling(self.fast).mean())
        self.other = self.I(lambda: close.rolling(self.slow).mean())
    def next(self):
        if crossover(self.one, self.other):
            self.buy()
        elif crossover(self.other, self.one):
            self.position.close()

if __name__ == "__main__":
    bars = pd.read_csv(sys.argv[1], index_col=0, parse_dates=True)
    every = int(sys.argv[2])
    test = Backtest(bars, Cross, cash=100_000, commission=0.001, spread=0.001)
    test.run()
    begun = time.perf_counter()
    _, heat = test.optimize(
        fast=range(2, 101, every), slow=range(2, 101, every), constraint=lambda p: p.fast < p.slow,
        maximize="Sharpe Ratio", return_heatmap=True,
    )
    print(json.dumps([time.perf_counter() - begun, len(heat)]))
"""
EVERY = 10
"""Of the windows one in so many is tried by the peer; its time is scaled up."""


def peer(python: str) -> tuple[float, int]:
    bars = market()
    frame = pd.DataFrame(
        {n.title(): bars.values[n][:, 0] for n in ("open", "high", "low", "close")}, bars.index
    )
    frame.index = frame.index.tz_localize(None)
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder) / "bars.csv", Path(folder) / "peer.py"
        frame.to_csv(data)
        script.write_text(PEER)
        said = subprocess.run(
            [python, str(script), str(data), str(EVERY)], check=True, capture_output=True, text=True
        ).stdout
    seconds, many = json.loads(said.splitlines()[-1])
    return seconds, many


def main() -> None:
    python = os.environ.get("TAPEBOOK_PEER_PYTHON")
    if not python:
        print(__doc__)
        return
    seconds, many = peer(python)
    bars = market()
    print(f"{machine()}; backtesting.py's optimize on all cores: {1e3 * seconds / many:.2f} ms a combination")
    for found in (plain_numpy, in_numba):
        ours(found, bars)
        taken, table = timed(lambda: ours(found, bars), 5)  # noqa: B023
        each = taken.wall / len(table)
        print(f"  tapebook, {found.name}, one thread: {1e6 * each:.1f} µs, {seconds / many / each:,.0f} ×")


if __name__ == "__main__":
    main()
