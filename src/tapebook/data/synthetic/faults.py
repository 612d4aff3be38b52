"""Bars as a bad vendor would send them: wrong prices, missing bars, bars sent twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.panel import Bars


@dataclass(frozen=True, eq=False)
class Faulty:
    """`table`: long rows as `Bars.polars` has them, with faults; duplicates stand next to each other.

    `truth`: one row a fault: kind ("wrong", "missing" or "duplicate"), symbol, ts, and `factor`, by
    which a wrong price is off (NaN for the others).
    """

    table: pl.DataFrame
    truth: pd.DataFrame


def bad_prints(
    bars: Bars, *, seed: int, wrong: int = 5, missing: int = 5, duplicates: int = 5, factor: float = 1.5
) -> Faulty:
    """Plant faults into a copy of these bars, each at a bar of its own.

    A wrong print multiplies or divides one close by `factor` (and high or low with it, so that the bar
    is consistent) and is gone at the next bar. A missing bar has no row. A duplicate has a second row
    for the same symbol and time, with a close 1 % off. The first and last two bars of a symbol stay.
    """
    import polars as pl

    table = bars.polars().sort("symbol", "ts", maintain_order=True).with_row_index("row")
    rng, total = np.random.default_rng(seed), wrong + missing + duplicates
    if not factor > 1.0:
        raise BadParameter("factor", factor, "above 1: 1.5 makes prices half as high again, or a third lower")
    inner = table.filter(
        (pl.col("row") >= pl.col("row").min().over("symbol") + 2)
        & (pl.col("row") <= pl.col("row").max().over("symbol") - 2)
    )["row"].to_numpy()
    chosen = _apart(rng, inner, total)
    spoiled, gone, twice = np.split(chosen, [wrong, wrong + missing])
    factors = np.where(rng.random(wrong) < 0.5, factor, 1.0 / factor)
    rows = {name: table[name].to_numpy().copy() for name in ("high", "low", "close")}
    rows["close"][spoiled] *= factors
    rows["high"][spoiled] = np.maximum(rows["high"][spoiled], rows["close"][spoiled])
    rows["low"][spoiled] = np.minimum(rows["low"][spoiled], rows["close"][spoiled])
    faulty = table.with_columns(**{name: pl.Series(values) for name, values in rows.items()})
    again = faulty[twice].with_columns(close=pl.col("close") * 0.99)
    again = again.with_columns(low=pl.min_horizontal("low", "close"))
    sent = pl.concat([faulty.filter(~pl.col("row").is_in(gone)), again]).sort("row", maintain_order=True)
    kinds = ["wrong"] * wrong + ["missing"] * missing + ["duplicate"] * duplicates
    where = table[chosen]
    truth = {"kind": kinds, "symbol": where["symbol"].to_list(), "ts": where["ts"].to_list()}
    truth["factor"] = [*factors.tolist(), *[np.nan] * (missing + duplicates)]
    return Faulty(sent.drop("row"), pd.DataFrame(truth))


def _apart(rng: np.random.Generator, rows: np.ndarray, count: int) -> np.ndarray:
    """Choose rows of which no two are neighbours."""
    third = rows[rows % 3 == 0]
    if count > len(third):
        raise BadParameter("bars", len(rows), f"more of them: {count} faults stand three bars apart")
    chosen: np.ndarray = rng.choice(third, size=count, replace=False)
    return chosen
