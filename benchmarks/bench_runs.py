"""Runs of the backtest template: warm kernels against papermill's library call and its command line.

Everything is measured in turns in one run of this file, on a desk of its own with the sample. The peers
execute the same template with the kernel `python3`, one after the other, as papermill does; tapebook takes
20 different settings as one batch through a fork server that is warm. The first run of a cold worker and
papermill's first are fresh processes, from the start of Python to the end of the run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import redirect_stderr
from io import StringIO
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROUNDS = 2
OURS, LIBRARY, COMMAND, COLD = 20, 3, 2, 1  # runs a round
TEMPLATE = Path(__file__).parents[1] / "notebooks" / "templates" / "backtest.ipynb"
FAST = count(3)
COLD_WORKER = """
from tapebook import Desk
from tapebook.runs import run
from tapebook.runs.warm import serving
with Desk.open() as desk, serving(desk.config) as kernels:
    done = run(desk.config, "backtest", {"params": "fast=%d slow=90"}, kernels=kernels)
    assert done.manifest["kernel"] == "warm", done.manifest["kernel"]
"""
COLD_PAPERMILL = """
import papermill
papermill.execute_notebook(%r, %r, {"params": "fast=%d slow=90"}, kernel_name="python3", progress_bar=False)
"""


def settings() -> str:
    """Parameters that were not run before."""
    return f"fast={next(FAST)} slow=90"


def library(out: Path) -> None:
    import papermill

    papermill.execute_notebook(
        str(TEMPLATE), str(out), {"params": settings()}, kernel_name="python3", progress_bar=False
    )


def command(out: Path) -> None:
    papermill = str(Path(sys.executable).with_name("papermill"))
    options = ["-k", "python3", "--no-progress-bar", "-p", "params", settings()]
    subprocess.run([papermill, str(TEMPLATE), str(out), *options], check=True, capture_output=True)


def fresh(code: str) -> None:
    """Run code in a new Python."""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def timed(act, *args) -> float:  # noqa: ANN001
    start = time.perf_counter()
    act(*args)
    return time.perf_counter() - start


def computed(server: int | None) -> float:
    """CPU seconds of this process, of the fork server, and of its kernels that have ended (Linux)."""
    said = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + sum(map(int, said[11:15])) / os.sysconf("SC_CLK_TCK")


def measure(home: Path) -> dict[str, list[float]]:
    """Seconds a run of each way, one figure a round or a run."""
    from tapebook import Desk
    from tapebook.runs import run_many
    from tapebook.runs.warm import serving

    taken: dict[str, list[float]] = {
        name: [] for name in ("ours", "computing", "library", "command", "cold", "cold papermill")
    }
    out = home / "out.ipynb"
    with Desk.open(home) as desk:
        desk.ingest("sample")
        with serving(desk.config) as kernels:
            kernels.wait()
            run_many(desk.config, "backtest", [{"params": settings()}], kernels=kernels)
            library(out)  # both have been used once
            for _ in range(ROUNDS):
                taken["library"] += [timed(library, out) for _ in range(LIBRARY)]
                taken["command"] += [timed(command, out) for _ in range(COMMAND)]
                cases = [{"params": settings()} for _ in range(OURS)]
                start, used = time.perf_counter(), computed(kernels.pid)
                done = run_many(desk.config, "backtest", cases, kernels=kernels)
                taken["ours"].append((time.perf_counter() - start) / OURS)
                taken["computing"].append((computed(kernels.pid) - used) / OURS)
                assert done.counts == {"succeeded": OURS}, done.frame().error.dropna().to_list()
                begun = {desk.load_run(id).manifest["kernel"] for id in done.run_ids}
                assert begun == {"warm"}, begun
        for _ in range(ROUNDS * COLD):
            taken["cold papermill"].append(
                timed(fresh, COLD_PAPERMILL % (str(TEMPLATE), str(out), next(FAST)))
            )
            taken["cold"].append(timed(fresh, COLD_WORKER % next(FAST)))
    return taken


def main() -> None:
    os.environ.pop("TAPEBOOK_KERNELS", None)
    with TemporaryDirectory(prefix="tapebook-bench-") as folder, redirect_stderr(StringIO()):
        home = Path(folder)
        (home / "tapebook.toml").write_text(f'notebooks = "{TEMPLATE.parents[1]}"\n')
        os.environ["TAPEBOOK_HOME"] = folder
        taken = measure(home)
    ours = sum(taken["ours"]) / len(taken["ours"])
    print(f"{'':34}{'s a run':>10}{'a minute':>10}{'× papermill':>13}")
    for name, key in (
        ("tapebook, warm, batches of 20", "ours"),
        ("papermill's library call", "library"),
        ("papermill's command line", "command"),
    ):
        mean = sum(taken[key]) / len(taken[key])
        print(f"{name:34}{mean:10.2f}{60 / mean:10.1f}{mean / ours:13.1f}")
    print(f"{'CPU time of one of ours':34}{sum(taken['computing']) / len(taken['computing']):10.2f}")
    for name, key in (("first run of a cold worker", "cold"), ("first run of papermill", "cold papermill")):
        print(f"{name:34}{median(taken[key]):10.2f}")


if __name__ == "__main__":
    main()
