"""Universes: named lists of symbols with dates of membership."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.data.when import When, first_moment, last_moment
from tapebook.desk.core import Core, names
from tapebook.errors import NoData
from tapebook.who import who

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.data.universe import Universe


class UniverseRoom(Core):
    """Make, read, change and delete universes."""

    def universe(self, name: str, *, asof: str | date | None = None) -> Universe:
        """Return a universe, or those who were its members on the day `asof`; "sp500@3" is its version 3.

        `.symbols` has the names, `.frame()` a table; `.added(…)` and `.ended(…)` give a changed one, which
        `save_universe` keeps.
        """
        from tapebook.data.universe import parted, pinned

        known, version = parted(name)
        version = pinned(self.config.universes).get(known) if version is None else version
        return self.catalog.universes.get(known, version).asof(asof)

    def universes(self) -> pd.DataFrame:
        """List the universes, one row each."""
        import pandas as pd

        rows = self.catalog.universes.list()
        columns = ["id", "version", "symbols", "memberships", "note", "updated", "who"]
        return pd.DataFrame(rows, columns=columns).rename(columns={"id": "name"})

    def save_universe(
        self,
        universe: Universe | str,
        members: str | Path | Iterable[object] | None = None,
        *,
        note: str | None = None,
        revision: int | None = None,
    ) -> Universe:
        """Keep a universe: a changed one, or a name with members.

        Parameters
        ----------
        members : path or iterable, optional
            A CSV file with the columns symbol, since, until; or symbols, or (symbol, since, until), both days
            included, None for open. They replace those that are there.

        revision : int, optional
            The one that the change was made from (`desk.item`).

        Raises
        ------
        BadInput
            If a member is wrong.
        Changed
            If somebody saved another version since `universe` was read, or there is a later revision.
        """
        from tapebook.data.universe import Universe, read_members

        if isinstance(universe, str):
            known = {row["id"]: row for row in self.catalog.universes.list()}.get(universe, {})
            listed = read_members(members) if isinstance(members, (str, Path)) else members or ()
            universe = Universe.of(universe, listed, known.get("note", ""), known.get("version", 0))
        if note is not None:
            universe = replace(universe, note=note)
        return replace(universe, version=self.catalog.universes.save(universe, who(), seen=revision))

    def delete_universe(self, name: str, *, revision: int | None = None) -> None:
        """Move a universe to the trash; bars and results stay. BadInput if a screen or a schedule uses it."""
        self.catalog.universes.delete(name.removeprefix("@"), seen=revision)

    def _members(
        self, symbols: str | Sequence[str], start: When = None, end: When = None
    ) -> tuple[list[str], list[Universe], set[str]]:
        """Read "@sp500, SPY": all symbols, the universes, the symbols that are named themselves."""
        first, last = first_moment(start, "start"), last_moment(end, "end")
        span = (first.date() if first else None), (last.date() if last else None)
        named = [name for name in names(symbols) if name.startswith("@")]
        universes = [self.universe(name).between(*span) for name in named]
        if named and not any(universe.members for universe in universes):
            raise NoData(f"{', '.join(named)} had no member from {start or 'ever'} to {end or 'now'}")
        alone = [name for name in names(symbols) if not name.startswith("@")]
        every = dict.fromkeys([*(name for u in universes for name in u.symbols), *alone])
        return list(every), universes, set(alone)


def masked(bars: Bars, universes: Sequence[Universe], alone: set[str]) -> Bars:
    """Take the bars away that lie outside of every universe, but for symbols that were asked for alone.

    `Bars.universe` names both, so that the same can be read again.
    """
    import numpy as np

    inside = np.zeros((len(bars), len(bars.symbols)), dtype=bool)
    for universe in universes:
        inside |= universe.mask(bars.index, bars.symbols)
    inside[:, [at for at, symbol in enumerate(bars.symbols) if symbol in alone]] = True
    values = {name: np.where(inside, field, np.nan) for name, field in bars.values.items()}
    for field in values.values():
        field.flags.writeable = False
    named = (*(universe.reference for universe in universes), *sorted(alone))
    return replace(bars, values=values, universe=named)
