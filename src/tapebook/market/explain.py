"""Explain one move: what moved and with what, what came before, when before, and could a rule have told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.market.analogues import Analogues, analogues
from tapebook.market.event_study import EventStudy, event_study
from tapebook.market.moves import Move, Moves, described
from tapebook.market.precursors import Precursors, precursors
from tapebook.market.rules import Rules, rules
from tapebook.market.scan import Idea
from tapebook.market.what_moved import Attribution, attribution

if TYPE_CHECKING:
    import plotly.graph_objects as go

Part = TypeVar("Part")
NOTHING = "Nothing distinguishes it"


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """The answers about one move; each part is None where `missing` says why it could not be asked.

    `row` describes the move as a row of `Moves.table` does, with `volume` (its mean volume over the median
    of the 60 bars before). `attribution`: with what it moved. `after`: event study of the 20 bars after such
    moves. `precursors`, `rules`: of all moves the same way. `analogues`: of the bars before it.
    """

    move: Move
    row: pd.Series
    attribution: Attribution | None
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
        told = [self._what(), self._with_what()]
        if not self.distinguished:
            told.append(
                f"{NOTHING} beforehand: of {self.precursors.cases} moves the same way, none of "
                f"{len(self.precursors.table)} precursors and no rule holds on moves not used to find it."
                if self.precursors.reason is None
                else f"{NOTHING} beforehand, as far as could be asked: {self.precursors.reason}."
            )
        else:
            told += [part.summary for part in (self.precursors, self.rules)]
        if self.analogues is not None:
            told.append(self.analogues.summary)
        if self.after is not None:
            told.append(f"After such moves: {self.after.summary}")
        told += [f"Not asked, {name}: {why}" for name, why in self.missing.items()]
        return " ".join(told)

    def _what(self) -> str:
        row = self.row
        verb = "rose" if row["change"] > 0 else "fell"
        when = (
            f"on {row['start']:%Y-%m-%d}"
            if row["bars"] == 1
            else f"from {row['start']:%Y-%m-%d} to {row['end']:%Y-%m-%d} ({row['bars']} bars)"
        )
        rare = "" if np.isnan(row["rarity"]) else f" ({row['rarity']:.1%} of its earlier spans were as large)"
        volume = "" if np.isnan(row["volume"]) else f", on {row['volume']:.1f} times its usual volume"
        return (
            f"{row['symbol']} {verb} {abs(row['percent']):.1%} {when}: {abs(row['size']):.1f} deviations"
            f"{rare}{volume}."
        )

    def _with_what(self) -> str:
        scope = {
            "market": "The market went along.",
            "single name": "It was its own: the market does not explain it.",
            "alone": "There is no other symbol to compare with.",
        }[self.row["scope"]]
        return scope if self.attribution is None else f"{scope} {self.attribution.summary}"

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
        from tapebook.market.move_figures import explanation_figures

        return explanation_figures(self)

    def __repr__(self) -> str:
        return f"Explanation of {self.move}: {self.summary}"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.summary)}</p>"


def explain(
    found: Moves,
    move: Move | int = 0,
    *,
    market: str | None = None,
    groups: Mapping[str, str] | None = None,
    factors: pd.DataFrame | None = None,
    within: int = 10,
    seed: int = 0,
) -> Explanation:
    """Answer what moved, with what, what came before, when before, and whether a rule could have caught it.

    Parameters
    ----------
    found : Moves
        What `moves` found; the other moves the same way are the cases.
    move : Move or int
        One of them by its number, or any span of a symbol.
    market, groups, factors
        Of `attribution`.
    within : int
        Bars ahead of which a precursor or a rule is to tell.

    Notes
    -----
    Betas are of bars before the move; analogues and what followed them were known before it. Precursors and
    rules are found on earlier moves and confirmed on later ones, all of them in `found`: what was known at
    its `end`.
    """
    if within < 1:
        raise BadParameter("within", within, "at least 1 bar")
    bars = found.bars
    chosen = found.move(move) if isinstance(move, int) else move
    row = described(bars, found.states, chosen)
    starts, inside = found.like(chosen)
    missing: dict[str, str] = {}

    def asked(name: str, call: Callable[[], Part]) -> Part | None:
        try:
            return call()
        except NoData as error:
            missing[name] = str(error)
            return None

    first = int(bars.index.get_indexer(pd.Index([chosen.start]))[0])
    parts = asked(
        "with what", lambda: attribution(bars, chosen, market=market, groups=groups, factors=factors)
    )
    before = asked("when before", lambda: analogues(bars, found.states, chosen.symbol, first - 1, seed=seed))
    after = asked("after such moves", lambda: _after(found, starts, market))
    kept: dict[object, tuple[Precursors, Rules]] = found.__dict__.setdefault("_before", {})
    key = (bool(row["change"] > 0), within, seed)  # the same for every move that went the same way
    if key not in kept:
        kept[key] = (
            precursors(found.states, starts, inside, within=within),
            rules(found.states, starts, inside, within=within, seed=seed),
        )
    before_all = kept[key]
    return Explanation(
        move=chosen,
        row=row,
        attribution=parts,
        after=after,
        precursors=before_all[0],
        analogues=before,
        rules=before_all[1],
        moves=found,
        within=within,
        missing=missing,
    )


def _after(found: Moves, starts: np.ndarray, market: str | None) -> EventStudy:
    """Abnormal returns of the 20 bars after each move the same way was settled."""
    bars = found.bars
    at = pd.MultiIndex.from_arrays([found.table["symbol"], found.table["start"]])
    rows, columns = np.nonzero(starts)
    like = list(zip(np.array(bars.symbols)[columns], bars.index.take(rows), strict=True))
    events = found.table.loc[at.isin(like), ["symbol", "known_at"]].set_axis(["symbol", "ts"], axis=1)
    events = events.assign(ts=events["ts"].dt.normalize()).drop_duplicates()
    if len(events) < 2:
        raise NoData(f"{len(events)} such moves: 2 needed")
    length = int((found.table["end"] - found.table["start"]).max() / pd.Timedelta(days=1)) + 10
    return event_study(bars, events, window=(1, 20), gap=min(length, 60), market=market)
