"""The runs of a team: what one member's machine made is read on another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.data import shelf
from tapebook.runs.page import STATIC

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

ROW_SECONDS = 3600.0
"""A result's files are shared before its row is written: for so long at most."""
_MADE_OF: dict[shelf.Kind, tuple[str, ...]] = {"reports": ("run",), "results": ("result", "scan")}


def brought(config: Config, id: str) -> Path:
    """Return a run's folder, fetched from the team's shelf if it is not on this machine."""
    known = (config.reports / id).exists()
    folder = shelf.bring(config, "reports", id)
    shared = shelf.shelf(config)
    if shared is not None and not known and folder.is_dir():
        shared.exchange("reports", config.reports / STATIC)  # the page's script, of the version that it names
    return folder


def forget_copies(config: Config, catalog: Catalog) -> list[str]:
    """Remove this machine's copies of runs, results and scans that somebody destroyed for all; name them."""
    if config.embedded:
        return []
    gone = []
    for kind, made_of in _MADE_OF.items():
        here = shelf.copies(config, kind, 0.0 if kind == "reports" else ROW_SECONDS)
        known = set[str]().union(*(catalog.items.there(item, here) for item in made_of))
        for id in sorted(set(here) - known):
            shelf.forget(config, kind, id)
            gone.append(id)
    return gone


def shared(config: Config, folder: Path) -> None:
    """Put a run that has ended on the team's shelf, if the desk has one."""
    there = shelf.shelf(config)
    if there is not None:
        shelf.share(config, "reports", folder)
        if (config.reports / STATIC).is_dir():
            there.exchange("reports", config.reports / STATIC)
