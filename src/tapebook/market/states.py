"""The state of every symbol at every bar: a few dozen numbers, each known at the bar's close."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
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
SEASONED = 120
"""Bars that a symbol needs before it has a state and counts among the others."""
TAME, DEVIATION = "return", "deviation"
_FIELDS = ("high", "low", "volume")
CARRIED = 5
"""Rows without a bar over which a symbol's last state is still its state."""
Told = dict[str, tuple[Callable[[], pd.DataFrame], str]]
"""Features by name: what makes one when it is asked for, and what it means."""


@dataclass(frozen=True, eq=False)
class States:
    """Named tables (T, N), one a feature; row t uses bars up to and including t, NaN where unknown.

    `meaning` says in words what a feature measures. `deviation` (T, N) is that of one bar's log return
    over the last 60. `counts` (T, N): where a symbol has been there long enough to be judged, and to be
    one of the others.
    """

    values: Mapping[str, np.ndarray]
    meaning: Mapping[str, str]
    deviation: np.ndarray
    counts: np.ndarray
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

    def part(self, rows: slice | np.ndarray, symbols: tuple[str, ...] | None = None) -> States:
        """Some rows of some symbols, with the features that are known somewhere in them."""
        names = self.symbols if symbols is None else symbols
        columns = [self.symbols.index(name) for name in names]
        cut = {name: block[rows][:, columns] for name, block in self.values.items()}
        values = {name: block for name, block in cut.items() if np.isfinite(block).any()}
        meaning = {name: self.meaning[name] for name in values}
        deviation, counts = (block[rows][:, columns] for block in (self.deviation, self.counts))
        return States(values, meaning, deviation, counts, self.index[rows], names)


def states(
    bars: Bars,
    series: pd.DataFrame | None = None,
    *,
    seasoned: int = SEASONED,
    only: Collection[str] | None = None,
) -> States:
    """Measure every symbol at every bar.

    Parameters
    ----------
    bars : Bars
        Shape (T, N). Features of the market (`market_…`, `breadth_…`, `correlation_…`) need 3 symbols and
        leave each symbol itself out. The others are by a symbol's own bars alone. At a row without one, its
        state is that of its last bar, for `CARRIED` rows; its next return is since its last close.
    series : frame, optional
        Other things the desk holds (an index of volatility, a spread of rates …), one a column, by the
        same stamps and known at them: each gives its place among its last 250 values and its last change.
    seasoned : int
        Before its bar of this number, and before its price has changed, a symbol does not count among the
        others: a new listing changes nothing that was said before.
    only : collection of str, optional
        The features that are wanted; the others are not computed.

    Returns
    -------
    States
        Everything is without a unit: in own deviations, logs of ratios, or shares.

    Raises
    ------
    UnknownName
        If there is no feature that is wanted.
    """
    logs = log_closes(bars)
    own, meaning = _own_bars(bars, logs, only)
    counts, there = seasoned_rows(logs, seasoned), logs.notna()
    beside: Told = {}
    if len(bars.symbols) >= 3:
        _others(beside, logs.ffill(), own[TAME], counts)
    if series is not None:
        _series(beside, series, bars)
    meaning |= {name: words for name, (_, words) in beside.items()}
    for name in only or ():
        if name not in meaning:
            raise UnknownName("feature", name, meaning)
    wanted = meaning if only is None else {name: meaning[name] for name in meaning if name in only}
    own |= {name: make() for name, (make, _) in beside.items() if name in wanted}
    values = {name: _clean(own[name], there) for name in wanted}
    deviation = _clean(own[DEVIATION], there)
    deviation = np.where(deviation > 0, deviation, np.nan)
    return States(values, wanted, deviation, counts.to_numpy(), bars.index, bars.symbols)


def log_closes(bars: Bars) -> pd.DataFrame:
    """Log of the closes (T, N); NaN where there is none above 0."""
    close = bars.values["close"]
    return pd.DataFrame(np.log(np.where(close > 0, close, np.nan)), bars.index, list(bars.symbols))


def since_last_close(logs: pd.DataFrame) -> pd.DataFrame:
    """Log returns (T, N), each since the symbol's own last close, so that a holiday loses none of the way."""
    return logs.ffill().diff().where(logs.notna())


def seasoned_rows(logs: pd.DataFrame, bars: int) -> pd.DataFrame:
    """Where (T, N) a symbol has had `bars` closes that are not all the same."""
    held = logs.ffill()
    return (logs.notna().cumsum() >= bars) & (held.cummax() > held.cummin())


def _clean(frame: pd.DataFrame, there: pd.DataFrame) -> np.ndarray:
    if not there.to_numpy().all():
        frame = frame.where(there, frame.where(there).ffill(limit=CARRIED))
    block = frame.to_numpy(dtype=float)
    return np.where(np.isfinite(block), block, np.nan)


def _own_bars(
    bars: Bars, logs: pd.DataFrame, only: Collection[str] | None
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Features of each symbol by its own bars alone, back on the rows of the panel; and what all mean."""
    fields = {name: pd.DataFrame(bars.values[name], logs.index, logs.columns) for name in _FIELDS}
    blocks: dict[str, np.ndarray] = {}
    meaning: dict[str, str] = {}
    for rows, columns in _alike(logs.notna().to_numpy()):
        part = {name: frame.iloc[rows, columns] for name, frame in fields.items()}
        for name, (make, words) in _own(logs.iloc[rows, columns], part).items():
            if words:
                meaning[name] = words
                if only is not None and name not in only:
                    continue
            block = blocks.setdefault(name, np.full(logs.shape, np.nan))
            block[np.ix_(rows, columns)] = make().to_numpy()
    return {name: pd.DataFrame(b, logs.index, logs.columns) for name, b in blocks.items()}, meaning


def _alike(known: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and columns that are measured together: all without a gap, and those with the same gaps."""
    T = len(known)
    if T == 0:
        return [(np.arange(0), np.arange(known.shape[1]))]
    first, last = known.argmax(axis=0), T - 1 - known[::-1].argmax(axis=0)
    gapped = known.any(axis=0) & (known.sum(axis=0) < last - first + 1)
    groups: dict[bytes, list[int]] = {}
    for column in np.flatnonzero(gapped).tolist():
        groups.setdefault(known[:, column].tobytes(), []).append(column)
    whole = [(np.arange(T), np.flatnonzero(~gapped))] if (~gapped).any() else []
    return whole + [(np.flatnonzero(known[:, c[0]]), np.array(c)) for c in groups.values()]


def _own(logs: pd.DataFrame, fields: Mapping[str, pd.DataFrame]) -> Told:
    moved = logs.diff()
    usual = moved.rolling(YEAR, min_periods=60).std()
    moved = moved.clip(-WILD * usual.shift(1), WILD * usual.shift(1)).where(usual.shift(1).notna(), moved)
    told: Told = {TAME: (lambda: moved, ""), DEVIATION: (partial(_spread, moved, 60, 30), "")}
    year = moved.rolling(YEAR, min_periods=60).std()
    year = year.where(year > 0)
    for h in (5, 20, 120):
        told[f"return_{h}"] = partial(_sum, moved, year, h), f"return of {h} bars, in deviations"
    for short, long in ((5, 60), (20, YEAR)):
        words = f"volatility of {short} bars against {long}, log of the ratio"
        told[f"volatility_{short}"] = partial(_volatility, moved, short, long), words
    told["drawdown"] = (
        lambda: (logs - logs.rolling(YEAR, min_periods=60).max()) / (year * np.sqrt(20)),
        f"distance to the highest close of {YEAR} bars, in deviations of 20 bars",
    )
    told["trend_50"] = (
        lambda: (logs - logs.rolling(50, min_periods=40).mean()) / (year * np.sqrt(50)),
        "price against its mean of 50 bars, in deviations",
    )
    wide = _ratio(fields["high"], fields["low"])
    if wide.notna().any(axis=None):
        told["range_5"] = (
            lambda: _ratio(wide.rolling(5, min_periods=3).mean(), wide.rolling(60, min_periods=40).mean()),
            "high to low of 5 bars against 60, log of the ratio",
        )
    volume = fields["volume"].where(fields["volume"] > 0)
    if volume.notna().any(axis=None):
        for h, base in ((1, 60), (5, 60), (20, YEAR)):
            span = f"{h} bar{'s' * (h > 1)}"
            words = f"volume of {span} against the {base} before, log of the ratio"
            told[f"volume_{h}"] = partial(_volume, volume, h, base), words
    return told


def _spread(moved: pd.DataFrame, window: int, least: int) -> pd.DataFrame:
    return moved.rolling(window, min_periods=least).std()


def _sum(moved: pd.DataFrame, year: pd.DataFrame, h: int) -> pd.DataFrame:
    size: pd.DataFrame = moved.rolling(h, min_periods=max(3, h // 2)).sum() / (year * np.sqrt(h))
    return size


def _volatility(moved: pd.DataFrame, short: int, long: int) -> pd.DataFrame:
    return _ratio(_spread(moved, short, max(3, short // 2)), _spread(moved, long, 60))


def _volume(volume: pd.DataFrame, h: int, base: int) -> pd.DataFrame:
    before = volume.shift(h).rolling(base, min_periods=40).median()
    return _ratio(volume.rolling(h, min_periods=max(1, h // 2)).mean(), before)


def _others(told: Told, logs: pd.DataFrame, moved: pd.DataFrame, counts: pd.DataFrame) -> None:
    rest = without_self(moved.where(counts))
    year = rest.rolling(YEAR, min_periods=60).std()
    year = year.where(year > 0)
    told["market_20"] = (
        lambda: rest.rolling(20, min_periods=10).sum() / (year * np.sqrt(20)),
        "return of the other symbols' mean over 20 bars, in deviations",
    )
    told["market_volatility"] = (
        lambda: _ratio(_spread(rest, 20, 10), year),
        "volatility of the other symbols' mean over 20 bars against 250, log of the ratio",
    )
    told["correlation_60"] = (
        lambda: moved.rolling(60, min_periods=40).corr(rest),
        "correlation with the other symbols' mean over 60 bars",
    )
    told["breadth_50"] = (
        lambda: without_self(_above(logs, moved, counts)),
        "share of the other symbols above their mean of 50 bars",
    )


def _above(logs: pd.DataFrame, moved: pd.DataFrame, counts: pd.DataFrame) -> pd.DataFrame:
    """Where (T, N) a symbol that trades is above its mean of 50 bars: 1, 0, or NaN."""
    mean, trades = logs.rolling(50, min_periods=40).mean(), moved.ffill(limit=CARRIED).notna()
    return (logs > mean).astype(float).where(counts & trades & mean.notna())


def _series(told: Told, series: pd.DataFrame, bars: Bars) -> None:
    held = _numbers(series).reindex(bars.index)
    if not held.notna().any(axis=None):
        raise BadInput("series: no stamp is one of the bars': they need the same stamps, in UTC")
    for column, name in zip(held, _named(series), strict=True):
        line = held[column]
        change = line.diff(5)
        place = line.rolling(YEAR, min_periods=60).rank(pct=True)
        change = change / change.rolling(YEAR, min_periods=60).std()
        for kind, made, words in (
            ("level", place, f"place among its last {YEAR} values"),
            ("change", change, "change over 5 bars, in deviations"),
        ):
            told[f"{name}_{kind}"] = partial(_everywhere, made, bars), f"{column}: {words}"


def _everywhere(line: pd.Series, bars: Bars) -> pd.DataFrame:
    """One series as what every symbol has, (T, N)."""
    block = np.repeat(line.to_numpy()[:, None], len(bars.symbols), axis=1)
    return pd.DataFrame(block, bars.index, list(bars.symbols))


def _numbers(series: pd.DataFrame) -> pd.DataFrame:
    stamps = series.index
    if not isinstance(stamps, pd.DatetimeIndex) or stamps.has_duplicates or stamps.tz is None:
        raise BadInput("series: expected a frame with one row a stamp, in UTC, and one column a series")
    try:
        return series.astype(float).replace([np.inf, -np.inf], np.nan)
    except (ValueError, TypeError) as error:
        raise BadInput(f"series: expected numbers in every column, {error}") from None


def _named(series: pd.DataFrame) -> list[str]:
    """Names that a rule can be written with, one a column."""
    plain = ["".join(c if c.isascii() and c.isalnum() else "_" for c in str(name)).lower() for name in series]
    names = [f"_{name}" if name[:1].isdigit() else name for name in plain]
    if len(set(names)) < len(names):
        raise BadInput(f"series: two columns have the same name, of {', '.join(map(str, series))}")
    return names


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
