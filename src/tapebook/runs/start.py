"""Start a run: check, record, execute, and record how it ended, whatever happens."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.config import Config
from tapebook.errors import BadParameter, RunFailed, TapebookError
from tapebook.integration.vault import Vault, refuse_values
from tapebook.integration.vault_key import VARIABLES
from tapebook.progress import Report
from tapebook.runs import provenance, template
from tapebook.runs.files import read_json, write_json
from tapebook.runs.record import MANIFEST, NOTEBOOK, TEMPLATE, Run
from tapebook.runs.shared import shared
from tapebook.runs.template import Template
from tapebook.runs.watch import Watch, size

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.runs.execute import Ended
    from tapebook.runs.warm import Kernels


@dataclass(frozen=True)
class Order:
    """What is to be run, with checked parameters. What is None is read when the run starts."""

    template: Template
    parameters: dict[str, Any]
    timeout: float | None = None
    memory: int | None = None
    rerun_of: str | None = None
    snapshot: int | None = None
    trials: int | None = None
    universes: dict[str, int] | None = None
    seed: int = 0
    id: str | None = None
    batch: str | None = None


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
    memory: int | str | None = None,
    cancel: threading.Event | None = None,
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
    memory : int or str, optional
        Most that the notebook's process and what it starts may hold: bytes, or "2G".
    cancel : Event, optional
        Set it, from another thread, to end the run as cancelled. `cancel` of `runs.book` does so from
        another process.

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
    order = Order(
        found,
        full,
        timeout=checked_timeout(timeout),
        memory=size(memory),
        rerun_of=rerun_of,
        snapshot=snapshot,
        trials=trials,
        seed=seed or 0,
        id=id,
    )
    return carry_out(config, order, progress=progress, kernels=kernels, cancel=cancel)


def new_id(template: str) -> str:
    """Give an id for a run of a template: its name, the time, and eight digits that no other has."""
    return f"{template}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{token_hex(4)}"


def rerun(
    config: Config,
    id: str,
    *,
    timeout: float | None = None,
    now: bool = False,
    progress: Report | None = None,
    kernels: Kernels | None = None,
) -> Run:
    """Run again what `id` ran: the template as it was, the same snapshot, parameters and seed.

    With `now` on the bars, universes and trials as they are now: what was revised since is in it.
    """
    from tapebook.runs.book import load

    before = load(config, id)
    said = before.manifest
    order = Order(
        Template(said["template"], before.folder / TEMPLATE),
        dict(said["parameters"]),
        timeout=checked_timeout(timeout),
        rerun_of=before.id,
        snapshot=None if now else said["snapshot"],
        trials=None if now else said.get("trials"),
        universes=None if now else said.get("universes"),
        seed=said["seed"],
    )
    return carry_out(config, order, progress=progress, kernels=kernels)


def find_template(config: Config, name: str) -> Template:
    """Find a template; see `tapebook.runs.template.find`."""
    return template.find(config, name)


def carry_out(
    config: Config,
    order: Order,
    *,
    progress: Report | None = None,
    kernels: Kernels | None = None,
    cancel: threading.Event | None = None,
    catalog: Catalog | None = None,
) -> Run:
    """Run what was ordered; see `run`. `catalog` is one that is open and stays so, else one is opened."""
    from tapebook.data.catalog import Catalog

    given, catalog = catalog, catalog or Catalog.open(config)
    try:
        manifest = _manifest(config, order, catalog)
        folder = config.reports / manifest["run_id"]
        Vault.of(config, catalog).open_all()  # what the cells could say is known here, and taken out
        _begin(folder, manifest, order, catalog)
        environment = _environment(config, folder, manifest, kernels)
        with Watch(catalog, manifest["run_id"], memory=order.memory, cancel=cancel) as watch:
            ended, seconds = _executed(folder, manifest, environment, order, progress, watch)
        manifest["kernel"] = ended.kernel
        with _writing(f"run {manifest['run_id']} ended ({ended.outcome}), but that cannot be recorded"):
            finish(folder, manifest, ended.outcome, ended.error, seconds, catalog)
            shared(config, folder)
    finally:
        if given is None:
            catalog.close()
    if ended.interrupt is not None:
        raise ended.interrupt
    if ended.outcome != "succeeded":
        raise RunFailed(manifest["run_id"], ended.outcome, _message(folder, manifest))
    return Run.read(folder)


def _begin(folder: Path, manifest: dict[str, Any], order: Order, catalog: Any) -> None:
    """Make the run's folder and its row, or leave neither."""
    with _writing("the run cannot start"):
        folder.mkdir(parents=True)  # one that is there already is another run's, and stays
    try:
        with _writing("the run cannot start"):
            for name in (TEMPLATE, NOTEBOOK):
                shutil.copyfile(order.template.path, folder / name)
            write_json(folder / MANIFEST, manifest)
            catalog.runs.add(_row(manifest))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@contextmanager
def _writing(what: str) -> Iterator[None]:
    """Say in words that the disk or the catalogue refused to be written."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as error:
        raise TapebookError(f"{what}: the catalogue refuses to be written: {error.orig}") from error
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        raise TapebookError(
            f"{what}: {error.strerror or error}{where}. Make room, or check `reports`"
        ) from error


def _executed(
    folder: Path,
    manifest: dict[str, Any],
    environment: dict[str, str],
    order: Order,
    progress: Report | None,
    watch: Watch,
) -> tuple[Ended, float]:
    """Execute the notebook; return how that ended and the seconds it took, whatever happened."""
    from tapebook.runs.execute import Ended, execute

    began = time.monotonic()
    try:
        ended = execute(
            folder / TEMPLATE,
            folder / NOTEBOOK,
            manifest["parameters"],
            environment,
            seed=manifest["seed"],
            timeout=order.timeout,
            progress=progress,
            watch=watch,
        )
    except BaseException as error:  # whatever it was, the record must not say "running"
        said = {"cell": None, "name": type(error).__name__, "message": str(error), "traceback": ""}
        ended = Ended("failed", said, error)
    return ended, time.monotonic() - began


def finish(
    folder: Path, manifest: dict[str, Any], outcome: str, error: Any, seconds: float | None, catalog: Any
) -> None:
    """Record the end of a run: manifest, page, row; `manifest` is brought up to date.

    The row comes last: who sees a run that ended, or hears of it, finds its page.
    """
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
    write_page(folder)
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


def checked_timeout(seconds: float | None) -> float | None:
    """Return the seconds, or raise BadParameter if nothing can be done in them."""
    if seconds is not None and not seconds > 0:
        raise BadParameter("timeout", seconds, "seconds above 0")
    return seconds


def _manifest(config: Config, order: Order, catalog: Catalog) -> dict[str, Any]:
    found, parameters = order.template, order.parameters
    return {
        "run_id": order.id or new_id(found.name),
        "title": None,
        "template": found.name,
        "template_hash": found.hash,
        "parameters": parameters,
        "inputs": provenance.inputs(config, parameters),
        "snapshot": provenance.snapshot(config) if order.snapshot is None else order.snapshot,
        "trials": provenance.trials(config, catalog) if order.trials is None else order.trials,
        "universes": provenance.universes(config, catalog) if order.universes is None else order.universes,
        "seed": order.seed,
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
        "rerun_of": order.rerun_of,
        "batch": order.batch,
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
    pinned = ",".join(f"{name}@{version}" for name, version in manifest["universes"].items())
    pins = {name: manifest[name] for name in ("snapshot", "trials")} | {"universes": pinned or None}
    desk = replace(config, **pins).environment()
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
