"""Eight writers and eight readers on one PostgreSQL desk: how many a second, and how long they take.

Each writer is a process that upserts batches (new bars of four symbols, and the same ten bars of a fifth one
replaced) through `Lake.write`; each reader asks for all of it, long and wide, and checks that every batch is
whole, that none it has seen is gone, and at the end that none is lost or doubled. A writer that raises, or
a reader that sees half a batch, ends the benchmark with an error.

`bench_team.py [SECONDS]`, 120 by default.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tests")]

from bench_load import server  # noqa: E402
from contracts import lake_processes as processes  # noqa: E402
from tapebook.config import Config  # noqa: E402
from tapebook.data.lake import Lake  # noqa: E402

SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 and __name__ == "__main__" else 120.0
EACH = 8


def work(config: Config, kind: str, who: int, ready: Any, told: Any, seconds: float) -> None:
    """Write or read until the time is over; tell how long each took."""
    with Lake.open(config) as lake:
        lake.listing()  # what a process does once is no part of the figures
    taken: list[float] = []
    name = "write" if kind == "wrote" else "sql"
    plain = getattr(Lake, name)

    def timed(self: Lake, *args: Any, **given: Any) -> Any:
        begun = time.perf_counter()
        answer = plain(self, *args, **given)
        taken.append(time.perf_counter() - begun)
        return answer

    setattr(Lake, name, timed)
    act = processes.write if kind == "wrote" else processes.read
    act(config, who, seconds, told, ready=ready)
    told.put((f"{kind} times", who, taken))


def together(config: Config, seconds: float, each: int = EACH) -> dict[str, Any]:
    """Run the processes; return what they told, by kind."""
    context = multiprocessing.get_context("spawn")
    ready, told = context.Barrier(2 * each), context.Queue()
    jobs = [
        context.Process(target=work, args=(config, kind, who, ready, told, seconds))
        for kind in ("wrote", "read")
        for who in range(each)
    ]
    for job in jobs:
        job.start()
    found: dict[str, Any] = {"wrote": {}, "read": {}, "wrote times": [], "read times": []}
    for _ in range(2 * len(jobs)):
        kind, who, what = told.get(timeout=seconds + 120)
        if kind.endswith("times"):
            found[kind] += what
        else:
            found[kind][f"w{who}" if kind == "wrote" else who] = what
    for job in jobs:
        job.join(30)
    assert all(job.exitcode == 0 for job in jobs), "a process failed: see its traceback"
    with Lake.open(config) as lake:
        assert processes.whole_batches(lake) == found["wrote"], "a batch was lost or doubled"
    return found


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="tapebook-bench-") as name, server() as url:
        if url is None:
            print("no PostgreSQL server is installed: nothing was measured")
            return 0
        database = url.replace("postgresql://", "postgresql+psycopg://")
        config = replace(Config.load(name), database=database)
        with Lake.open(config) as lake:
            lake.write()  # makes the tables
        begun = time.perf_counter()
        found = together(config, SECONDS)
        seconds = time.perf_counter() - begun
    print(f"{EACH} writers and {EACH} readers for {SECONDS:.0f} s on PostgreSQL: no error, no batch lost")
    for kind, what in (("wrote", "writes of 110 bars"), ("read", "questions over all bars")):
        times = np.array(found[f"{kind} times"])
        print(
            f"{what:24} {len(times):6,}  {len(times) / SECONDS:6.1f} a second  "
            f"median {np.median(times):6.3f} s  99 % {np.quantile(times, 0.99):6.3f} s  "
            f"longest {times.max():6.3f} s"
        )
    print(f"{seconds:.0f} s in all, from the first process's start to the last one's end")
    return 0


if __name__ == "__main__":
    sys.exit(main())
