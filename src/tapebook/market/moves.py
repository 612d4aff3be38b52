"""The moves that matter: when each symbol went much further than it usually does, and who went with it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tapebook.data.when import When
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.market.move_chance import earlier, spans_asked, tail_p, told_then
from tapebook.market.move_walk import Found, walked
from tapebook.market.scan import LEVEL, MIN_COVERAGE, Coverage, covered, known_by
from tapebook.market.states import States, states, without_self

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars

HORIZONS = (1, 5, 20, 60)
THRESHOLD = 4.0
MARKET = "market"
"""Name of the mean of all symbols, which has moves of its own with `market=True`."""
Direction = Literal["up", "down"]
COLUMNS = (
    "symbol", "start", "end", "bars", "direction", "change", "percent", "size", "speed", "kind", "rarity",
    "breadth", "market_part", "scope", "p", "q", "holds", "known_at", "open",
)  # fmt: skip
TOLD = tuple(name for name in COLUMNS if name not in ("q", "holds"))
"""What one move tells without the others."""


@dataclass(frozen=True)
class Move:
    """One move: of `symbol`, from the close before `start` to the close of `end` (stamps of its bars)."""

    symbol: str
    start: pd.Timestamp
    end: pd.Timestamp
    found: Any = field(default=None, repr=False, compare=False)
    """The `Moves` that it is one of, if any."""

    def __str__(self) -> str:
        if self.start == self.end:
            return f"{self.symbol} on {self.start:%Y-%m-%d}"
        return f"{self.symbol}, {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


@dataclass(frozen=True, eq=False, repr=False)
class Moves:
    """Moves found. `table`: one row a move, the largest first.

    symbol, start, end (stamps of its first and last bar), bars, direction, change (log return), percent,
    size (in deviations of the 60 bars before it, over its length), speed (deviations a bar), kind ("jump":
    one bar made four fifths of it; else "rally" or "drawdown"), rarity (share of the symbol's own earlier
    spans of that length that were as large), breadth (share of the others that went the same way by more
    than one deviation), market_part (share of the change that a beta from before it gives to the mean of
    the others), scope ("market" where that is half or more, or the median of three others or more went at
    least half as many deviations the same way; "single name"; or "alone" without others to compare with),
    p (of one such span by the tail of the symbol's own earlier ones), q (after correction for all spans
    looked at, as told when it was settled), holds (q at most the level), known_at (stamp of the bar whose
    close settled it), open (it may still go on; only these change when bars are appended).
    """

    table: pd.DataFrame
    coverage: Coverage
    params: Mapping[str, Any]
    bars: Bars
    states: States
    series: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[Move]:
        return (self.move(n) for n in self.table.index)

    def move(self, number: int = 0) -> Move:
        """Return one move by its label in the table's index."""
        if number not in self.table.index:
            raise UnknownName("move", str(number), map(str, self.table.index[:20]))
        row: Any = self.table.loc[number]
        return Move(row["symbol"], row["start"], row["end"], self)

    def like(self, move: Move) -> tuple[np.ndarray, np.ndarray]:
        """Return (starts, inside), each (T, N): the settled moves that went the same way as one of them."""
        ahead = (self.table["direction"] == self._direction(move)) & (self.table["symbol"] != MARKET)
        return marks(self.table[ahead & ~self.table["open"].astype(bool)], self.bars)

    def _direction(self, move: Move) -> str:
        close = self.line(move.symbol)
        before = close[: move.start].iloc[:-1].dropna()
        return "up" if close[move.end] > before.iloc[-1] else "down"

    def line(self, symbol: str) -> pd.Series:
        """Closes of a symbol, or of "market": the product of all mean returns, from 100 on."""
        if symbol == MARKET and MARKET not in self.bars.symbols:
            return pd.Series(100.0 * np.exp(_market(np.log(self.bars.values["close"]))), self.bars.index)
        if symbol not in self.bars.symbols:
            raise UnknownName("symbol", symbol, [*self.bars.symbols, MARKET])
        return self.bars.close[symbol]

    @property
    def summary(self) -> str:
        """How many, of whom, and the largest."""
        if self.table.empty:
            return f"No move of {self.params['threshold']:g} deviations or more. {self.coverage}."
        top = self.table.iloc[0]
        wide = int((self.table["scope"] == "market").sum())
        return (
            f"{len(self.table)} moves of {self.params['threshold']:g} deviations or more, {wide} of them the "
            f"market's. Largest: {self.move(int(self.table.index[0]))}, {top['percent']:+.1%}, "
            f"{top['size']:+.1f} deviations. {self.coverage}."
        )

    def __repr__(self) -> str:
        return f"Moves: {self.summary}"

    def figure(self, symbol: str | None = None) -> go.Figure:
        """Prices of one symbol (the one with the largest move by default) with its moves marked."""
        from tapebook.market.move_figures import moves_figure

        return moves_figure(self, symbol)


def moves(
    bars: Bars,
    *,
    horizons: Sequence[int] = HORIZONS,
    threshold: float = THRESHOLD,
    settle: int = 5,
    series: pd.DataFrame | None = None,
    market: bool = False,
    end: When = None,
    level: float = LEVEL,
    min_bars: int = 120,
    min_coverage: float = MIN_COVERAGE,
) -> Moves:
    """Find the moves that matter, as known at `end`.

    Parameters
    ----------
    horizons : sequence of int
        Bars over which a change is compared with what is usual.
    threshold : float
        Deviations, over the length, at which a change is a move. The deviation is that of the 60 bars before
        it, with each return counted for at most 5 of its own.
    settle : int
        A bar that is a move by itself is one of one bar. A longer move ends at its extreme, and is settled
        once that is `settle` bars old or half of the way is lost. Candidates that overlap a move are part of
        it; where several horizons call at one bar, the one with the largest size is taken.
    series : frame, optional
        What else to know of every bar; see `states`.
    market : bool
        Also the moves of the mean of all returns (of 3 symbols or more at each bar), as symbol "market".
    end : date or moment, optional
        What was known then. A move is found by bars up to its own time only: later bars change none that
        is settled.
    level : float
        False-discovery rate at which `holds` is told. The threshold says what is large, this what is larger
        than the symbol's own heavy tail makes by chance.

    Raises
    ------
    BadParameter, NoData
    """
    spans = tuple(sorted({int(h) for h in horizons}))
    if not spans or spans[0] < 1 or spans[-1] > 500:
        raise BadParameter("horizons", tuple(horizons), "whole numbers of bars from 1 to 500")
    if not threshold > 0.0:
        raise BadParameter("threshold", threshold, "above 0 deviations, such as 4")
    if settle < 1:
        raise BadParameter("settle", settle, "at least 1 bar")
    if not 0.0 < level < 1.0:
        raise BadParameter("level", level, "a share of false findings above 0 and below 1")
    used, coverage = covered(known_by(bars, end), min_bars=min_bars, min_coverage=min_coverage)
    made = states(used, None if series is None else series.reindex(used.index))
    tape = _tape(used, made, market=market)
    found = [
        (n, one)
        for n in range(tape.logs.shape[1])
        for one in walked(tape.logs[:, n], tape.deviation[:, n], spans, threshold, settle)
    ]
    table = _table(found, tape, used, spans, level)
    named = () if series is None else tuple(str(name) for name in series)
    params = {
        "horizons": spans, "threshold": threshold, "settle": settle, "market": market, "level": level,
        "min_bars": min_bars,
        "min_coverage": min_coverage, "series": named,
    }  # fmt: skip
    return Moves(table, coverage, params, used, made, named)


@dataclass(frozen=True, eq=False)
class _Tape:
    """Log closes, returns, mean returns of the others and deviations, each (T, N), N + 1 with the market.

    `names` of the columns; the first `symbols` are those of the bars.
    """

    logs: np.ndarray
    moved: np.ndarray
    rest: np.ndarray
    deviation: np.ndarray
    names: tuple[str, ...]
    symbols: int


def _tape(bars: Bars, made: States, *, market: bool = False) -> _Tape:
    logs, deviation, names = np.log(bars.values["close"]), made.deviation, bars.symbols
    if market:
        if len(names) < 3 or MARKET in names:
            raise BadParameter("market", market, 'False, or 3 symbols or more, none of them named "market"')
        line = _market(logs)
        close = pd.DataFrame({MARKET: np.exp(line)}, index=bars.index)
        own = states(type(bars).from_frames(close=close, freq=bars.freq)).deviation
        logs, deviation = np.column_stack([logs, line]), np.column_stack([deviation, own])
        names = (*names, MARKET)
    moved = np.vstack([np.full((1, logs.shape[1]), np.nan), np.diff(logs, axis=0)])
    rest = np.full(moved.shape, np.nan)
    N = len(bars.symbols)
    rest[:, :N] = without_self(pd.DataFrame(moved[:, :N])).to_numpy()
    return _Tape(logs, moved, rest, deviation, names, N)


def _market(logs: np.ndarray) -> np.ndarray:
    """Sum of the mean log returns of the symbols that have one, (T,); NaN where fewer than 3 have."""
    steps = np.diff(logs, axis=0)
    count = np.isfinite(steps).sum(axis=1)
    told = np.concatenate([[False], count >= 3])
    mean = np.where(count >= 3, np.nansum(steps, axis=1) / np.maximum(count, 1), 0.0)
    line: np.ndarray = np.where(told, np.concatenate([[0.0], mean.cumsum()]), np.nan)
    return line


def _table(
    found: list[tuple[int, Found]], tape: _Tape, bars: Bars, horizons: tuple[int, ...], level: float
) -> pd.DataFrame:
    rows = [_row(n, one, tape, bars) for n, one in found]
    table = pd.DataFrame(rows, columns=list(TOLD))
    known = np.array([one.known for _, one in found], dtype=np.int64)
    asked = spans_asked(tape.deviation[:, : tape.symbols], horizons)
    q = told_then(table["p"].to_numpy(dtype=float), known, asked)
    table = table.assign(q=q, holds=q <= level)[list(COLUMNS)]
    order = table["size"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _row(n: int, one: Found, tape: _Tape, bars: Bars) -> tuple[Any, ...]:
    first, last, length = one.first, one.last, one.last - one.first + 1
    logs, moved, deviation = tape.logs, tape.moved, tape.deviation
    change = logs[last, n] - logs[first - 1, n]
    unit = deviation[first - 1, n] * np.sqrt(length)
    jump = np.nanmax(np.sign(change) * moved[first : last + 1, n]) >= 0.8 * abs(change)
    kind = "jump" if jump else ("rally" if change > 0 else "drawdown")
    others = np.delete(np.arange(tape.symbols), n) if n < tape.symbols else np.arange(tape.symbols)
    went = (logs[last, others] - logs[first - 1, others]) / (deviation[first - 1, others] * np.sqrt(length))
    went = np.sign(change) * went[np.isfinite(went)]
    breadth = float((went > 1.0).mean()) if len(went) else np.nan
    is_market = n >= tape.symbols
    part = 1.0 if is_market else _market_part(moved[:, n], tape.rest[:, n], first, last, change)
    before = earlier(logs[:, n], deviation[:, n], first, length)
    size = change / unit
    scope = _scope(went, part, abs(size), is_market)
    return (
        tape.names[n], bars.index[first], bars.index[last], length, "up" if change > 0 else "down", change,
        np.expm1(change), size, size / np.sqrt(length), kind, _rarity(before, abs(size)), breadth, part,
        scope, tail_p(abs(size), before, length), bars.index[one.known], one.open,
    )  # fmt: skip


def _scope(went: np.ndarray, part: float, size: float, is_market: bool) -> str:
    if is_market:
        return "market"
    if len(went) < 3 and not np.isfinite(part):
        return "alone"
    together = len(went) >= 3 and float(np.median(went)) >= 0.5 * size
    return "market" if part >= 0.5 or together else "single name"


def _rarity(before: np.ndarray, size: float) -> float:
    """Share of the earlier spans that were as large; NaN below 100."""
    return float((1 + (before >= size).sum()) / (1 + len(before))) if len(before) >= 100 else np.nan


def _market_part(y: np.ndarray, x: np.ndarray, first: int, last: int, change: float) -> float:
    """Share of the change that the beta of 250 bars before gives to the mean of the others."""
    from tapebook.market.what_moved import WINDOW

    begin = max(0, first - WINDOW)
    a, b = y[begin:first], x[begin:first]
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < 40 or b[both].var() == 0.0:
        return np.nan
    beta = np.cov(a[both], b[both])[0, 1] / b[both].var(ddof=1)
    return float(beta * np.nansum(x[first : last + 1]) / change)


def described(bars: Bars, made: States, move: Move) -> pd.Series:
    """Describe one move as a row of `Moves.table`, with `volume`: its mean over the median of 60 bars before.

    Raises
    ------
    BadInput
        If the move does not lie in the bars, or has no close at its ends.
    """
    if move.symbol not in bars.symbols:
        raise UnknownName("symbol", move.symbol, bars.symbols)
    n = bars.symbols.index(move.symbol)
    first, last = bars.index.get_indexer(pd.Index([move.start, move.end])).tolist()
    if first < 1 or last < first:
        raise BadInput(
            f"{move}: expected two stamps of bars, the first not the panel's first, of "
            f"{bars.start:%Y-%m-%d} to {bars.end:%Y-%m-%d}"
        )
    tape = _tape(bars, made)
    if not np.isfinite(tape.logs[[first - 1, last], n]).all():
        raise BadInput(f"{move}: its symbol has no close at the last bar, or none before the first one")
    told = _row(n, Found(first, last, last, False), tape, bars)
    row = pd.Series(dict(zip(TOLD, told, strict=True)), name=str(move))
    volume = bars.values["volume"][:, n]
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of slices without any volume
        usual = np.nanmedian(volume[max(0, first - 60) : first])
        row["volume"] = float(np.nanmean(volume[first : last + 1]) / usual) if usual > 0 else np.nan
    return row


def marks(table: pd.DataFrame, bars: Bars) -> tuple[np.ndarray, np.ndarray]:
    """Return (starts, inside), each (T, N): True at the first bar of each move, and at all of its bars."""
    starts = np.zeros(bars.shape, dtype=bool)
    inside = np.zeros(bars.shape, dtype=bool)
    for row in table[table["symbol"].isin(bars.symbols)].itertuples():
        n = bars.symbols.index(str(row.symbol))
        first, last = bars.index.get_indexer(pd.Index([row.start, row.end]))
        starts[first, n] = True
        inside[first : last + 1, n] = True
    return starts, inside
