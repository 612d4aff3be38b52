"""Change points in the mean and in the volatility of returns: when they were, and when they were known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from os import cpu_count

import numpy as np
import pandas as pd

from tapebook.market.trend.series import Series, one_series

DECAY, CLIP = 0.98, 4.0
TINY = 1e-12
YEARS_OF = 2520
"""Bars that the false alarms below are counted over: ten years of days."""


@dataclass(frozen=True)
class Kind:
    """What may change. Its score exceeds x in 2,520 bars with probability 1 − exp(−exp((at − x) / scale)).

    `at` and `scale` are fitted to the largest scores of simulated noise, the worst of normal, t(4),
    GARCH(0.1, 0.85) and AR(0.2) (`benchmarks/bench_trends.py --calibrate`).
    """

    name: str
    code: int
    unit: str
    at: float
    scale: float

    def p(self, score: float, bars: int) -> float:
        """Probability of a score as large anywhere in so many bars of noise."""
        return float(-np.expm1(-bars / YEARS_OF * np.exp((self.at - score) / self.scale)))

    def limit(self, rate: float) -> float:
        """Score that noise exceeds with probability `rate` in 2,520 bars."""
        return float(self.at - self.scale * np.log(-np.log1p(-rate)))


VOLATILITY = Kind("volatility", 0, "% a year", 6.0, 8.5)
MEAN = Kind("mean", 1, "log % a bar", 19.6, 2.1)
KINDS = (MEAN, VOLATILITY)

LEAST = 20
"""Bars that a level in hindsight lasts at least."""
COLUMNS = ("symbol", "of", "ts", "known", "delay", "before", "after", "unit", "score")


def found(
    every: Sequence[Series], index: pd.DatetimeIndex, periods: float, level: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search every symbol; return (breaks, findings).

    `breaks` has one row a change point: of "mean" or "volatility", `ts` the first bar of the new level,
    `known` the bar at whose close it could first be told (by returns up to then; a row never changes when
    later bars come), `delay` bars between, `before` the level from the last change to it (at most 1,000
    bars) and `after` from it to `known`: mean log return in % a bar, or annualised volatility in %. Noise
    has any with probability `level` in 2,520 bars, all symbols and both kinds together.

    `findings` has one row a symbol and kind: the largest change seen anywhere, with p for the whole span,
    its size as all bars since tell it.

    A penalised likelihood searched at every bar for one change since the last (Page 1954; the window's
    best split, as in Killick, Fearnhead & Eckley 2012 PELT with the same cost, which looks back from the
    end: `segments`). Of volatility: sizes of returns with an exponential likelihood; of the mean: returns
    over their volatility so far, squared error. Both over the level's own wander in 20-bar blocks, so that
    clustered volatility and autocorrelation are no change. A mean that shifts by as much as a bar moves also
    shifts the sizes, and is told twice.
    """
    rate = 1.0 - (1.0 - level) ** (1.0 / (len(KINDS) * max(len(every), 1)))
    told, asked = [], []
    jobs = [(series, kind, kind.limit(rate)) for series in every for kind in KINDS]
    with ThreadPoolExecutor(cpu_count() or 1) as crew:  # compiled loops that hold no lock
        for (series, kind, _), (rows, best) in zip(
            jobs, crew.map(_searched, *zip(*jobs, strict=True)), strict=True
        ):
            told += [_break(series, kind, row, index, periods) for row in rows]
            if best is not None:
                asked.append(_finding(series, kind, best, rows))
    table = pd.DataFrame(told, columns=list(COLUMNS))
    table = table.astype({"ts": index.dtype, "known": index.dtype, "delay": "int64"})
    return table.sort_values(["known", "symbol", "of"], kind="stable", ignore_index=True), pd.DataFrame(asked)


def observed(series: Series, kind: Kind) -> np.ndarray:
    """What the level is looked for in, shape (m,): row t from returns up to t."""
    from tapebook.market.trend.break_kernels import past_clipped
    from tapebook.market.trend.kernels import past_scaled

    if kind is VOLATILITY:
        answer: np.ndarray = past_clipped(np.abs(series.moved), DECAY, CLIP)
        return answer
    scaled: np.ndarray = past_scaled(series.moved, 0.94, CLIP)
    return scaled


def segments(series: Series, kind: Kind, level: float) -> list[int]:
    """First returns of the levels after the first, as seen from the end.

    PELT of `observed` (its logarithm for volatility); penalty: the limit of `found` for one symbol times
    the variance about 120-bar medians. Each is then placed where the likelihood of the two levels beside it
    is largest.
    """
    from tapebook.market.trend.break_kernels import split

    seen = observed(series, kind)
    y = np.log(seen) if kind is VOLATILITY else seen
    spread = float(np.var(y - pd.Series(y).rolling(120, center=True, min_periods=1).median().to_numpy()))
    edges = [0, *([] if spread == 0.0 else shifts(y, kind.limit(level) * spread)), len(y)]
    total = np.concatenate([[0.0], np.cumsum(seen)])
    for n in range(1, len(edges) - 1):
        a, b = edges[n - 1], edges[n + 1]
        edges[n] = int(split(kind.code, total, a, b - 1, a + LEAST, b - LEAST + 1, 1)[1])
    return edges[1:-1]


def shifts(y: np.ndarray, penalty: float, *, least: int = LEAST) -> list[int]:
    """Where the mean of `y` (m,) shifts: first places of the levels after the first, each `least` long.

    Killick, Fearnhead & Eckley (2012), JASA 107, squared error, by ruptures: a shift has to lower the sum
    of squares by more than `penalty`.
    """
    import ruptures

    if len(y) < 2 * least:
        return []
    search = ruptures.KernelCPD(kernel="linear", min_size=least).fit(np.asarray(y, dtype=float)[:, None])
    return [int(at) for at in search.predict(pen=penalty)[:-1]]


def in_hindsight(closes: pd.DataFrame, periods: float, level: float) -> pd.DataFrame:
    """Change points of every symbol by `segments`, one row each; levels between two changes."""
    rows = []
    for series in (one_series(str(name), closes[name].to_numpy(dtype=float)) for name in closes):
        for kind in KINDS:
            places = segments(series, kind, level)
            edges = [0, *places, len(series.moved)]
            levels = [_level(series.moved[a:b], kind, periods) for a, b in pairwise(edges)]
            for at, (before, after) in zip(places, pairwise(levels), strict=True):
                when = closes.index[series.moved_rows[at]]
                rows.append((series.symbol, kind.name, when, before, after, kind.unit))
    table = pd.DataFrame(rows, columns=["symbol", "of", "ts", "before", "after", "unit"])
    return table.astype({"ts": closes.index.dtype})


def largest(series: Series, kind: Kind) -> int | None:
    """First return of the new level of the largest change that is seen anywhere, if one is."""
    _, best = _searched(series, kind, np.inf)
    return None if best is None else int(best[1])


def _searched(series: Series, kind: Kind, limit: float) -> tuple[np.ndarray, np.ndarray | None]:
    from tapebook.market.trend.break_kernels import changes

    rows, best = changes(kind.code, observed(series, kind), limit)
    return rows, best if best[3] >= 0.0 else None


def _break(
    series: Series, kind: Kind, row: np.ndarray, index: pd.DatetimeIndex, periods: float
) -> tuple[object, ...]:
    start, at, known = (int(x) for x in row[:3])
    before, after = (_level(series.moved[part], kind, periods) for part in _parts(start, at, known))
    when, told = index[series.moved_rows[at]], index[series.moved_rows[known]]
    return series.symbol, kind.name, when, told, known - at, before, after, kind.unit, float(row[3])


def _finding(series: Series, kind: Kind, best: np.ndarray, rows: np.ndarray) -> dict[str, object]:
    """The largest change, its size by all bars from it to the next change or the end."""
    start, at = (int(x) for x in best[:2])
    later = rows[rows[:, 1] > at, 1]
    stop = int(later[0]) if len(later) else len(series.moved)
    parts = [series.moved[start:at], series.moved[at:stop]]
    if kind is VOLATILITY:
        parts = [np.abs(part) for part in parts]
    first, second = (float(part.mean()) for part in parts)
    errors = [_error(part) for part in parts]
    if kind is VOLATILITY:
        first, second = max(first, TINY), max(second, TINY)
        effect, error = float(np.log(second / first)), float(np.hypot(errors[0] / first, errors[1] / second))
    else:
        effect, error = 100.0 * (second - first), 100.0 * float(np.hypot(errors[0], errors[1]))
    return {
        "question": f"change in {kind.name}",
        "symbol": series.symbol,
        "horizon": 0,
        "effect": effect,
        "low": effect - 1.96 * error,
        "high": effect + 1.96 * error,
        "unit": "log of the ratio" if kind is VOLATILITY else "log % a bar",
        "n": len(series.moved),
        "p": kind.p(float(best[3]), len(series.moved)),
        "statistic": float(best[3]),
    }


def _error(values: np.ndarray) -> float:
    """Standard error of a mean, by means of 20 bars where there are 5 of them: neighbours are dependent."""
    blocks = len(values) // 20
    if blocks >= 5:
        values = values[len(values) - 20 * blocks :].reshape(blocks, 20).mean(axis=1)
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def _parts(start: int, at: int, known: int) -> tuple[slice, slice]:
    return slice(start, at), slice(at, known + 1)


def _level(moved: np.ndarray, kind: Kind, periods: float) -> float:
    if kind is VOLATILITY:
        return 100.0 * float(moved.std(ddof=1)) * float(np.sqrt(periods))
    return 100.0 * float(moved.mean())
