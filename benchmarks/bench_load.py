"""Ten million one-minute bars loaded, a symbol-year of them read, 500 symbols brought up to date.

All of it through `Desk.ingest` and `Desk.bars`, of an embedded desk and of one on PostgreSQL (a server of
this script's own). In the figure of a load: reading the Parquet file, all quality checks, the write in
transactions, the events. Peers, in the same run: the same rows by COPY into a plain table of that server
with a primary key, and into ArcticDB (an environment of its own, as it needs pandas 2). "beside" is one more
update once the lake holds the minutes too.

`bench_load.py [SYMBOLS]`: symbol-years of minutes, 102 by default, which is ten million bars.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from tapebook import Desk
from tapebook.data.calendar import expected_bars

FIELDS = ("open", "high", "low", "close", "volume")
SYMBOLS = int(sys.argv[1]) if len(sys.argv) > 1 and __name__ == "__main__" else 102
DAILY, DAYS, UPDATES = 500, 2520, 4

ARCTIC = """
import json, sys, time
import arcticdb, pandas as pd
folder = sys.argv[1]
library = arcticdb.Arctic(f"lmdb://{folder}/arctic?map_size=8GB").get_library("bars", create_if_missing=True)
begun = time.perf_counter()
rows = pd.read_parquet(f"{folder}/minutes.parquet")
rows["ts"] = rows["ts"].astype("datetime64[ns, UTC]").dt.tz_localize(None)
for name, part in rows.groupby("symbol", sort=False):
    library.write(name, part.drop(columns="symbol").set_index("ts"))
load = time.perf_counter() - begun
reads = []
for _ in range(9):
    begun = time.perf_counter(); frame = library.read("S007").data; reads.append(time.perf_counter() - begun)
days = pd.read_parquet(f"{folder}/days.parquet")
days["ts"] = days["ts"].astype("datetime64[ns, UTC]").dt.tz_localize(None)
for name, part in days.groupby("symbol", sort=False):
    library.write("D" + name, part.drop(columns="symbol").set_index("ts"))
begun = time.perf_counter()
one = pd.read_parquet(f"{folder}/day0.parquet")
one["ts"] = one["ts"].astype("datetime64[ns, UTC]").dt.tz_localize(None)
library.append_batch([
    arcticdb.WritePayload("D" + name, part.drop(columns="symbol").set_index("ts"))
    for name, part in one.groupby("symbol", sort=False)
])
update = time.perf_counter() - begun
print(json.dumps({"rows": len(rows), "load": load, "read": sorted(reads)[4], "update": update}))
"""


def walks(names: list[str], stamps: np.ndarray, step: float, seed: int) -> pl.DataFrame:
    """Random walks with fat tails, rounded to cents, symbol by symbol."""
    chance, T, N = np.random.default_rng(seed), len(stamps), len(names)
    close = np.round(100 * np.exp(np.cumsum(chance.standard_t(4, (N, T)) * step, axis=1)), 2)
    open_ = np.hstack([close[:, :1], close[:, :-1]]).ravel()
    close = close.ravel()
    return pl.DataFrame(
        {
            "symbol": pl.Series(names).gather(np.repeat(np.arange(N), T)),
            "ts": pl.Series(np.tile(stamps, N)).dt.replace_time_zone("UTC"),
            "open": open_,
            "high": np.maximum(open_, close) + 0.01,
            "low": np.minimum(open_, close) - 0.01,
            "close": close,
            "volume": chance.integers(1, 10_000, N * T).astype(float),
        }
    )


def make(folder: Path) -> int:
    """Write a year of minutes, ten years of days, and one more day; say how many minutes there are."""
    minutes = expected_bars("XNYS", "1m", "2019", "2019").tz_localize(None).to_numpy("datetime64[us]")
    parts = [
        walks([f"S{n:03}" for n in range(at, min(at + 10, SYMBOLS))], minutes, 4e-4, at)
        for at in range(0, SYMBOLS, 10)
    ]
    pl.concat(parts).write_parquet(folder / "minutes.parquet", row_group_size=122_880)
    days = (
        expected_bars("XNYS", "1d", "2010", "2021")
        .tz_localize(None)
        .to_numpy("datetime64[us]")[: DAYS + UPDATES]
    )
    table = walks([f"D{n:03}" for n in range(DAILY)], days, 0.01, 1)
    new = sorted(table["ts"].unique())[DAYS:]
    table.filter(pl.col("ts") < new[0]).write_parquet(folder / "days.parquet")
    for n, day in enumerate(new):
        table.filter(pl.col("ts") == day).write_parquet(folder / f"day{n}.parquet")
    return SYMBOLS * len(minutes)


@contextmanager
def server() -> Iterator[str | None]:
    """A PostgreSQL server with its settings as they come, or None where there is none to start."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if not found:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="tapebook-bench-"))
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if prefix:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def call(program: str, *args: str) -> None:
        run = [*prefix, str(found[-1] / program), *args]
        subprocess.run(run, check=True, cwd="/", stdout=subprocess.DEVNULL)

    call("initdb", "-D", str(folder / "db"), "-A", "trust", "-U", "tapebook")
    call(
        "pg_ctl",
        "-D",
        str(folder / "db"),
        "-w",
        "-l",
        f"{folder}/log",
        "-o",
        f"-p {port} -k {folder}",
        "start",
    )
    try:
        yield f"postgresql://tapebook@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(folder / "db"), "-m", "fast", "stop")
        shutil.rmtree(folder)


def took(act: Callable[[], Any]) -> tuple[float, float, Any]:
    """Seconds by the clock, seconds of processor of this process, and the answer."""
    begun, before = time.perf_counter(), os.times()
    answer = act()
    after = os.times()
    return time.perf_counter() - begun, after.user + after.system - before.user - before.system, answer


def ours(folder: Path, url: str | None) -> dict[str, float]:
    """Load, read and update a desk; a first small load takes what is done once a process."""
    home = folder / ("team" if url else "embedded")
    home.mkdir()
    (home / "tapebook.toml").write_text(f'database = "{url}"\n' if url else "")
    options: dict[str, Any] = {"calendar": "XNYS"}
    with Desk.open(home) as desk:
        warm = pl.read_parquet(folder / "day0.parquet").head(1).with_columns(symbol=pl.lit("WARM"))
        warm.write_parquet(folder / "one.parquet")
        desk.ingest("parquet", path=str(folder / "one.parquet"), **options)
        desk.ingest("parquet", path=str(folder / "days.parquet"), **options)
        updates = [_updated(desk, folder / f"day{n}.parquet", options) for n in range(UPDATES - 1)]
        load, cpu, done = took(
            lambda: desk.ingest("parquet", path=str(folder / "minutes.parquet"), freq="1m", **options)
        )
        assert not done.failed
        assert sum(row.added for row in done.rows) == sum(row.fetched for row in done.rows)
        reads = [took(lambda: desk.bars("S007", freq="1m")) for _ in range(12)][3:]
        beside, beside_cpu = _updated(desk, folder / f"day{UPDATES - 1}.parquet", options)
        assert len(desk.bars("D000")) == DAYS + UPDATES
    return {
        "load": load,
        "load cpu": cpu,
        "read": median(seconds for seconds, _, _ in reads),
        "read cpu": median(seconds for _, seconds, _ in reads),
        "update": median(seconds for seconds, _ in updates),
        "update cpu": median(seconds for _, seconds in updates),
        "beside": beside,
        "beside cpu": beside_cpu,
    }


def _updated(desk: Desk, path: Path, options: dict[str, Any]) -> tuple[float, float]:
    """Seconds, and seconds of processor, for one more day of all symbols."""
    events = len(desk.events(None, topics=["bars.updated"]))
    seconds, cpu, done = took(lambda: desk.ingest("parquet", path=str(path), **options))
    assert sum(row.added for row in done.rows) == DAILY
    assert len(desk.events(None, topics=["bars.updated"])) == events + 1
    return seconds, cpu


def copied(folder: Path, url: str) -> dict[str, float]:
    """The same rows by COPY into a table with the same key."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE plain (symbol text, ts timestamptz, open float8, high float8, low float8, "
            "close float8, volume float8, PRIMARY KEY (symbol, ts))"
        )

        def copy(name: str) -> None:
            table = pl.read_parquet(folder / f"{name}.parquet")
            with connection.cursor().copy("COPY plain FROM STDIN (FORMAT csv)") as to:
                for part in table.iter_slices(100_000):
                    to.write(part.write_csv(include_header=False, datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ"))

        def read() -> int:
            query = "SELECT ts, open, high, low, close, volume FROM plain WHERE symbol = 'S007' ORDER BY ts"
            return len(connection.execute(query).fetchall())

        load = took(lambda: copy("minutes"))[0]
        reads = [took(read)[0] for _ in range(5)]
        copy("days")
        return {"load": load, "read": median(reads), "update": took(lambda: copy("day0"))[0]}


def arctic(folder: Path) -> dict[str, float] | str:
    """ArcticDB's seconds, or why there are none."""
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else shutil.which("uv")
    if program is None:
        return "uv is not installed"
    run = [program, "run", "--no-project", "--isolated", "--with", "arcticdb", "--with", "pandas<3"]
    run += ["--with", "pyarrow", "--python", sys.executable, "python", "-c", ARCTIC, str(folder)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=900, check=False, cwd=folder)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it failed"])[-1]
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tapebook-bench-") as name, server() as url:
        folder = Path(name)
        folder.chmod(0o755)
        rows = make(folder)
        told: dict[str, dict[str, float]] = {"embedded": ours(folder, None)}
        if url:
            told["PostgreSQL"] = ours(folder, url)
            told["plain COPY"] = copied(folder, url)
        peer = arctic(folder)
        if isinstance(peer, dict):
            told["ArcticDB"] = peer
    print(f"{rows:,} one-minute bars of {SYMBOLS} symbols; {DAILY} symbols × {DAYS:,} days, and a day more")
    print(
        f"{'':14}{'rows a second':>16}{'cpu s':>8}{'read, ms':>10}{'cpu ms':>8}"
        f"{'update, s':>11}{'cpu s':>8}{'beside':>8}{'cpu s':>8}"
    )
    for name, found in told.items():
        speed = rows / found["load"]
        print(
            f"{name:14}{speed:16,.0f}{found.get('load cpu', np.nan):8.1f}{found['read'] * 1e3:10.1f}"
            f"{found.get('read cpu', np.nan) * 1e3:8.0f}{found['update']:11.3f}"
            f"{found.get('update cpu', np.nan):8.2f}{found.get('beside', np.nan):8.2f}"
            f"{found.get('beside cpu', np.nan):8.2f}"
        )
    for name in ("plain COPY", "ArcticDB"):
        if name in told:
            ratios = (
                f"{what} {told['embedded'][what] / told[name][what]:.2f} ×"
                for what in ("load", "read", "update")
            )
            print(f"embedded, beside {name}: time of " + ", ".join(ratios))
    if isinstance(peer, str):
        print(f"ArcticDB was not measured: {peer}")
    mine = [told[name] for name in ("embedded", "PostgreSQL") if name in told]
    fine = all(rows / m["load"] >= 500_000 and m["read"] < 0.05 and m["update"] < 1 for m in mine)
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
