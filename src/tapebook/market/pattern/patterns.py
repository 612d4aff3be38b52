"""The pattern scan: what followed candlesticks, seasons, gaps, breakouts, volume spikes and shapes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from tapebook.data.panel import Bars
from tapebook.data.when import When
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.market.multiple import Correction
from tapebook.market.pattern.events import KINDS, Own, catalogue, direction, masks, turns_of
from tapebook.market.scan import COLUMNS, LEVEL, MIN_COVERAGE, Idea, Scan, covered, judged, known_by

if TYPE_CHECKING:
    import plotly.graph_objects as go

ALL = "all"
"""What the pooled answer over every symbol is called in the column symbol."""
MIN_BARS = 60
_THREADS = 2
_ROOM = 30_000_000  # numbers in a table of patterns × horizons × rows, of which four are held at once
_REST = ("first_half", "second_half", "stable", "hit_rate", "base_rate")


@dataclass(frozen=True, eq=False, repr=False)
class Patterns(Scan):
    """What `patterns` found. `findings`: kind, pattern, symbol, horizon, then `COLUMNS`, then the rest.

    `first_half` and `second_half` are the effect in the halves of each symbol's history, `stable` where
    both have its sign; `hit_rate` the share of events after which the price was higher, `base_rate` that of
    all other bars. Symbol "all" is the answer over all symbols together. `marks`: where each
    pattern is known, for each symbol (patterns, its own bars), packed to bits.
    """

    kind: ClassVar[str] = "patterns"
    keys: ClassVar[tuple[str, ...]] = ("kind", "pattern", "symbol", "horizon")

    bars: Bars
    marks: Sequence[np.ndarray]

    @cached_property
    def events(self) -> pd.DataFrame:
        """Every occurrence: ts (its bar), symbol, kind, pattern, direction (1, 0, −1), known_at.

        All of it is known at the close of the bar `ts`, which is `known_at` in UTC. A season's bar is the
        one before: "Monday" is known at Friday's close, and what follows starts at Monday's open.
        """
        return _events(self.bars, self.params["kinds"], self.marks, 0)

    def recent(self, bars: int = 5) -> pd.DataFrame:
        """What occurred in the last bars of the panel, newest first, with what it meant before.

        Columns of `events`, and of the pattern's most likely finding for that symbol horizon, effect, p, q
        and holds.
        """
        if int(bars) != bars or bars < 1:
            raise BadParameter("bars", bars, "a whole number of bars, at least 1")
        since = max(0, len(self.bars) - int(bars))
        events = _events(self.bars, self.params["kinds"], self.marks, since)
        best = self.findings.drop_duplicates(["kind", "pattern", "symbol"])
        best = best[["kind", "pattern", "symbol", "horizon", "effect", "p", "q", "holds"]]
        told = events.merge(best, how="left", on=["kind", "pattern", "symbol"])
        told["holds"] = told["holds"].eq(True)
        by = ["ts", "holds", "p"]
        return told.sort_values(by, ascending=[False, False, True], kind="stable").reset_index(drop=True)

    @cached_property
    def shapes(self) -> pd.DataFrame:
        """Motifs and discords of each symbol over all bars seen: symbol, shape, number, start, end, distance.

        Found with the whole series in view, so known only at the scan's end; nothing is judged by them.
        The patterns of the kind "shapes" look back only.
        """
        from tapebook.market.pattern.shapes import LENGTH, motifs

        rows = []
        for column, symbol in enumerate(self.symbols):
            own = Own.of(self.bars, column)
            for what, number, start, distance in motifs(own.close):
                first, last = self.bars.index[own.rows[[start, start + LENGTH - 1]]]
                rows.append((symbol, what, number, first, last, distance))
        return pd.DataFrame(rows, columns=["symbol", "shape", "number", "start", "end", "distance"])

    def figure(self, finding: int = 0) -> go.Figure:
        """Mean path after the pattern with its band of 95 %, beside the symbol's base rate."""
        from tapebook.market.pattern.figures import path_figure

        return path_figure(self, self.row(finding))

    def shape_figure(self, symbol: str, shape: str = "motif", number: int = 1) -> go.Figure:
        """Draw one motif or discord of `shapes`: its occurrences laid over each other, and what came next."""
        from tapebook.market.pattern.figures import shape_figure

        return shape_figure(self, symbol, shape, number)

    def idea(self, finding: int = 0) -> Idea:
        """Hold for the finding's horizon after the pattern: long where the effect is above 0, short below."""
        row = self.row(finding)
        if not np.isfinite(row["p"]):
            raise BadParameter("finding", finding, f"one with at least {self.params['min_events']} events")
        symbols = self.symbols if row["symbol"] == ALL else (str(row["symbol"]),)
        side = "long" if row["effect"] > 0.0 else "short"
        params = {"pattern": str(row["pattern"]), "hold": int(row["horizon"]), "side": side}
        return Idea("on_pattern", params, symbols)


def patterns(
    bars: Bars,
    *,
    kinds: Sequence[str] = KINDS,
    horizons: int | Sequence[int] = (1, 5, 20),
    end: When = None,
    level: float = LEVEL,
    correction: Correction = "bh",
    min_coverage: float = MIN_COVERAGE,
    min_events: int = 20,
    seed: int = 0,
) -> Patterns:
    """Ask of every pattern and symbol what followed it, beside what follows any other bar.

    A pattern is known at a bar's close; what follows is the log return from the symbol's next open to the
    open `horizon` of its own bars later (from close to close where it has no opens). The effect is the mean
    after the pattern less the mean after all other bars.

    Parameters
    ----------
    kinds : sequence
        Of "candlesticks" (TA-Lib's 61, bullish and bearish apart), "seasons" (hour, weekday, turn of month,
        month, holidays, by each symbol's calendar), "gaps", "breakouts", "volume" and "shapes".
    horizons : int or sequence
        In bars, each from 1 to 250.
    end : date, optional
        What was known then: later bars change nothing.
    level, correction
        False-discovery rate over all patterns × symbols × horizons asked, pooled answers among them.
    min_events : int
        Patterns with fewer events (or other bars) are listed without a p-value and not counted as asked.
    seed : int
        Nothing is drawn here; taken so that all scans are called alike.

    Returns
    -------
    Patterns
        `findings` has a row for each pattern, symbol and horizon with one event or more, and one for all
        symbols together ("all", from two symbols on) in which every date is one witness.

    Raises
    ------
    BadParameter, NoData
        Saying which parameter or how much of the data was there.
    """
    asked, spans = _checked(kinds, min_events), _spans(horizons)
    used, coverage = covered(known_by(bars, end), min_bars=MIN_BARS, min_coverage=min_coverage)
    params: dict[str, Any] = {
        "kinds": asked, "horizons": spans, "level": level,
        "correction": correction, "min_events": int(min_events), "seed": seed,
    }  # fmt: skip
    named = catalogue(used.freq, asked)
    table, marks = _findings(used, named, params)
    if not len(table):
        raise NoData(
            f"none of {len(named)} patterns occurs in {len(used.symbols)} symbols of {len(used)} bars: "
            "give bars with opens, highs, lows and volume, or other kinds="
        )
    made = judged(table, level, correction)
    return Patterns(
        findings=made[["kind", "pattern", "symbol", "horizon", *COLUMNS, *_REST]],
        coverage=coverage,
        params=params,
        symbols=used.symbols,
        freq=str(used.freq),
        start=used.index[0],
        end=used.index[-1],
        snapshot=used.snapshot,
        warnings=_warned(used, asked),
        bars=used,
        marks=marks,
    )


def _spans(horizons: int | Sequence[int]) -> tuple[int, ...]:
    given = list(horizons) if isinstance(horizons, Iterable) else [horizons]
    if not given or any(not isinstance(h, Integral) or not 1 <= h <= 250 for h in given):
        raise BadParameter("horizons", horizons, "one or more whole numbers of bars, from 1 to 250")
    if len(set(given)) < len(given):
        raise BadParameter("horizons", horizons, "each horizon once")
    return tuple(int(h) for h in given)


def _checked(kinds: Sequence[str], min_events: int) -> tuple[str, ...]:
    asked = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    for kind in asked:
        if kind not in KINDS:
            raise UnknownName("kind of pattern", str(kind), KINDS)
    if not asked:
        raise BadParameter("kinds", kinds, "one or more of " + ", ".join(KINDS))
    if int(min_events) != min_events or min_events < 5:
        raise BadParameter("min_events", min_events, "a whole number of at least 5")
    return asked


def _findings(
    used: Bars, named: list[tuple[str, str]], params: dict[str, Any]
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """One row a pattern, symbol and horizon with events, all symbols together first; and the marks."""
    from tapebook.market.pattern.judgement import pooled, table_of
    from tapebook.market.pattern.kernels import EVENTS

    horizons, parts = params["horizons"], []
    marks: list[np.ndarray] = []
    room = max(1, _ROOM // (len(named) * len(used)))
    for first in range(0, len(horizons), room):
        told, paid, asked, mean = _followed(
            used, len(named), horizons[first : first + room], params["kinds"], marks
        )
        alone = len(used.symbols) == 1
        parts.append(
            told if alone else np.concatenate([pooled(told, paid, asked, *_memory(mean))[None], told])
        )
    told = np.concatenate(parts, axis=2)
    names = [*used.symbols] if len(used.symbols) == 1 else [ALL, *used.symbols]
    N, P, H = told.shape[:3]
    there = told[..., EVENTS].ravel() > 0
    symbol, pattern, horizon = (block.ravel()[there] for block in np.indices((N, P, H)))
    kinds, words = (np.array(part, dtype=object) for part in zip(*named, strict=True))
    keys = pd.DataFrame(
        {
            "kind": kinds[pattern],
            "pattern": words[pattern],
            "symbol": np.array(names, dtype=object)[symbol],
            "horizon": np.array(params["horizons"])[horizon],
        }
    )
    rest = table_of(told.reshape(N * P * H, -1)[there], params["min_events"])
    return pd.concat([keys, rest], axis=1), marks


def _followed(
    used: Bars, P: int, asked_for: Sequence[int], kinds: Sequence[str], marks: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, pd.Series]:
    """Sums of the kernel, (N, P, H, FIELDS); parts and weights by row, (P, H, T); mean step over symbols.

    `marks` are used if there are any, else filled: to look for patterns takes most of a scan's time.
    """
    from tapebook.market.pattern.kernels import FIELDS, follow

    T, N = used.shape
    horizons = np.array(asked_for, dtype=np.int64)
    turns = turns_of(used) if "seasons" in kinds and not marks else {}
    known, marks[:] = bool(marks), marks or [np.empty(0, np.uint8)] * N
    told = np.zeros((N, P, len(horizons), FIELDS))
    steps = np.full((T, N), np.nan)

    def part(columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        paid, asked = np.zeros((2, P, len(horizons), T))
        for column in columns:
            own = Own.of(used, column)
            if known:
                found = _unpacked(marks[column], len(own.rows))
            else:
                found = masks(own, kinds, turns.get(used.calendars[used.symbols[column]]))
                marks[column] = np.packbits(found, axis=1)
            steps[own.rows, column] = own.step
            follow(found, own.step, own.rows, horizons, told[column], paid, asked)
        return paid, asked

    with ThreadPoolExecutor(_THREADS) as pool:
        done = list(pool.map(part, np.array_split(np.arange(N), min(N, _THREADS))))
    paid, asked = (np.sum([each[n] for each in done], axis=0) for n in (0, 1))
    return told, paid, asked, pd.DataFrame(steps).mean(axis=1)


def _memory(mean: pd.Series) -> tuple[np.ndarray, float]:
    """Autocorrelations (LAGS,) and skewness of the mean step over symbols."""
    from tapebook.market.pattern.kernels import LAGS, MOST_SKEW

    known = mean.dropna()
    rho = [known.corr(known.shift(lag)) for lag in range(1, LAGS + 1)]
    centred = known.to_numpy(dtype=float) - known.mean()
    skew = float((centred**3).mean() / max(float((centred**2).mean()), 1e-300) ** 1.5)
    return np.nan_to_num(np.array(rho, dtype=float)), min(max(skew, -MOST_SKEW), MOST_SKEW)


def _warned(used: Bars, kinds: Sequence[str]) -> tuple[str, ...]:
    said = []
    opens, volume = used.values["open"], used.values["volume"]
    without = [name for n, name in enumerate(used.symbols) if not np.isfinite(opens[:, n]).any()]
    if without:
        said.append(
            f"{', '.join(without[:5])}: no opens, so what follows goes from close to close, and there are "
            "no candlesticks and no gaps"
        )
    if "volume" in kinds and not np.isfinite(volume).any():
        said.append("no volume, so no volume spikes")
    return tuple(said)


def _unpacked(marks: np.ndarray, rows: int) -> np.ndarray:
    """Where patterns are known, (P, rows), from their bits."""
    return np.unpackbits(marks, axis=1, count=rows).view(np.bool_)


def _events(bars: Bars, kinds: Sequence[str], marks: Sequence[np.ndarray], since: int) -> pd.DataFrame:
    """Occurrences from a row of the panel on, by time, symbol and pattern."""
    named = catalogue(bars.freq, kinds)
    there = np.isfinite(bars.values["close"])
    rows, columns, places = [], [], []
    for column, bits in enumerate(marks):
        own = np.flatnonzero(there[:, column])
        first = int(np.searchsorted(own, since))
        at, place = np.nonzero(_unpacked(bits, len(own))[:, first:].T)  # by time, then by pattern
        rows.append(own[first + at])
        places.append(place.astype(np.int16))
        columns.append(np.full(len(at), column, dtype=np.int32))
    row, column_, place_ = np.concatenate(rows), np.concatenate(columns), np.concatenate(places)
    order = np.argsort(row, kind="stable")
    row, column_, place_ = row[order], column_[order], place_[order]
    ways = np.array([direction(name) for _, name in named], dtype=np.int8)
    return pd.DataFrame(
        {
            "ts": bars.index[row],
            "symbol": pd.Index(bars.symbols, dtype="str").take(column_),
            "kind": pd.Index([kind for kind, _ in named], dtype="str").take(place_),
            "pattern": pd.Index([name for _, name in named], dtype="str").take(place_),
            "direction": ways[place_],
            "known_at": bars.known_at[row],
        }
    )
