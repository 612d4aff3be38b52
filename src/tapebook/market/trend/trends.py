"""Trends: what direction every symbol has, how sure that is, and in which state it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from tapebook.data.when import When
from tapebook.errors import BadParameter
from tapebook.market.multiple import Correction
from tapebook.market.scan import COLUMNS, LEVEL, MIN_COVERAGE, Idea, Scan, covered, judged, known_by

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.market.scan import Coverage
    from tapebook.market.trend.series import Series

ORDER = ("question", "symbol", "horizon", *COLUMNS, "statistic")
LEAST, RETURNS = 30, 20
"""Bars, and returns between two neighbouring bars, that a symbol needs."""


@dataclass(frozen=True, eq=False, repr=False)
class Trends(Scan):
    """Questions about direction, one row each, and the state of every symbol at its last bar.

    `findings["question"]` is "trend" (is the slope steeper than a random walk's?), "variance ratio" (do
    returns go on or come back?), "Hurst" (over hundreds of bars?), "unit root" (does the price come back to
    a level?), "change in mean" or "change in volatility" (of returns, at any bar). `horizon` is in bars: the
    longest look-back of a trend, the bars summed in a variance ratio, 0 for what has none; `statistic` is
    the test's own.

    Attributes
    ----------
    board : frame
        One row a symbol: its state now, in words and figures, for `board_figure`.
    states : frame
        One row a symbol and horizon: momentum and rank, side of the moving average and bars since the cross.
    breaks : frame
        One row a change point, stamped by the bar at which it could be `known`.
    unit_roots : frame
        ADF and KPSS side by side.
    volatility, volatility_share : frame (T, N)
        Annualised volatility of 20 bars, and the share of its own past at or below it; row t knows t.
    closes : frame (T, N)
        What was looked at.
    periods_per_year : float
        Bars in a year, by which volatility is annualised.
    """

    kind: ClassVar[str] = "trends"
    keys: ClassVar[tuple[str, ...]] = ("question", "symbol", "horizon")

    board: pd.DataFrame
    states: pd.DataFrame
    breaks: pd.DataFrame
    unit_roots: pd.DataFrame
    volatility: pd.DataFrame
    volatility_share: pd.DataFrame
    closes: pd.DataFrame
    periods_per_year: float

    @cached_property
    def hindsight(self) -> pd.DataFrame:
        """Change points as all bars place them, by PELT of ruptures: symbol, of, ts, before, after, unit.

        Every level lasts until the next change. Later bars may move or remove a row, so nothing is judged by
        it; `breaks` says what could be known when.
        """
        from tapebook.market.trend.breaks import in_hindsight

        return in_hindsight(self.closes, self.periods_per_year, float(self.params["level"]))

    def figure(self, finding: int = 0) -> go.Figure:
        """Draw one finding, by its label in the index of `findings`."""
        from tapebook.market.trend.figures import drawn

        return drawn(self, self.row(finding))

    def board_figure(self, *, rows: int = 60, dark: bool = False) -> go.Figure:
        """Draw the board: one row a symbol, by momentum over the middle horizon; at most `rows` of them."""
        from tapebook.market.trend.board import board_figure

        return board_figure(self, rows=rows, dark=dark)

    def idea(self, finding: int = 0) -> Idea:
        """Turn one finding into a strategy of the library; BadParameter where none trades it."""
        from tapebook.market.trend.ideas import idea_of

        return idea_of(self.row(finding))


def trends(
    bars: Bars,
    *,
    horizons: int | Sequence[int] = (20, 60, 250),
    end: When = None,
    level: float = LEVEL,
    correction: Correction = "bh",
    min_coverage: float = MIN_COVERAGE,
    seed: int = 0,
) -> Trends:
    """Ask every symbol for its trends, its memory, its breaks and its state, as known at `end`.

    Parameters
    ----------
    bars : Bars
        Shape (T, N). Everything is measured at each symbol's own last bar; returns are taken only between
        two consecutive rows that both have a close.
    horizons : int or sequence of int
        Bars over which trends, moving averages and momentum are looked for, each at least 10.
    end : date or moment, optional
        As was known then: bars known later are not seen.
    level, correction
        Share of false findings allowed among all questions asked, and how p-values are corrected.
    min_coverage : float
        Share of the bars asked for below which NoData is raised. A symbol needs 30 bars, and 20 returns
        between neighbouring rows; a question that needs more than it has is not asked of it, which
        `warnings` tells.
    seed : int
        Of the simulated null distributions.

    Raises
    ------
    BadParameter
        If a horizon, the level or the correction is not as expected.
    NoData
        If no symbol can be judged, or too few bars are left.
    """
    spans = _spans(horizons)
    used, coverage = covered(known_by(bars, end), _apart, min_bars=LEAST, min_coverage=min_coverage)
    return _told(used, coverage, spans, level, correction, min_coverage, seed)


def _told(
    used: Bars,
    coverage: Coverage,
    spans: tuple[int, ...],
    level: float,
    correction: Correction,
    min_coverage: float,
    seed: int,
) -> Trends:
    from tapebook.market.trend import breaks as trend_breaks
    from tapebook.market.trend import regimes as trend_regimes
    from tapebook.market.trend.board import board
    from tapebook.market.trend.series import series_of
    from tapebook.market.trend.state import states
    from tapebook.market.trend.unit_roots import unit_roots

    every, year = series_of(used), used.periods_per_year
    roots = unit_roots(every)
    breaks, changes = trend_breaks.found(every, used.index, year, level)
    findings = judged(_asked(every, spans, roots, changes, seed), level, correction)[list(ORDER)]
    volatility = trend_regimes.volatilities(every, used.index, year)
    share = trend_regimes.shares_of_past(volatility)
    state = states(every, spans)
    params = {"horizons": spans, "level": level, "correction": correction, "min_coverage": min_coverage}
    return Trends(
        findings=findings,
        coverage=coverage,
        params=params | {"seed": seed},
        symbols=used.symbols,
        freq=str(used.freq),
        start=used.index[0],
        end=used.index[-1],
        snapshot=used.snapshot,
        warnings=tuple(_warnings(every, used.index, spans)),
        board=board(used, every, state, findings, volatility, share),
        states=state,
        breaks=breaks,
        unit_roots=roots,
        volatility=volatility,
        volatility_share=share,
        closes=used.close,
        periods_per_year=year,
    )


def _asked(
    every: list[Series], spans: tuple[int, ...], roots: pd.DataFrame, changes: pd.DataFrame, seed: int
) -> pd.DataFrame:
    from tapebook.market.trend.hurst import hursts
    from tapebook.market.trend.scanning import scanned
    from tapebook.market.trend.unit_roots import unit_root_findings
    from tapebook.market.trend.variance_ratio import variance_ratios

    tables = (
        scanned(every, spans, seed),
        variance_ratios(every),
        hursts(every, seed),
        unit_root_findings(roots),
        changes,
    )
    told = [table for table in tables if len(table)]
    return pd.concat(told, ignore_index=True) if told else pd.DataFrame(columns=list(ORDER))


def _warnings(every: list[Series], index: pd.DatetimeIndex, spans: tuple[int, ...]) -> Iterator[str]:
    """Tell which symbols ended early and which questions could not be asked."""
    ended = [s.symbol for s in every if s.rows[-1] < len(index) - 1]
    if ended:
        yield f"{_some(ended)}: no bar at {index[-1]:%Y-%m-%d}; the state is that of the last bar each has"
    for what, least in (*((f"trend over {h}", h) for h in spans), ("Hurst", 251), ("unit root", 100)):
        short = [s.symbol for s in every if len(s.close) < least]
        if short:
            yield f"{_some(short)}: {what} not asked, it needs {least} bars"


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _apart(_: str, close: np.ndarray) -> str | None:
    """Why a symbol whose bars are seldom neighbours cannot be judged: no return is taken over a gap."""
    known = np.isfinite(close)
    returns = int((known[1:] & known[:-1]).sum())
    return None if returns >= RETURNS else f"{returns} returns between neighbouring bars, {RETURNS} needed"


def _spans(horizons: int | Sequence[int]) -> tuple[int, ...]:
    given = list(horizons) if isinstance(horizons, Iterable) else [horizons]
    if not given or any(not isinstance(h, Integral) or h < 10 for h in given):
        raise BadParameter("horizons", horizons, "whole numbers of bars, each at least 10")
    return tuple(sorted({int(h) for h in given}))
