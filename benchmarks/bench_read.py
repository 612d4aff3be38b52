"""Reading 500 symbols × 2,520 daily bars into five wide frames, against others, on the same data.

The peer is DuckDB on one sorted Parquet file, made wide by hand with numpy: for any table (`by hand`),
and for one that is known to be full and sorted (`by hand, full`), which is as little as can be done.
ArcticDB runs in an environment of its own, as it needs pandas 2.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from tapebook.config import Config
from tapebook.data.lake import Lake

SYMBOLS, DAYS, RUNS = 500, 2520, 9
FIELDS = ("open", "high", "low", "close", "volume")
TARGET = 1.5

ARCTIC = """
import json, sys, time
import arcticdb, pandas as pd
folder, runs = sys.argv[1], int(sys.argv[2])
library = arcticdb.Arctic(f"lmdb://{folder}/arctic").get_library("bars", create_if_missing=True)
rows = pd.read_parquet(f"{folder}/bars.parquet")
rows["ts"] = rows["ts"].astype("datetime64[ns, UTC]").dt.tz_localize(None)
fields = ["open", "high", "low", "close", "volume"]
names = list(rows.symbol.unique())
for field in fields:  # one wide frame a field: its best case
    library.write("wide-" + field, rows.pivot(index="ts", columns="symbol", values=field))
for name, part in rows.groupby("symbol", sort=False):
    library.write(name, part.set_index("ts")[fields])

def wide():
    return [library.read("wide-" + field).data for field in fields]

def by_symbol():
    parts = [item.data for item in library.read_batch(names)]
    return [pd.DataFrame({name: part[field] for name, part in zip(names, parts)}) for field in fields]

def took(read):
    start = time.perf_counter(); frames = read(); end = time.perf_counter()
    assert all(frame.shape == (len(rows) // len(names), len(names)) for frame in frames)
    return end - start

print(json.dumps({read.__name__: [took(read) for _ in range(runs + 1)][1:] for read in (wide, by_symbol)}))
"""


def made() -> pa.Table:
    """Random walks, sorted by symbol and time."""
    chance = np.random.default_rng(0)
    names = [f"S{number:04}" for number in range(SYMBOLS)]
    days = pd.bdate_range("2015-01-01", periods=DAYS, tz="UTC").as_unit("us")
    close = 100 * np.exp(np.cumsum(chance.normal(0, 0.01, (SYMBOLS, DAYS)), axis=1)).ravel()
    prices = {"open": close * 1.001, "high": close * 1.01, "low": close * 0.99, "close": close}
    prices["volume"] = chance.integers(1, 1_000_000, SYMBOLS * DAYS).astype(float)
    keys = {"symbol": np.repeat(names, DAYS), "freq": pa.repeat("1d", SYMBOLS * DAYS)}
    return pa.table(
        {**keys, "ts": pa.array(np.tile(days.asi8, SYMBOLS)).cast(pa.timestamp("us", "UTC")), **prices}
    )


def splits(table: pa.Table) -> pd.DataFrame:
    """One split and one dividend for each symbol."""
    names = table.column("symbol").unique().to_pandas()
    day = pd.Timestamp("2020-01-02", tz="UTC")
    return pd.DataFrame({"symbol": names, "ts": day, "split": 2.0, "dividend": 0.5})


def hand(connection: duckdb.DuckDBPyConnection, file: Path) -> list[pd.DataFrame]:
    """Any long table to wide frames."""
    found = connection.execute(f"SELECT symbol, ts, {', '.join(FIELDS)} FROM '{file}'").to_arrow_table()
    symbols = found.column("symbol").dictionary_encode().combine_chunks()
    index, rows = np.unique(found.column("ts").cast(pa.int64()).to_numpy(), return_inverse=True)
    frames = []
    for field in FIELDS:
        block = np.full((len(index), len(symbols.dictionary)), np.nan)
        block[rows, symbols.indices.to_numpy()] = found.column(field).to_numpy()
        frames.append(pd.DataFrame(block, pd.to_datetime(index, unit="us"), symbols.dictionary.to_pylist()))
    return frames


def hand_full(connection: duckdb.DuckDBPyConnection, file: Path) -> list[pd.DataFrame]:
    """A full and sorted table to wide frames: a reshape."""
    found = connection.execute(f"SELECT symbol, ts, {', '.join(FIELDS)} FROM '{file}'").to_arrow_table()
    symbols = found.column("symbol").unique().to_pylist()
    index = pd.to_datetime(found.column("ts").slice(0, len(found) // len(symbols)).to_numpy())
    return [
        pd.DataFrame(found.column(field).to_numpy().reshape(len(symbols), -1).T, index, symbols)
        for field in FIELDS
    ]


def measured(cases: dict[str, Callable[[], list[pd.DataFrame]]]) -> dict[str, float]:
    """Median seconds, case after case in turn, so that a slow minute slows all of them."""
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(RUNS + 1):
        for name, case in cases.items():
            start = time.perf_counter()
            frames = case()
            taken[name].append(time.perf_counter() - start)
            assert all(frame.shape == (DAYS, SYMBOLS) for frame in frames)
    return {name: median(times[1:]) for name, times in taken.items()}


def arctic(folder: Path) -> dict[str, float] | str:
    """ArcticDB's medians, or why there are none."""
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is None:
        return "uv is not installed"
    run = [program, "run", "--no-project", "--isolated", "--with", "arcticdb", "--with", "pandas<3"]
    run += ["--with", "pyarrow", "--python", sys.executable, "python", "-c", ARCTIC, str(folder), str(RUNS)]
    try:
        done = subprocess.run(run, capture_output=True, text=True, timeout=600, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        return "it took more than ten minutes"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    times = json.loads(done.stdout.splitlines()[-1])
    return {f"ArcticDB, {name.replace('_', ' ')}": median(seconds) for name, seconds in times.items()}


def cases_on(folder: Path, lake: Lake) -> dict[str, Callable[[], list[pd.DataFrame]]]:
    table, file = made(), folder / "bars.parquet"
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = true")
    connection.register("made", table)
    connection.execute(f"COPY (SELECT * EXCLUDE freq FROM made ORDER BY symbol, ts) TO '{file}'")
    lake.write(table, actions=splits(table))
    names = table.column("symbol").unique().to_pylist()

    def ours(adjust: str | bool) -> list[pd.DataFrame]:
        bars = lake.bars(names, adjust=adjust)  # type: ignore[arg-type]
        return [getattr(bars, field) for field in FIELDS]

    return {
        "by hand": lambda: hand(connection, file),
        "by hand, full": lambda: hand_full(connection, file),
        "tapebook, raw": lambda: ours(False),
        "tapebook, splits": lambda: ours("splits"),
        "tapebook, total": lambda: ours("total"),
    }


def main() -> int:
    with tempfile.TemporaryDirectory() as name, Lake.open(Config.load(name)) as lake:
        cases = cases_on(Path(name), lake)
        for ours, theirs in zip(cases["tapebook, raw"](), cases["by hand"](), strict=True):
            assert np.array_equal(ours.to_numpy(), theirs.to_numpy())
        found = measured(cases)
        others = arctic(Path(name))
    told = found | (others if isinstance(others, dict) else {})
    print(f"{SYMBOLS} symbols × {DAYS:,} bars into five wide frames, median of {RUNS}")
    print(f"{'':22}{'seconds':>10}{'× by hand':>12}{'× full':>10}")
    peer, full = told["by hand"], told["by hand, full"]
    for name, seconds in told.items():
        print(f"{name:22}{seconds:10.3f}{seconds / peer:12.2f}{seconds / full:10.2f}")
    if isinstance(others, str):
        print(f"ArcticDB was not measured: {others}")
    return 0 if told["tapebook, splits"] <= TARGET * told["by hand"] else 1


if __name__ == "__main__":
    sys.exit(main())
