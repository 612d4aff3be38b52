"""Rules: could a few thresholds on what was known have announced the moves?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.market.explanation.precursors import soon
from tapebook.market.rule_text import Condition, conditions_text, rings
from tapebook.market.states import States

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

DEPTH = 3
HOLDOUT = 0.3
"""Share of all symbols' bars, the last in time, whose moves no rule has seen."""
FOLDS = 4
SHARES = (0.01, 0.02, 0.05)
"""Least shares of the bars that a leaf holds."""
SHIFTS = 499
LEVEL = 0.02
"""p-value on the unseen moves at which a rule holds."""
MOST = 20_000
FEWEST = 8
"""Moves below which no rule is looked for, on either side of the border."""


@dataclass(frozen=True, eq=False)
class Rules:
    """The best rule, and every one that was tried.

    `rule` is a text such as "volume_5 > 0.34 and return_20 <= -1.2", None where none was found;
    `conditions` its parts. `folds`: one row a purged fold of the past (precision, recall, lift).
    `unseen`: precision, recall, lift, base_rate, alarms, moves, false_a_year and p on the moves never seen;
    `holds` where p is at most `LEVEL` and the lift above 1. `tried`: how many rules were compared. `border`:
    stamp of the first bar whose moves no rule has seen.
    """

    rule: str | None
    conditions: tuple[Condition, ...]
    within: int
    tried: int
    folds: pd.DataFrame
    unseen: dict[str, float]
    holds: bool
    border: pd.Timestamp | None = None
    reason: str | None = None

    @property
    def summary(self) -> str:
        """The answer in words."""
        if self.rule is None:
            return f"No rule: {self.reason}."
        said = (
            f"precision {self.unseen['precision']:.0%}, base rate {self.unseen['base_rate']:.0%}, "
            f"recall {self.unseen['recall']:.0%}, {self.unseen['false_a_year']:.1f} false alarms a year, "
            f"p {self.unseen['p']:.3f}; {self.tried} rules tried"
        )
        if self.holds:
            return f"A rule would have caught some: {self.rule} (on moves never seen: {said})."
        return f"No rule catches them: the past's best, {self.rule}, fails on moves never seen ({said})."


def rules(
    made: States,
    starts: np.ndarray,
    inside: np.ndarray,
    *,
    within: int = 10,
    depth: int = DEPTH,
    seed: int = 0,
    year: float = 252.0,
) -> Rules:
    """Search small rules that tell `within` bars ahead that a move begins.

    Parameters
    ----------
    made : States
        Features (T, N), row t known at t.
    starts, inside : array (T, N)
        True at the first bar of a move, and at all of its bars (no rule is judged there).
    depth : int
        Conditions in a rule at most, 1 to 3.
    year : float
        Bars in a year, for the false alarms.

    Notes
    -----
    Decision trees (Breiman et al. 1984) of the first 70 % of the bars; how deep and how broad a leaf may be
    is chosen on four folds in time, purged of the bars whose `within` bars ahead reach into another (López
    de Prado 2018, ch. 7). The leaf with the most moves a bar is the rule. Only then the last 30 % are asked;
    p is the share of circular shifts of the moves in time that the rule's alarms hit as often. Of more than
    `MOST` bars only every k-th is searched (all are judged).
    """
    if not 1 <= depth <= 3:
        raise BadParameter("depth", depth, "1, 2 or 3 conditions: a rule is to be read")
    if within < 1:
        raise BadParameter("within", within, "at least 1 bar")
    border = _border(made)
    early, late = int(starts[:border].sum()), int(starts[border + within :].sum())
    if min(early, late) < FEWEST:
        why = f"{early} moves to search on and {late} to confirm with, {FEWEST} of each needed"
        return _none(within, 0, why)
    X = np.stack([made[name] for name in made.names], axis=2).astype(np.float32)  # as a tree has it
    coming = soon(starts, within)
    fit = ~inside & (np.isfinite(X).mean(axis=2) > 0.5)
    past = fit & _thinned(fit.shape, int(fit[:border].sum()))
    past[border - within :] = False
    best, folds, tried = _chosen(X, coming, past, border, depth, within, seed)
    if best is None:
        return _none(within, tried, "no threshold tells the past moves in its folds")
    conditions = _leaf(best, made.names, X[past], coming[past])
    if not conditions:
        return _none(within, tried, "no threshold tells the past moves")
    first = border + within
    unseen = _judged(rings(made, conditions), starts, fit, first, within, seed, year)
    holds = unseen["p"] <= LEVEL and unseen["lift"] > 1.0
    text = conditions_text(conditions)
    return Rules(text, conditions, within, tried, folds, unseen, holds, made.index[first])


def _border(made: States) -> int:
    """First row of the last 30 % of all symbols' bars."""
    bars = np.isfinite(made.deviation).sum(axis=1).cumsum()
    return int(np.searchsorted(bars, (1.0 - HOLDOUT) * bars[-1])) if len(bars) else 0


def _none(within: int, tried: int, why: str) -> Rules:
    return Rules(None, (), within, tried, pd.DataFrame(), {}, False, reason=why)


def _thinned(shape: tuple[int, ...], bars: int) -> np.ndarray:
    """Every k-th bar of each symbol, staggered, so that about MOST of them are left."""
    every = max(1, -(-bars // MOST))
    spread: np.ndarray = (np.arange(shape[0])[:, None] + np.arange(shape[1])) % every == 0
    return spread


def _tree(depth: int, share: float, seed: int) -> DecisionTreeClassifier:
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(
        max_depth=depth, min_samples_leaf=share, class_weight="balanced", random_state=seed
    )


def _chosen(
    X: np.ndarray,
    coming: np.ndarray,
    past: np.ndarray,
    border: int,
    depth: int,
    within: int,
    seed: int,
) -> tuple[DecisionTreeClassifier | None, pd.DataFrame, int]:
    """The tree of all the past, its settings those with the best lift in purged folds."""
    cuts = np.linspace(0, border - within, FOLDS + 1).astype(int)
    told, tried = [], 0
    for deep in range(1, depth + 1):
        for share in SHARES:
            for fold, (begin, end) in enumerate(zip(cuts[:-1], cuts[1:], strict=True)):
                train = past.copy()
                train[max(0, begin - within) : end + within] = False
                test = past.copy()
                test[:begin] = test[end:] = False
                made = _fitted(X, coming, train, deep, share, seed)
                if made is None or not test.any() or not coming[test].any():
                    continue
                rate = _rates(made, X[test], coming[test], X[train], coming[train])
                told.append({"depth": deep, "share": share, "fold": fold, **rate})
                tried += int(made.get_n_leaves())
    table = pd.DataFrame(told)
    if table.empty:
        return None, table, tried
    mean = table.groupby(["depth", "share"])["lift"].mean()
    deep, share = mean.index[int(mean.to_numpy().argmax())]
    chosen = table[(table["depth"] == deep) & (table["share"] == share)]
    final = _fitted(X, coming, past, int(deep), float(share), seed)
    tried += int(final.get_n_leaves()) if final is not None else 0
    return final, chosen.reset_index(drop=True), tried


def _fitted(
    X: np.ndarray, coming: np.ndarray, rows: np.ndarray, deep: int, share: float, seed: int
) -> DecisionTreeClassifier | None:
    if not coming[rows].any() or coming[rows].all():
        return None
    made: Any = _tree(deep, share, seed).fit(X[rows], coming[rows])
    return None if made.get_n_leaves() < 2 else made


def _best_leaf(tree: DecisionTreeClassifier, X: np.ndarray, coming: np.ndarray) -> int:
    leaves = tree.apply(X)
    names, at = np.unique(leaves, return_inverse=True)
    rate = np.bincount(at, coming) / np.bincount(at)
    return int(names[int(rate.argmax())])


def _rates(
    tree: DecisionTreeClassifier,
    X: np.ndarray,
    coming: np.ndarray,
    X_past: np.ndarray,
    coming_past: np.ndarray,
) -> dict[str, float]:
    """Precision, recall and lift of the tree's best leaf, on other rows, bar by bar."""
    alarm = tree.apply(X) == _best_leaf(tree, X_past, coming_past)
    hits, base = float((alarm & coming).sum()), float(coming.mean())
    precision = hits / alarm.sum() if alarm.any() else 0.0
    return {"precision": precision, "recall": hits / float(coming.sum()), "lift": precision / base}


def _leaf(
    tree: DecisionTreeClassifier, names: tuple[str, ...], X: np.ndarray, coming: np.ndarray
) -> tuple[Condition, ...]:
    """The conditions on the way to the best leaf, the tightest of each feature and side."""
    inner: Any = tree.tree_
    target = _best_leaf(tree, X, coming)
    way: list[Condition] = []

    def walk(node: int, path: list[Condition]) -> bool:
        if node == target:
            way.extend(path)
            return True
        if inner.children_left[node] == -1:
            return False
        name, level = names[inner.feature[node]], float(inner.threshold[node])
        left, right = Condition(name, "<=", level), Condition(name, ">", level)
        return walk(inner.children_left[node], [*path, left]) or walk(
            inner.children_right[node], [*path, right]
        )

    walk(0, [])
    tight: dict[tuple[str, str], Condition] = {}
    for one in way:
        held = tight.get((one.feature, one.sign))
        better = held is None or (one.level > held.level if one.sign == ">" else one.level < held.level)
        if better:
            tight[(one.feature, one.sign)] = one
    return tuple(Condition(c.feature, c.sign, float(f"{c.level:.4g}")) for c in tight.values())


def _judged(
    alarm: np.ndarray,
    starts: np.ndarray,
    fit: np.ndarray,
    begin: int,
    within: int,
    seed: int,
    year: float,
) -> dict[str, float]:
    """How the rule did on the bars from `begin` on; alarms in a row within reach are one."""
    alarm, starts, fit = alarm[begin:] & fit[begin:], starts[begin:], fit[begin:]
    first = alarm.copy()
    for back in range(1, within + 1):
        first[back:] &= ~alarm[:-back]
    coming, alarms = soon(starts, within), int(first.sum())
    right = int((first & coming).sum())
    warned = sum(bool(alarm[max(0, t - within) : t, n].any()) for t, n in np.argwhere(starts) if t)
    base = float((coming & fit).sum() / max(fit.sum(), 1))
    rng = np.random.default_rng(seed)
    T = len(starts)
    by = rng.integers(within + 1, max(T - within, within + 2), size=SHIFTS)
    drawn = np.array([(first & np.roll(coming, int(shift), axis=0)).sum() for shift in by])
    precision = right / alarms if alarms else 0.0
    moves = int(starts[1:].sum())
    return {
        "precision": precision, "recall": warned / moves if moves else float("nan"), "base_rate": base,
        "lift": precision / base if base else float("nan"), "alarms": alarms, "moves": moves,
        "false_a_year": (alarms - right) / max(float(fit.sum()) / year, 1e-9),
        "p": float((1 + (drawn >= right).sum()) / (1 + SHIFTS)) if alarms else 1.0,
    }  # fmt: skip
