"""The runs that a desk has: list, load, delete, and find the lost and the equal."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, Deleted, NoData, UnknownName
from tapebook.runs.record import MANIFEST, Run
from tapebook.runs.shared import brought, shared

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

STALE_SECONDS = 60.0
"""A run that has not been heard of for so long is lost."""
_COLUMNS = [
    "id",
    "template",
    "title",
    "strategy",
    "symbols",
    "outcome",
    "started",
    "seconds",
    "snapshot",
    "rerun_of",
    "error",
    "stale",
]


def listing(config: Config, **filters: Any) -> pd.DataFrame:
    """List runs, newest first; see `tapebook.data.catalog.Runs.list` for the filters.

    `stale` says what was revised since under one.
    """
    import pandas as pd

    from tapebook.runs.stale import stale

    with _open(config) as catalog:
        for row in catalog.runs.list(outcome="running", limit=None):
            _settle(config, catalog, row)
        rows = catalog.runs.list(**filters)
        marked = zip(rows, stale(catalog, rows, config.reports), strict=True)
        rows = [row | {"stale": why} for row, why in marked]
    return pd.DataFrame([{name: row[name] for name in _COLUMNS} for row in rows], columns=_COLUMNS)


def load(config: Config, id: str) -> Run:
    """Read a run's record; one whose program is gone is marked as lost first.

    Raises
    ------
    UnknownName
        With the nearest id; `Deleted` if it lies in the trash.
    """
    _folder(config, id)
    if not config.embedded:  # a colleague's deletion leaves the copy that lies here, and the shared one
        with _open(config) as catalog:
            catalog.trash.refuse("run", id)
    try:
        run = Run.read(brought(config, id))
    except UnknownName:
        with _open(config) as catalog:
            row = catalog.runs.get(id)  # it may be known that it was deleted
        if row.outcome == "running":
            raise NoData(
                f"run {id} is running on {row.host}: its page can be read when it has ended"
            ) from None
        raise
    if run.outcome != "running":
        return run
    with _open(config) as catalog:
        try:
            row = catalog.runs.get(id)._asdict()
        except UnknownName:  # its program died, or is about to write the row
            since = (run.folder / MANIFEST).stat().st_mtime
            row = {"id": id, "outcome": "running", "heartbeat": since, "host": "", "pid": 0} | run.manifest
        _settle(config, catalog, row)
    return Run.read(run.folder)


def settled(config: Config, catalog: Catalog, id: str) -> str:
    """Return a run's outcome; one whose program is gone is marked as lost first. UnknownName if none."""
    _settle(config, catalog, catalog.runs.get(id)._asdict())
    return str(catalog.runs.get(id).outcome)


def delete(config: Config, id: str, *, seen: int | None = None) -> None:
    """Move a run to the trash: its row, then its folder.

    Raises
    ------
    UnknownName
        If there is neither; `Deleted` if it lies in the trash.
    Changed
        If it is at another revision than `seen` by now.
    BadInput
        If it is pinned or published, or has not ended.
    """
    from tapebook.runs.retention import guard
    from tapebook.runs.trash import delete_run

    folder = _folder(config, id)
    with _open(config) as catalog:
        guard(catalog, id)
        try:
            outcome = settled(config, catalog, id)
        except Deleted:
            raise
        except UnknownName:  # a folder without a row: its program died before it wrote one
            Run.read(folder)
            shutil.rmtree(folder, ignore_errors=True)
            return
        if outcome == "running":
            raise BadInput(f"run {id} has not ended: `tapebook runs cancel {id}` ends it")
        delete_run(config, catalog, id, seen=seen)


def same_run(config: Config, template: str, parameters: Mapping[str, Any]) -> Run | None:
    """Find the newest run that succeeded with this very template, parameters, snapshot and code.

    The given parameters are checked and completed with the template's defaults; a file that a
    parameter names, such as a strategy's, must be unchanged too.
    """
    from tapebook.runs import provenance
    from tapebook.runs.template import find

    found = find(config, template)
    full = found.check(parameters)
    wanted = {
        "template_hash": found.hash,
        "parameters": full,
        "snapshot": provenance.snapshot(config),
        "code_hash": provenance.code_hash(),
    }
    inputs = provenance.inputs(config, full)
    with _open(config) as catalog:
        universes = provenance.universes(config, catalog)
        rows = catalog.runs.list(template=found.name, outcome="succeeded", limit=None)
    for row in rows:
        if all(row[name] == value for name, value in wanted.items()):
            with suppress(UnknownName):  # its folder may be gone
                run = Run.read(brought(config, row["id"]))
                said = run.manifest
                if said.get("inputs", {}) == inputs and said.get("universes", {}) == universes:
                    return run
    return None


def _folder(config: Config, id: str) -> Path:
    folder = config.reports / id
    if folder.resolve().parent != config.reports.resolve():  # "..", "" or a path: never a folder outside
        raise UnknownName("run", id, (), "See `tapebook runs list`.")
    return folder


def _settle(config: Config, catalog: Catalog, row: Mapping[str, Any]) -> None:
    """Mark a run as lost if its program is gone."""
    if row["outcome"] != "lost" and (row["outcome"] != "running" or not gone(row)):
        return
    from tapebook.runs.start import finish

    with suppress(UnknownName):
        run = Run.read(config.reports / row["id"])
        if run.outcome not in ("running", "lost"):  # it had ended, and died before the catalogue knew
            said = run.manifest
            finish(run.folder, dict(said), run.outcome, said["error"], said["seconds"], catalog)
            shared(config, run.folder)
            return
    who = f" (process {row['pid']} on {row['host']})" if row["pid"] else ""
    why = f"the program that ran it{who} ended without a word"
    error = {"cell": None, "name": "Lost", "message": why, "traceback": ""}
    catalog.runs.update(row["id"], only_if="running", outcome="lost", error=f"Lost: {why}")
    with suppress(UnknownName):
        run = Run.read(config.reports / row["id"])
        if run.outcome == "running":
            finish(run.folder, dict(run.manifest), "lost", error, None, catalog)
            shared(config, run.folder)


def gone(row: Mapping[str, Any]) -> bool:
    """Whether the program that a row (of a run, of a batch) names is no more."""
    if time.time() - (row["heartbeat"] or 0) > STALE_SECONDS:
        return True
    return row["host"] == socket.gethostname() and not _alive(row["pid"])


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _open(config: Config) -> Any:
    from contextlib import closing

    from tapebook.data.catalog import Catalog

    return closing(Catalog.open(config))
