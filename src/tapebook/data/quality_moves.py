"""What is odd about the way from one close to the next, once the actions on record are allowed for."""

from __future__ import annotations

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
SPIKE = 8.0
"""A print is bad when it lies so many times the usual (median) move away, and comes back."""
LARGE = 0.25
"""A move of one bar that is worth a word, whatever its cause."""


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
    actions: pl.DataFrame | None,
    freq: Frequency,
    calendar: str,
) -> list[Finding]:
    """Bad prints, moves like a split, splits that the price does not show, and large moves.

    Parameters
    ----------
    stamps : datetime64[us], shape (T,)
        Sorted.
    values : dict of float64, shape (T,)
        The fields, raw.
    actions : polars frame, optional
        ts (ex-date), split, dividend.
    """
    rows = np.flatnonzero(values["close"] > 0)
    if len(rows) < 3:
        return []
    splits, dividends = _on_record(stamps[rows], actions, freq, calendar)
    closes = values["close"][rows]
    moves = np.log((closes[1:] * splits[1:] + dividends[1:]) / closes[:-1])
    found: list[Finding | None] = []
    back = np.zeros(len(moves), bool)
    for i in np.flatnonzero(np.abs(moves) > SPIKE * _usual(moves)):
        if back[i]:
            continue
        row = int(rows[i + 1])
        returned = _returns_at(moves, int(i))
        if returned and abs(moves[i]) > 0.05:
            back[i + 1 : returned + 1] = True
            found.append(_bad_print(row, float(np.expm1(moves[i])), returned - int(i)))
            continue
        step = _Step(closes[i], values["open"][row], closes[i + 1], splits[i + 1], dividends[i + 1])
        found.append(_jump(row, step))
    return [finding for finding in found if finding is not None]


def _on_record(
    stamps: np.ndarray, actions: pl.DataFrame | None, freq: Frequency, calendar: str
) -> tuple[np.ndarray, np.ndarray]:
    """Split and dividend at each bar: those since the bar before, so that a halt or a week hides none."""
    splits, dividends = np.ones(len(stamps)), np.zeros(len(stamps))
    if actions is None or not len(actions):
        return splits, dividends
    # 0 means none in either column, as in the lake
    split = actions["split"].fill_null(1.0).fill_nan(1.0).to_numpy()
    dates = actions["ts"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    at = np.searchsorted(stamps, _moments(dates, freq, calendar), side="left")
    there = at < len(stamps)
    np.multiply.at(splits, at[there], np.where(split > 0, split, 1.0)[there])
    np.add.at(dividends, at[there], actions["dividend"].fill_null(0.0).fill_nan(0.0).to_numpy()[there])
    return splits, dividends


def _moments(dates: np.ndarray, freq: Frequency, calendar: str) -> np.ndarray:
    from tapebook.data.adjust import moments

    return moments(dates, [calendar] * len(dates)) if freq.intraday else dates


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


def _usual(moves: np.ndarray) -> np.ndarray:
    """Median size of the moves around each, shape (T-1,); never below half of that of all."""
    import polars as pl

    size = pl.Series(np.abs(moves))
    window = min(61, len(moves) | 1)
    around = size.rolling_median(window, min_samples=1, center=True).to_numpy()
    floor = max(float(size.median() or 0.0) / 2, 1e-4)  # type: ignore[arg-type]
    answer: np.ndarray = np.maximum(around, floor)
    return answer


def _returns_at(moves: np.ndarray, i: int) -> int:
    """Index of the move after `i`, at most two on, that has taken most of it back; 0 for none."""
    for j in (i + 1, i + 2):
        if j < len(moves) and abs(moves[i : j + 1].sum()) < 0.25 * abs(moves[i]):
            return j
    return 0


def _spoken(ratio: float) -> str:
    return f"{ratio:g} for 1" if ratio >= 1 else f"1 for {1 / ratio:g}"
