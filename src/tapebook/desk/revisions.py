"""What vendors have revised, and which stored results that touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tapebook.desk.universe import UniverseRoom
from tapebook.errors import NoData
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import pandas as pd

BATCH = 200


class RevisionRoom(UniverseRoom):
    """Revisions of bars, splits and dividends."""

    def revisions(
        self, symbols: str | Sequence[str] | None = None, *, limit: int | None = 100
    ) -> pd.DataFrame:
        """List what was revised or deleted, newest first: which bars, in which snapshot, known since when.

        `desk.bars(…, asof=snapshot - 1)` still reads what the lake held before.
        """
        import pandas as pd

        self._tell_revisions()
        wanted = None if symbols is None else self._members(symbols)[0]
        rows = self.catalog.revisions.list(wanted, limit=limit)
        columns = ["known", "snapshot", "symbol", "freq", "changed", "removed", "actions", "first", "last"]
        return pd.DataFrame(rows, columns=[*columns, "largest", "note"])

    def stale(self, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Say of each stored result (rows of the catalogue) what was revised under it; "" for nothing."""
        results = list(rows)
        self._tell_revisions()
        known = [row["snapshot"] for row in results if row["snapshot"] is not None]
        if not known:
            return [""] * len(results)
        found = self.catalog.revisions.list(after=min(known))
        return [_told([one for one in found if _touches(one, row)]) for row in results]

    def _tell_revisions(self) -> int:
        """Write down what the snapshots since the last look have revised; return the last one looked at."""
        while True:
            mark = self.catalog.events.mark("revisions")
            seen, found = self.lake.revised(mark, limit=BATCH)
            if seen == mark:
                if not self._made_anew(mark):
                    return mark
                seen, found = -1, []
            self.catalog.revisions.add(mark, seen, found)

    def _made_anew(self, mark: int) -> bool:
        try:
            return self.lake.snapshot() < mark
        except NoData:
            return False


def _touches(revision: Mapping[str, Any], result: Mapping[str, Any]) -> bool:
    """Whether a result read what was revised: an earlier snapshot, this symbol, bars of this span."""
    if result["snapshot"] is None or revision["snapshot"] <= result["snapshot"]:
        return False
    if revision["symbol"] not in result["symbols"]:
        return False
    if revision["freq"] and result["freq"]:
        shorter = Frequency.parse(revision["freq"]).seconds <= Frequency.parse(result["freq"]).seconds
        if not shorter:  # a longer bar is made of shorter ones, never the other way round
            return False
    first, last = _moment(result["start"]), _moment(result["end"])
    return (last is None or _moment(revision["first"]) <= last) and (  # type: ignore[operator]
        first is None or _moment(revision["last"]) >= first  # type: ignore[operator]
    )


def _told(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    bars = sum(one["changed"] + one["removed"] for one in found)
    actions = sum(one["actions"] for one in found)
    symbols = sorted({one["symbol"] for one in found})
    counts = [f"{n:,} {what}" for n, what in ((bars, "bars"), (actions, "splits or dividends")) if n]
    named = ", ".join(symbols[:3]) + (f" and {len(symbols) - 3} more" if len(symbols) > 3 else "")
    return f"{' and '.join(counts)} of {named} revised by snapshot {max(one['snapshot'] for one in found)}"


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
