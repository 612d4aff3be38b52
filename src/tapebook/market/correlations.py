"""The correlation scan: who moves with whom, who moves first, and whether chance explains it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.when import When
from tapebook.errors import BadParameter
from tapebook.market.correlation_columns import METHODS, Method, columns
from tapebook.market.correlation_products import Products, correlation_matrix, products
from tapebook.market.correlation_returns import Align, log_returns, residuals
from tapebook.market.correlation_search import Asked, every_lag, joined, kept, robust
from tapebook.market.correlation_warnings import warned
from tapebook.market.multiple import Correction, corrected
from tapebook.market.scan import LEVEL, MIN_COVERAGE, Idea, Scan, covered, known_by

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlation_breaks import CorrelationBreaks
    from tapebook.market.correlation_rolling import Rolling
    from tapebook.market.structure import Structure

Chance = Literal["robust", "effective", "permutation"]
KEEP = 10_000
"""Rows of a table of findings: the likeliest, and all that hold up to this number."""


@dataclass(frozen=True, eq=False, repr=False)
class Correlations(Scan):
    """What `correlations` found. `findings`: a, b, lag (a leads b by so many bars), window, then the rest.

    `returns` (T, N) is what was correlated, `asked` the number of questions.
    """

    kind: ClassVar[str] = "correlations"
    keys: ClassVar[tuple[str, ...]] = ("a", "b", "lag", "window", "method")

    returns: pd.DataFrame
    bars: Bars
    asked: int

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """The measure of every pair at lag 0 over all rows, (N, N); 1 on the diagonal."""
        names = self.returns.columns
        return pd.DataFrame(_matrix(self.returns.to_numpy(), self.params), index=names, columns=names)

    def rolling(self, window: int = 60) -> Rolling:
        """Pearson correlation of all pairs in rolling windows, summarised by pair and through time."""
        from tapebook.market.correlation_rolling import rolling

        return rolling(self.returns, window)

    def lead_lag(self, a: str, b: str, lags: int = 20) -> pd.DataFrame:
        """Profile of one pair, one row a lag −lags … lags (a leads b where it is above 0).

        Columns correlation, and `low` to `high`, where it would be in 95 % of cases without any bond.
        """
        from tapebook.market.correlation_figures import profile

        return profile(self, a, b, lags)

    def structure(self, *, rows: int = 250, **settings: Any) -> Structure:
        """Clusters, spanning tree, eigenvalues beyond noise and cleaned matrices of the returns.

        Settings are those of `tapebook.market.structure.structure`. Symbols without which the others share
        `rows` rows are left out first, which its `warnings` tell.
        """
        from tapebook.market.structure import structure
        from tapebook.market.structure_choice import most_shared

        used, out = most_shared(self.returns, rows)
        told = structure(used, **settings)
        if not out:
            return told
        them = "it" if len(out) == 1 else "them"
        why = f"{', '.join(out)} left out: with {them} all symbols share fewer than {rows:,} rows"
        return replace(told, warnings=(why, *told.warnings))

    def breaks(self, **settings: Any) -> CorrelationBreaks:
        """When the correlation of a pair, and of all, changed; see `market.correlation_breaks`."""
        from tapebook.market.correlation_breaks import correlation_breaks

        return correlation_breaks(self.returns, **settings)

    @property
    def summary(self) -> str:
        """What was asked, of what, and what is left, in words."""
        held = len(self.found)
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
        from tapebook.market.correlation_figures import pair_figure

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
        "pearson", "spearman", "kendall" (tau-b), "partial" (given all other symbols), "distance" (any
        dependence), "lower_tail" or "upper_tail": the probability that one is among its `tail` worst
        (best) bars where the other is; independent symbols have `tail`.
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
        rises in both at once, and memory. "effective": a normal of as many independent rows as the two
        memories leave (Pyper & Peterman 1998). "permutation": `draws` circular shifts.
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
    _check(method, of, lags, windows, halflife, chance, align, level, keep)
    seen = known_by(bars, end)
    used, coverage = covered(seen, min_bars=min_bars + 1, min_coverage=min_coverage, at_least=2)
    returns = log_returns(used, align)
    if of == "residuals":
        returns = residuals(returns, factors)
    params: dict[str, Any] = {
        "method": method, "of": of, "lags": lags, "windows": tuple(windows), "halflife": halflife,
        "tail": tail, "align": align, "chance": chance, "draws": draws, "level": level,
        "correction": correction, "min_bars": min_bars, "seed": seed,
    }  # fmt: skip
    tables, counts = [], 0
    for number, window in enumerate(windows):
        part, count = _asked(returns.iloc[-window:] if window else returns, params, number)
        tables.append(part)
        counts += count
    table = pd.concat(tables, ignore_index=True).sort_values("p", kind="stable")
    q = corrected(table["p"].to_numpy(), correction, asked=counts)
    table = table.assign(q=q, holds=q <= level).head(max(keep, 1)).reset_index(drop=True)
    names = np.asarray(used.symbols)
    told = pd.DataFrame(
        {
            "a": names[table["first"]],
            "b": names[table["second"]],
            "lag": table["lag"],
            "window": [windows[n] or len(returns) for n in table["window"]],
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
        warnings=warned(used, returns, of, min_bars),
        returns=returns,
        bars=used,
        asked=counts,
    )


def _check(
    method: str,
    of: str,
    lags: int,
    windows: Sequence[int | None],
    halflife: float | None,
    chance: str,
    align: str,
    level: float,
    keep: int,
) -> None:
    if method not in METHODS:
        raise BadParameter("method", method, "one of " + ", ".join(METHODS))
    if of not in ("returns", "residuals"):
        raise BadParameter("of", of, '"returns" or "residuals" (for levels: `cointegration`)')
    if chance not in ("robust", "effective", "permutation"):
        raise BadParameter("chance", chance, '"robust", "effective" or "permutation"')
    if int(lags) != lags or lags < 0:
        raise BadParameter("lags", lags, "a whole number of bars, 0 or more")
    if lags and method in ("kendall", "partial", "distance"):
        raise BadParameter("lags", lags, f"0 with method={method!r}: lags go with pearson, spearman or tails")
    if halflife is not None and not (halflife > 0.0 and method in ("pearson", "spearman")):
        raise BadParameter("halflife", halflife, "above 0 bars, with method pearson or spearman")
    if not windows or any(w is not None and (int(w) != w or w < 10) for w in windows):
        raise BadParameter("windows", windows, "numbers of bars of at least 10, or None for all")
    if chance != "robust" and (method in ("kendall", "distance", "partial") or halflife is not None):
        raise BadParameter("chance", chance, f"'robust' with method={method!r} or a half-life")
    if not 0.0 < level < 1.0:
        raise BadParameter("level", level, "a share of false findings above 0 and below 1")
    if align not in ("consecutive", "shared"):
        raise BadParameter("align", align, '"consecutive" or "shared"')
    if keep < 1:
        raise BadParameter("keep", keep, "at least 1 row")


def _asked(returns: pd.DataFrame, params: dict[str, Any], number: int) -> tuple[pd.DataFrame, int]:
    """Ask everything of one window; one row a likely answer, and how many there were."""
    from tapebook.market.correlation_intervals import intervals, on_scale_of_tau

    X, method = returns.to_numpy(dtype=float), params["method"]
    min_rows = min(params["min_bars"], len(X) - params["lags"])
    if method == "distance":
        from tapebook.market.correlation_distance import distance

        asked, low, high = distance(X, params["seed"], min_rows)
        return _frame(asked, asked.r, low, high, number, "correlation"), asked.count
    weights = None
    if params["halflife"] is not None:
        weights = 0.5 ** ((len(X) - 1.0 - np.arange(len(X))) / params["halflife"])
    Z = columns(X, method, params["tail"])
    asked = _answers(X, Z, weights, params, min_rows)
    best = np.argsort(asked.p, kind="stable")[:KEEP]
    low, high = np.full(len(asked.p), np.nan), np.full(len(asked.p), np.nan)
    measured = replace(asked, r=_spearman(Z, asked)) if method == "kendall" else asked
    low[best], high[best] = intervals(Z, measured, best, weights)
    r, unit = asked.r, "correlation"
    if method == "partial":
        r, low, high = -r, -high, -low
    elif method == "kendall":
        low, high = on_scale_of_tau(r, measured.r, low), on_scale_of_tau(r, measured.r, high)
    elif method in ("lower_tail", "upper_tail"):
        q, unit = params["tail"], "probability"
        r, low, high = (np.clip(q + (1.0 - q) * value, 0.0, 1.0) for value in (r, low, high))
    return _frame(asked, r, low, high, number, unit), asked.count


def _answers(
    X: np.ndarray, Z: np.ndarray, weights: np.ndarray | None, params: dict[str, Any], min_rows: int
) -> Asked:
    if params["method"] == "kendall":
        from tapebook.market.correlation_distance import kendall

        return kept(kendall(X, products(Z)), 0, min_rows, robust)
    if params["chance"] == "permutation":
        from tapebook.market.correlation_null import circular

        null = circular(Z, products(Z).r, params["draws"], params["seed"])
        told = every_lag(Z, params["lags"])
        return joined([kept(made, lag, min_rows, null if lag else null.counted) for lag, made in told])
    how = _effective if params["chance"] == "effective" else (lambda made, _: made)
    told = every_lag(Z, params["lags"], weights)
    return joined([kept(how(made, Z), lag, min_rows, robust) for lag, made in told])


def _effective(told: Products, Z: np.ndarray) -> Products:
    """The same with the error of a normal of as many independent rows as two memories leave."""
    from tapebook.market.correlation_products import memory

    rho = memory(Z)
    with np.errstate(invalid="ignore", divide="ignore"):
        n = told.n / np.maximum(1.0 + 2.0 * rho.T @ rho, 0.1)
        error = np.sqrt((1.0 - told.r**2) / np.maximum(n - 2.0, 1.0))
    return Products(told.r, n, error)


def _spearman(Z: np.ndarray, asked: Asked) -> np.ndarray:
    whole = products(Z).r
    rho: np.ndarray = whole[asked.first, asked.second]
    return rho


def _frame(
    asked: Asked, effect: np.ndarray, low: np.ndarray, high: np.ndarray, number: int, unit: str
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "first": asked.first, "second": asked.second, "lag": asked.lag, "window": number,
            "effect": effect, "low": low, "high": high, "unit": unit,
            "n": np.round(asked.n).astype(np.int64), "p": asked.p,
        }
    )  # fmt: skip


def _matrix(X: np.ndarray, params: Any) -> np.ndarray:
    method = params["method"]
    if method == "kendall":
        from tapebook.market.correlation_distance import kendall

        tau = kendall(X, products(columns(X, method))).r
        R = np.where(np.isnan(tau), tau.T, tau)
        np.fill_diagonal(R, 1.0)
        return R
    if method == "distance":
        from tapebook.market.correlation_distance import distance_matrix

        return distance_matrix(X)
    R = correlation_matrix(columns(X, method, params["tail"]))
    if method == "partial":
        R = 2.0 * np.eye(len(R)) - R
    if method in ("lower_tail", "upper_tail"):
        R = np.clip(params["tail"] + (1.0 - params["tail"]) * R, 0.0, 1.0)
    return R
