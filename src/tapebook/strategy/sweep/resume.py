"""What an earlier sweep did already, and need not be done again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.strategy.sweep.crew import received
from tapebook.strategy.sweep.plan import Plan
from tapebook.strategy.sweep.store import described, earlier, expect_alike

if TYPE_CHECKING:
    from tapebook.strategy.sweep.sweep import Sweep


@dataclass(frozen=True)
class Before:
    """What an earlier sweep did already: rows of its table, and their places in this grid."""

    table: pd.DataFrame
    places: frozenset[int] = frozenset()


def taken_over(resume: Sweep | str | Path | None, plan: Plan) -> Before:
    """What of an earlier sweep is asked for again; of none, nothing.

    Raises
    ------
    BadParameter
        If it was a sweep of other bars, rules, fixed settings or other code.
    """
    if resume is None:
        return Before(pd.DataFrame())
    before, job = earlier(resume), plan.job
    now = described(
        received(job.strategy), job.bars, job.rules, job.fixed, tuple(plan.grid.values), job.alone
    )
    expect_alike(before, now)
    places = places_of(before.table, plan)
    asked = places >= 0
    if plan.search != "optuna":
        asked &= np.isin(places, np.asarray(plan.places))
    return Before(before.table[asked].reset_index(drop=True), frozenset(places[asked].tolist()))


def places_of(table: pd.DataFrame, plan: Plan) -> np.ndarray:
    """Place of each row in the grid, -1 where it is none that may be tried."""
    if not len(table):
        return np.empty(0, dtype=int)
    found = [plan.grid.place_of(row) for row in table[list(plan.grid.values)].itertuples(index=False)]
    return np.array([-1 if p is None or not plan.grid.allows(p) else p for p in found])


def in_grid_order(table: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Sort rows as the grid counts its combinations."""
    return table.iloc[np.argsort(places_of(table, plan), kind="stable")].reset_index(drop=True)
