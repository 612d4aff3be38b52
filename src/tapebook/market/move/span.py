"""A move by its days, rather than by its number among those found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.data.when import first_moment, last_moment
from tapebook.errors import NoData

if TYPE_CHECKING:
    from tapebook.market.move.moves import Move, Moves


def spanned(found: Moves, symbol: str, start: str, end: str | None = None) -> Move:
    """Return the move of `symbol` from `start` to `end`, days of UTC, both included.

    Of one day it is the move found there, or where there is none that day's bar.

    Raises
    ------
    UnknownName, NoData
        If the symbol is not among the bars, or has no bar in the span.
    """
    from tapebook.market.move.moves import Move

    line = found.line(symbol).dropna()
    first, last = first_moment(start, "start"), last_moment(end or start, "end")
    inside = line.index[(line.index >= first) & (line.index <= last)]
    if not len(inside):
        raise NoData(
            f"{symbol} has no bar from {start} to {end or start}: its bars go from {line.index[0]:%Y-%m-%d} "
            f"to {line.index[-1]:%Y-%m-%d}"
        )
    own = found.table[found.table["symbol"] == symbol]
    own = own[(own["start"] <= inside[-1]) & (own["end"] >= inside[0])]
    if end is None and len(own):
        return found.move(int(own.index[0]))
    return Move(symbol, inside[0], inside[-1], found)
