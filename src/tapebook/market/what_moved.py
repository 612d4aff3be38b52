"""What moved, and with what: a move taken apart by betas from before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData, UnknownName

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.market.moves import Move

WINDOW = 250
"""Bars before a move on which betas are estimated."""
PEERS = 3
FEWEST = 40


@dataclass(frozen=True, eq=False)
class Attribution:
    """A move's log return in parts that sum to it.

    `parts`: one row a part (drift, market, group, each factor, peers, unexplained): `beta`, `low`, `high`
    (95 %), `driver` (its own log return over the move, less what earlier parts explain of it), `part` (log
    return), `share` (of the change). `change` the move's log return, `expected` the sum of the parts but
    the unexplained one; `t` of the unexplained part and its two-sided `p`. `peers`: who they are.
    `path`: (bars of the move) cumulative log returns, actual and expected.
    """

    symbol: str
    change: float
    parts: pd.DataFrame
    t: float
    p: float
    peers: tuple[str, ...]
    rows: int
    path: pd.DataFrame

    @property
    def expected(self) -> float:
        """Log return that the betas from before give to what else moved."""
        return float(self.parts["part"].drop("unexplained").sum())

    @property
    def unexplained(self) -> float:
        """Log return that is left."""
        return float(self.parts["part"]["unexplained"])

    @property
    def summary(self) -> str:
        """The answer in words."""
        told = [
            f"{name} {row['part']:+.1%}"
            for name, row in self.parts.iterrows()
            if name not in ("unexplained", "drift")
        ]
        how = "is more than chance" if self.p <= 0.05 else "could be chance"
        with_what = ", ".join(told) if told else "nothing to compare with"
        return (
            f"Of {self.change:+.1%} (log), {with_what}; unexplained {self.unexplained:+.1%}, which {how} "
            f"(t {self.t:.1f})."
        )


def attribution(
    bars: Bars,
    move: Move,
    *,
    market: str | None = None,
    groups: Mapping[str, str] | None = None,
    factors: pd.DataFrame | None = None,
    window: int = WINDOW,
) -> Attribution:
    """Take a move apart: what the market, its group, factors and peers did, times betas from before it.

    Parameters
    ----------
    market : str, optional
        The symbol that is the market; the mean of the others by default.
    groups : mapping, optional
        Symbol → group (a sector); the mean of the symbol's group, without itself.
    factors : frame, optional
        Returns of factors (T, K), one a column, by the bars' stamps.
    window : int
        Bars before the move's first bar on which all betas are estimated, at least 40.

    Notes
    -----
    Each driver is first cleaned of those before it (market, group, factors, peers, in this order) by
    coefficients of the window, so that the parts do not count anything twice. Peers are the 3 symbols whose
    cleaned returns correlate most with the symbol's in the window. The unexplained part's deviation is that
    of the window's residuals over as many bars, with the error of the betas (Brown & Warner 1985, JFE 14).
    """
    if window < FEWEST:
        raise BadParameter("window", window, f"at least {FEWEST} bars")
    if move.symbol not in bars.symbols:
        raise UnknownName("symbol", move.symbol, bars.symbols)
    first, last = bars.index.get_indexer(pd.Index([move.start, move.end])).tolist()
    if first < 1 or last < first:
        raise BadInput(f"the move {move} does not lie in the bars {bars.start} to {bars.end}")
    logs = bars.close.where(bars.close > 0.0).transform(np.log)
    moved = logs.diff()
    y = moved[move.symbol].to_numpy()
    before, during = slice(max(1, first - window), first), slice(first, last + 1)
    drivers, peers = _drivers(moved, y, move.symbol, market, groups, factors, before)
    return _taken_apart(move, logs, y, drivers, peers, before, during)


def _drivers(
    moved: pd.DataFrame,
    y: np.ndarray,
    symbol: str,
    market: str | None,
    groups: Mapping[str, str] | None,
    factors: pd.DataFrame | None,
    before: slice,
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Columns of returns (T,), each cleaned of the ones before it by the window's coefficients."""
    others = [str(name) for name in moved if name != symbol]
    raw: dict[str, np.ndarray] = {}
    if market is not None:
        if market not in moved:
            raise UnknownName("symbol", market, moved.columns, "The market has to be among the bars.")
        if market != symbol:
            raw["market"] = moved[market].to_numpy()
        others = [name for name in others if name != market]
    elif len(others) >= 2:
        raw["market"] = moved[others].mean(axis=1).to_numpy()
    if groups is not None:
        own = groups.get(symbol)
        beside = [name for name in others if own is not None and groups.get(str(name)) == own]
        if beside and set(beside) != set(others):
            raw[f"group {own}"] = moved[beside].mean(axis=1).to_numpy()
    if factors is not None:
        held = factors.reindex(moved.index)
        raw |= {str(name): held[name].to_numpy(dtype=float) for name in held}
    cleaned: dict[str, np.ndarray] = {}
    for name, column in raw.items():
        made = _cleaned(column, list(cleaned.values()), before)
        if made is not None:
            cleaned[name] = made
    peers = _peers(moved, y, others, list(cleaned.values()), before) if len(others) > PEERS + 1 else ()
    if peers:
        made = _cleaned(moved[list(peers)].mean(axis=1).to_numpy(), list(cleaned.values()), before)
        if made is not None:
            cleaned["peers"] = made
    return cleaned, peers


def _cleaned(column: np.ndarray, by: list[np.ndarray], before: slice) -> np.ndarray | None:
    """The column less what the others explain of it in the window; None where the window does not tell."""
    made = column
    if by:
        X = np.column_stack(by)
        both = np.isfinite(column[before]) & np.isfinite(X[before]).all(axis=1)
        if both.sum() < FEWEST:
            return None
        A = np.column_stack([np.ones(both.sum()), X[before][both]])
        made = column - X @ np.linalg.lstsq(A, column[before][both], rcond=None)[0][1:]
    known = made[before][np.isfinite(made[before])]
    if len(known) < FEWEST or known.std() < 1e-9:
        return None
    answer: np.ndarray = made
    return answer


def _peers(
    moved: pd.DataFrame, y: np.ndarray, others: list[str], by: list[np.ndarray], before: slice
) -> tuple[str, ...]:
    own = _cleaned(y, by, before)
    if own is None:
        return ()
    told = []
    for name in others:
        made = _cleaned(moved[name].to_numpy(), by, before)
        if made is None:
            continue
        both = np.isfinite(own[before]) & np.isfinite(made[before])
        if both.sum() >= FEWEST:
            told.append((float(np.corrcoef(own[before][both], made[before][both])[0, 1]), name))
    best = sorted(told, key=lambda one: (-one[0], one[1]))[:PEERS]
    return tuple(sorted(name for r, name in best if r > 0.0))


def _taken_apart(
    move: Move,
    logs: pd.DataFrame,
    y: np.ndarray,
    drivers: dict[str, np.ndarray],
    peers: tuple[str, ...],
    before: slice,
    during: slice,
) -> Attribution:
    from scipy import stats

    names = list(drivers)
    X = np.column_stack([np.ones(len(y)), *drivers.values()])
    both = np.isfinite(y[before]) & np.isfinite(X[before]).all(axis=1)
    if both.sum() < FEWEST:
        raise NoData(f"{move}: {int(both.sum())} usable bars before it, betas need {FEWEST}")
    A, b = X[before][both], y[before][both]
    beta, *_ = np.linalg.lstsq(A, b, rcond=None)
    freedom = len(b) - A.shape[1]
    variance = float(((b - A @ beta) ** 2).sum() / freedom)
    covariance = variance * np.linalg.inv(A.T @ A)
    steps = np.where(np.isfinite(X[during]), X[during], 0.0)
    change = float(logs[move.symbol].iloc[during.stop - 1] - logs[move.symbol].iloc[during.start - 1])
    if not np.isfinite(change):
        raise NoData(f"{move}: its symbol has no close at the last bar or before the first one")
    driver = steps.sum(axis=0)
    part = beta * driver
    left = change - float(part.sum())
    length = during.stop - during.start
    t = left / np.sqrt(length * variance + float(driver @ covariance @ driver))
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(np.diag(covariance))
    table = pd.DataFrame(
        {
            "beta": [*beta, np.nan], "low": [*(beta - reach), np.nan], "high": [*(beta + reach), np.nan],
            "driver": [*driver, np.nan], "part": [*part, left],
        },
        index=pd.Index(["drift", *names, "unexplained"], name="part_of"),
    )  # fmt: skip
    table["share"] = table["part"] / change if change else np.nan
    actual = logs[move.symbol].iloc[during] - logs[move.symbol].iloc[during.start - 1]
    path = pd.DataFrame({"actual": actual, "expected": np.cumsum(steps @ beta)}, index=logs.index[during])
    return Attribution(
        move.symbol, change, table, float(t), float(2.0 * stats.t.sf(abs(t), freedom)), peers, len(b), path
    )
