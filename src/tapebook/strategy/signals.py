"""What a strategy says: entries and exits. (Target weights are a plain DataFrame.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Signals:
    """Entry and exit decisions, each a boolean frame of shape (T, N): bars by symbols.

    Row t is decided at the close of bar t from bars up to and including t; the simulator trades
    it at the open of bar t + 1. An entry while already in that position is ignored. An entry and
    an exit of the same side on one bar cancel. With direction "both", an entry against the held
    side reverses the position.
    """

    entries: pd.DataFrame
    exits: pd.DataFrame
    short_entries: pd.DataFrame | None = None
    short_exits: pd.DataFrame | None = None
