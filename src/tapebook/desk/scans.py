"""Scans that are kept: list them, read them back, say what is new and what broke."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tapebook.data.shelf import bring, share
from tapebook.data.staging import staged
from tapebook.desk.strategy import StrategyRoom
from tapebook.errors import BadInput, NoData, UnknownName

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Row

    from tapebook.market.move.moves import Moves
    from tapebook.market.scan import Scan

    Found = Scan | Moves

KINDS = {
    "trends": "trend",
    "correlations": "correlation",
    "cointegration": "cointegration",
    "patterns": "pattern",
    "moves": "move",
}
"""Scans, each a verb of the desk and a command, and the room of the market that each is in."""
HOW = ("end", "seed", "min_coverage", "keep")
"""Settings that say when and how well is asked, not what."""


class ScanRoom(StrategyRoom):
    """Stored scans: a row of the catalogue, and the findings in a file beside it."""

    def scans(
        self, kind: str | None = None, *, tag: str | None = None, limit: int | None = 50
    ) -> pd.DataFrame:
        """List stored scans, newest first; `stale` says what was revised since under one."""
        import pandas as pd

        if kind is not None and kind not in KINDS:
            raise UnknownName("kind of scan", kind, KINDS)
        names = ["id", "kind", "created", "symbols", "asked", "held", "coverage", "end", "snapshot", "run_id"]
        rows = self.catalog.scans.list(kind=kind, tag=tag, limit=limit)
        marked = [row | {"stale": stale} for row, stale in zip(rows, self.stale(rows), strict=True)]
        return pd.DataFrame(marked, columns=[*names, "stale"])

    def findings(self, id: str) -> pd.DataFrame:
        """Read the findings of a stored scan back, numbered as they were."""
        import pandas as pd

        row = self.catalog.scans.get(id)
        file = bring(self.config, "results", row.id) / "findings.parquet"
        if not file.is_file():
            raise NoData(f"{row.id}: its file {file.name} is missing beside the catalogue")
        return pd.read_parquet(file)

    def changed(
        self, id: str | None = None, since: str | None = None, *, kind: str | None = None
    ) -> pd.DataFrame:
        """Say what is new and what broke between two stored scans.

        Parameters
        ----------
        id : str, optional
            The later one; the newest (of `kind`) by default.
        since : str, optional
            The earlier one; by default the last that asked the same of the same symbols when the market was
            younger (its bars ended before, or were an older snapshot).

        Returns
        -------
        frame
            See `tapebook.market.changes.changes`. Its `attrs` hold the ids, `now` and `before`, and a
            `summary` in words.

        Raises
        ------
        NoData
            If there is no scan, or none before it to compare with.
        """
        from tapebook.market.changes import changes, in_words

        now = self.catalog.scans.get(id or self._newest(kind))
        since = since or self.catalog.scans.earlier(now)
        if since is None:
            raise NoData(f"{now.id} is the first of its kind: the same was not asked of earlier bars")
        before = self.catalog.scans.get(since)
        if before.kind != now.kind:
            raise BadInput(f"{now.id} is a scan of {now.kind}, {since} of {before.kind}: they do not compare")
        told = changes(self._named(now), self._named(before), _keys(now.kind))
        said = f"Since {since} (bars to {before.end[:10]}): {in_words(told)}."
        told.attrs |= {"now": now.id, "before": since, "summary": said}
        return told

    def delete_scan(self, id: str, *, revision: int | None = None) -> None:
        """Move a stored scan to the trash. `restore` brings it back."""
        self.catalog.trash.put("scan", id, seen=revision)

    def _newest(self, kind: str | None) -> str:
        newest = self.scans(kind, limit=1)
        if newest.empty:
            raise NoData(
                f"there is no stored scan yet: run one, for example `tapebook scan {kind or 'trends'}`"
            )
        return str(newest["id"].iloc[0])

    def _named(self, row: Row[Any]) -> pd.DataFrame:
        from tapebook.market.changes import named_alike

        told = named_alike(self.findings(row.id), row.params.get("windows") or (None,))
        return (
            told.assign(holds=True) if row.kind == "moves" else told
        )  # what is new is a move, however likely

    def _keep(self, found: Found) -> None:
        """Store findings: the file first, then the row that names it."""
        now = datetime.now(UTC)
        row = _record(found) | {
            "id": f"sc-{now:%Y%m%d-%H%M%S}-{token_hex(4)}",
            "created": now.isoformat(timespec="seconds"),
            "run_id": Path(run).name if (run := os.environ.get("TAPEBOOK_RUN")) else None,
        }
        folder = self.config.results / row["id"]
        with staged(folder) as part:
            part.mkdir(parents=True)
            findings_of(found).to_parquet(part / "findings.parquet")
        share(self.config, "results", folder)
        self.catalog.scans.add(row)
        found.__dict__["id"] = row["id"]


def findings_of(found: Found) -> pd.DataFrame:
    """Return the table of a scan, one row a finding; of moves with the change as `effect`."""
    from tapebook.market.move.moves import Moves

    if not isinstance(found, Moves):
        return found.findings.rename_axis("finding")
    return found.table.assign(effect=found.table["change"]).rename_axis("move")


def module_of(kind: str) -> ModuleType:
    """Import the module that a kind of scan is in."""
    return import_module(f"tapebook.market.{KINDS[kind]}.{kind}")


def _keys(kind: str) -> tuple[str, ...]:
    if kind == "moves":
        return ("symbol", "start")
    return tuple(getattr(module_of(kind), kind.capitalize()).keys)


def _record(found: Found) -> dict[str, Any]:
    from tapebook.market.move.moves import Moves

    of: Any
    kind, of = ("moves", found.bars) if isinstance(found, Moves) else (found.kind, found)
    params = sorted(str(pair) for pair in found.params.items() if pair[0] not in HOW)
    asked = [kind, sorted(of.symbols), str(of.freq), params]
    table = findings_of(found)
    return {
        "kind": kind,
        "question": sha256(repr(asked).encode()).hexdigest(),
        "symbols": list(of.symbols),
        "params": dict(found.params),
        "freq": str(of.freq),
        "start": of.start.isoformat(),
        "end": of.end.isoformat(),
        "snapshot": of.snapshot,
        "asked": int(getattr(found, "asked", table["p"].notna().sum())),
        "held": int(getattr(found, "held", table["holds"].astype(bool).sum())),
        "coverage": found.coverage.share,
        "summary": found.summary,
    }
