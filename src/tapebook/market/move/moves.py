"""The moves that matter: when each symbol went much further than it usually does, and who went with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
from tapebook.market.move.chance import spans_asked, told_then
from tapebook.market.move.measures import (
    COLUMNS,
    MARKET,
    TOLD,
    Tape,
    market_line,
    measured,
    others_went,
    tape_of,
    volume_of,
)
from tapebook.market.move.walk import Found, walked
from tapebook.market.scan import LEVEL, MIN_COVERAGE, Coverage, covered, known_by
from tapebook.market.states import States, states

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars

HORIZONS = (1, 5, 20, 60)
THRESHOLD = 4.0
Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Move:
    """One move: of `symbol`, from the close before `start` to the close of `end`.

    Stamps of its bars, or dates such as "2008-09-15"; a month or a year is meant whole, and without `end`
    the move is of `start` alone.
    """

    symbol: str
    start: pd.Timestamp
    end: pd.Timestamp = None  # type: ignore[assignment]  # set by __post_init__
    found: Any = field(default=None, repr=False, compare=False)
    """The `Moves` that it is one of, if any."""

    def __post_init__(self) -> None:
        start, end = self.start, self.start if self.end is None else self.end
        for name, told in (("start", first_moment(start)), ("end", last_moment(end))):
            if told is None:
                raise BadParameter(name, None, "a date or a stamp of the move's bars")
            object.__setattr__(self, name, told)

    def __str__(self) -> str:
        start, end = moment(self.start), moment(self.end)
        return f"{self.symbol} on {start}" if start == end else f"{self.symbol}, {start} to {end}"


def moment(stamp: pd.Timestamp) -> str:
    """A stamp in words: its day, and its time if it is no whole day's."""
    whole = stamp == stamp.normalize() or stamp == last_moment(stamp.date())
    return f"{stamp:%Y-%m-%d}" if whole else f"{stamp:%Y-%m-%d %H:%M}"


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
        if self.table.empty:
            raise NoData(f"{self.summary} Take a lower threshold=, or name a span: Move(symbol, start, end)")
        if number not in self.table.index:
            raise UnknownName("move", str(number), map(str, self.table.index[:20]))
        row: Any = self.table.loc[number]
        return Move(row["symbol"], row["start"], row["end"], self)

    def like(self, move: Move) -> tuple[np.ndarray, np.ndarray]:
        """Return (starts, inside), each (T, N): the settled moves that went the same way as one of them.

        Like a move of "market" are the symbols' moves that the market shared.
        """
        ahead = (self.table["direction"] == self._direction(move)) & (self.table["symbol"] != MARKET)
        if move.symbol not in self.bars.symbols:
            ahead &= self.table["scope"] == "market"
        return marks(self.table[ahead & ~self.table["open"].astype(bool)], self.bars)

    def _direction(self, move: Move) -> str:
        close = self.line(move.symbol)
        before = close[: move.start].iloc[:-1].dropna()
        return "up" if close[move.end] > before.iloc[-1] else "down"

    def line(self, symbol: str) -> pd.Series:
        """Closes of a symbol, or of "market": the product of all mean returns, from 100 on."""
        if symbol == MARKET and MARKET not in self.bars.symbols:
            return pd.Series(100.0 * np.exp(market_line(self.bars, self.states.counts)), self.bars.index)
        self._check(symbol)
        return self.bars.close[symbol]

    def _check(self, symbol: str) -> None:
        if symbol in self.bars.symbols:
            return
        out: dict[str, str] = dict(self.coverage.excluded.itertuples(index=False))
        if symbol in out:
            raise BadInput(f"{symbol} was left out: {out[symbol]}. Nothing can be said of its moves")
        raise UnknownName("symbol", symbol, [*self.bars.symbols, MARKET])

    def exact(self, move: Move) -> Move:
        """Return the move from its symbol's first bar of the span to its last.

        Raises
        ------
        BadInput
            If the span does not lie in the bars, or holds no bar of the symbol, or none lies before it.
        """
        line = self.line(move.symbol)
        own = self.bars.index[np.isfinite(line.to_numpy())]
        inside = own[(own >= move.start) & (own <= move.end)]
        span = f"{own[0]:%Y-%m-%d} to {own[-1]:%Y-%m-%d}"
        if not len(inside) or move.end.normalize() > own[-1]:
            raise BadInput(f"{move}: expected a span within the bars of {move.symbol}, {span}")
        if inside[0] == own[0]:
            raise BadInput(f"{move}: a move needs a close before its first bar; {move.symbol} has {span}")
        return Move(move.symbol, inside[0], inside[-1], self)

    def place(self, move: Move) -> tuple[int, int, int]:
        """Return the column of a move (the one after the last for "market"), and rows of its two ends."""
        names, (first, last) = (
            self.bars.symbols,
            self.bars.index.get_indexer(pd.Index([move.start, move.end])),
        )
        n = names.index(move.symbol) if move.symbol in names else len(names)
        return n, int(first), int(last)

    def until(self, end: When) -> Moves:
        """What would have been found at `end`, by the bars known then."""
        if end is None:
            return self
        kept = {name: self.params[name] for name in ("min_bars", "min_coverage")}
        used, coverage = covered(known_by(self.bars, end), **kept)
        return _searched(used, self.states.part(slice(0, len(used)), used.symbols), coverage, self.params)

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
        from tapebook.market.move.figures import moves_figure

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
        What else to know of every bar; see `states`. A symbol of the bars by the same name is not searched.
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
    if series is not None:  # what is looked at is not searched
        looked_at = {str(name) for name in series}
        bars = bars.select(*(name for name in bars.symbols if name not in looked_at))
    used, coverage = covered(known_by(bars, end), min_bars=min_bars, min_coverage=min_coverage)
    made = states(used, None if series is None else series.reindex(used.index), seasoned=min_bars)
    params = {
        "horizons": spans, "threshold": threshold, "settle": settle, "market": market, "level": level,
        "min_bars": min_bars, "min_coverage": min_coverage,
        "series": () if series is None else tuple(str(name) for name in series),
    }  # fmt: skip
    return _searched(used, made.part(slice(None)), coverage, params)


def _searched(bars: Bars, made: States, coverage: Coverage, params: Mapping[str, Any]) -> Moves:
    tape = tape_of(bars, made, market=params["market"])
    found = []
    for n in range(tape.logs.shape[1]):
        own = np.flatnonzero(np.isfinite(tape.logs[:, n]))
        logs, deviation = tape.logs[own, n], np.where(tape.counts[own, n], tape.deviation[own, n], np.nan)
        walk = walked(logs, deviation, params["horizons"], params["threshold"], params["settle"])
        found += [(n, one.at(own)) for one in walk]
    table = _table(found, tape, bars, params["horizons"], params["level"])
    return Moves(table, coverage, params, bars, made, params["series"])


def _table(
    found: list[tuple[int, Found]], tape: Tape, bars: Bars, horizons: tuple[int, ...], level: float
) -> pd.DataFrame:
    rows = [measured(n, one, tape, bars) for n, one in found]
    table = pd.DataFrame(rows, columns=list(TOLD))
    known = np.array([one.known for _, one in found], dtype=np.int64)
    asked = spans_asked(np.where(tape.counts, tape.deviation, np.nan)[:, : tape.symbols], horizons)
    q = told_then(table["p"].to_numpy(dtype=float), known, asked)
    table = table.assign(q=q, holds=q <= level)[list(COLUMNS)]
    order = table["size"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def described(found: Moves, move: Move) -> pd.Series:
    """Describe one move as a row of `Moves.table`, with `volume`: its mean over the median of 60 bars before.

    Raises
    ------
    BadInput
        If too little lies before the move to know what is usual, or nothing moved.
    """
    bars, (n, first, last) = found.bars, found.place(move)
    tape = tape_of(bars, found.states, market=n == len(bars.symbols))
    own = np.flatnonzero(np.isfinite(tape.logs[:first, n]))
    if not (tape.counts[own[-1], n] and np.isfinite(tape.deviation[own[-1], n])):
        raise BadInput(
            f"{move}: {len(own)} bar{'s' * (len(own) != 1)} of its symbol before it; to know what is usual, "
            f"{found.params['min_bars']} are needed whose price moves. Take earlier bars (start=), or say "
            "min_bars="
        )
    if tape.logs[last, n] == tape.logs[own[-1], n]:
        raise BadInput(f"{move}: its price was the same before it and at its end, so nothing moved")
    row = pd.Series(dict(zip(TOLD, measured(n, Found(first, last, last, False), tape, bars), strict=True)))
    row.name, row["volume"] = str(move), volume_of(bars, n, first, last)
    return row


def went_along(found: Moves, move: Move) -> tuple[str, ...]:
    """Other symbols that went the same way as a move by more than one deviation, over its bars."""
    bars, (n, first, last) = found.bars, found.place(move)
    tape = tape_of(bars, found.states, market=n == len(bars.symbols))
    base = int(np.flatnonzero(np.isfinite(tape.logs[:first, n]))[-1])
    side = np.sign(tape.logs[last, n] - tape.logs[base, n])
    went = others_went(tape, n, base, last)
    return tuple(str(name) for name, size in went.items() if side * size > 1.0)


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
