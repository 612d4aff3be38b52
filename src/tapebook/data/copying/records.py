"""What results, scans and runs are made of: folders on this machine, zips on a team's shelf."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from sqlalchemy import select

from tapebook.data import shelf
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import results, runs, scans
from tapebook.errors import TapebookError

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.shelf import Kind

STATIC = "_static"
ASIDE = ".trash"
"""Folders of `reports` that are no run: scripts of the pages, and the runs that were deleted."""


def named(source: Rows) -> list[tuple[Kind, str]]:
    """Name what the catalogue names, and what lies in its trash."""
    from tapebook.data.catalog.tables import metadata

    trash = metadata.tables["trash"]
    with source.reading() as connection:
        found: list[tuple[Kind, str]] = [
            ("results", id) for table in (results, scans) for id in connection.scalars(select(table.c.id))
        ]
        found += [("reports", id) for id in connection.scalars(select(runs.c.id))]
        for kind, name in connection.execute(select(trash.c.kind, trash.c.name)):
            if kind in ("result", "scan", "run"):
                found.append(("reports" if kind == "run" else "results", name))
    return sorted(set(found))


def copy_records(
    source: Config, target: Config, wanted: Iterable[tuple[Kind, str]], done: Callable[[str], None]
) -> tuple[dict[str, int], list[str]]:
    """Copy them; return how many of each kind, and which are missing at the source.

    Raises
    ------
    TapebookError
        If one differs afterwards.
    """
    counts, missing = {"results": 0, "reports": 0}, []
    shared = shelf.shelf(target)
    there = {kind: set(shared.names(kind)) for kind in shelf.KINDS} if shared else {}
    for kind, id in wanted:
        folder = _found(source, kind, id)
        if folder is None:
            missing.append(id)
        elif shared:
            if id not in there[kind] or _differs(shared, kind, id, folder):
                shared.put(kind, folder)
                if _differs(shared, kind, id, folder):
                    raise TapebookError(f"{id} differs after it was copied to {shared.root}/{kind}")
            counts[kind] += 1
        else:
            _copy(folder, shelf.local(target, kind) / id)
            counts[kind] += 1
        done(id)
    static = source.reports / STATIC
    if static.is_dir() and shared:
        shared.exchange("reports", static)
    elif static.is_dir() and source.reports != target.reports:
        shutil.copytree(static, target.reports / STATIC, dirs_exist_ok=True)
    return counts, missing


def _found(config: Config, kind: Kind, id: str) -> Path | None:
    aside = config.reports / ASIDE / id
    if kind == "reports" and aside.is_dir():
        return aside
    folder = shelf.bring(config, kind, id)
    return folder if folder.is_dir() else None


def _copy(folder: Path, to: Path) -> None:
    if to.exists() and to.resolve() == folder.resolve():
        return
    wanted = _contents(folder)
    if not to.is_dir() or _contents(to) != wanted:
        part = to.with_name(f".{to.name}.part")
        for old in (part, to):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(folder, part)
        part.rename(to)
    if _contents(to) != wanted:
        raise TapebookError(f"{to.name} differs after it was copied to {to}")


def _contents(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink())
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}


def _differs(shared: shelf.Shelf, kind: Kind, id: str, folder: Path) -> bool:
    packed = shared.open(kind, id)
    if packed is None:
        return True
    with packed, ZipFile(packed) as parts:
        found = {name: sha256(parts.read(name)).hexdigest() for name in parts.namelist()}
    return found != _contents(folder)
