"""A strategy that knows all history up to a row and trades a part of it: how a walk forward learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.strategy.answer import validated
from tapebook.strategy.declare import Strategy
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars


class Windowed(Strategy):
    """`strategy` on rows of `known`, with every bar before them as history and none after them."""

    def __init__(self, strategy: Strategy, known: Bars, rows: slice) -> None:
        self.inner, self.known, self.rows = strategy, known, rows
        self.name, self.family, self.doc = strategy.name, strategy.family, strategy.doc
        self.description, self.parameters = strategy.description, strategy.parameters
        self.source_hash = strategy.source_hash
        self.function = self._decisions

    def _decisions(self, bars: Bars, **params: Any) -> Any:  # noqa: ARG002 (they are rows of what is known)
        said = self.inner.function(self.known, **params)
        if isinstance(said, tuple) and all(
            isinstance(part, np.ndarray) and part.shape == self.known.shape for part in said
        ):
            return tuple(np.ascontiguousarray(part[self.rows]) for part in said)
        decision = validated(self.name, said, self.known)
        if isinstance(decision, Signals):
            return Signals(*(None if f is None else f.iloc[self.rows] for f in _frames(decision)))  # type: ignore[arg-type]
        return decision.iloc[self.rows]


def _frames(signals: Signals) -> tuple[pd.DataFrame | None, ...]:
    return signals.entries, signals.exits, signals.short_entries, signals.short_exits
