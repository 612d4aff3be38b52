"""Where a walk forward learns and where it trades: rolling, expanding and combinatorial purged splits.

Rows are numbers of bars, from 0. `purge` leaves out so many bars of learning next to what is traded,
because what is known of them reaches into it; `embargo` so many more after it. Both are stated in bars.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from tapebook.errors import BadParameter, NoData


@dataclass(frozen=True)
class Split:
    """One fold: runs of rows to learn from, and runs of rows to trade."""

    train: tuple[range, ...]
    test: tuple[range, ...]


def rolling(
    T: int, *, train: int, test: int, step: int | None = None, purge: int = 0, embargo: int = 0
) -> list[Split]:
    """Learn from the last `train` bars, trade the next `test`, go on by `step` (`test` by default).

    The last fold trades what is left, if that is fewer bars. Learning never follows what is traded, so
    an embargo leaves out nothing here.

    >>> rolling(10, train=4, test=3)[0]
    Split(train=(range(0, 4),), test=(range(4, 7),))
    """
    return _forward(T, train, test, step, purge, embargo, grows=False)


def expanding(
    T: int, *, train: int, test: int, step: int | None = None, purge: int = 0, embargo: int = 0
) -> list[Split]:
    """Learn from every bar so far, at first `train` of them; else as `rolling`."""
    return _forward(T, train, test, step, purge, embargo, grows=True)


def combinatorial(
    T: int, *, groups: int = 6, tests: int = 2, purge: int = 0, embargo: int = 0
) -> list[Split]:
    """Cut time into `groups`; trade every choice of `tests` of them, learn from the others.

    Purged on both sides of each traded run, with the embargo after it. López de Prado (2018), "Advances
    in Financial Machine Learning", chapters 7 and 12: (6, 2) makes 15 splits and 5 paths.

    >>> len(combinatorial(600)), len(paths(combinatorial(600)))
    (15, 5)
    """
    for name, value, least in (("groups", groups, 2), ("tests", tests, 1)):
        _whole(name, value, least)
    if tests >= groups:
        raise BadParameter("tests", tests, f"fewer than the {groups} groups: something must be learned from")
    _whole("purge", purge, 0)
    _whole("embargo", embargo, 0)
    if groups > T:
        raise NoData(f"{T:,} bars cannot be cut into {groups} groups: take fewer, or more bars")
    edges = np.linspace(0, T, groups + 1).astype(int).tolist()
    blocks = [range(a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]
    found = []
    for chosen in combinations(range(groups), tests):
        learn = np.ones(T, dtype=bool)
        for group in chosen:
            block = blocks[group]
            learn[max(block.start - purge, 0) : block.stop + purge + embargo] = False
        runs = _runs(learn)
        if not runs:
            said = f"smaller ones: nothing is left to learn from when groups {chosen} are traded"
            raise BadParameter("purge and embargo", (purge, embargo), said)
        found.append(Split(runs, tuple(blocks[group] for group in chosen)))
    return found


def paths(splits: list[Split]) -> list[dict[range, int]]:
    """Join combinatorial splits into whole histories: for each path, which split trades each group.

    Every group is traded in as many splits as there are paths; path j takes the j-th of them.
    """
    traded: dict[range, list[int]] = {}
    for number, split in enumerate(splits):
        for block in split.test:
            traded.setdefault(block, []).append(number)
    ordered = sorted(traded, key=lambda block: block.start)
    several = len(traded[ordered[0]])
    return [{block: traded[block][path] for block in ordered} for path in range(several)]


def _forward(
    T: int, train: int, test: int, step: int | None, purge: int, embargo: int, *, grows: bool
) -> list[Split]:
    step = test if step is None else step
    for name, value, least in (("train", train, 2), ("test", test, 1), ("step", step, 1)):
        _whole(name, value, least)
    _whole("purge", purge, 0)
    _whole("embargo", embargo, 0)
    if step < test:
        raise BadParameter("step", step, f"at least test ({test}): a bar can be traded once only")
    if train + purge >= T:
        needed = f"{train:,} to learn from, {purge:,} purged, at least 1 to trade"
        raise NoData(f"{T:,} bars are too few: {needed}. Take a shorter train, or more bars")
    found = []
    for start in range(train + purge, T, step):
        stop = start - purge
        learn = range(0 if grows else stop - train, stop)
        found.append(Split((learn,), (range(start, min(start + test, T)),)))
    return found


def _runs(chosen: np.ndarray) -> tuple[range, ...]:
    """Rows that are true, as runs."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(int)))
    return tuple(range(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _whole(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise BadParameter(name, value, f"a whole number of bars, at least {least}")
