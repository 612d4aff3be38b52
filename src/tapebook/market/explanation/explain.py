"""Explain one move: what moved and with what, what came before, when before, and could a rule have told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from tapebook.data.when import When
from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.market.explanation.analogues import Analogues, analogues
from tapebook.market.explanation.event_study import EventStudy, Model, event_study
from tapebook.market.explanation.precursors import Precursors, precursors
from tapebook.market.explanation.rules import Rules, rules
from tapebook.market.explanation.what_moved import Attribution, attribution
from tapebook.market.move.moves import Move, Moves, described, moment, went_along
from tapebook.market.scan import Idea
from tapebook.market.states import states

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars

Part = TypeVar("Part")
NOTHING = "Nothing distinguishes it"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The answers about one move; each part is None where `missing` says why it could not be asked.

    `row` describes the move as a row of `Moves.table` does, with `volume` (its mean volume over the median
    of the 60 bars before). `attribution`: with what it moved. `together`: event study of its bars, of it and
    of the symbols that went the same way by more than a deviation. `after`: event study of the 20 bars after
    such moves. `precursors`, `rules`: of all moves the same way. `analogues`: of the bars before it.
    """

    move: Move
    row: pd.Series
    attribution: Attribution | None
    together: EventStudy | None
    after: EventStudy | None
    precursors: Precursors
    analogues: Analogues | None
    rules: Rules
    moves: Moves
    within: int
    missing: Mapping[str, str]

    @property
    def distinguished(self) -> bool:
        """Whether anything known before sets such moves apart, confirmed on moves not used to find it."""
        return bool(len(self.precursors.found)) or self.rules.holds

    @property
    def summary(self) -> str:
        """The answer in plain words."""
        return " ".join(self.said().values())

    def said(self) -> dict[str, str]:
        """The answers in plain words, by their question."""
        told = {"What moved": self._what(), "With what": self._with_what()}
        told["What came before"] = self._before()
        if self.analogues is not None:
            told["When before"] = self.analogues.summary
        told["Could a rule have caught it"] = self.rules.summary
        if self.after is not None:
            told["After such moves"] = f"After such moves: {self.after.summary}"
        if self.missing:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.missing.items())
            told["Not asked"] = f"Not asked: {why}."
        told["Of what"] = f"Among {len(self.moves)} moves; {self.moves.coverage}."
        return told

    def _what(self) -> str:
        row = self.row
        verb = "rose" if row["change"] > 0 else "fell"
        when = (
            f"on {moment(row['start'])}"
            if row["bars"] == 1
            else f"from {moment(row['start'])} to {moment(row['end'])} ({row['bars']} bars)"
        )
        told = [f"{row['symbol']} {verb} {abs(row['percent']):.1%} {when}: {abs(row['size']):.1f} deviations"]
        if not np.isnan(row["rarity"]):
            share = f"{row['rarity']:.1%}" if row["rarity"] >= 0.001 else f"{row['rarity']:.2%}"
            told.append(f"a size that at most {share} of its earlier spans reached")
        if not np.isnan(row["volume"]):
            told.append(f"on {row['volume']:.1f} times its usual volume")
        if not np.isnan(row["breadth"]):
            told.append(f"and {row['breadth']:.0%} of the others went the same way by more than a deviation")
        return ", ".join(told) + "."

    def _with_what(self) -> str:
        told = [
            {
                "market": "The market went along.",
                "single name": "It was its own: the market does not explain it.",
                "alone": "There is no other symbol to compare with.",
            }[self.row["scope"]]
        ]
        if self.row["scope"] == "market" and self.row["market_part"] < 0.5:
            told = ["The others went along, though not by their betas from before."]
        if self.row["symbol"] not in self.moves.bars.symbols:
            told = ["It is the market: the mean of all symbols."]
        if self.attribution is not None:
            told.append(self.attribution.summary)
        if self.row["scope"] == "market" and self.together is not None and len(self.together.events) >= 3:
            told.append(f"It and those that went along, {self.together.summary}")
        return " ".join(told)

    def _before(self) -> str:
        if len(self.precursors.found):
            return f"{self.precursors.summary} {self._here(self.precursors.found.iloc[0])}"
        if self.distinguished:
            return self.precursors.summary
        if self.precursors.reason is not None:
            return f"{NOTHING} beforehand, as far as could be asked: {self.precursors.reason}."
        return (
            f"{NOTHING} beforehand: of {self.precursors.cases} moves the same way, none of "
            f"{len(self.precursors.table)} precursors and no rule holds on moves not used to find it."
        )

    def _here(self, row: pd.Series) -> str:
        """Whether the first of the precursors was there before this move too."""
        n, bars = self.moves.place(self.move)[0], self.moves.bars
        if n >= len(bars.symbols):
            return ""
        value = self.moves.states[row["feature"]][base_row(self.moves, self.move) + 1 - row["lead"], n]
        if not np.isfinite(value):
            return "Before this one it is not known."
        rang = value > row["threshold"] if row["above"] else value < row["threshold"]
        return f"Before this one it was {value:.2f}, which gave {'the' if rang else 'no'} alarm."

    def idea(self, *, hold: int | None = None) -> Idea:
        """Turn the rule into a strategy of the library, long or short as the moves went.

        Raises
        ------
        BadInput
            If no rule was found.
        """
        if self.rules.rule is None:
            raise BadInput(f"there is no rule to trade: {self.rules.reason}")
        side = "long" if self.row["change"] > 0 else "short"
        beside = [name for name in self.moves.series if name not in self.moves.bars.symbols]
        params = {"rule": self.rules.rule, "hold": hold or self.within, "side": side, "beside": len(beside)}
        return Idea("on_rule", params, (*self.moves.bars.symbols, *beside))

    def figures(self) -> dict[str, go.Figure]:
        """Return the figures of the page, by title."""
        from tapebook.market.explanation.figures import explanation_figures

        return explanation_figures(self)

    def __repr__(self) -> str:
        return f"Explanation of {self.move}: {self.summary}"

    def _repr_html_(self) -> str:
        from tapebook.market.explanation.page import words

        return words(self)

    def page(self, path: str | Path | None = None) -> str:
        """Return the whole answer as one HTML page with its figures, and write it to `path`.

        The page stands alone: nothing is loaded from elsewhere.
        """
        from tapebook.market.explanation.page import page

        made = page(self)
        if path is not None:
            Path(path).write_text(made, encoding="utf-8")
        return made


def explain(
    found: Moves,
    move: Move | int = 0,
    *,
    market: str | None = None,
    groups: Mapping[str, str] | None = None,
    factors: pd.DataFrame | None = None,
    within: int = 10,
    end: When = None,
    seed: int = 0,
) -> Explanation:
    """Answer what moved, with what, what came before, when before, and whether a rule could have caught it.

    Parameters
    ----------
    found : Moves
        What `moves` found; the other moves the same way are the cases.
    move : Move or int
        One of them by its number, or any span of a symbol: `Move("AAPL", "2008-09-15", "2008-11-20")`.
    market, groups, factors
        Of `attribution`.
    within : int
        Bars ahead of which a precursor or a rule is to tell.
    end : date or moment, optional
        What could have been said then. By default all that `found` knows.

    Raises
    ------
    BadInput
        If the move does not lie in the bars, or too little lies before it to know what is usual.

    Notes
    -----
    Betas are of bars before the move; analogues and what followed them were known before it: no later bar
    changes them. Precursors and rules are found on earlier moves and confirmed on later ones, all of them
    known at `end`: with the same `end`, later bars change nothing.
    """
    if within < 1:
        raise BadParameter("within", within, "at least 1 bar")
    chosen = found.move(move) if isinstance(move, int) else move
    found = found.until(end)
    chosen = found.exact(chosen)
    row = described(found, chosen)
    missing: dict[str, str] = {}

    def asked(name: str, call: Callable[[], Part]) -> Part | None:
        try:
            return call()
        except NoData as error:
            missing[name] = str(error).removesuffix(".")
            return None

    there = _there(found, chosen, market)
    parts = together = None
    if chosen.symbol in there.symbols:
        parts = asked(
            "with what", lambda: attribution(there, chosen, market=market, groups=groups, factors=factors)
        )
        together = asked("together", lambda: _together(found, there, chosen, market))
    if market is not None and parts is not None and "market" in parts.parts.index:
        row["market_part"] = float(parts.parts["share"]["market"])
        row["scope"] = "market" if row["market_part"] >= 0.5 else "single name"
    before_all = _before(found, chosen, within, seed)
    return Explanation(
        move=chosen,
        row=row,
        attribution=parts,
        together=together,
        after=asked("after such moves", lambda: _after(found, chosen, market)),
        precursors=before_all[0],
        analogues=asked("when before", lambda: _when(found, chosen, seed)),
        rules=before_all[1],
        moves=found,
        within=within,
        missing=missing,
    )


def base_row(found: Moves, move: Move) -> int:
    """Return the row of the symbol's last bar before the move."""
    n, first, _ = found.place(move)
    line = found.line(move.symbol).to_numpy()[:first]
    return int(np.flatnonzero(np.isfinite(line))[-1])


def _there(found: Moves, move: Move, market: str | None) -> Bars:
    """The bars of the symbols that had been there for long enough before the move."""
    counts = found.states.counts[base_row(found, move)]
    kept = {move.symbol, market, *(name for name, so in zip(found.bars.symbols, counts, strict=True) if so)}
    return found.bars.select(*(name for name in found.bars.symbols if name in kept))


def _model(bars: Bars, market: str | None) -> Model:
    return "market" if market is not None or len(bars.symbols) >= 3 else "mean"


def _together(found: Moves, bars: Bars, move: Move, market: str | None) -> EventStudy:
    """Abnormal returns over the move's bars, of it and of those that went along."""
    names = [move.symbol, *went_along(found, move)]
    events = [(name, move.start) for name in names if name in bars.symbols and name != market]
    length = int((bars.close[move.symbol][move.start : move.end]).notna().sum())
    return event_study(bars, events, window=(0, length - 1), gap=0, market=market, model=_model(bars, market))


def _after(found: Moves, move: Move, market: str | None) -> EventStudy:
    """Abnormal returns of the 20 bars after each move the same way was settled."""
    bars, (starts, _) = found.bars, found.like(move)
    rows, columns = np.nonzero(starts)
    like = list(zip(np.array(bars.symbols)[columns], bars.index.take(rows), strict=True))
    at = pd.MultiIndex.from_arrays([found.table["symbol"], found.table["start"]])
    events = found.table.loc[at.isin(like), ["symbol", "known_at", "bars"]]
    events = events.rename(columns={"known_at": "ts"}).drop_duplicates(["symbol", "ts"])
    if len(events) < 2:
        raise NoData(f"{len(events)} such moves, 2 needed")
    gap = min(int(events["bars"].max()) + 10, 60)  # nothing of the moves in the bars before them
    return event_study(bars, events, window=(1, 20), gap=gap, market=market, model=_model(bars, market))


def _before(found: Moves, move: Move, within: int, seed: int) -> tuple[Precursors, Rules]:
    """The same for every move that went the same way, so kept with the moves."""
    starts, inside = found.like(move)
    kept: dict[object, tuple[Precursors, Rules]] = found.__dict__.setdefault("_before", {})
    key = (starts.tobytes(), within, seed)
    if key not in kept:
        year = found.bars.periods_per_year
        kept[key] = (
            precursors(found.states, starts, inside, within=within, year=year),
            rules(found.states, starts, inside, within=within, seed=seed, year=year),
        )
    return kept[key]


def _when(found: Moves, move: Move, seed: int) -> Analogues:
    base = base_row(found, move)
    if move.symbol in found.bars.symbols:
        return analogues(found.bars, found.states, move.symbol, base, seed=seed)
    alone = type(found.bars).from_frames(close=found.line(move.symbol), freq=found.bars.freq)
    return analogues(alone, states(alone), alone.symbols[0], base, seed=seed)
