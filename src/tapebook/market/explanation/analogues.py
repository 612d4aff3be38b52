"""Analogues: when it looked like this before, how like, and what followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.explanation.analogue_distance import Likeness, Shapes, nearest
from tapebook.market.states import CARRIED, log_closes, since_last_close

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.market.states import States

LENGTHS = (20, 60, 120)
AHEAD = 20
COUNT = 10
LEVEL = 0.02
"""Corrected p-value at which what followed is said to differ."""
QUERIES = 299
COMPANY = 20
"""Symbols that are searched at most beside the query's own: those that went most along with it."""
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, eq=False)
class Analogues:
    """The nearest earlier times, and what followed them.

    `table`: one row an analogue: by ("shape of 60 bars" or "state"), rank, symbol, start, end (stamps of
    its first and last bar), distance, and `after` (log return over `ahead` bars, in deviations of its own).
    `judged`: one row a kind: `n`, `distance` (mean), `unusual` (share of random queries with analogues as
    near or nearer), `difference` (mean of what followed less that of all bars), its `p`, and `q`.
    `fans`: by kind, quantiles (ahead, 5) of the analogues' paths; "all" of every earlier bar.
    `actual` (ahead,): what followed the query itself, as far as it is known.
    """

    symbol: str
    at: pd.Timestamp
    ahead: int
    table: pd.DataFrame
    judged: pd.DataFrame
    fans: dict[str, pd.DataFrame]
    actual: pd.Series

    @property
    def summary(self) -> str:
        """The answer in words."""
        held = self.judged[self.judged["q"] <= LEVEL]
        near = self.judged[self.judged["unusual"] <= 0.05]
        kinds = len(self.judged)
        count = f"{len(self.table)} analogues of {kinds} kind{'s' * (kinds > 1)}"
        if held.empty:
            what = f"what followed the {count} does not differ from what follows any bar"
        else:
            row = held.iloc[0]
            way = "above" if row["difference"] > 0 else "below"
            what = (
                f"after those by {row['by']} the price went {abs(row['difference']):.1f} deviations {way} "
                f"what follows any bar (p {row['p']:.3f})"
            )
        like = f"nearer than chance by {', '.join(near['by'])}" if len(near) else "none nearer than chance"
        return f"When before: {what}; {like}."


def analogues(
    bars: Bars,
    made: States,
    symbol: str,
    at: int,
    *,
    lengths: tuple[int, ...] = LENGTHS,
    ahead: int = AHEAD,
    count: int = COUNT,
    seed: int = 0,
) -> Analogues:
    """Find the earlier times most like the bars up to row `at` of one symbol, in the symbols of the panel.

    Parameters
    ----------
    at : int
        Row of the query's last bar. An analogue, and what followed it, were known then.
    lengths : tuple
        Bars of the shapes that are compared: z-normalised log closes (MASS: Mueen et al. 2017). By state:
        normal scores of the features, each among all symbols' earlier values.
    count : int
        Analogues of each kind; none overlaps another in time, in any symbol: a day that moved all is one.

    Notes
    -----
    Rows are those at which the symbol has a bar; another's last close stands in for up to 5 that it lacks.
    Symbols that were not there for long enough by row `at` are not searched, and of more than `COMPANY`
    others those whose returns correlated most with the symbol's in the 250 rows before.

    `QUERIES` random earlier bars are asked the same way. They judge how near an analogue is, and what
    followed: p is the share of them whose analogues' follow-ups differ as much from all bars' (largest t of
    the mean after 1, 5 and `ahead` bars). Random draws of bars would not do: the best of overlapping
    windows is the one after which the shape did not go on, which is a look ahead. q corrects for the kinds
    asked (Holm).
    """
    if symbol not in bars.symbols:
        raise UnknownName("symbol", symbol, bars.symbols)
    if ahead < 1 or count < 3:
        raise BadParameter("ahead", ahead, "at least 1 bar, and count at least 3")
    past = _Past.of(bars, made, symbol, at, ahead)
    if past.usable.sum() < 50 * count // 10:
        raise NoData(
            f"{symbol}, {bars.index[at]:%Y-%m-%d}: only {int(past.usable.sum())} earlier bars have a known "
            f"follow-up of {ahead} bars: analogues need {50 * count // 10}"
        )
    rng = np.random.default_rng(seed)
    kinds = [(f"shape of {m} bars", m) for m in lengths] + [("state", 0)]
    every = (_kind(past, name, m, count, rng) for name, m in kinds)
    told = [one for one in every if one is not None]
    if not told:
        raise NoData(f"{symbol}, {bars.index[at]:%Y-%m-%d}: too short a history for analogues")
    from tapebook.market.multiple import corrected

    names = [str(one[1]["by"]) for one in told]
    judged = pd.DataFrame([one[1] for one in told])
    judged["q"] = corrected(judged["p"].to_numpy(dtype=float), "holm")
    fans = {name: one[2] for name, one in zip(names, told, strict=True)} | {
        "all": _fan(past.paths[past.usable])
    }
    table = pd.concat([one[0] for one in told], ignore_index=True)
    return Analogues(symbol, bars.index[at], ahead, table, judged, fans, past.follow())


class _Past:
    """What was known at row `at`: log closes, and the path after each earlier bar in its own deviations.

    `column` is the query's.
    """

    @classmethod
    def of(cls, bars: Bars, made: States, symbol: str, at: int, ahead: int) -> _Past:
        """The rows at which the symbol has a bar, of the symbols that are searched."""
        logs = log_closes(bars)
        rows = np.flatnonzero(logs[symbol].notna().to_numpy())
        if at not in rows:
            raise BadInput(f"{symbol} has no bar at {bars.index[at]:%Y-%m-%d}: no analogue can be looked for")
        names = _company(logs, made, symbol, at)
        held = logs.ffill(limit=CARRIED)[list(names)].to_numpy()[rows]
        row = int(np.searchsorted(rows, at))
        return cls(held, made.part(rows, names), row, names.index(symbol), ahead)

    def __init__(self, logs: np.ndarray, made: States, at: int, column: int, ahead: int) -> None:
        self.logs, self.made, self.at, self.column, self.ahead = logs, made, at, column, ahead
        self.scale = made.deviation
        T, N = logs.shape
        self.paths = np.full((T, N, ahead), np.nan)
        last = at - ahead  # the last row whose follow-up was known
        if last >= 0:
            for step in range(1, ahead + 1):
                moved = logs[step : last + 1 + step] - logs[: last + 1]
                self.paths[: last + 1, :, step - 1] = moved / self.scale[: last + 1]
        self.usable = np.isfinite(self.paths).all(axis=2)

    def follow(self) -> pd.Series:
        """Path after the query, in its deviations."""
        row, column = self.at, self.column
        known = self.logs[row + 1 : row + 1 + self.ahead, column] - self.logs[row, column]
        return pd.Series(known / self.scale[row, column], range(1, len(known) + 1), name="actual")


def _company(logs: pd.DataFrame, made: States, symbol: str, at: int) -> tuple[str, ...]:
    others = [name for k, name in enumerate(made.symbols) if made.counts[at, k] and name != symbol]
    if len(others) > COMPANY:
        lately = since_last_close(logs.iloc[max(0, at - 250) : at + 1])
        along = lately[others].corrwith(lately[symbol]).sort_values(ascending=False, kind="stable")
        kept = set(along.index[:COMPANY])
        others = [name for name in others if name in kept]
    return (symbol, *others)


def _kind(
    past: _Past, name: str, m: int, count: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, object], pd.DataFrame] | None:
    width, at = max(m, past.ahead), past.at
    known = slice(0, at + 1)
    measure = Shapes(past.logs[known], m) if m else Likeness(past.made.part(known), at)

    def asked(row: int, col: int) -> np.ndarray | None:
        found = measure(row, col)
        if found is None:
            return None
        left = np.where(past.usable[known], found, np.nan)
        left[max(0, row - width + 1) : row + width] = np.nan  # the same days are no earlier time
        return left

    own = asked(at, past.column)
    if own is None:
        return None
    rows, columns, distance = nearest(own, count, width)
    if len(rows) < 3:
        return None
    mean = past.paths[past.usable].mean(axis=0)
    spots = np.argwhere(past.usable)
    beside = []
    for row, col in spots[rng.integers(len(spots), size=QUERIES)].tolist():
        other = asked(row, col) if abs(row - at) >= width else None
        if other is not None:
            at_rows, at_columns, apart = nearest(other, count, width)
            if len(at_rows) >= 3:
                beside.append((apart.mean(), _largest(past.paths[at_rows, at_columns], mean)))
    paths = past.paths[rows, columns]
    told = np.array(beside).reshape(-1, 2)
    unusual = (1 + (told[:, 0] <= distance.mean()).sum()) / (1 + len(told))
    p = (1 + (told[:, 1] >= _largest(paths, mean)).sum()) / (1 + len(told))
    symbols, stamps = past.made.symbols, past.made.index
    table = pd.DataFrame(
        {
            "by": name, "rank": np.arange(1, len(rows) + 1), "symbol": [symbols[c] for c in columns],
            "start": stamps[np.maximum(rows - max(m, 1) + 1, 0)], "end": stamps[rows],
            "distance": distance, "after": paths[:, -1],
        }
    )  # fmt: skip
    judged: dict[str, object] = {
        "by": name, "n": len(rows), "distance": float(distance.mean()), "unusual": float(unusual),
        "difference": float(paths[:, -1].mean() - mean[-1]), "p": float(p),
    }  # fmt: skip
    return table, judged, _fan(paths)


def _largest(paths: np.ndarray, mean: np.ndarray) -> float:
    """Largest t of the mean path (k, ahead) after 1, 5 and all bars, by its own spread."""
    steps = sorted({0, min(4, len(mean) - 1), len(mean) - 1})
    moves, mean = paths[:, steps], mean[steps]
    t = (moves.mean(axis=0) - mean) / (moves.std(axis=0, ddof=1) / np.sqrt(len(moves)))
    return float(np.abs(t).max())


def _fan(paths: np.ndarray) -> pd.DataFrame:
    made = np.quantile(paths.reshape(-1, paths.shape[-1]), QUANTILES, axis=0).T
    return pd.DataFrame(made, range(1, len(made) + 1), [f"{q:.0%}" for q in QUANTILES])
