"""What it costs to start: fresh processes, CPU and wall time, against `import pandas` in the same run."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from statistics import median

RUNS = 9
CASES = {
    "import pandas": ["-c", "import pandas"],
    "import tapebook": ["-c", "import tapebook"],
    "tapebook --help": ["-m", "tapebook", "--help"],
}


def cost(arguments: list[str]) -> tuple[float, float]:
    """Seconds of wall and of CPU (user + system) of one fresh process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for run in range(RUNS + 1):  # in turn, so that a slow minute slows all of them; the first is a warm-up
        for name, arguments in CASES.items():
            figures = cost(arguments)
            if run:
                taken[name].append(figures)
    peer = [median(column) for column in zip(*taken["import pandas"], strict=True)]
    print(f"{'':20}{'wall s':>10}{'CPU s':>10}{'wall ×':>10}{'CPU ×':>10}   (× of import pandas)")
    for name, figures in taken.items():
        wall, cpu = (median(column) for column in zip(*figures, strict=True))
        print(f"{name:20}{wall:10.3f}{cpu:10.3f}{wall / peer[0]:10.2f}{cpu / peer[1]:10.2f}")


if __name__ == "__main__":
    main()
