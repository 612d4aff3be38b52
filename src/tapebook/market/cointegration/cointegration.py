"""The cointegration scan: which two prices do not drift apart, how fast they come back, where they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.when import When
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.market.cointegration.pairs import engle_granger, hedge_interval, johansen, own_level, shared
from tapebook.market.correlation.checks import whole
from tapebook.market.multiple import Correction
from tapebook.market.scan import LEVEL, MIN_COVERAGE, Idea, Scan, covered, judged, known_by

if TYPE_CHECKING:
    import plotly.graph_objects as go

Lags = Literal["aic", "maic"]
JOHANSEN = 15.4943
"""5 % critical value of Johansen's trace statistic of no bond between two series with a constant."""
LIKELY, MOST = 0.1, 500
"""Pairs with p up to this, and no more of them than that, get Johansen's test and an interval."""


@dataclass(frozen=True, eq=False, repr=False)
class Cointegration(Scan):
    """What `cointegration` found.

    `findings`: a, b, then `scan.COLUMNS`, then hedge (a's log price moves by so much with b's), its 95 %
    interval hedge_low to hedge_high, half_life in bars, z (the spread now, in deviations from its mean),
    johansen (trace statistic; above 15.49 there is a bond at 5 %), statistic (Engle and Granger's t of a on
    b), its lags, and p_ab and p_ba, the p-values of a on b and of b on a, of which p is the larger. `effect`
    is the share of its distance to the mean that the spread loses in a bar, in %; its interval is the
    ordinary one. The hedge's interval and Johansen's test are of the likely pairs only.
    """

    kind: ClassVar[str] = "cointegration"
    keys: ClassVar[tuple[str, ...]] = ("a", "b")

    bars: Bars

    def spread(self, finding: int = 0) -> pd.Series:
        """Log a − hedge × log b − constant, on the rows that both have; its hedge is of all rows."""
        row = self.row(finding)
        both = shared(self.bars.close, row["a"], row["b"])
        gap = both[row["a"]] - float(row["hedge"]) * both[row["b"]]
        centred: pd.Series = gap - float(gap.mean())
        return centred.rename(f"{row['a']} − {row['hedge']:.2f} × {row['b']}")

    def figure(self, finding: int = 0) -> go.Figure:
        """Prices of one pair, and its spread with two deviations either side."""
        from tapebook.market.cointegration.figures import spread_figure

        return spread_figure(self, finding)

    def idea(self, finding: int = 0) -> Idea:
        """Trade the spread by `pairs_spread`, whose hedge ratio rolls over past bars only."""
        row = self.row(finding)
        if not (row["hedge"] > 0.0 and np.isfinite(row["half_life"])):
            raise BadParameter(
                "finding", finding, "a pair with a hedge ratio above 0 whose spread comes back to its mean"
            )
        window = int(np.clip(round(8.0 * row["half_life"]), 30, 500))
        return Idea("pairs_spread", {"window": window, "enter": 2.0, "leave": 0.5}, (row["a"], row["b"]))

    @property
    def summary(self) -> str:
        """What was asked, of what, and what is left, in words."""
        text = super().summary.replace("questions", "pairs")
        if not len(self.found):
            return text
        top = self.found.iloc[0]
        first = f"First: {top['a']} and {top['b']}, half-life {top['half_life']:.1f} bars"
        return f"{text} {first}, {top['z']:+.1f} deviations from the mean now."


def cointegration(
    bars: Bars,
    *,
    end: When = None,
    level: float = LEVEL,
    correction: Correction = "bh",
    min_bars: int = 250,
    min_coverage: float = MIN_COVERAGE,
    pairs: Iterable[tuple[str, str]] | None = None,
    lags: int | Lags = "maic",
) -> Cointegration:
    """Ask of every pair of log prices whether a combination of the two comes back to a mean.

    Engle and Granger's (1987) test in both directions, with MacKinnon's p-values: with lags="aic" those of
    `statsmodels`'s `coint`. A pair's p is the larger of its two: a price that is much noise about a slow walk
    seems bound to any other when it stands on the left, not when it stands on the right. The direction with
    the smaller p says a and b. Two symbols that each come back to a level by themselves are not asked.

    Parameters
    ----------
    end : date, optional
        What was known then: later bars change nothing. Hedge ratio, z and spread are of all bars up to it.
    level, correction
        False-discovery rate over all pairs asked.
    min_bars : int
        Rows that both of a pair must have; pairs with fewer are not asked.
    pairs : iterable of (a, b), optional
        Ask only these. Choose them before looking: what was looked at and dropped counts as asked.
    lags : str or int
        Of the augmented regression: "aic", Akaike's choice up to 12 (n/100)^¼, as in statsmodels; "maic",
        that of Ng & Perron (2001, Econometrica 69), which takes the many lags that noise about a slow walk
        needs; or a number.

    Raises
    ------
    BadParameter, UnknownName, NoData
        Saying which parameter or symbol, or how much of the data was there.
    """
    whole("min_bars", min_bars, 130, "a whole number of at least 130 bars")
    if lags not in ("aic", "maic"):
        expected = '"aic", "maic", or a whole number from 0 to 60'
        whole("lags", lags, 0, expected)
        if int(lags) > 60:
            raise BadParameter("lags", lags, expected)
    seen = known_by(bars, end)
    wanted = None if pairs is None else _named(pairs, seen.symbols)
    if wanted is not None:
        seen = seen.select(*[s for s in seen.symbols if any(s in pair for pair in wanted)])
    used, coverage = covered(seen, min_bars=min_bars, min_coverage=min_coverage, at_least=2)
    table, warnings = _asked(used, wanted, min_bars, lags, level)
    findings = _examined(judged(table, level, correction), used)
    return Cointegration(
        findings=findings,
        coverage=coverage,
        params={
            "level": level,
            "correction": correction,
            "min_bars": min_bars,
            "pairs": wanted,
            "lags": lags,
        },
        symbols=used.symbols,
        freq=str(used.freq),
        start=used.index[0],
        end=used.index[-1],
        snapshot=used.snapshot,
        warnings=warnings,
        bars=used,
    )


def _named(pairs: Iterable[tuple[str, str]], symbols: tuple[str, ...]) -> list[tuple[str, str]]:
    told: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
            raise BadParameter("pairs", pair, "two different symbols each, like ('KO', 'PEP')")
        for name in pair:
            if name not in symbols:
                raise UnknownName("symbol", name, symbols, "Pairs are of symbols of the bars.")
        told.setdefault(frozenset(pair), (pair[0], pair[1]))
    if not told:
        raise BadParameter("pairs", [], "at least one pair, or None for all")
    return list(told.values())


def _asked(
    used: Bars, wanted: list[tuple[str, str]] | None, min_bars: int, lags: int | str, level: float
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    at = {name: n for n, name in enumerate(used.symbols)}
    every = list(combinations(used.symbols, 2)) if wanted is None else wanted
    every = [pair for pair in every if pair[0] in at and pair[1] in at]
    if not every:
        raise NoData("no pair is left of those asked for: see which symbols were left out and why")
    first, second = (np.array([at[pair[n]] for pair in every]) for n in (0, 1))
    logs, warnings = np.log(used.values["close"]), []
    told = engle_granger(logs, first, second, min_bars, lags)
    still = own_level(logs) < level / len(used.symbols)
    told["p"][still[first] & still[second]] = np.nan
    if still.sum() > 1:
        names = ", ".join(np.array(used.symbols)[still][:5])
        warnings.append(f"pairs among {names} were not asked: each comes back to a level by itself (ADF)")
    short, same = np.isnan(told["n"][:, 0]), (told["fit"] >= 1.0 - 1.5e-6).any(axis=1)
    if short.any():
        warnings.append(f"{short.sum():,} pairs share fewer than {min_bars} bars and were not asked")
    for n in np.flatnonzero(same)[:5]:
        warnings.append(f"{' and '.join(every[n])} are one and the same price: not asked")
    asked = np.flatnonzero(~np.isnan(told["p"]).any(axis=1))
    if not len(asked):
        raise NoData(f"no two symbols share {min_bars} bars that differ: choose a span that they share")
    return _table(told, asked, every), tuple(warnings)


def _table(told: dict[str, np.ndarray], asked: np.ndarray, every: list[tuple[str, str]]) -> pd.DataFrame:
    p = told["p"][asked]
    way = np.argmin(told["stat"][asked], axis=1)
    one = {name: values[asked, way] for name, values in told.items()}
    stay = 1.0 + one["pull"]
    with np.errstate(invalid="ignore", divide="ignore"):
        half = np.where((stay > 0.0) & (stay < 1.0), np.log(0.5) / np.log(np.abs(stay)), np.nan)
    names = [every[n] if w == 0 else every[n][::-1] for n, w in zip(asked, way, strict=True)]
    return pd.DataFrame(
        {
            "a": [name[0] for name in names],
            "b": [name[1] for name in names],
            "effect": -100.0 * one["pull"],
            "low": -100.0 * (one["pull"] + 1.96 * one["error"]),
            "high": -100.0 * (one["pull"] - 1.96 * one["error"]),
            "unit": "% of the distance a bar",
            "n": one["n"].astype(np.int64),
            "p": p.max(axis=1),
            "p_ab": one["p"],
            "p_ba": p[np.arange(len(p)), 1 - way],
            "hedge": one["hedge"],
            "half_life": half,
            "z": one["z"],
            "statistic": one["stat"],
            "lags": one["lag"].astype(np.int64),
        }
    )


def _examined(table: pd.DataFrame, used: Bars) -> pd.DataFrame:
    """Add Johansen's test and the hedge ratio's interval for the likely pairs."""
    more = np.full((len(table), 3), np.nan)
    close = used.close
    for n, row in enumerate(table[table["p"] <= LIKELY].head(MOST).itertuples()):
        both = shared(close, str(row.a), str(row.b)).to_numpy()
        y, x = both[:, 0], both[:, 1]
        more[n] = (*hedge_interval(y, x, float(row.half_life)), johansen(y, x, int(row.lags)))  # type: ignore[arg-type]
    names = ("hedge_low", "hedge_high", "johansen")
    told = table.assign(**{name: more[:, k] for k, name in enumerate(names)})
    order = ["a", "b", "effect", "low", "high", "unit", "n", "p", "q", "holds", "hedge", "hedge_low"]
    return told[[*order, "hedge_high", "half_life", "z", "johansen", "statistic", "lags", "p_ab", "p_ba"]]
