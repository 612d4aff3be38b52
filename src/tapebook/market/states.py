"""The state of every symbol at every bar: a few dozen numbers, each known at the bar's close."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, UnknownName

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

YEAR = 250
"""Bars by which what is usual for a symbol is measured."""
WILD = 5.0
"""A return counts at most so many of its own deviations, so that one jump does not fill every window."""


@dataclass(frozen=True, eq=False)
class States:
    """Named tables (T, N), one a feature; row t uses bars up to and including t, NaN where unknown.

    `meaning` says in words what a feature measures. `deviation` (T, N) is that of one bar's log return
    over the last 60.
    """

    values: Mapping[str, np.ndarray]
    meaning: Mapping[str, str]
    deviation: np.ndarray
    index: pd.DatetimeIndex
    symbols: tuple[str, ...]

    def __getitem__(self, name: str) -> np.ndarray:
        """Return one feature, (T, N)."""
        if name not in self.values:
            raise UnknownName("feature", name, self.values)
        return self.values[name]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(self.values)


def states(bars: Bars, series: pd.DataFrame | None = None) -> States:
    """Measure every symbol at every bar.

    Parameters
    ----------
    bars : Bars
        Shape (T, N). Features of the market (`market_…`, `breadth_…`, `correlation_…`) need 3 symbols and
        leave each symbol itself out.
    series : frame, optional
        Other things the desk holds (an index of volatility, a spread of rates …), one a column, by the
        same stamps and known at them: each gives its place among its last 250 values and its last change.

    Returns
    -------
    States
        Everything is without a unit: in own deviations, logs of ratios, or shares.
    """
    closes, T = bars.close, len(bars)
    logs = pd.DataFrame(np.log(closes.where(closes > 0).to_numpy()), bars.index, list(bars.symbols))
    moved = logs.diff()
    usual = moved.rolling(YEAR, min_periods=60).std()
    tame = moved.clip(-WILD * usual.shift(1), WILD * usual.shift(1)).where(usual.shift(1).notna(), moved)
    told: dict[str, tuple[pd.DataFrame, str]] = {}
    _own(told, bars, logs, tame)
    if len(bars.symbols) >= 3:
        _others(told, logs, tame)
    if series is not None:
        _series(told, series, bars)
    values = {name: _clean(frame) for name, (frame, _) in told.items()}
    deviation = _clean(tame.rolling(60, min_periods=30).std())
    meaning = {name: words for name, (_, words) in told.items()}
    return States(
        values, meaning, np.where(deviation > 0, deviation, np.nan).reshape(T, -1), bars.index, bars.symbols
    )


def _clean(frame: pd.DataFrame) -> np.ndarray:
    block = frame.to_numpy(dtype=float)
    return np.where(np.isfinite(block), block, np.nan)


def _own(
    told: dict[str, tuple[pd.DataFrame, str]], bars: Bars, logs: pd.DataFrame, moved: pd.DataFrame
) -> None:
    year = moved.rolling(YEAR, min_periods=60).std()
    year = year.where(year > 0)
    for h in (5, 20, 120):
        size = moved.rolling(h, min_periods=max(3, h * 4 // 5)).sum() / (year * np.sqrt(h))
        told[f"return_{h}"] = size, f"return of {h} bars, in deviations"
    for short, long in ((5, 60), (20, YEAR)):
        ratio = _ratio(
            moved.rolling(short, min_periods=short * 4 // 5).std(), moved.rolling(long, min_periods=60).std()
        )
        told[f"volatility_{short}"] = ratio, f"volatility of {short} bars against {long}, log of the ratio"
    peak = logs.rolling(YEAR, min_periods=60).max()
    told["drawdown"] = (
        (logs - peak) / (year * np.sqrt(20)),
        f"distance to the highest close of {YEAR} bars, in deviations of 20 bars",
    )
    mean = logs.rolling(50, min_periods=40).mean()
    told["trend_50"] = (
        (logs - mean) / (year * np.sqrt(50)),
        "price against its mean of 50 bars, in deviations",
    )
    if np.isfinite(bars.values["high"]).any() and np.isfinite(bars.values["low"]).any():
        span = np.log(bars.high.to_numpy() / bars.low.to_numpy())
        wide = pd.DataFrame(span, logs.index, logs.columns)
        told["range_5"] = (
            _ratio(wide.rolling(5, min_periods=4).mean(), wide.rolling(60, min_periods=40).mean()),
            "high to low of 5 bars against 60, log of the ratio",
        )
    volume = pd.DataFrame(bars.values["volume"], logs.index, logs.columns)
    if (volume > 0).to_numpy().any():
        volume = volume.where(volume > 0)
        for h, base in ((1, 60), (5, 60), (20, YEAR)):
            before = volume.shift(h).rolling(base, min_periods=40).median()
            ratio = _ratio(volume.rolling(h, min_periods=max(1, h * 4 // 5)).mean(), before)
            told[f"volume_{h}"] = (
                ratio,
                f"volume of {h} bar{'s' * (h > 1)} against the {base} before, log of the ratio",
            )


def _others(told: dict[str, tuple[pd.DataFrame, str]], logs: pd.DataFrame, moved: pd.DataFrame) -> None:
    rest = without_self(moved)
    year = rest.rolling(YEAR, min_periods=60).std()
    year = year.where(year > 0)
    told["market_20"] = (
        rest.rolling(20, min_periods=16).sum() / (year * np.sqrt(20)),
        "return of the other symbols' mean over 20 bars, in deviations",
    )
    told["market_volatility"] = (
        _ratio(rest.rolling(20, min_periods=16).std(), year),
        "volatility of the other symbols' mean over 20 bars against 250, log of the ratio",
    )
    told["correlation_60"] = (
        moved.rolling(60, min_periods=40).corr(rest),
        "correlation with the other symbols' mean over 60 bars",
    )
    above = (logs > logs.rolling(50, min_periods=40).mean()).astype(float).where(logs.notna())
    told["breadth_50"] = without_self(above), "share of the other symbols above their mean of 50 bars"


def _series(told: dict[str, tuple[pd.DataFrame, str]], series: pd.DataFrame, bars: Bars) -> None:
    if (
        not isinstance(series.index, pd.DatetimeIndex)
        or series.index.has_duplicates
        or series.index.tz is None
    ):
        raise BadInput("series: expected a frame with one row a stamp, in UTC, and one column a series")
    held = series.reindex(bars.index)
    if not held.notna().any(axis=None):
        raise BadInput("series: no stamp is one of the bars': they need the same stamps, in UTC")
    for column in held:
        name = "".join(c if c.isalnum() else "_" for c in str(column)).lower()
        line = held[column].astype(float)
        change = line.diff(5)
        for made, kind, words in (
            (
                line.rolling(YEAR, min_periods=60).rank(pct=True),
                "level",
                f"place among its last {YEAR} values",
            ),
            (
                change / change.rolling(YEAR, min_periods=60).std(),
                "change",
                "change over 5 bars, in deviations",
            ),
        ):
            block = np.repeat(made.to_numpy()[:, None], len(bars.symbols), axis=1)
            told[f"{name}_{kind}"] = pd.DataFrame(block, bars.index, list(bars.symbols)), f"{column}: {words}"


def without_self(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean of the other columns for each column, (T, N), where at least 2 of them are known."""
    known = frame.notna()
    count = known.sum(axis=1).to_numpy()[:, None] - known.to_numpy()
    total = np.nansum(frame.to_numpy(), axis=1)[:, None] - frame.fillna(0.0).to_numpy()
    mean = np.where(count >= 2, total / np.maximum(count, 1), np.nan)
    return pd.DataFrame(mean, frame.index, frame.columns)


def _ratio(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    above, below = above.where(above > 0), below.where(below > 0)
    logs: pd.DataFrame = (above / below).transform(np.log)
    return logs
