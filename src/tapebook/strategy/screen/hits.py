"""A screen: the symbols for which an expression holds as of a day, or on every bar of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.data.when import When
from tapebook.errors import NoData
from tapebook.strategy.screen.evaluate import Evaluation, Panel
from tapebook.strategy.screen.grammar import parse
from tapebook.strategy.screen.kinds import Check, checked
from tapebook.strategy.screen.node import COMPARISONS, CROSSINGS, Node, written

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.market.scan import Idea
    from tapebook.strategy.declare import Strategy

STALE_DAYS = 10
"""A symbol whose last bar is older than the newest of the market by more days is not judged."""


@dataclass(frozen=True, eq=False)
class Judged:
    """How many symbols could be judged. `excluded`: one row a symbol that could not, with its reason."""

    asked: int
    used: int
    excluded: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["symbol", "reason"]))

    @property
    def share(self) -> float:
        """Symbols judged of those asked, 0 to 1."""
        return self.used / self.asked if self.asked else 0.0

    def __str__(self) -> str:
        text = f"{self.used:,} of {self.asked:,} symbols had enough bars"
        out = [f"{row.symbol}: {row.reason}" for row in self.excluded.itertuples()]
        more = f" and {len(out) - 5} more" if len(out) > 5 else ""
        return text + (f" (not {', '.join(out[:5])}{more})" if out else "")


@dataclass(frozen=True, eq=False, repr=False)
class Screen:
    """What an expression finds.

    `table` has one row a hit: symbol, the bar that was looked at, its close, and every number that the
    expression compares. `bars` are those that were known; `notes` what is odd about the expression.
    """

    expression: str
    table: pd.DataFrame
    coverage: Judged
    bars: Bars
    notes: tuple[str, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that were found."""
        return tuple(self.table["symbol"])

    @property
    def snapshot(self) -> int | None:
        """The lake's snapshot that the bars are of."""
        return self.bars.snapshot

    @property
    def end(self) -> pd.Timestamp:
        """Stamp of the newest bar looked at."""
        end: pd.Timestamp = self.bars.index[-1]
        return end

    @property
    def summary(self) -> str:
        """What was found, of what, in words."""
        found = f"{len(self.table):,} of {self.coverage.asked:,} symbols found"
        return f"{found} as of {_said(self.end)}: {self.expression}. {self.coverage}."

    @cached_property
    def history(self) -> pd.DataFrame:
        """Whether the expression held on each bar, shape (T, N): 1, 0, or missing (no bar, or too few)."""
        return held(self.expression, self.bars)

    def counts(self) -> pd.DataFrame:
        """How often each symbol was found: bars judged, hits, their share, first and last; most first."""
        history = self.history
        told = pd.DataFrame(
            {
                "bars": history.notna().sum(),
                "hits": (history == 1).sum().astype(int),
                "first": [_edge(history[symbol], 0) for symbol in history],
                "last": [_edge(history[symbol], -1) for symbol in history],
            }
        )
        told.insert(2, "share", told["hits"] / told["bars"].where(told["bars"] > 0))
        return told.sort_values("hits", ascending=False, kind="stable").rename_axis("symbol")

    def strategy(self, *, hold: int = 20, side: str = "long") -> Strategy:
        """Return the strategy that holds each hit for `hold` bars, from the next open on."""
        from tapebook.strategy import registry

        return registry.get("on_screen").preset(self._params(hold, side))

    def idea(self, *, hold: int = 20, side: str = "long") -> Idea:
        """Return the same with its symbols, for `desk.backtest(idea)`."""
        from tapebook.market.scan import Idea

        return Idea("on_screen", self._params(hold, side), tuple(self.bars.symbols))

    def _params(self, hold: int, side: str) -> Mapping[str, Any]:
        return {"expression": self.expression, "hold": hold, "side": side}

    def __repr__(self) -> str:
        return f"Screen: {self.summary}"

    def _repr_html_(self) -> str:
        from html import escape

        shown: str = self.table.to_html(index=False)
        return f"<p>{escape(self.summary)}</p>{shown}"


def read(expression: str) -> tuple[str, Node, tuple[str, ...]]:
    """Read and check an expression: as it is written, its nodes, and notes.

    Raises
    ------
    BadExpression
        Pointing at the character.
    """
    node = parse(expression)
    return written(node), node, checked(expression, node)


def screen(bars: Bars, expression: str, *, asof: When = None) -> Screen:
    """Find the symbols of `bars`, shape (T, N), for which `expression` holds at their last bar.

    Parameters
    ----------
    asof : str or datetime, optional
        A day (the whole of it) or a moment, UTC: only bars known by then are looked at.

    A symbol with too few bars, or whose last bar is more than `STALE_DAYS` older than the newest, is not
    judged; `coverage` names it. Ranks compare the symbols that have a bar at the same time.

    Raises
    ------
    BadExpression
        Pointing at the character.
    NoData
        If nothing was known by then.
    """
    from tapebook.market.scan import known_by

    said, node, notes = read(expression)
    known = known_by(bars, asof)
    if not len(known):
        raise NoData(f"no bar was known{f' by {asof}' if asof is not None else ''}: choose a later day")
    panel = Panel(known)
    told = Evaluation(expression, panel)
    held = told.condition(node)[-1]
    last = known.index[panel.stamps[-1]]
    why = [_unjudged(n, held, panel, last, known) for n in range(len(known.symbols))]
    out = [(name, reason) for name, reason in zip(known.symbols, why, strict=True) if reason]
    hits = [n for n, reason in enumerate(why) if reason is None and held[n] == 1.0]
    table = pd.DataFrame({"symbol": [known.symbols[n] for n in hits], "bar": last[hits]})
    for name, part in {"close": Node("name", "close"), **_compared(node)}.items():
        values = np.broadcast_to(np.asarray(told.of(part), dtype=float), known.shape)
        table[name] = values[-1][hits]
    judged = Judged(len(why), len(why) - len(out), pd.DataFrame(out, columns=["symbol", "reason"]))
    return Screen(said, table, judged, known, notes)


def held(expression: str, bars: Bars) -> pd.DataFrame:
    """Whether `expression` held on each bar, shape (T, N): 1, 0, or missing. Row t uses bars up to t.

    Raises
    ------
    BadExpression
    """
    _, node, _ = read(expression)
    if not len(bars):
        return pd.DataFrame(index=bars.index, columns=pd.Index(bars.symbols, name="symbol"), dtype=float)
    panel = Panel(bars)
    block = panel.spread(Evaluation(expression, panel).condition(node))
    return pd.DataFrame(block, bars.index, pd.Index(bars.symbols, name="symbol"), copy=False)


def _unjudged(n: int, held: np.ndarray, panel: Panel, last: pd.DatetimeIndex, known: Bars) -> str | None:
    """Why a symbol cannot be judged; None if it can."""
    count = int((~panel.gone[:, n]).sum())
    if not count:
        return "no bar"
    if known.index[-1] - last[n] > pd.Timedelta(days=STALE_DAYS):
        return f"its last bar is of {_said(last[n])}"
    return f"{count:,} bars, too few" if np.isnan(held[n]) else None


def _compared(node: Node) -> dict[str, Node]:
    """The numbers that an expression compares, by how they are written."""
    found: dict[str, Node] = {}
    for part in node.parts:
        if node.kind in (*COMPARISONS, *CROSSINGS, "in") and _shown(part):
            found[written(part)] = part
        elif node.kind in ("and", "or", "not"):
            found |= _compared(part)
    return found if node.kind != "call" else {}


def _shown(part: Node) -> bool:
    if part.kind == "text" or (part.kind == "name" and part.value.lower() not in _FIELDS):
        return False
    kind = Check("").of(part)
    return kind.type == "number" and kind.constant is None


_FIELDS = ("open", "high", "low", "close", "volume")


def _edge(column: pd.Series, at: int) -> pd.Timestamp | None:
    found = column.index[(column == 1).to_numpy()]
    return found[at] if len(found) else None


def _said(stamp: pd.Timestamp) -> str:
    return f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}Z"
