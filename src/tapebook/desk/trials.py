"""The ledger of trials: every backtest and sweep ever made on this desk, by anyone, for the odds."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.desk.data import DataRoom
from tapebook.who import who

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.luck.sketch import Sketch
    from tapebook.strategy.luck.trials import Tried
    from tapebook.strategy.sweep.sweep import Sweep


class TrialRoom(DataRoom):
    """Counts what was tried. Nothing in the ledger expires, and deleting a result deletes no trial."""

    def trials(self, *, batches: bool = False) -> pd.DataFrame:
        """List ideas (a family of strategies on a universe) with how often they were tried.

        Columns: family, symbols, trials (all), independent (estimated from groups of like returns),
        batches, best (highest annual Sharpe ratio), first and last (when). With `batches`: one row a
        backtest or sweep instead, newest last.
        """
        import pandas as pd

        rows = self.catalog.trials.list(until=self.config.trials, besides=self._own)
        if batches:
            names = ["created", "who", "run_id", "kind", "strategy", "symbols", "settings", "count"]
            names += ["sharpe_best", "start", "end", "freq"]
            return pd.DataFrame([{n: row[n] for n in names} for row in rows], columns=names)
        ideas: dict[tuple[str, tuple[str, ...]], list[dict[str, Any]]] = {}
        for row in rows:
            ideas.setdefault((row["family"], tuple(sorted(row["symbols"]))), []).append(row)
        columns = ["family", "symbols", "trials", "independent", "batches", "best", "first", "last"]
        return pd.DataFrame([self._idea(*idea, found) for idea, found in ideas.items()], columns=columns)

    def _idea(self, family: str, symbols: tuple[str, ...], rows: list[dict[str, Any]]) -> dict[str, Any]:
        from tapebook.strategy.luck.trials import effective

        raw = sum(row["count"] for row in rows)
        ratios = [row["sharpe_best"] for row in rows if row["sharpe_best"] is not None]
        return {
            "family": family,
            "symbols": ",".join(symbols),
            "trials": raw,
            "independent": round(effective(self._sample(rows), raw).count, 1),
            "batches": len(rows),
            "best": max(ratios, default=None),
            "first": rows[0]["created"],
            "last": rows[-1]["created"],
        }

    @property
    def _own(self) -> set[str]:
        """Keys of what this desk object tried: they count although the ledger is pinned to before."""
        own: set[str] = self.__dict__.setdefault("_tried_here", set())
        return own

    def _had(self, entry: dict[str, Any]) -> bool:
        """Whether the part of a sweep that was taken over is in this ledger already."""
        same = ("kind", "strategy", "code_hash", "fingerprint")
        rows = self.catalog.trials.list(family=entry["family"])
        return any(all(row[name] == entry[name] for name in same) for row in rows)

    def _count(self, entry: dict[str, Any]) -> None:
        """Add a batch to the ledger, with who made it and when."""
        run = os.environ.get("TAPEBOOK_RUN")
        self._own.add(entry["key"])
        self.catalog.trials.add(
            entry
            | {
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "who": who(),
                "run_id": Path(run).name if run else None,
            }
        )

    def _tried(self, family: str, symbols: Iterable[str], *, own: str | None = None) -> Tried:
        """What the ledger knows of an idea: batches of this family that traded one of these symbols."""
        from tapebook.strategy.luck.trials import Tried

        names, pin = sorted(symbols), self.config.trials
        rows = self.catalog.trials.list(family=family, symbols=names, until=pin, besides=self._own)
        all_of_it = self.catalog.trials.list(family=family, until=pin, besides=self._own)
        others = [row for row in rows if row["key"] != own]
        raw = sum(row["count"] for row in others) + (own is not None)
        elsewhere = sum(row["count"] for row in all_of_it) - sum(row["count"] for row in rows)
        idea = f"{family} strategies on {', '.join(names[:4])}" + (" …" if len(names) > 4 else "")
        return Tried(max(raw, 1), self._sample(others), elsewhere, idea)

    def _sample(self, rows: list[dict[str, Any]]) -> Sketch | None:
        from tapebook.strategy.luck.sketch import Sketch, pooled

        packed = self.catalog.trials.sketches(row["seq"] for row in rows)
        return pooled([Sketch.unpack(stored) for stored in packed.values()]) if packed else None

    def _with_trials(self, bt: Backtest) -> Backtest:
        """Count a backtest, and let it know what was tried before it."""
        from tapebook.strategy.luck.trials import entry_of_backtest

        entry = entry_of_backtest(bt)
        self._count(entry)
        return replace(bt, tried=self._tried(bt.family, bt.symbols, own=entry["key"]))

    def _with_sweep(self, sw: Sweep) -> Sweep:
        """Count every combination of a sweep, and let it know what was tried besides."""
        from tapebook.strategy.luck.trials import entry_of_sweep

        entry = entry_of_sweep(sw)
        if entry is not None and sw.taken_over and self._had(entry):
            entry["count"] -= sw.taken_over
        if entry is not None and entry["count"]:
            self._count(entry)
        return replace(sw, tried=self._tried(sw.strategy.family, sw.bars.symbols))
