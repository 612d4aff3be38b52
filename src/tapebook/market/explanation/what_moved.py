"""What moved, and with what: a move taken apart by betas from before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.move.measures import WINDOW
from tapebook.market.states import log_closes, since_last_close

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.market.move.moves import Move

PEERS = 3
FEWEST = 40


@dataclass(frozen=True, eq=False)
class Attribution:
    """A move's log return in parts that sum to it; its unexplained part is the abnormal return.

    `parts`: one row a part (drift, market, group, each factor, peers, unexplained): `beta`, `low`, `high`
    (95 %), `driver` (its own log return over the move, less what earlier parts explain of it), `part` (log
    return), `share` (of the change). `change` the move's log return, `expected` the sum of the parts but
    the unexplained one; `t` of the unexplained part and its two-sided `p`. `peers`: who they are;
    `left_out`: drivers that could not be asked.
    `path`: (bars of the move) cumulative log returns, actual and expected.
    """

    symbol: str
    change: float
    parts: pd.DataFrame
    t: float
    p: float
    peers: tuple[str, ...]
    left_out: tuple[str, ...]
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
        lost = f" Not asked, for want of returns: {', '.join(self.left_out)}." if self.left_out else ""
        told = [
            f"{name} {row['part']:+.1%}"
            for name, row in self.parts.iterrows()
            if name not in ("unexplained", "drift")
        ]
        how = "is more than chance" if self.p <= 0.05 else "could be chance"
        p = "p below 0.001" if self.p < 0.001 else f"p {self.p:.3f}"
        with_what = ", ".join(told) if told else "nothing to compare with"
        return (
            f"Of {self.change:+.1%} (log), {with_what}; unexplained {self.unexplained:+.1%}, which {how} "
            f"(Brown–Warner t {self.t:.1f}, {p}).{lost}"
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
        The symbol that is the market; the mean of the others with 40 returns in the window by default.
    groups : mapping, optional
        Symbol → group (a sector); the mean of the symbol's group, without itself.
    factors : frame, optional
        Returns of factors (T, K), one a column, by the bars' stamps. One that the window does not tell (fewer
        than 40 returns) or that has no return during the move is left out and named in `left_out`.
    window : int
        The symbol's bars before the move on which all betas are estimated, at least 40.

    Notes
    -----
    A return is since the symbol's last close, and the move is from its last close before its first bar: a
    driver's returns in between count whole, and at a bar that it lacks it has none.

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
    if not bars.close[move.symbol].iloc[[first, last]].notna().all():
        raise NoData(f"{move}: its symbol has no close at its first or last bar")
    logs = log_closes(bars)
    moved = since_last_close(logs)
    own = np.flatnonzero(logs[move.symbol].notna().to_numpy()[:first])
    span = Span(own[-window:], slice(int(own[-1]) + 1 if len(own) else first, last + 1))
    asked = _asked(moved, move.symbol, market, groups, factors, span.before)
    return _taken_apart(move, logs[move.symbol], moved, asked, span)


@dataclass(frozen=True)
class Span:
    """Rows before a move, by which betas are estimated, and rows from its last close before on to its end."""

    before: np.ndarray
    during: slice


def _asked(
    moved: pd.DataFrame,
    symbol: str,
    market: str | None,
    groups: Mapping[str, str] | None,
    factors: pd.DataFrame | None,
    before: np.ndarray,
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Returns (T,) of the market, the group and each factor, as they are; and who may be a peer."""
    count = moved.iloc[before].notna().sum().to_numpy()
    others = [str(name) for name, n in zip(moved, count, strict=True) if name != symbol and n >= FEWEST]
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
        beside = [name for name in others if own is not None and groups.get(name) == own]
        if beside and set(beside) != set(others):
            raw[f"group {own}"] = moved[beside].mean(axis=1).to_numpy()
    return raw | _factors(factors, moved.index, raw), others


def _factors(
    factors: pd.DataFrame | None, index: pd.Index, taken: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    if factors is None:
        return {}
    stamps = factors.index
    if not isinstance(stamps, pd.DatetimeIndex) or stamps.tz is None or stamps.has_duplicates:
        raise BadInput("factors: expected a frame of returns with one row a stamp, in UTC, a column a factor")
    held = factors.reindex(index).astype(float).replace([np.inf, -np.inf], np.nan)
    if not held.notna().any(axis=None):
        raise BadInput("factors: no stamp is one of the bars': they need the same stamps, in UTC")
    names = [str(name) for name in held]
    twice = [
        name for name in names if names.count(name) > 1 or name in {*taken, "drift", "peers", "unexplained"}
    ]
    if twice:
        raise BadInput(f"factors: the name {twice[0]!r} is taken; give each column one of its own")
    return {name: held.iloc[:, k].to_numpy() for k, name in enumerate(names)}


def _drivers(
    moved: pd.DataFrame, y: np.ndarray, raw: dict[str, np.ndarray], others: list[str], span: Span
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Columns of returns (T,), each cleaned of those before it by the window; and the peers."""
    cleaned: dict[str, np.ndarray] = {}
    for name, column in raw.items():
        made = _cleaned(column, list(cleaned.values()), span.before)
        if made is not None and np.isfinite(made[span.during]).any():
            cleaned[name] = made
    peers = _peers(moved, y, others, list(cleaned.values()), span.before) if len(others) > PEERS + 1 else ()
    if peers:
        made = _cleaned(moved[list(peers)].mean(axis=1).to_numpy(), list(cleaned.values()), span.before)
        if made is not None and np.isfinite(made[span.during]).any():
            cleaned["peers"] = made
    return cleaned, peers


def _cleaned(column: np.ndarray, by: list[np.ndarray], before: np.ndarray) -> np.ndarray | None:
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
    moved: pd.DataFrame, y: np.ndarray, others: list[str], by: list[np.ndarray], before: np.ndarray
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
    logs: pd.Series,
    moved: pd.DataFrame,
    asked: tuple[dict[str, np.ndarray], list[str]],
    span: Span,
) -> Attribution:
    from scipy import stats

    y, (raw, others), during = moved[move.symbol].to_numpy(), asked, span.during
    drivers, peers = _drivers(moved, y, raw, others, span)
    names = list(drivers)
    X = np.column_stack([np.isfinite(y).astype(float), *drivers.values()])
    fit = _fitted(y[span.before], X[span.before], str(move))
    steps = np.where(np.isfinite(X[during]), X[during], 0.0)
    base = float(logs.iloc[during.start - 1])
    change = float(logs.iloc[during.stop - 1]) - base
    driver = steps.sum(axis=0)
    part = fit.beta * driver
    left = change - float(part.sum())
    t = left / np.sqrt(driver[0] * fit.variance + float(driver @ fit.covariance @ driver))
    reach = stats.t.ppf(0.975, fit.freedom) * np.sqrt(np.diag(fit.covariance))
    table = pd.DataFrame(
        {
            "beta": [*fit.beta, np.nan], "low": [*(fit.beta - reach), np.nan],
            "high": [*(fit.beta + reach), np.nan], "driver": [*driver, np.nan], "part": [*part, left],
        },
        index=pd.Index(["drift", *names, "unexplained"], name="part_of"),
    )  # fmt: skip
    table["share"] = table["part"] / change if change else np.nan
    path = pd.DataFrame(
        {"actual": logs.iloc[during] - base, "expected": np.cumsum(steps @ fit.beta)},
        index=logs.index[during],
    )
    p = float(2.0 * stats.t.sf(abs(t), fit.freedom))
    lost = tuple(name for name in raw if name not in names)
    return Attribution(move.symbol, change, table, float(t), p, peers, lost, fit.freedom + X.shape[1], path)


@dataclass(frozen=True, eq=False)
class _Fit:
    beta: np.ndarray
    variance: float
    covariance: np.ndarray
    freedom: int


def _fitted(y: np.ndarray, X: np.ndarray, move: str) -> _Fit:
    both = np.isfinite(y) & np.isfinite(X).all(axis=1)
    if both.sum() < FEWEST:
        raise NoData(f"{move}: {int(both.sum())} usable bars before it, betas need {FEWEST}")
    A, b = X[both], y[both]
    beta, *_ = np.linalg.lstsq(A, b, rcond=None)
    freedom = len(b) - A.shape[1]
    variance = float(((b - A @ beta) ** 2).sum() / freedom)
    if variance < 1e-18:
        raise NoData(f"{move}: the bars before it leave nothing to chance, so no part can be judged")
    return _Fit(beta, variance, variance * np.linalg.inv(A.T @ A), freedom)
