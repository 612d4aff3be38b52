"""The runs of a team: what one member's machine made is read on another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.data import shelf
from tapebook.runs.page import STATIC

if TYPE_CHECKING:
    from tapebook.config import Config


def brought(config: Config, id: str) -> Path:
    """Return a run's folder, fetched from the team's shelf if it is not on this machine."""
    known = (config.reports / id).exists()
    folder = shelf.bring(config, "reports", id)
    shared = shelf.shelf(config)
    if shared is not None and not known and folder.is_dir():
        shared.exchange("reports", config.reports / STATIC)  # the page's script, of the version that it names
    return folder


def shared(config: Config, folder: Path) -> None:
    """Put a run that has ended on the team's shelf, if the desk has one."""
    there = shelf.shelf(config)
    if there is not None:
        shelf.share(config, "reports", folder)
        if (config.reports / STATIC).is_dir():
            there.exchange("reports", config.reports / STATIC)
