"""What vendors have revised, and which stored results that touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from tapebook.desk.universe import UniverseRoom

if TYPE_CHECKING:
    import pandas as pd


class RevisionRoom(UniverseRoom):
    """Revisions of bars, splits and dividends."""

    def revisions(
        self, symbols: str | Sequence[str] | None = None, *, limit: int | None = 100
    ) -> pd.DataFrame:
        """List what was revised, newest first: which bars, in which snapshot, known since when.

        `changed` and `removed` bars, `actions` (splits, dividends), and bars that were `added` late.

        `desk.bars(…, asof=snapshot - 1)` still reads what the lake held before.
        """
        import pandas as pd

        self._tell_revisions()
        wanted = None if symbols is None else self._members(symbols)[0]
        rows = self.catalog.revisions.list(wanted, limit=limit)
        columns = ["known", "snapshot", "symbol", "freq", "changed", "removed", "actions", "added"]
        return pd.DataFrame(rows, columns=[*columns, "first", "last", "largest", "note"])

    def stale(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Say of each stored result or scan (rows of the catalogue) what was revised under it since.

        "" for nothing. Bars that came late count too: where they are now, the result has seen a gap. So do
        members of its universe, where others were members in its span by what is known now.
        """
        from tapebook.data.stale import moved, read_by, told

        results = list(rows)
        self._tell_revisions()
        known = [row["snapshot"] for row in results if row["snapshot"] is not None]
        found = self.catalog.revisions.list(after=min(known)) if known else []
        changed = cache(self.catalog.universes.changed)
        why = [
            (told(found, [read_by(row)]), moved(changed, row, row["start"], row["end"])) for row in results
        ]
        return ["; ".join(one for one in both if one) for both in why]

    def _tell_revisions(self) -> int:
        """Write down what the snapshots since the last look have revised; return the last one looked at."""
        from tapebook.integration.event_bars import catch_up

        return catch_up(self.lake, self.catalog, "revisions", self.lake.revised, self.catalog.revisions.add)
