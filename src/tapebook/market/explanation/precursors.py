"""Precursors: what is different in the bars before the moves, and how good an alarm it would be."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.market.explanation.precursor_match import Matched, matched, placed
from tapebook.market.multiple import Correction, corrected
from tapebook.market.scan import LEVEL
from tapebook.market.states import States

LEADS = (1, 5, 10)
"""Bars before a move's first bar at which features are read."""
ESTIMATED = 0.6
"""Share of the moves, the first in time, on which a precursor is found; the rest has to confirm it."""
FEWEST = 5
"""Clusters of moves below which nothing can be said."""
_SHARES = (0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True, eq=False)
class Precursors:
    """What came before the moves.

    `table`: one row a feature and lead, the likeliest first: `effect` (probability that the bar before a
    move has more of it than a matched bar before none; 0.5 is nothing), `low`, `high`, `n`, `p`, `q`, then
    `confirmed_effect` and `confirmed_p` on the later moves, `holds` (q at most the level, and confirmed at
    5 % on the same side); and as an alarm: `above` (or below) `threshold`, `precision`, `recall`,
    `false_a_year` (a symbol), `lift` over `base_rate`, on the later part alone.
    `cases`, `controls`: how many; `reason` says why nothing could be asked.
    """

    table: pd.DataFrame
    cases: int
    clusters: int
    controls: int
    within: int
    reason: str | None = None

    @property
    def found(self) -> pd.DataFrame:
        """Rows that hold."""
        return self.table[self.table["holds"].astype(bool)]

    @property
    def summary(self) -> str:
        """The answer in words."""
        if self.reason is not None:
            return f"What came before could not be asked: {self.reason}."
        asked = f"{len(self.table)} features of {self.cases} moves beside {self.controls} matched bars"
        if self.found.empty:
            return f"Nothing distinguishes the bars before such moves: {asked} were compared."
        told = [_words(row) for _, row in self.found.head(2).iterrows()]
        held = len(self.found)
        return f"Before such moves: {'; '.join(told)}. {asked} were compared, {held} hold{'s' * (held == 1)}."


def _words(row: pd.Series) -> str:
    side, bars = "above" if row["above"] else "below", f"{row['lead']} bar{'s' * (row['lead'] > 1)}"
    return (
        f"{row['meaning']} {side} {row['threshold']:.2f}, {bars} before (AUC {row['effect']:.2f}, "
        f"{row['lift']:.1f} times the base rate)"
    )


def precursors(
    made: States,
    starts: np.ndarray,
    inside: np.ndarray,
    *,
    within: int = 10,
    leads: tuple[int, ...] = LEADS,
    level: float = LEVEL,
    correction: Correction = "bh",
    year: float = 252.0,
) -> Precursors:
    """Compare the bars before moves with matched bars before none, feature by feature.

    Parameters
    ----------
    made : States
        Features (T, N), row t known at t.
    starts, inside : array (T, N)
        True at the first bar of a move, and at all of its bars.
    within : int
        Bars ahead for which an alarm speaks.
    year : float
        Bars in a year, for the false alarms.

    Notes
    -----
    A case's place among its controls is uniform if the feature says nothing; places of moves that begin
    within 20 bars of each other are averaged and count once, with the variance of a single one, so that
    a storm in all symbols is no crowd of witnesses. Found on the first 60 % of the moves, confirmed on
    the rest (matched case–control: Breslow & Day 1980, vol. 1 ch. 7).
    """
    if within < 1:
        raise BadParameter("within", within, "at least 1 bar")
    pairs = matched(made, starts, inside, within)
    clusters = int(pairs.cluster[-1]) + 1 if len(pairs.row) else 0
    controls = int((pairs.controls >= 0).sum())
    if clusters < 2 * FEWEST:
        why = (
            f"only {len(pairs.row)} moves at {clusters} separate times have matched bars, "
            f"{2 * FEWEST} are needed"
        )
        return Precursors(_empty(), len(pairs.row), clusters, controls, within, why)
    cut = int(np.ceil(clusters * ESTIMATED))
    early = pairs.cluster < cut
    border = int(pairs.row[early].max()) + within + 1
    rows = [
        _asked(made, name, lead, pairs, early, starts, border, within, year)
        for name in made.names
        for lead in leads
    ]
    table = pd.DataFrame([row for row in rows if row is not None])
    if table.empty:
        return Precursors(
            _empty(), len(pairs.row), clusters, controls, within, "no feature is known before them"
        )
    q = corrected(table["p"].to_numpy(), correction)
    same = np.sign(table["effect"] - 0.5) == np.sign(table["confirmed_effect"] - 0.5)
    table = table.assign(q=q, holds=(q <= level) & same & (table["confirmed_p"] <= 0.05))
    both = table["p"] * table["confirmed_p"].where(same, 1.0)
    order = table.assign(_both=both).sort_values(["holds", "_both"], ascending=[False, True], kind="stable")
    return Precursors(
        order.drop(columns="_both").reset_index(drop=True), len(pairs.row), clusters, controls, within
    )


def _asked(
    made: States,
    name: str,
    lead: int,
    pairs: Matched,
    early: np.ndarray,
    starts: np.ndarray,
    border: int,
    within: int,
    year: float,
) -> dict[str, Any] | None:
    values = made[name]
    place = placed(values, pairs, lead)
    first, later = (_tested(place[part], pairs.cluster[part]) for part in (early, ~early))
    if first is None or later is None:
        return None
    above = first["effect"] > 0.5
    threshold = _threshold(values[:border], starts[:border], above, within, lead)
    alarm = _alarm(values[border:], starts[border:], above, threshold, max(within, lead), year)
    side = 1.0 if above else -1.0
    confirmed = 1.0 - NormalDist().cdf(side * later["z"])
    return {
        "feature": name, "lead": lead, "meaning": made.meaning[name], **first, "unit": "probability",
        "confirmed_effect": later["effect"], "confirmed_p": confirmed,
        "above": above, "threshold": threshold, **alarm,
    }  # fmt: skip


def _tested(place: np.ndarray, cluster: np.ndarray) -> dict[str, float] | None:
    """Mean place with its interval and p-value, one observation a cluster."""
    known = ~np.isnan(place)
    if known.sum() == 0:
        return None
    names, at = np.unique(cluster[known], return_inverse=True)
    C = len(names)
    if C < 3:
        return None
    means = np.bincount(at, place[known]) / np.bincount(at)
    effect = float(means.mean())
    z = (effect - 0.5) / np.sqrt(1.0 / 12.0 / C)
    error = float(means.std(ddof=1)) / np.sqrt(C)
    return {
        "effect": effect, "low": max(0.0, effect - 1.96 * error), "high": min(1.0, effect + 1.96 * error),
        "n": int(known.sum()), "z": float(z), "p": 2.0 * (1.0 - NormalDist().cdf(abs(float(z)))),
    }  # fmt: skip


def soon(starts: np.ndarray, within: int) -> np.ndarray:
    """True (T, N) where a move begins in one of the next `within` bars."""
    told = np.zeros_like(starts)
    for ahead in range(1, within + 1):
        told[:-ahead] |= starts[ahead:]
    return told


def _threshold(values: np.ndarray, starts: np.ndarray, above: bool, within: int, lead: int) -> float:
    """The share of bars to give alarm at which the early moves are told best (F1)."""
    coming, known = soon(starts, max(within, lead)), ~np.isnan(values)
    best, answer = -1.0, float("nan")
    for share in _SHARES:
        level = float(np.quantile(values[known], 1.0 - share if above else share))
        rings = (values > level) if above else (values < level)
        hits = float((rings & coming & known).sum())
        score = 2.0 * hits / max(float((rings & known).sum() + (coming & known).sum()), 1.0)
        if score > best:
            best, answer = score, level
    return answer


def _alarm(
    values: np.ndarray, starts: np.ndarray, above: bool, threshold: float, reach: int, year: float
) -> dict[str, float]:
    """How the alarm did where it was not fitted; bars in a row that ring are one alarm."""
    rings = np.nan_to_num((values > threshold) if above else (values < threshold)).astype(bool)
    coming = soon(starts, reach)
    begins = rings.copy()
    for back in range(1, reach + 1):
        begins[back:] &= ~rings[:-back]
    alarms, right = int(begins.sum()), int((begins & coming).sum())
    told = moves = 0
    for row, column in np.argwhere(starts):
        if row:
            moves += 1
            told += bool(rings[max(0, row - reach) : row, column].any())
    known = ~np.isnan(values)
    years = max(float(known.sum()) / year, 1e-9)
    base = float((coming & known).sum()) / max(float(known.sum()), 1.0)
    precision = right / alarms if alarms else float("nan")
    return {
        "precision": precision, "recall": told / moves if moves else float("nan"),
        "false_a_year": (alarms - right) / years, "base_rate": base,
        "lift": precision / base if base > 0 else float("nan"), "alarms": alarms,
    }  # fmt: skip


def _empty() -> pd.DataFrame:
    names = (
        "feature", "lead", "meaning", "effect", "low", "high", "n", "z", "p", "unit", "confirmed_effect",
        "confirmed_p", "above", "threshold", "precision", "recall", "false_a_year", "base_rate", "lift",
        "alarms", "q", "holds",
    )  # fmt: skip
    return pd.DataFrame(columns=list(names)).astype({"holds": bool})
