"""The correlation scan: who moves with whom, who moves first, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.when import When
from tapebook.errors import BadParameter, NoData
from tapebook.market.correlation.checks import checked, spanned
from tapebook.market.correlation.columns import Method
from tapebook.market.correlation.questions import matrix_of, questions
from tapebook.market.correlation.returns import Align, log_returns, residuals
from tapebook.market.correlation.warnings import not_asked, warned
from tapebook.market.multiple import Correction, corrected
from tapebook.market.scan import LEVEL, MIN_COVERAGE, Idea, Scan, covered, known_by

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlation.breaks import CorrelationBreaks
    from tapebook.market.correlation.rolling import Rolling
    from tapebook.market.correlation.structure.structure import Structure

Chance = Literal["robust", "effective", "permutation"]
KEEP = 10_000
"""Rows of a table of findings: the likeliest, and all that hold up to this number."""


@dataclass(frozen=True, eq=False, repr=False)
class Correlations(Scan):
    """What `correlations` found. `findings`: a, b, lag (a leads b by so many bars), window, then the rest.

    `returns` (T, N) is what was correlated, `asked` the number of questions, `held` how many of them hold,
    also where `findings` has only the likeliest.
    """

    kind: ClassVar[str] = "correlations"
    keys: ClassVar[tuple[str, ...]] = ("a", "b", "lag", "window", "method")

    returns: pd.DataFrame
    bars: Bars
    asked: int
    held: int

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """The measure of every pair at lag 0 over all rows, (N, N); 1 on the diagonal."""
        return self._matrix(self.returns)

    def _matrix(self, returns: pd.DataFrame) -> pd.DataFrame:
        names = returns.columns
        return pd.DataFrame(matrix_of(returns.to_numpy(), self.params), index=names, columns=names)

    def matrices(self, window: int = 250, step: int = 60) -> Iterator[tuple[pd.Timestamp, pd.DataFrame]]:
        """Yield (stamp, matrix) of the measure in windows `step` bars apart, known at the stamp's close."""
        from tapebook.market.correlation.rolling import ends

        for end in ends(len(self.returns), window, step):
            yield self.returns.index[end - 1], self._matrix(self.returns.iloc[end - window : end])

    def rolling(self, window: int = 60) -> Rolling:
        """Pearson correlation of all pairs in rolling windows, summarised by pair and through time."""
        from tapebook.market.correlation.rolling import rolling

        return rolling(self.returns, window)

    def lead_lag(self, a: str, b: str, lags: int = 20) -> pd.DataFrame:
        """Profile of one pair, one row a lag −lags … lags (a leads b where it is above 0).

        Columns correlation, and `low` to `high`, where it would be in 95 % of cases without any bond.
        """
        from tapebook.market.correlation.figures import profile

        return profile(self, a, b, lags)

    def structure(self, *, rows: int = 250, **settings: Any) -> Structure:
        """Clusters, spanning tree, eigenvalues beyond noise and cleaned matrices of the returns.

        Settings are those of the function in `tapebook.market.correlation.structure.structure`. Symbols
        without which the others share `rows` rows are left out first, which its `warnings` tell.
        """
        from tapebook.market.correlation.structure.choice import most_shared
        from tapebook.market.correlation.structure.structure import structure

        used, out = most_shared(self.returns, rows)
        told = structure(used, **settings)
        if not out:
            return told
        them = "it" if len(out) == 1 else "them"
        why = f"{', '.join(out)} left out: with {them} all symbols share fewer than {rows:,} rows"
        return replace(told, warnings=(why, *told.warnings))

    def breaks(self, **settings: Any) -> CorrelationBreaks:
        """When the correlation of a pair, and of all, changed; see `market.correlation_breaks`."""
        from tapebook.market.correlation.breaks import correlation_breaks

        return correlation_breaks(self.returns, **({"level": self.params["level"]} | settings))

    @property
    def summary(self) -> str:
        """What was asked, of what, and what is left, in words."""
        held = self.held
        what = (
            f"{held:,} of {self.asked:,} questions hold"
            if held
            else f"nothing holds of {self.asked:,} questions"
        )
        more = ""
        if held:
            top = self.found.iloc[0]
            how = "move together" if top["lag"] == 0 else f"{top['a']} leads by {top['lag']} bars"
            more = f" First: {top['a']} and {top['b']}, {how}, {top['effect']:.2f}."
        return (
            f"{what} at a false-discovery rate of {self.params['level']:.0%}, "
            f"{self.params['method']}.{more} "
            f"{self.coverage}; {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}."
        )

    def figure(self, finding: int = 0) -> go.Figure:
        """Prices, rolling correlation and lead–lag profile of one finding's pair."""
        from tapebook.market.correlation.figures import pair_figure

        row = self.row(finding)
        return pair_figure(self, str(row["a"]), str(row["b"]))

    def idea(self, finding: int = 0) -> Idea:
        """A pair with a leader as a strategy on the follower; what moves at the same time is none."""
        row = self.row(finding)
        if row["lag"] < 1:
            raise BadParameter(
                "finding", finding, "one with a lag: what moves at the same bar leaves nothing to trade"
            )
        params = {"lag": int(row["lag"]), "way": "with" if row["effect"] > 0 else "against"}
        return Idea("follow_leader", params, (str(row["a"]), str(row["b"])))


def correlations(
    bars: Bars,
    *,
    method: Method = "pearson",
    of: Literal["returns", "residuals"] = "returns",
    lags: int = 0,
    windows: Sequence[int | None] = (None,),
    halflife: float | None = None,
    factors: pd.DataFrame | None = None,
    tail: float = 0.05,
    align: Align = "consecutive",
    chance: Chance = "robust",
    draws: int = 999,
    block: int | None = None,
    end: When = None,
    level: float = LEVEL,
    correction: Correction = "bh",
    min_bars: int = 60,
    min_coverage: float = MIN_COVERAGE,
    keep: int = KEEP,
    seed: int = 0,
) -> Correlations:
    """Ask of every pair of symbols whether their returns go together, at once and `lags` bars apart.

    Parameters
    ----------
    method : str
        "pearson", "spearman", "kendall" (tau-b), "partial" (given all other symbols at the same bar),
        "distance" (any dependence; at most 500 pairs and lags), "lower_tail" or "upper_tail": the probability
        that one is among its `tail` worst (best) bars where the other is; independent symbols have `tail`.
    of : str
        "returns": log returns. "residuals": what `factors` (a frame of stamps by factors; the panel's mean
        return if None) leave of them. For levels there is `cointegration`.
    lags : int
        K: each pair is asked at every lag −K … K.
    windows : sequence
        Numbers of last rows; None is all of them. Each one is asked of each pair and lag.
    halflife : float, optional
        In bars: newer rows weigh more, by half for each so many bars.
    chance : str
        "robust": the deviation of the mean product, right under heavy tails, volatility that clusters or
        rises in both at once, and memory. "effective": a normal of as many independent rows as are equally
        sure (Pyper & Peterman 1998); n tells how many. "permutation": the blocks of `block` rows (√T if None)
        of each symbol in another order, `draws` times. Kendall's and partial correlations, weights by age and
        tails have "robust" only (tails: Poisson's law, with memory; that storms hit two at once makes their
        tails dependent); distance has circular shifts.
    align : str
        What of holidays and unequal histories, see `log_returns`; nothing is ever filled. Each pair is judged
        on the rows that both have ("consecutive"), or all pairs on those that all have ("shared").
    min_bars : int
        Rows that a pair must share (in windows shorter than that: all of them, less the lag).
    end : date, optional
        What was known then: later bars change nothing.
    level, correction
        False-discovery rate over all pairs × lags × windows asked.

    Returns
    -------
    Correlations
        `findings` holds the `keep` likeliest; all are counted.

    Raises
    ------
    BadParameter, BadInput, NoData
        Saying which parameter or how much of the data was there.
    """
    params: dict[str, Any] = {
        "method": method, "of": of, "lags": lags, "windows": windows, "halflife": halflife,
        "tail": tail, "align": align, "chance": chance, "draws": draws, "block": block, "level": level,
        "correction": correction, "min_bars": min_bars, "seed": seed,
    }  # fmt: skip
    params = checked(params, factors is not None, keep)
    seen = known_by(bars, end)
    used, coverage = covered(seen, min_bars=min_bars + 1, min_coverage=min_coverage, at_least=2)
    returns = log_returns(used, align)
    spanned(len(returns), params)
    if of == "residuals":
        returns = residuals(returns, factors)
    warnings = list(warned(used, returns, of == "residuals" and factors is None))
    tables: list[pd.DataFrame] = []
    rests: list[np.ndarray] = []
    counts = 0
    for number, window in enumerate(params["windows"]):
        part, dropped, count = questions(returns.iloc[-window:] if window else returns, params, number, keep)
        tables.append(part)
        rests.append(dropped)
        counts += count
        warnings += not_asked(returns.shape[1], count, window, params)
    if not counts:
        raise NoData(f"nothing could be asked: {'; '.join(warnings)}. {coverage}")
    table = pd.concat(tables, ignore_index=True).sort_values("p", kind="stable")
    q = corrected(np.concatenate([table["p"].to_numpy(), *rests]), correction, asked=counts)
    table = table.assign(q=q[: len(table)], holds=q[: len(table)] <= level).head(keep).reset_index(drop=True)
    names = np.asarray(used.symbols)
    told = pd.DataFrame(
        {
            "a": names[table["first"]],
            "b": names[table["second"]],
            "lag": table["lag"],
            "window": [params["windows"][n] or len(returns) for n in table["window"]],
            "method": method,
        }
    )
    rest = table.drop(columns=["first", "second", "lag", "window"])
    return Correlations(
        findings=pd.concat([told, rest], axis=1),
        coverage=coverage,
        params=params,
        symbols=used.symbols,
        freq=str(used.freq),
        start=used.index[0],
        end=used.index[-1],
        snapshot=used.snapshot,
        warnings=tuple(warnings),
        returns=returns,
        bars=used,
        asked=counts,
        held=int((q <= level).sum()),
    )
