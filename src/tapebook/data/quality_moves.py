"""What is odd about the way from one close to the next, once the actions on record are allowed for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tapebook.data.quality_bars import Finding

if TYPE_CHECKING:
    import polars as pl

    from tapebook.schema import Frequency

RATIOS = (2.0, 3.0, 1.5, 4.0, 5.0, 10.0, 20.0)
NEAR = 0.03
"""How near to a split's ratio a jump must be, as a share of it."""
FEWER, MORE = (1 + NEAR) / min(RATIOS), min(RATIOS) * (1 - NEAR)
"""Between these a jump is near no ratio."""
SPIKE = 8.0
"""A print is bad when it lies so many times the usual (median) move away, and comes back."""
LARGE = 0.25
"""A move of one bar that is worth a word, whatever its cause."""
FAR = 0.05
"""A move that comes back is a bad print if it is larger."""
FEWEST, WINDOW, BLOCK = 3, 61, 20_000
"""Closes that a symbol must have, moves of which a median is taken, and moves that are looked at together."""


Actions = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Of one symbol: from when on each action holds, its split (1 for none), its dividend (0 for none)."""
Record = dict[int, Actions]


@dataclass(frozen=True)
class _Step:
    """From one close to the next bar with one; `split` and `dividend` are what is on record between."""

    before: float
    open: float
    close: float
    split: float
    dividend: float

    def worth(self, price: float) -> float:
        """What one share held before is worth after, at `price`."""
        return price * self.split + self.dividend


def jumps(
    stamps: np.ndarray,
    values: dict[str, np.ndarray],
    starts: np.ndarray,
    record: Record,
) -> list[Finding]:
    """Bad prints, moves like a split, splits that the price does not show, and large moves.

    Parameters
    ----------
    stamps : datetime64[us], shape (T,)
        Of one symbol after the other, sorted within each.
    values : dict of float64, shape (T,)
        The fields, raw.
    starts : int, shape (N,)
        First row of each symbol.
    record : dict
        Moments, splits and dividends on record of the symbols that have any, by their position.
    """
    rows = np.flatnonzero(values["close"] > 0)
    ends = np.searchsorted(rows, np.append(starts, len(values["close"])))
    paths = _Paths.of(stamps, values, rows, ends, record)
    unusual = _unusual(paths.moves, paths.ends)
    returned = _returned(paths, unusual)
    prints = returned * (np.abs(paths.moves[unusual]) > FAR)
    found: list[Finding | None] = []
    for i, bars in _told_apart(unusual, prints, paths.stays(unusual)):
        row = int(paths.rows[i + 1])
        jump = _bad_print(row, float(np.expm1(paths.moves[i])), bars) if bars else _jump(row, paths.step(i))
        found.append(jump)
    return [finding for finding in found if finding is not None]


@dataclass(frozen=True)
class _Paths:
    """Closes of one symbol after the other; move i leads to close i + 1, and is NaN to another symbol.

    `rows` says where the closes stand, `ends` where each symbol ends among them; both of those with three
    closes at least. `splits` and `dividends` are what is on record between a close and the one before.
    """

    rows: np.ndarray
    ends: np.ndarray
    opens: np.ndarray
    closes: np.ndarray
    splits: np.ndarray
    dividends: np.ndarray
    moves: np.ndarray

    @classmethod
    def of(
        cls,
        stamps: np.ndarray,
        values: dict[str, np.ndarray],
        rows: np.ndarray,
        bounds: np.ndarray,
        record: Record,
    ) -> _Paths:
        """Put the closes at `rows` in a line; `bounds` says where each symbol's begin and end."""
        sizes = np.diff(bounds)
        many = sizes >= FEWEST
        if not many.all():
            rows = rows[np.repeat(many, sizes)]
        ends = np.cumsum(sizes[many])
        opens, closes = values["open"], values["close"]
        if len(rows) < len(closes):
            opens, closes = opens[rows], closes[rows]
        splits, dividends = np.ones(len(rows)), np.zeros(len(rows))
        for at, end, size in zip(np.flatnonzero(many).tolist(), ends.tolist(), sizes[many], strict=True):
            if at in record:
                mine = slice(end - int(size), end)
                splits[mine], dividends[mine] = _on_record(stamps[rows[mine]], record[at])
        worth = closes * splits + dividends if record else closes
        moves = np.log(worth[1:] / closes[:-1])
        moves[ends[:-1] - 1] = np.nan
        return cls(rows, ends, opens, closes, splits, dividends, moves)

    def stays(self, at: np.ndarray) -> np.ndarray:
        """Whether there is a word to say of these moves if they stay: quick, where `_jump` is exact."""
        before, split, dividend = self.closes[at], self.splits[at + 1], self.dividends[at + 1]
        opens, closes = (price[at + 1] * split + dividend for price in (self.opens, self.closes))
        told: np.ndarray = (split != 1) | ~(np.abs(closes - before) < LARGE * before * (1 - 1e-9))
        for worth in (opens, closes):
            told |= (before < FEWER * (1 + 1e-9) * worth) | (before > MORE * (1 - 1e-9) * worth)
        return told

    def step(self, i: int) -> _Step:
        """Move `i`, in words of prices."""
        to = i + 1
        return _Step(self.closes[i], self.opens[to], self.closes[to], self.splits[to], self.dividends[to])


def _told_apart(unusual: np.ndarray, prints: np.ndarray, stays: np.ndarray) -> Iterator[tuple[int, int]]:
    """Each unusual move, and within how many bars it came back (0: it stayed); not those that lead back."""
    back = -1
    worth = np.flatnonzero((prints > 0) | stays)
    for i, bars in zip(unusual[worth].tolist(), prints[worth].tolist(), strict=True):
        if i > back:
            yield i, bars
            back = i + bars if bars else back


def on_record(
    actions: pl.DataFrame, symbols: Sequence[str], calendars: Sequence[str], freq: Frequency
) -> Record:
    """Arrange actions (symbol, ts, split, dividend) by the position of their symbols."""
    where = {symbol: at for at, symbol in enumerate(symbols)}
    dates = actions["ts"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    at = np.array([where.get(name, -1) for name in actions["symbol"].to_list()], dtype=np.int64)
    if freq.intraday:
        from tapebook.data.adjust import moments

        dates = moments(dates, [calendars[place] for place in at])
    # 0 means none in either column, as in the lake
    split = actions["split"].fill_null(1.0).fill_nan(1.0).to_numpy()
    dividend = actions["dividend"].fill_null(0.0).fill_nan(0.0).to_numpy()
    order = np.argsort(at, kind="stable")
    places, first = np.unique(at[order], return_index=True)
    parts = zip(places.tolist(), np.split(order, first[1:]), strict=True)
    return {
        place: (dates[mine], np.where(split > 0, split, 1.0)[mine], dividend[mine])
        for place, mine in parts
        if place >= 0
    }


def _on_record(stamps: np.ndarray, actions: Actions) -> tuple[np.ndarray, np.ndarray]:
    """Split and dividend at each bar: those since the bar before, so that a halt or a week hides none."""
    splits, dividends = np.ones(len(stamps)), np.zeros(len(stamps))
    moments, split, dividend = actions
    at = np.searchsorted(stamps, moments, side="left")
    there = at < len(stamps)
    np.multiply.at(splits, at[there], split[there])
    np.add.at(dividends, at[there], dividend[there])
    return splits, dividends


def _bad_print(row: int, move: float, bars: int) -> Finding:
    told = f"moved {move:+.1%} and came back within {bars} {'bars' if bars > 1 else 'bar'}"
    return ("bad_print", "warning", row, move, told)


def _jump(row: int, step: _Step) -> Finding | None:
    """Say what a jump that stays looks like; the open is nearer to a split's ratio than the close."""
    raw = step.close / step.before - 1
    if step.split != 1 and abs(np.log1p(raw)) < abs(np.log(step.split)) / 2:
        told = f"a split of {_spoken(step.split)} is on record, and the price moved {raw:+.1%}"
        return ("split_unseen", "warning", row, raw, f"{told}: are these prices adjusted already?")
    for price in (step.open, step.close):
        ratio = step.before / step.worth(price) if price > 0 else np.nan
        if not ratio < FEWER and not ratio > MORE:
            continue
        for split in (f for k in RATIOS for f in (k, 1 / k)):
            if abs(ratio / split - 1) <= NEAR:
                return ("split_like", "warning", row, float(ratio), _told(step, raw, split))
    move = step.worth(step.close) / step.before - 1
    if abs(move) < LARGE:
        return None
    return ("jump", "info", row, float(move), f"moved {move:+.1%} in one bar and stayed")


def _told(step: _Step, raw: float, split: float) -> str:
    if step.split == 1:
        return f"moved {raw:+.1%}, like a split of {_spoken(split)}, and no split is on record"
    whole = _spoken(step.split * split)
    return f"moved {raw:+.1%}, like a split of {whole}, and one of {_spoken(step.split)} is on record"


def _unusual(moves: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Where a move is many times the median of those around it, which counts as half of that of all at least.

    Only moves that are large beside the half of all are looked at more closely: few are. `ends` says where
    each symbol's closes end; its moves are those between.
    """
    if not len(ends):
        return ends
    size, begins = np.abs(moves), np.concatenate([[0], ends[:-1]])
    floors, parts = np.empty(len(ends)), []
    for at, (begin, end) in enumerate(zip(begins.tolist(), ends.tolist(), strict=True)):
        mine = size[begin : end - 1]
        floors[at] = max(_median(mine) / 2, 1e-4)
        parts.append(np.flatnonzero(mine > SPIKE * floors[at]) + begin)
    large = np.concatenate(parts)
    owners = np.repeat(np.arange(len(ends)), [len(part) for part in parts])
    far = _far(size, large, begins[owners], ends[owners] - 2)
    answer: np.ndarray = large[far]
    return answer


def _median(values: np.ndarray) -> float:
    """What np.median says, in a quarter of the time."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    low, high = np.partition(values, [middle - 1, middle])[middle - 1 : middle + 1].tolist()
    return float(low + high) / 2


def _far(size: np.ndarray, rows: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Which rows are `SPIKE` times the median around them, as far as the symbol's own go (first to last row).

    Where the window is full, that is to count: the median is below a limit if more than half are.
    """
    half, far = WINDOW // 2, np.zeros(len(rows), bool)
    full = (rows - half >= firsts) & (rows + half <= lasts)
    if full.any():
        windows = np.lib.stride_tricks.sliding_window_view(size, WINDOW)
        inner = np.flatnonzero(full)
        for part in (inner[n : n + BLOCK] for n in range(0, len(inner), BLOCK)):
            limits = size[rows[part]] / SPIKE  # exact, as it is a power of two
            far[part] = (windows[rows[part] - half] < limits[:, None]).sum(axis=1) > half
    edge = ~full
    far[edge] = size[rows[edge]] > SPIKE * _medians(size, rows[edge], firsts[edge], lasts[edge])
    return far


def _medians(size: np.ndarray, rows: np.ndarray, firsts: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """Median of the values around each row, as far as there are any from its first to its last row."""
    half = np.minimum(WINDOW, (lasts - firsts + 1) | 1) // 2
    places = rows[:, None] + np.arange(-(WINDOW // 2), WINDOW // 2 + 1)
    low, high = np.maximum(firsts, rows - half), np.minimum(lasts, rows + half)
    beyond = (places < low[:, None]) | (places > high[:, None])
    around = size[np.clip(places, 0, len(size) - 1)]
    around[beyond] = np.nan
    around.sort(axis=1)  # what is beyond an end comes last
    counts, each = high - low + 1, np.arange(len(rows))
    middle: np.ndarray = (around[each, (counts - 1) // 2] + around[each, counts // 2]) / 2
    return middle


def _returned(paths: _Paths, at: np.ndarray) -> np.ndarray:
    """Within how many moves, two at most, most of each of these was taken back; 0 for those that stayed."""
    moves = np.concatenate([paths.moves, [np.nan, np.nan]])
    first = moves[at]
    once = first + moves[at + 1]
    twice = once + moves[at + 2]
    enough = 0.25 * np.abs(first)
    answer: np.ndarray = np.where(np.abs(once) < enough, 1, np.where(np.abs(twice) < enough, 2, 0))
    return answer


def _spoken(ratio: float) -> str:
    return f"{ratio:g} for 1" if ratio >= 1 else f"1 for {1 / ratio:g}"
