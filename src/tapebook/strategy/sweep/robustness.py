"""Whether the best of a sweep stands on a plateau or on a spike, as a table and in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tapebook.strategy.sweep.grid import plain


def robustness(ranked: pd.DataFrame, tried: Mapping[str, Sequence[Any]], metric: str) -> pd.DataFrame:
    """Do what `Sweep.robustness` says, for combinations ranked by `metric`."""
    varied = list(tried)
    steps = [_steps(ranked[name], tried[name]) for name in varied]
    place = {tuple(row): i for i, row in enumerate(np.column_stack(steps))}
    values = ranked[metric].to_numpy(dtype=float)
    rows = []
    for key, i in place.items():
        near = [
            place.get((*key[:d], key[d] + step, *key[d + 1 :])) for d in range(len(key)) for step in (-1, 1)
        ]
        around = values[[n for n in near if n is not None]]
        around = around[~np.isnan(around)]
        mean = float(around.mean()) if len(around) else np.nan
        own = values[i]
        rows.append(
            (len(around), mean, float(around.min()) if len(around) else np.nan, mean / own if own else np.nan)
        )
    found = pd.DataFrame(rows, columns=["neighbours", "mean", "worst", "ratio"])
    return pd.concat([ranked[[*varied, metric]].reset_index(drop=True), found], axis=1)


def plateau(ranked: pd.DataFrame, tried: Mapping[str, Sequence[Any]], metric: str) -> str:
    """Do what `Sweep.plateau` says."""
    values = ranked[metric].dropna()
    if values.empty:
        return f"No combination has a {_words(metric)}: none of them traded."
    table = robustness(ranked, tried, metric)
    best = {str(name): plain(table[name].iloc[0]) for name in table}
    at = ", ".join(f"{name}={best[name]}" for name in tried)
    own, middle = float(best[metric]), float(values.median())
    beyond = _edges(best, tried)
    edge = f" It lies at the edge of {' and '.join(beyond)}: what is beyond was not tried." if beyond else ""
    if not best["neighbours"]:
        return f"Not known: no neighbour of {at} was tried.{edge}"
    kept = (best["mean"] - middle) / (own - middle) if own > middle else 1.0
    sure = kept >= PLATEAU and (best["worst"] >= middle or own == middle)
    word = "Plateau" if sure else "Spike" if kept < SPIKE else "Neither plateau nor spike"
    return (
        f"{word}: one step away from {at}, {_words(metric)} is {best['mean']:.3g} on average and "
        f"{best['worst']:.3g} at worst, against {own:.3g} there and a median of {middle:.3g} over all "
        f"{len(values):,}.{edge}"
    )


PLATEAU, SPIKE = 0.5, 0.25
"""Share of what the best is above the middle of all that its neighbours keep, on average."""


def _edges(best: Mapping[str, Any], tried: Mapping[str, Sequence[Any]]) -> list[str]:
    """Settings of which the best has the first or the last value of three or more numbers."""
    found = []
    for name, given in tried.items():
        numbers = [v for v in map(plain, given) if isinstance(v, (int, float)) and not isinstance(v, bool)]
        if len(numbers) > 2 and best[name] in (min(numbers), max(numbers)):
            found.append(_words(name))
    return found


def _steps(column: pd.Series, tried: Sequence[Any]) -> np.ndarray:
    """Each value's place among the values that were given, in order where they are numbers."""
    values = [plain(v) for v in tried]
    if all(isinstance(v, (int, float)) for v in values):
        values.sort()
    where = {value: i for i, value in enumerate(values)}
    return np.array([where[plain(v)] for v in column.tolist()])


def _words(name: str) -> str:
    return name.replace("_", " ")
