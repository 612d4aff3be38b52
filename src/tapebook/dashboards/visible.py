"""What a viewer may see: the names that are published for them, and the runs that those show or showed."""

from __future__ import annotations

import time
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapebook.runs.publish import EVERYONE, UNLISTED, Publication, history

if TYPE_CHECKING:
    from tapebook.config import Config

SECONDS = 2.0
"""How long an answer of the catalogue is believed."""


@dataclass(frozen=True)
class Item:
    """A published name, and the runs that it shows (the first) and showed."""

    publication: Publication
    runs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The stable name."""
        return self.publication.name

    @property
    def page(self) -> str | None:
        """The page that it shows instead of a run."""
        page = self.publication.source.get("page")
        return None if page is None else str(page)

    @property
    def listed(self) -> bool:
        """Whether the gallery shows it."""
        return UNLISTED not in self.publication.audience


class Visible:
    """What one server shows: to everyone, to the `groups` that it is started for, or all to the owner."""

    def __init__(self, config: Config, *, groups: tuple[str, ...] = (), everything: bool = False) -> None:
        self.config, self.everything = config, everything
        self._for = {EVERYONE, UNLISTED, *groups}
        self._asked = float("-inf")
        self._items: list[Item] = []
        self._runs: frozenset[str] = frozenset()
        self._gone: set[str] = set()
        self._marked: tuple[frozenset[str], float, dict[str, str]] = (frozenset(), float("-inf"), {})

    def items(self) -> list[Item]:
        """Every name that this server shows: pinned ones first, then the newest."""
        self._ask()
        return self._items

    def find(self, name: str) -> Item | None:
        """Return the published name, or None if there is none for this server's viewers."""
        return next((item for item in self.items() if item.name == name), None)

    def may(self, run: str) -> bool:
        """Whether a viewer may see this run: no id that is not published, no path."""
        self._ask()
        return run in self._runs or (self.everything and self._is_a_run(run))

    def deleted(self, run: str, item: Item | None = None) -> str | None:
        """Return when a run was deleted that a viewer saw here before; None of any other.

        The owner saw every run; everybody else those of a published template, under its name `item`.
        """
        from tapebook.data.catalog import Catalog
        from tapebook.data.catalog.changes import spoken

        with closing(Catalog.open(self.config)) as catalog:
            found = catalog.trash.get("run", run)
        if found is None:
            return None
        source = {} if item is None else item.publication.source
        seen = source.get("template") == found["row"]["template"] and found["row"]["outcome"] == "succeeded"
        return spoken(found["deleted"]) if seen or self.everything else None

    def latest(self, template: str) -> str | None:
        """Return the newest visible run of a template; of any template for ""."""
        found = [run for item in self.items() for run in item.runs[:1]]
        if self.everything:
            found += [p.name for p in self.config.reports.glob("*-*") if self._is_a_run(p.name)]
        named = (run.rsplit("-", 3) for run in found if run.count("-") >= 3)
        dated = [(day, clock, mark, name) for name, day, clock, mark in named if template in ("", name)]
        newest = max(dated, default=None)
        return None if newest is None else "-".join((newest[3], *newest[:3]))

    def stale(self, runs: Collection[str]) -> dict[str, str]:
        """Say what was revised under each of these runs since; those that are not stale are not there."""
        from tapebook.data.catalog import Catalog
        from tapebook.runs.stale import stale

        asked = frozenset(runs)
        if self._marked[0] != asked or time.monotonic() - self._marked[1] > SECONDS:
            with closing(Catalog.open(self.config)) as catalog:
                rows = catalog.runs.of(asked)
                told = dict(
                    zip((row["id"] for row in rows), stale(catalog, rows, self.config.reports), strict=True)
                )
            self._marked = (asked, time.monotonic(), {run: why for run, why in told.items() if why})
        return self._marked[2]

    def _is_a_run(self, run: str) -> bool:
        folder = self.config.reports / run
        inside = bool(run) and run not in self._gone
        inside = inside and folder.resolve().parent == self.config.reports.resolve()
        return inside and not folder.is_symlink() and (folder / "manifest.json").is_file()

    def _ask(self) -> None:
        if time.monotonic() - self._asked < SECONDS:
            return
        from tapebook.data.catalog import Catalog

        with closing(Catalog.open(self.config)) as catalog:
            self._gone = catalog.trash.names("run")
            found = [Publication.read(row) for row in catalog.publications.list()]
            seen = [p for p in found if self.everything or self._for & set(p.audience)]
            self._items = [Item(p, tuple(r for r in history(catalog, p) if self._is_a_run(r))) for p in seen]
        self._runs = frozenset(run for item in self._items for run in item.runs)
        self._asked = time.monotonic()
