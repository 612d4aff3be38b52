"""Emptying the trash: an item's files first, then the last of its rows.

Each item goes by itself. Its row is marked before the first file is touched, and cannot come back from then
on; it is forgotten after the last one. Whatever ends this in between, the next emptying goes on from there.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.data import shelf
from tapebook.data.shelf import ASIDE
from tapebook.errors import TapebookError, UnknownName

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog


def delete_run(config: Config, catalog: Catalog, id: str, *, seen: int | None = None) -> None:
    """Move a run to the trash, then its folder aside."""
    catalog.trash.put("run", id, seen=seen)
    set_aside(config, id)


def restore(config: Config, catalog: Catalog, kind: str, name: str, *, seen: int | None = None) -> None:
    """Bring an item back with its files.

    Raises
    ------
    UnknownName, Changed, BadInput
        See `tapebook.data.catalog.trash.Trash.restore`.
    """
    catalog.trash.restore(kind, name, seen=seen)
    if kind == "run":
        aside = config.reports / ASIDE / name
        if aside.is_dir() and not (config.reports / name).exists():
            aside.rename(config.reports / name)


def set_aside(config: Config, id: str) -> None:
    """Move a deleted run's folder to where nothing shows it; again, if it was not moved the first time."""
    folder, aside = config.reports / id, config.reports / ASIDE / id
    if folder.is_dir() and folder.resolve().parent == config.reports.resolve():
        aside.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)


def empty(
    config: Config,
    catalog: Catalog,
    *,
    older_than: float | None = None,
    items: Iterable[tuple[str, str]] = (),
    dry_run: bool = False,
) -> list[dict[str, Any]]:
    """Destroy what was deleted so many days ago (`config.trash_days`), or the items given; return which.

    Trials stay counted, and so does what the items' history says of them.

    Raises
    ------
    UnknownName
        If an item that was given does not lie in the trash; nothing is destroyed then.
    TapebookError
        If a file cannot be removed; the next emptying goes on with it.
    """
    wanted, rows = set(items), catalog.trash.list()
    for kind, name in wanted - {(row["kind"], row["name"]) for row in rows}:
        known = [row["name"] for row in rows if row["kind"] == kind]
        raise UnknownName(f"deleted {kind}", name, known, "See `tapebook trash list`.")
    edge = datetime.now(UTC) - timedelta(days=config.trash_days if older_than is None else older_than)

    def goes(row: Mapping[str, Any]) -> bool:
        if wanted:
            return (row["kind"], row["name"]) in wanted
        return bool(row["going"]) or datetime.fromisoformat(row["deleted"]) <= edge

    old = [row for row in rows if goes(row)]
    for row in [] if dry_run else old:
        held = catalog.trash.begin(row["number"])
        if held is not None:
            _forget(config, catalog, held)
            catalog.trash.end(row["number"])
    return [{name: row[name] for name in ("number", "kind", "name", "deleted", "who")} for row in old]


def _forget(config: Config, catalog: Catalog, held: Mapping[str, Any]) -> None:
    """Remove what an item has beside its rows: files, and credentials of its own."""
    kind, name, row = held["kind"], held["name"], held["row"]
    if kind in ("result", "scan"):
        _remove(config.results, name)
        shelf.drop(config, "results", name)
    elif kind == "run" and not _there(catalog, "run", name):
        _remove(config.reports / ASIDE, name)
        _remove(config.reports, name)
        shelf.drop(config, "reports", name)
    elif kind == "schedule":
        from tapebook.runs.notice import forget_channels

        forget_channels(config, catalog, row)
    elif kind == "subscription":
        from tapebook.integration.event_webhooks import forget

        forget(config, catalog, row)


def _there(catalog: Catalog, kind: str, name: str) -> bool:
    with suppress(UnknownName):
        catalog.items.get(kind, name)
        return True
    return False


def _remove(root: Path, name: str) -> None:
    folder = root / name
    if not folder.is_dir() or folder.is_symlink() or folder.resolve().parent != root.resolve():
        return
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise TapebookError(
            f"{folder} cannot be removed ({error}): it goes with the next `tapebook trash empty`"
        ) from error
