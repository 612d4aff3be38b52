"""One strategy, one symbol, all figures, in a fresh process: CPU time against plain vectorbt with stats()."""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

RUNS = 5

OURS = """
import pandas as pd
from tapebook import Bars
from tapebook.strategy.backtest.backtest import run_backtest
prices = pd.read_parquet(sys.argv[1])
bars = Bars.from_frames(**{name: prices[name] for name in prices}, calendars="XNYS")
done = run_backtest("sma_cross", bars, params={"fast": 10, "slow": 50})
print(done.metrics.frame()["value"].to_string())
"""

PLAIN = """
import pandas as pd
import vectorbt as vbt
prices = pd.read_parquet(sys.argv[1])
fast, slow = (vbt.MA.run(prices["close"], n) for n in (10, 50))
entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
pf = vbt.Portfolio.from_signals(
    prices["close"], entries.shift(1, fill_value=False), exits.shift(1, fill_value=False),
    price=prices["open"], fees=0.001, slippage=0.0005, init_cash=100_000, freq="1D",
)
print(pf.stats().to_string())
"""


def prices(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0003, 0.015, 3_270)))
    start = np.concatenate([[100.0], close[:-1]])
    frame = pd.DataFrame(
        {"open": start, "high": np.maximum(start, close), "low": np.minimum(start, close), "close": close},
        pd.bdate_range("2000-03-01", periods=len(close), tz="UTC"),
    )
    frame.to_parquet(folder / "prices.parquet")
    return folder / "prices.parquet"


def cpu(code: str, path: Path) -> float:
    """User and system seconds of a fresh process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", "import sys" + code, str(path)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = prices(Path(folder))
        for code in (OURS, PLAIN):
            cpu(code, path)  # fills the caches of both
        pairs = [(cpu(OURS, path), cpu(PLAIN, path)) for _ in range(RUNS)]
    ours, plain = (median(column) for column in zip(*pairs, strict=True))
    machine = f"{os.cpu_count()} cores, Python {sys.version.split()[0]}"
    print(f"{machine}; CPU seconds of a fresh process, median of {RUNS}")
    print(f"  plain vectorbt with stats()   {plain:6.2f}")
    print(f"  tapebook, all figures         {ours:6.2f}   {ours / plain:.2f} × (at most 0.33)")


if __name__ == "__main__":
    main()
