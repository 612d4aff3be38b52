"""Clear old runs: the newest few of each kind stay, and so does all that is pinned or published."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections import Counter
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapebook.data import shelf
from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs.publish import Publication, history
from tapebook.runs.shared import forget_copies

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

_LOG = logging.getLogger("tapebook.worker")
_UNITS = {"h": 1 / 24, "d": 1.0, "w": 7.0}


def days(text: str | float) -> float:
    """Read an age: "90d", "12h", "6w", or a number of days.

    >>> days("36h"), days("2w"), days(90)
    (1.5, 14.0, 90.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([hdw]?)", str(text).strip())
    if found is None:
        raise BadParameter("older_than", text, "an age such as '90d', '12h' or '6w'")
    return float(found[1]) * _UNITS[found[2] or "d"]


def protected(catalog: Catalog) -> dict[str, str]:
    """Return {run: why} of the runs that no rule clears: pinned, published by id, or shown as the latest."""
    why: dict[str, str] = {}
    for row in catalog.publications.list():
        publication = Publication.read(row)
        runs = history(catalog, publication)
        given = [run for _, run, _ in catalog.publications.shown(publication.name)]
        for run in [*runs[:1], *given]:
            why.setdefault(run, f"published as {publication.name}")
    return why | dict.fromkeys(catalog.publications.pinned(), "pinned")


def prune(
    config: Config, *, keep: int | None = None, older_than: str | float | None = None, dry_run: bool = False
) -> list[dict[str, Any]]:
    """Delete the runs that every rule given lets go; return run, template, started, outcome, bytes of each.

    Parameters
    ----------
    keep : int, optional
        How many of the newest runs of each template with the same parameters stay.
    older_than : str or float, optional
        Runs younger than this stay: "90d", "12h", "6w", or days.

    Raises
    ------
    BadInput
        If no rule is given: it would clear everything.
    """
    if keep is None and older_than is None:
        raise BadInput("no rule was given: say how many to keep, or how old they may be (keep, older_than)")
    if keep is not None and keep < 0:
        raise BadParameter("keep", keep, "a whole number, at least 0")
    edge = None if older_than is None else datetime.now(UTC) - timedelta(days=days(older_than))
    from tapebook.data.catalog import Catalog

    with closing(Catalog.open(config)) as catalog:
        found = _old(catalog, keep, edge)
        gone = []
        if not dry_run:
            forget_copies(config, catalog)
        for row in found:
            folder = config.reports / row["id"]
            size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())
            if not dry_run:
                with suppress(UnknownName):  # another program clears too, and was faster
                    catalog.runs.delete(row["id"])
                if folder.resolve().parent == config.reports.resolve():
                    shutil.rmtree(folder, ignore_errors=True)
                shelf.drop(config, "reports", row["id"])
            gone.append(
                {"run": row["id"], **{k: row[k] for k in ("template", "started", "outcome")}, "bytes": size}
            )
    return gone


def forget_elsewhere(config: Config) -> None:
    """Remove this machine's copies of what a colleague's machine has cleared."""
    from tapebook.data.catalog import Catalog

    with closing(Catalog.open(config)) as catalog:
        forget_copies(config, catalog)


def apply(config: Config) -> list[dict[str, Any]]:
    """Prune as the settings `keep_runs` and `keep_days` say, and log what went; nothing without them.

    What a colleague's machine has cleared goes here too, as copies.
    """
    if config.keep_runs is None and config.keep_days is None:
        forget_elsewhere(config)
        return []
    gone = prune(config, keep=config.keep_runs, older_than=config.keep_days)
    if gone:
        size = sum(row["bytes"] for row in gone)
        _LOG.info(
            "retention: %d old runs went (%.1f MB): %s",
            len(gone),
            size / 1e6,
            ", ".join(row["run"] for row in gone),
        )
    return gone


def _old(catalog: Catalog, keep: int | None, edge: datetime | None) -> list[dict[str, Any]]:
    kept, seen, old = protected(catalog), Counter[str](), []
    for row in catalog.runs.list(limit=None):
        kind = f"{row['template']} {json.dumps(row['parameters'], sort_keys=True)}"
        seen[kind] += 1
        young = edge is not None and datetime.fromisoformat(row["started"]) >= edge
        few = keep is not None and seen[kind] <= keep
        if not (young or few or row["id"] in kept or row["outcome"] == "running"):
            old.append(row)
    return old


def guard(catalog: Catalog, run: str) -> None:
    """Refuse to lose a run that is pinned or published.

    Raises
    ------
    BadInput
        It says what to undo first.
    """
    try:
        why = protected(catalog).get(run)
    except UnknownName:
        return
    if why:
        undo = "tapebook runs unpin" if why == "pinned" else f"tapebook unpublish {why.split()[-1]}"
        raise BadInput(f"run {run} is {why}: it stays until `{undo}`")
