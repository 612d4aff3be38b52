"""How much history a decision needs: does an earlier or later start of the bars change it?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tapebook.strategy.lookahead.altered import Decided, differences, first, jittered, started, value
from tapebook.strategy.lookahead.causality import Leak

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

STARTS = 12
"""Later starts of history that are tried."""


@dataclass(frozen=True)
class Memory:
    """Bars after which decisions agree (None: not known, or `recursive`), and the first that changed."""

    bars: int | None = None
    recursive: bool = False
    first: Leak | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Start:
    row: int
    settled: int  # bars after this start until decisions agree for good
    first: Leak | None  # the first change in the second half of what is left, else the first of all


def starts(rows: int) -> list[int]:
    """Rows at which history is made to start: up to 12, evenly, over the first 60 %."""
    last = rows * 3 // 5
    return [] if last < 1 else sorted({int(row) for row in np.linspace(1, last, STARTS)})


def warm_up(
    run: Callable[[Bars], Decided], whole: Decided, bars: Bars, report: Callable[[int, str], None]
) -> Memory:
    """Measure after how many bars a later start of history no longer changes any decision.

    The largest number seen over the starts tried, so at least the true one less the longest stretch
    between two signals. All of history counts when decisions differ for more than half of what is
    left, and for much longer from some starts than from others: an average since the first bar, a
    count of bars. A window too long for these bars looks the same. Decisions that rounding alone
    turns are left out: a running mean's last digit depends on where it started.
    """
    ties = _ties(run, whole, bars)
    tried, failed = [], ""
    for done, row in enumerate(starts(len(bars))):
        report(done, f"history from {bars.index[row].date()} on")
        try:
            tried.append(_start(run, whole, bars, row, ties))
        except Exception as error:
            failed = f"{type(error).__name__}: {error}"
    if not tried:
        return Memory(reason=f"the warm-up was not measured: {failed or 'there are too few bars'}")
    return _memory(tried, len(bars))


def _ties(run: Callable[[Bars], Decided], whole: Decided, bars: Bars) -> dict[str, np.ndarray]:
    """Decisions that a last digit turns, by part."""
    found: dict[str, np.ndarray] = {}
    for seed, sign in ((0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)):
        try:
            turned = differences(whole, run(jittered(bars, seed, sign)))
        except Exception:
            continue  # without it a tie may lengthen the warm-up; that is all
        for part, block in turned.items():
            found[part] = block | found[part] if part in found else block
    return found


def _start(
    run: Callable[[Bars], Decided], whole: Decided, bars: Bars, row: int, ties: dict[str, np.ndarray]
) -> _Start:
    later = run(started(bars, row))
    found = differences(whole, later, slice(row, None))
    found = {part: block & ~ties[part][row:] if part in ties else block for part, block in found.items()}
    changed = np.flatnonzero(np.any([block.any(axis=1) for block in found.values()], axis=0))
    if not len(changed):
        return _Start(row, 0, None)
    half = (len(bars) - row) // 2  # a change that late says more than one in the first bars
    late = {part: block & (np.arange(len(block)) >= half)[:, None] for part, block in found.items()}
    place = first(late) or first(found)
    assert place is not None
    at, part, column = place
    before, after = value(whole, (row + at, part, column)), value(later, place)
    stamp, symbol = bars.index[row + at], bars.symbols[column]
    leak = Leak(stamp, symbol, part, "", bars.index[row], "started", before, after)
    return _Start(row, int(changed[-1]) + 1, leak)


def _memory(tried: list[_Start], rows: int) -> Memory:
    worst = max(tried, key=lambda start: start.settled)
    left = [rows - start.row for start in tried]
    shares = [start.settled / bars for start, bars in zip(tried, left, strict=True)]
    longer = [
        start.settled
        for start, bars in zip(tried, left, strict=True)
        if bars > worst.settled and start is not worst
    ]
    if max(shares) >= 0.5 and (not longer or min(longer) < worst.settled / 2):
        return Memory(recursive=True, first=tried[int(np.argmax(shares))].first)
    return Memory(bars=worst.settled, first=worst.first)
