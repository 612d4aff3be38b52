"""Start a run: check, record, execute, and record how it ended, whatever happens."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.config import Config
from tapebook.errors import BadParameter, RunFailed
from tapebook.integration.vault import refuse_values
from tapebook.integration.vault_key import VARIABLES
from tapebook.progress import Report
from tapebook.runs import provenance, template
from tapebook.runs.files import read_json, write_json
from tapebook.runs.record import MANIFEST, NOTEBOOK, TEMPLATE, Run
from tapebook.runs.template import Template

if TYPE_CHECKING:
    from tapebook.runs.warm import Kernels

BEAT_SECONDS = 5.0


def run(
    config: Config,
    template: str,
    parameters: Mapping[str, Any],
    *,
    timeout: float | None = None,
    rerun_of: str | None = None,
    snapshot: int | None = None,
    trials: int | None = None,
    seed: int | None = None,
    progress: Report | None = None,
    kernels: Kernels | None = None,
    id: str | None = None,
) -> Run:
    """Run a template and keep all that came of it under `config.reports`.

    Parameters
    ----------
    template : str
        A name of notebooks/templates, or a path to a notebook.
    timeout : float, optional
        Seconds that the whole run may take.
    snapshot : int, optional
        The lake's snapshot that the notebook reads; the newest by default.
    trials : int, optional
        The last batch of the ledger of trials that the notebook's odds count; the newest by default.
    seed : int, optional
        Of the generators of random and NumPy; 0 by default, so that equal runs are equal.
    kernels : Kernels, optional
        Of `tapebook.runs.warm.serving`: run in a warm kernel. By default in one of a fork server that
        this user has running, else in a cold one; `Run.manifest["kernel"]` says which.

    id : str, optional
        What `new_id` gave: whoever starts it may have written that down before.

    Raises
    ------
    UnknownName, BadParameter, BadInput
        Before anything starts.
    RunFailed
        After what happened is recorded; the message says where notebook and page are.
    """
    refuse_values(config, parameters)
    found = find_template(config, template)
    full = found.check(parameters)
    return _run(
        config,
        found,
        full,
        timeout=timeout,
        rerun_of=rerun_of,
        snapshot=snapshot,
        trials=trials,
        seed=seed,
        progress=progress,
        kernels=kernels,
        id=id,
    )


def new_id(template: str) -> str:
    """Give an id for a run of a template: its name, the time, and four letters that no other has."""
    return f"{template}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(2)}"


def rerun(
    config: Config,
    id: str,
    *,
    timeout: float | None = None,
    progress: Report | None = None,
    kernels: Kernels | None = None,
) -> Run:
    """Run again what `id` ran: the template as it was, the same snapshot, parameters and seed."""
    from tapebook.runs.book import load

    before = load(config, id)
    said = before.manifest
    return _run(
        config,
        Template(said["template"], before.folder / TEMPLATE),
        dict(said["parameters"]),
        timeout=timeout,
        rerun_of=before.id,
        snapshot=said["snapshot"],
        trials=said.get("trials"),
        seed=said["seed"],
        progress=progress,
        kernels=kernels,
    )


def find_template(config: Config, name: str) -> Template:
    """Find a template; see `tapebook.runs.template.find`."""
    return template.find(config, name)


def _run(
    config: Config,
    found: Template,
    parameters: dict[str, Any],
    *,
    timeout: float | None,
    rerun_of: str | None,
    snapshot: int | None,
    trials: int | None,
    seed: int | None,
    progress: Report | None,
    kernels: Kernels | None,
    id: str | None = None,
) -> Run:
    from tapebook.data.catalog import Catalog

    if timeout is not None and not timeout > 0:
        raise BadParameter("timeout", timeout, "seconds above 0")
    snapshot = provenance.snapshot(config) if snapshot is None else snapshot
    trials = provenance.trials(config) if trials is None else trials
    manifest = _manifest(config, found, parameters, rerun_of, snapshot, trials, seed or 0)
    manifest["run_id"] = id or manifest["run_id"]
    folder = config.reports / manifest["run_id"]
    folder.mkdir(parents=True)
    for name in (TEMPLATE, NOTEBOOK):
        shutil.copyfile(found.path, folder / name)
    write_json(folder / MANIFEST, manifest)
    catalog = Catalog.open(config)
    try:
        catalog.runs.add(_row(manifest))
        with _beating(catalog, manifest["run_id"]):
            environment = _environment(config, folder, manifest, kernels)
            _execute(folder, manifest, environment, timeout, progress, catalog)
    finally:
        catalog.close()
    return Run.read(folder)


def _execute(
    folder: Path,
    manifest: dict[str, Any],
    environment: dict[str, str],
    timeout: float | None,
    progress: Report | None,
    catalog: Any,
) -> None:
    from tapebook.runs.execute import Ended, execute

    began = time.monotonic()
    try:
        ended = execute(
            folder / TEMPLATE,
            folder / NOTEBOOK,
            manifest["parameters"],
            environment,
            seed=manifest["seed"],
            timeout=timeout,
            progress=progress,
        )
    except BaseException as error:  # whatever it was, the record must not say "running"
        said = {"cell": None, "name": type(error).__name__, "message": str(error), "traceback": ""}
        ended = Ended("failed", said, error)
    manifest["kernel"] = ended.kernel
    finish(folder, manifest, ended.outcome, ended.error, time.monotonic() - began, catalog)
    if ended.interrupt is not None:
        raise ended.interrupt
    if ended.outcome != "succeeded":
        raise RunFailed(manifest["run_id"], ended.outcome, _message(folder, manifest))


def finish(
    folder: Path, manifest: dict[str, Any], outcome: str, error: Any, seconds: float | None, catalog: Any
) -> None:
    """Record the end of a run: manifest, page, row; `manifest` is brought up to date."""
    from tapebook.runs.page import write_page
    from tapebook.runs.recorder import RECORDED

    error = redact.scrubbed(error)
    redact.folder(folder)
    manifest |= {"outcome": outcome, "error": error, "finished": _now(), "seconds": seconds}
    manifest |= read_json(folder / RECORDED)
    with suppress(FileNotFoundError):
        (folder / RECORDED).unlink()
    if not manifest.get("packages"):
        manifest["packages"] = provenance.packages()
    if not (folder / "metrics.json").is_file():
        write_json(folder / "metrics.json", {})
    write_json(folder / MANIFEST, manifest)
    catalog.results.made_by(manifest.get("results") or (), manifest["run_id"])
    catalog.runs.update(
        manifest["run_id"],
        outcome=outcome,
        finished=manifest["finished"],
        seconds=seconds,
        title=manifest.get("title"),
        metrics=read_json(folder / "metrics.json"),
        error=None if error is None else f"{error['name']}: {error['message']}",
    )
    write_page(folder)


def _manifest(
    config: Config,
    found: Template,
    parameters: dict[str, Any],
    rerun_of: str | None,
    snapshot: int | None,
    trials: int,
    seed: int,
) -> dict[str, Any]:
    return {
        "run_id": new_id(found.name),
        "title": None,
        "template": found.name,
        "template_hash": found.hash,
        "parameters": parameters,
        "inputs": provenance.inputs(config, parameters),
        "snapshot": snapshot,
        "trials": trials,
        "seed": seed,
        "git": provenance.git(config.home),
        "code_hash": provenance.code_hash(),
        "packages": {},
        **provenance.machine(),
        "started": _now(),
        "finished": None,
        "seconds": None,
        "outcome": "running",
        "error": None,
        "kernel": None,
        "rerun_of": rerun_of,
        "headline": [],
        "results": [],
        "fingerprints": [],
    }


def _row(manifest: dict[str, Any]) -> dict[str, Any]:
    parameters = manifest["parameters"]
    symbols = parameters.get("symbols") or parameters.get("symbol") or []
    named = symbols.split(",") if isinstance(symbols, str) else symbols
    return manifest | {
        "id": manifest["run_id"],
        "strategy": parameters.get("strategy"),
        "symbols": [str(name).strip() for name in named],
        "heartbeat": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


def _environment(
    config: Config, folder: Path, manifest: dict[str, Any], kernels: Kernels | None
) -> dict[str, str]:
    """Give what the kernel sees: this process's variables, this desk, and the run's own."""
    from tapebook.runs import warm

    server = kernels.environment[warm.SOCKET] if kernels else warm.found()
    desk = replace(config, snapshot=manifest["snapshot"], trials=manifest["trials"]).environment()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TAPEBOOK_") or name in VARIABLES
    }
    own = {
        "TAPEBOOK_RUN": str(folder),
        "TAPEBOOK_SEED": str(manifest["seed"]),
        "PYTHONHASHSEED": "0",
        "PLOTLY_RENDERER": "plotly_mimetype",
    } | ({warm.SOCKET: server} if server else {})
    return warm.DEFAULTS | inherited | desk | own


@contextmanager
def _beating(catalog: Any, id: str) -> Iterator[None]:
    """Tell the catalogue every few seconds that the run is going on."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT_SECONDS):
            with suppress(Exception):  # a missed beat is no reason to lose a run
                catalog.runs.heartbeat(id)

    thread = threading.Thread(target=beat, daemon=True, name=f"heartbeat of {id}")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _message(folder: Path, manifest: dict[str, Any]) -> str:
    error = manifest["error"]
    cell = "" if error["cell"] is None else f" in cell {error['cell']}"
    return (
        f"template {manifest['template']}: {manifest['outcome'].replace('_', ' ')}{cell}: "
        f"{error['name']}: {error['message']}\n"
        f"  page      {folder / 'report.html'}\n  notebook  {folder / NOTEBOOK}"
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
