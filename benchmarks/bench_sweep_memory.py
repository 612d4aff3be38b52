"""Memory and time of a large sweep: 50,000 combinations × 20 symbols, a million rows of 23 figures."""

import gc
import sys
import time
from pathlib import Path

from bench_sweep_market import COSTS, in_numba, machine, mixed
from tapebook.strategy.rules import Rules
from tapebook.strategy.sweep.sweep import sweep


def megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":")) / 1024


def main(combinations: int) -> None:
    bars, rules = mixed(20), Rules(**COSTS, shared_cash=False)
    sweep(in_numba, bars.between(end=bars.index[200]), {"fast": [2, 3]}, rules=rules)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here on
    own, begun = megabytes("VmRSS"), time.perf_counter()
    done = sweep(
        in_numba, bars, {"fast": range(2, 252), "slow": range(260, 260 + combinations // 250)}, rules=rules
    )
    taken = time.perf_counter() - begun
    print(
        f"{machine()}; {combinations:,} combinations × 20 symbols: {len(done.table):,} rows in {taken:.1f} s"
    )
    print(f"  peak above the process's own {own:.0f} MB: {megabytes('VmHWM') - own:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
