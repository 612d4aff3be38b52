"""Breaks in correlations: which pairs stopped moving as they did, when, and when it could be known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.correlation.break_search import limits, probability, rows, segmented
from tapebook.market.correlation.checks import whole
from tapebook.market.multiple import Correction, corrected
from tapebook.market.scan import LEVEL

if TYPE_CHECKING:
    import plotly.graph_objects as go

DECAY, CLIP = 0.94, 3.0
COLUMNS = ("a", "b", "before", "after", "at", "known", "n", "p", "q", "holds")


@dataclass(frozen=True, eq=False, repr=False)
class CorrelationBreaks:
    """Breaks of pairs, and of the market's mean correlation.

    `findings`: a, b, correlation before (since the last break) and after (to the next), `at` the last bar of
    the old correlation, `known` the bar at whose close this test of the bars since the last break first says
    so (at `level` over the number of pairs), n rows, p, q, holds. Every pair asked has a row, those without a
    break by their likeliest; a correlation is NaN where one of the two stands still. `mean`: the same columns
    but a and b, of the mean over all pairs. `warnings` say which pairs could not be asked.
    """

    findings: pd.DataFrame
    mean: pd.DataFrame
    asked: int
    returns: pd.DataFrame
    level: float
    warnings: tuple[str, ...] = ()

    @property
    def found(self) -> pd.DataFrame:
        """The breaks that hold after correction."""
        return self.findings[self.findings["holds"].astype(bool)]

    @property
    def summary(self) -> str:
        """What was asked, and what is left, in words."""
        held, mean = self.found, self.mean[self.mean["holds"].astype(bool)]
        pairs = len(held[["a", "b"]].drop_duplicates())
        text = f"{len(held):,} breaks in {pairs:,} of {self.asked:,} pairs hold at {self.level:.0%}"
        when = ", ".join(f"{at:%Y-%m-%d}" for at in mean["at"])
        text += f"; the mean correlation {f'broke after {when}' if when else 'did not break'}."
        return " ".join([text, *(f"{warning}." for warning in self.warnings)])

    def figure(self, finding: int | None = None, window: int = 60) -> go.Figure:
        """Rolling correlation of one finding's pair, or the mean of all, with its breaks and their levels."""
        from tapebook.market.correlation.break_figure import break_figure

        if finding is not None and finding not in self.findings.index:
            raise UnknownName("finding", str(finding), map(str, self.findings.index[:20]))
        return break_figure(self, finding, window)

    def __repr__(self) -> str:
        return f"CorrelationBreaks: {self.summary}"


def correlation_breaks(
    returns: pd.DataFrame,
    *,
    level: float = LEVEL,
    correction: Correction = "bh",
    min_size: int = 60,
    seed: int = 0,  # noqa: ARG001
) -> CorrelationBreaks:
    """Find the bars at which correlations of returns (T, N) changed, in every pair and in their mean.

    The cumulated sum of products of Wied, Krämer & Dehling (2012, Econometric Theory 28) by its largest
    size and, for correlations that return, by its range (Kuiper 1960); p is twice the smaller. Returns are
    first set in deviations of those before them (so that volatility is no correlation) and clipped at 3. The
    error knows memory (Bartlett's weights, after the best split). Further breaks by binary segmentation, each
    part at least `min_size` rows, then each date again between its neighbours. q over all pairs and parts.

    Dates are told with hindsight, of all rows given: for what was known then, give the rows up to then. The
    test draws nothing: `seed` is there because every scan has one.
    """
    _check(returns, level, min_size)
    Z = scaled(returns)
    names, N = [str(name) for name in returns.columns], returns.shape[1]
    first, second = np.triu_indices(N, 1)
    told = _whole(Z, first, second, min_size)
    p = probability(told[:, 0], told[:, 1])
    asked = int((~np.isnan(p)).sum())
    if not asked:
        raise NoData(f"no pair that moves shares {2 * min_size} rows: take more rows, or a smaller min_size")
    X, index = returns.to_numpy(dtype=float), pd.DatetimeIndex(returns.index)
    of = _Pairs(Z, X, index, min_size, level, limits(level / asked))
    pairs = np.flatnonzero(~np.isnan(p))
    with ThreadPoolExecutor(cpu_count() or 1) as crew:
        parts = crew.map(of.search, first[pairs], second[pairs], pairs, p[pairs])
        table = pd.DataFrame([row for part in parts for row in part])
    table.insert(0, "a", [names[first[n]] for n in table["pair"]])
    table.insert(1, "b", [names[second[n]] for n in table["pair"]])
    q = corrected(table["p"].to_numpy(), correction)
    table = table.assign(q=q, holds=q <= level)
    order = table.sort_values(
        ["holds", "p", "pair", "at"], ascending=[False, True, True, True], kind="stable"
    )
    return CorrelationBreaks(
        findings=order[list(COLUMNS)].reset_index(drop=True),
        mean=_mean(Z, X, index, min_size, level),
        asked=asked,
        returns=returns,
        level=level,
        warnings=_left(len(p), asked, 2 * min_size),
    )


def _left(every: int, asked: int, rows: int) -> tuple[str, ...]:
    if asked == every:
        return ()
    why = f"they share fewer than {rows} rows, or one of the two never moves"
    return (f"{every - asked:,} of {every:,} pairs were not asked: {why}",)


def scaled(returns: pd.DataFrame) -> np.ndarray:
    """Return (N, T) columns over the volatility of the returns before them, clipped; NaN where missing.

    A column that never moves is NaN.
    """
    from tapebook.market.trend.kernels import past_scaled

    X = returns.to_numpy(dtype=float)
    Z = np.full(X.T.shape, np.nan)
    for n in range(len(Z)):
        have = np.isfinite(X[:, n])
        if have.sum() > 2 and np.ptp(X[have, n]) > 0.0:
            Z[n, have] = past_scaled(np.ascontiguousarray(X[have, n] - X[have, n].mean()), DECAY, CLIP)
    return Z


def _check(returns: pd.DataFrame, level: float, min_size: int) -> None:
    if not 0.0 < level < 1.0:
        raise BadParameter("level", level, "a share of false findings above 0 and below 1")
    whole("min_size", min_size, 20, "a whole number of at least 20 rows")
    if returns.shape[1] < 2:
        raise NoData(f"{returns.shape[1]} symbols: correlations need at least 2")
    if returns.columns.has_duplicates:
        twice = returns.columns[returns.columns.duplicated()][0]
        raise BadInput(f"symbol {twice} is there twice: leave one of them out")
    X = returns.to_numpy(dtype=float)
    if np.isinf(X).any():
        name = returns.columns[np.isinf(X).any(axis=0)][0]
        raise BadInput(f"{name} has an infinite return: a price of 0, or a division by it")


def _whole(Z: np.ndarray, first: np.ndarray, second: np.ndarray, least: int) -> np.ndarray:
    from tapebook.market.correlation.break_kernels import every_pair

    told = np.full((len(first), 3), np.nan)
    cuts = np.linspace(0, len(first), 4 * (cpu_count() or 1) + 1).astype(int)
    parts = [slice(a, b) for a, b in zip(cuts[:-1], cuts[1:], strict=True) if b > a]
    with ThreadPoolExecutor(cpu_count() or 1) as crew:
        list(crew.map(lambda part: every_pair(Z, first[part], second[part], least, told[part]), parts))
    return told


@dataclass(frozen=True, eq=False)
class _Pairs:
    """What the search of one pair needs: its sound returns, and what all pairs have in common."""

    Z: np.ndarray
    X: np.ndarray
    index: pd.DatetimeIndex
    least: int
    level: float
    limits: tuple[float, float]

    def search(self, i: int, j: int, pair: int, p: float) -> list[dict[str, Any]]:
        """Rows of one pair: its breaks, or its likeliest one."""
        from tapebook.market.correlation.break_kernels import first_known, memory, products_of, tested

        have = np.flatnonzero(~(np.isnan(self.Z[i]) | np.isnan(self.Z[j])))
        x, y, raw = self.Z[i, have], self.Z[j, have], self.X[have][:, [i, j]]

        def test(start: int, stop: int) -> tuple[float, float, int]:
            w = np.empty(stop - start)
            products_of(x[start:stop], y[start:stop], w)
            told: tuple[float, float, int] = tested(w, self.least, memory(stop - start))
            return told

        def known(start: int, at: int, stop: int) -> int:
            k = int(first_known(x[start:stop], y[start:stop], at - start, self.least, *self.limits, 2))
            return int(have[start + k - 1]) if k > 0 else len(self.index) - 1

        def level_of(start: int, stop: int) -> float:
            return _correlation(raw[start:stop])

        found = segmented(test, len(have), self.least, self.level if p <= self.level else 0.0)
        return [row | {"pair": pair} for row in rows(found, have, self.index, known, level_of)]


def _correlation(raw: np.ndarray) -> float:
    X = raw - raw.mean(axis=0)
    scale = float(np.sqrt((X[:, 0] @ X[:, 0]) * (X[:, 1] @ X[:, 1])))
    return float(X[:, 0] @ X[:, 1]) / scale if scale > 0.0 else np.nan


def _mean(Z: np.ndarray, X: np.ndarray, index: pd.DatetimeIndex, least: int, level: float) -> pd.DataFrame:
    """Breaks of the mean correlation of all pairs, over the rows on which half of the symbols are there."""
    from tapebook.market.correlation.break_kernels import memory, tested
    from tapebook.market.correlation.products import correlation_matrix

    have = np.flatnonzero((~np.isnan(Z)).sum(axis=0) >= max(2, len(Z) // 2))
    if len(have) < 2 * least:
        return pd.DataFrame(columns=list(COLUMNS[2:]))
    part = Z[:, have].T

    def test(start: int, stop: int) -> tuple[float, float, int]:
        told: tuple[float, float, int] = tested(mean_products(part[start:stop]), least, memory(stop - start))
        return told

    def known(start: int, at: int, stop: int) -> int:
        sup, reach = limits(level)
        for k in range(at + 10, stop + 1, 2):
            w = mean_products(part[start:k])
            told = tested(w, min(least, 10), memory(k - start))
            if told[0] >= sup or told[1] >= reach:
                return int(have[k - 1])
        return len(index) - 1

    def level_of(start: int, stop: int) -> float:
        R = correlation_matrix(X[have[start:stop]])
        return float(np.nanmean(R[np.triu_indices(len(R), 1)]))

    found = segmented(test, len(have), least, level)
    table = pd.DataFrame(rows(found, have, index, known, level_of))
    table["q"] = corrected(table["p"].to_numpy(), "holm", asked=len(table))
    return table.assign(holds=table["p"] <= level)


def mean_products(part: np.ndarray) -> np.ndarray:
    """What each row of (n, N) sound returns adds to the mean correlation of all pairs; its mean is 0."""
    from tapebook.market.correlation.products import correlation_matrix, standardised

    Z, there = standardised(part), ~np.isnan(part)
    R = np.nan_to_num(correlation_matrix(Z))
    np.fill_diagonal(R, 0.0)
    z, m = np.nan_to_num(Z), there.astype(float)
    own = np.einsum("tn,tn->t", z * z, m @ R)
    count = there.sum(axis=1)
    w: np.ndarray = (z.sum(axis=1) ** 2 - (z * z).sum(axis=1) - own) / np.maximum(count * (count - 1.0), 1.0)
    return w
