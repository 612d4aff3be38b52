"""What is odd about the way from one close to the next, once the actions on record are allowed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
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
    bounds = np.append(np.searchsorted(rows, starts), len(rows)).tolist()
    found: list[Finding] = []
    for at, (start, end) in enumerate(pairwise(bounds)):
        if end - start >= 3:
            found += _of_one(stamps, values, rows[start:end], record.get(at))
    return found


def _of_one(
    stamps: np.ndarray, values: dict[str, np.ndarray], rows: np.ndarray, record: Actions | None
) -> list[Finding]:
    closes = values["close"][rows]
    splits, dividends = _on_record(stamps[rows], record)
    moves = np.log((closes[1:] * splits[1:] + dividends[1:]) / closes[:-1])
    found: list[Finding | None] = []
    back = np.zeros(len(moves), bool)
    for i in _unusual(moves):
        if back[i]:
            continue
        row = int(rows[i + 1])
        returned = _returns_at(moves, i)
        if returned and abs(moves[i]) > 0.05:
            back[i + 1 : returned + 1] = True
            found.append(_bad_print(row, float(np.expm1(moves[i])), returned - i))
            continue
        step = _Step(closes[i], values["open"][row], closes[i + 1], splits[i + 1], dividends[i + 1])
        found.append(_jump(row, step))
    return [finding for finding in found if finding is not None]


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


def _on_record(stamps: np.ndarray, actions: Actions | None) -> tuple[np.ndarray, np.ndarray]:
    """Split and dividend at each bar: those since the bar before, so that a halt or a week hides none."""
    splits, dividends = np.ones(len(stamps)), np.zeros(len(stamps))
    if actions is None:
        return splits, dividends
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


def _unusual(moves: np.ndarray) -> list[int]:
    """Where a move is many times the median of those around it, which counts as half of that of all at least.

    Only moves that are large beside the half of all are looked at more closely: few are.
    """
    size = np.abs(moves)
    floor = max(float(np.median(size)) / 2, 1e-4)
    large = np.flatnonzero(size > SPIKE * floor)
    if not len(large):
        return []
    around = _medians(size, large, min(61, len(size) | 1) // 2)
    answer: list[int] = large[size[large] > SPIKE * np.maximum(around, floor)].tolist()
    return answer


def _medians(size: np.ndarray, rows: np.ndarray, half: int) -> np.ndarray:
    """Median of the values from `half` before to `half` after each row, as far as there are any."""
    edge = np.full(half, np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(np.concatenate([edge, size, edge]), 2 * half + 1)
    sorted_ = np.sort(windows[rows], axis=1)  # what is beyond an end comes last
    counts = np.minimum(rows, half) + np.minimum(len(size) - 1 - rows, half) + 1
    each = np.arange(len(rows))
    middle: np.ndarray = (sorted_[each, (counts - 1) // 2] + sorted_[each, counts // 2]) / 2
    return middle


def _returns_at(moves: np.ndarray, i: int) -> int:
    """Index of the move after `i`, at most two on, that has taken most of it back; 0 for none."""
    first, *after = moves[i : i + 3].tolist()
    sum_ = first
    for j, move in enumerate(after, i + 1):
        sum_ += move
        if abs(sum_) < 0.25 * abs(first):
            return j
    return 0


def _spoken(ratio: float) -> str:
    return f"{ratio:g} for 1" if ratio >= 1 else f"1 for {1 / ratio:g}"
