"""Kept screens: saved by name, run again, and what entered and left told as events."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from tapebook.desk.core import names
from tapebook.desk.screens import ScreenRoom
from tapebook.errors import BadParameter

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.catalog.screens import Ran
    from tapebook.strategy.screen.hits import Screen

ADJUST: dict[str, Literal["splits", "total", False]] = {"splits": "splits", "total": "total", "none": False}


@dataclass(frozen=True, eq=False, repr=False)
class ScreenRun:
    """One run of a kept screen: what was found, and what changed since the last run."""

    name: str
    found: Screen
    ran: Ran

    @property
    def entered(self) -> tuple[str, ...]:
        """Symbols that were not found at the last run, and are now; none at the first."""
        return self.ran.entered or ()

    @property
    def left(self) -> tuple[str, ...]:
        """Symbols that were found at the last run, and are not now; none at the first."""
        return self.ran.left or ()

    @property
    def table(self) -> pd.DataFrame:
        """The hits, with a column `change`: "entered", or empty where it was found before."""
        return self.found.table.assign(
            change=["entered" if s in self.entered else "" for s in self.found.table["symbol"]]
        )

    @property
    def summary(self) -> str:
        """What was found and what changed, in words."""
        if self.ran.entered is None:
            return (
                f"{self.name}: {self.found.summary} The first run: the next one tells what entered and left."
            )
        said = [
            f"{what} {', '.join(names)}"
            for what, names in (("entered:", self.entered), ("left:", self.left))
            if names
        ]
        return f"{self.name}: {self.found.summary} Since the last run {'; '.join(said) or 'nothing changed'}."

    def __repr__(self) -> str:
        return f"ScreenRun: {self.summary}"


class KeptScreenRoom(ScreenRoom):
    """Screens by name."""

    def save_screen(
        self,
        name: str,
        expression: str,
        universe: str | Sequence[str] | None = None,
        *,
        freq: str = "1d",
        adjust: Literal["splits", "total", False] = "splits",
        note: str | None = None,
        version: int | None = None,
        revision: int | None = None,
    ) -> int:
        """Keep a screen by name, or change it; return its version.

        Parameters
        ----------
        expression, universe, freq, adjust
            As for `scan`.
        version : int, optional
            The version that the change was made from: if it was changed meanwhile, nothing is overwritten.
        revision : int, optional
            The same with the number that `item` says, which a note or a tag raises too.

        Raises
        ------
        BadExpression, BadParameter, BadInput
        """
        from tapebook.schema import Frequency
        from tapebook.strategy.screen.hits import read

        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
            raise BadParameter("name", name, "letters, digits, dots and dashes, such as 'oversold'")
        said, _, _ = read(expression)
        asked = {
            "expression": said,
            "symbols": None if universe is None else names(universe),
            "freq": str(Frequency.parse(freq)),
            "adjust": adjust or "none",
        }
        if note is not None:
            asked["note"] = note
        return self.catalog.screens.save(name, asked, version, seen=revision)

    def screens(self) -> pd.DataFrame:
        """List the kept screens by name."""
        import pandas as pd

        columns = ["name", "version", "expression", "symbols", "freq", "adjust", "note", "updated"]
        return pd.DataFrame(self.catalog.screens.list(), columns=columns)

    def screen(self, name: str, *, asof: str | datetime | int | None = None) -> Screen:
        """Look with a kept screen, as of any day; nothing is written and nobody is told."""
        row = self.catalog.screens.get(name)
        return self.scan(
            row.expression, row.symbols, asof=asof, freq=row.freq, adjust=ADJUST[row.adjust]
        )  # fmt: skip

    def run_screen(self, name: str, *, asof: str | datetime | None = None) -> ScreenRun:
        """Run a kept screen and tell what entered and what left since its last run.

        Each change is an event `scan.hit`, written together with the run. The first run of a screen, or of a
        changed one, has nothing to compare with and tells nothing. A symbol that cannot be judged now (no
        bar, too few) neither enters nor leaves.

        Raises
        ------
        BadInput
            If `asof` lies before the last run.
        """
        row = self.catalog.screens.get(name)
        found = self.screen(name, asof=asof)
        hits = {
            str(hit["symbol"]): {str(key): _plain(value) for key, value in hit.items() if key != "symbol"}
            for hit in found.table.to_dict("records")
        }
        judged = set(found.bars.symbols) - set(found.coverage.excluded["symbol"])
        run: dict[str, Any] = {
            "bar": found.end.isoformat(),
            "snapshot": found.snapshot,
            "asked": found.coverage.asked,
            "used": found.coverage.used,
        }
        return ScreenRun(name, found, self.catalog.screens.ran(name, row.version, run, hits, judged))

    def screen_runs(self, name: str, *, limit: int | None = 50) -> pd.DataFrame:
        """List the runs of a kept screen, newest first."""
        import pandas as pd

        self.catalog.screens.get(name)
        columns = ["seq", "at", "bar", "snapshot", "asked", "used", "inside", "entered", "left", "first"]
        return pd.DataFrame(self.catalog.screens.runs(name, limit), columns=columns)

    def delete_screen(self, name: str, *, revision: int | None = None) -> None:
        """Move a kept screen and its runs to the trash; events that were told stay told."""
        self.catalog.screens.delete(name, seen=revision)

    def outside_scan(
        self, scanner: str, filters: Any = None, *, compare: Screen | None = None, **options: Any
    ) -> pd.DataFrame:
        """Ask a scanner of others, "tradingview" or "finviz", in its own words.

        Parameters
        ----------
        filters
            TradingView: a list such as ["RSI < 30", "close > SMA200"]. Finviz: a mapping such as
            {"Exchange": "NASDAQ", "RSI (14)": "Oversold (30)"}.
        compare : Screen, optional
            What ours found: adds rows and the columns `theirs`, `ours` and `judged` (ours could tell).
        options
            See `tapebook.integration.outside_screens`. `save_universe(name, found["symbol"])` keeps the hits.
        """
        from tapebook.errors import UnknownName
        from tapebook.integration.outside import Outside
        from tapebook.integration.outside_screens import SCANNERS

        if scanner not in SCANNERS:
            raise UnknownName("scanner", scanner, SCANNERS)
        found = SCANNERS[scanner](filters or (), outside=Outside.of(self.config), **options)
        return found if compare is None else _beside(found, compare)


def _beside(theirs: pd.DataFrame, ours: Screen) -> pd.DataFrame:
    """One row a symbol that either found."""
    import pandas as pd

    every = list(dict.fromkeys([*theirs["symbol"], *ours.symbols]))
    out = set(ours.coverage.excluded["symbol"])
    told = pd.DataFrame({"symbol": every})
    told["theirs"] = told["symbol"].isin(theirs["symbol"])
    told["ours"] = told["symbol"].isin(ours.symbols)
    told["judged"] = [name in ours.bars.symbols and name not in out for name in every]
    return told.merge(theirs, on="symbol", how="left")


def _plain(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return None if value != value else float(value)
