"""Cases and controls: bars before a move, and bars like them before none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tapebook.market.states import States

CONTROLS = 10
"""Controls a case, those nearest in volatility."""
CALENDAR = 500
"""Rows that a control lies before or after its case at most: about two years of days."""
APART = 5
"""Rows between two controls of a case."""
AFTER = 60
"""Rows after a move that are no control, and whose moves are no case: the move itself fills the windows."""


@dataclass(frozen=True, eq=False)
class Matched:
    """One case a line: row of the bar before the move, column, and rows of its controls (C, m), −1 for none.

    `cluster` numbers moves that begin within 20 rows of another, in one or several symbols: they are
    one observation. `dropped`: moves without enough controls, or too near another.
    """

    row: np.ndarray
    column: np.ndarray
    controls: np.ndarray
    cluster: np.ndarray
    dropped: int


def free_rows(starts: np.ndarray, inside: np.ndarray, within: int) -> np.ndarray:
    """Where (T, N) neither a move begins in the next `within` bars, nor one lies in the last AFTER."""
    T = len(starts)
    soon, late = np.zeros_like(starts), np.zeros_like(starts)
    for ahead in range(1, within + 1):
        soon[: T - ahead] |= starts[ahead:]
    for back in range(AFTER + 1):
        late[back:] |= inside[: T - back]
    free: np.ndarray = ~soon & ~late
    return free


def matched(made: States, starts: np.ndarray, inside: np.ndarray, within: int) -> Matched:
    """Match the bar before each move with bars of the same symbol before none.

    `starts` (T, N) marks the first bar of each move, `inside` all of its bars. A control has the same
    sign of the return of 120 bars, lies within CALENDAR rows, and is among the CONTROLS nearest in
    volatility (log of the deviation of 60 bars).
    """
    free = free_rows(starts, inside, within)
    quiet = np.log(made.deviation)
    regime = np.sign(np.nan_to_num(made["return_120"]))
    rows, columns, chosen, dropped = [], [], [], 0
    for first, column in np.argwhere(starts):
        row = first - 1
        if (
            row < 0
            or np.isnan(quiet[row, column])
            or inside[max(0, row - AFTER // 3) : row + 1, column].any()
        ):
            dropped += 1
            continue
        found = _controls(free[:, column], quiet[:, column], regime[:, column], int(row))
        if (found >= 0).sum() < 3:
            dropped += 1
            continue
        rows.append(row)
        columns.append(column)
        chosen.append(found)
    row_of = np.array(rows, dtype=int)
    order = np.argsort(row_of, kind="stable")
    cluster = np.cumsum(np.diff(row_of[order], prepend=-1000) > 20) - 1
    table = np.array(chosen, dtype=int).reshape(-1, CONTROLS)[order]
    return Matched(row_of[order], np.array(columns, dtype=int)[order], table, cluster, dropped)


def _controls(free: np.ndarray, quiet: np.ndarray, regime: np.ndarray, row: int) -> np.ndarray:
    begin, end = max(0, row - CALENDAR), min(len(free), row + CALENDAR + 1)
    spots = np.arange(begin, end)
    fit = free[begin:end] & ~np.isnan(quiet[begin:end]) & (regime[begin:end] == regime[row])
    fit &= np.abs(spots - row) >= APART
    spots = spots[fit]
    near = spots[np.argsort(np.abs(quiet[spots] - quiet[row]), kind="stable")]
    told = np.full(CONTROLS, -1)
    count = 0
    for spot in near:
        if count == CONTROLS:
            break
        if count == 0 or np.abs(told[:count] - spot).min() >= APART:
            told[count] = spot
            count += 1
    return told


def placed(values: np.ndarray, told: Matched, lead: int) -> np.ndarray:
    """Place of each case among its controls, 0 to 1; 1/2 on average where the feature says nothing.

    `values` (T, N) are read `lead` − 1 bars before the matched row. NaN where the case or all but two
    controls are unknown.
    """
    back = lead - 1
    at = told.row - back
    case = np.where(at >= 0, values[np.maximum(at, 0), told.column], np.nan)
    spots = told.controls - back
    beside = values[np.maximum(spots, 0), told.column[:, None]]
    beside = np.where((told.controls >= 0) & (spots >= 0), beside, np.nan)
    known = ~np.isnan(beside)
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        below = (beside < case[:, None]).sum(axis=1) + 0.5 * (beside == case[:, None]).sum(axis=1)
    place = (below + 0.5) / (count + 1.0)
    answer: np.ndarray = np.where(np.isnan(case) | (count < 3), np.nan, place)
    return answer
