"""Run one occasion of a schedule: in a process of its own, which ends with the worker that started it.

The worker writes which run it becomes before the run starts. Whoever comes after a worker that died looks
what became of that run: one that ended is not made again, one that was lost is, under a new id.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import RunFailed, TapebookError, UnknownName
from tapebook.integration.vault import refuse_values
from tapebook.runs import notice
from tapebook.runs.book import settled
from tapebook.runs.files import read_json
from tapebook.runs.publish import address
from tapebook.runs.record import MANIFEST, PAGE
from tapebook.runs.shared import shared
from tapebook.runs.start import find_template, finish, new_id, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tapebook.config import Config
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.occasions import Held

LEASE_SECONDS = 30.0
"""An occasion of another machine's worker is taken over when it was silent for so long."""
GRACE_SECONDS = 15.0
SAID = 4000
UNFINISHED = ("lost", "cancelled")
_LOG = logging.getLogger("tapebook.worker")


@dataclass
class Job:
    """One occasion at work."""

    held: Held
    run_id: str
    process: subprocess.Popen[bytes]
    said: str = ""
    """Why it could not even be recorded."""

    def stop(self) -> None:
        """End the run as Ctrl-C would: it is recorded as cancelled, and its partial notebook is kept."""
        with suppress(ProcessLookupError):
            self.process.terminate()

    def ended(self) -> bool:
        """Whether its process has ended."""
        if self.process.poll() is None:
            return False
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.said = self.process.stdout.read(SAID).decode(errors="replace").strip()
            self.process.stdout.close()
        return True

    def kill(self) -> None:
        """End it at once; its kernel sees that and ends too."""
        self.process.kill()
        self.process.wait()


class StillEnding(Exception):
    """The run of a worker that died has not ended yet."""


def start(config: Config, catalog: Catalog, held: Held, environment: Mapping[str, str]) -> Job | None:
    """Start what was claimed; None when it is over already, or cannot be.

    Raises
    ------
    StillEnding
        If the run of an earlier holder still lives: nothing of it is started beside it.
    """
    row = catalog.schedules.get(held.schedule)
    if held.run_id is not None and not _again(config, catalog, held):
        return None
    if why := _unfit(config, row):
        _end(catalog, row, held, "failed", why, None, "")
        return None
    run_id = new_id(Path(row["template"]).stem)
    if not catalog.occasions.begin(held, run_id):
        return None
    said = {"id": run_id, "template": row["template"], "parameters": row["parameters"]}
    return Job(held, run_id, _process(config, said | {"timeout": row["timeout"]}, environment))


def _unfit(config: Config, row: Mapping[str, Any]) -> str:
    """Why a schedule's template does not take its parameters any more; "" when it does."""
    try:
        found = find_template(config, row["template"])
    except TapebookError as error:
        return f"the template is gone: {error}"
    try:
        found.check(row["parameters"])
        refuse_values(config, row["parameters"])
    except TapebookError as error:
        if found.hash == row["template_hash"]:
            return str(error)
        again = f"tapebook schedule remove {row['name']}, then add it again"
        return f"the template {row['template']} has changed since it was scheduled: {error} ({again})"
    return ""


def _again(config: Config, catalog: Catalog, held: Held) -> bool:
    """Look what became of the run of a holder that died: whether it is to be made again."""
    assert held.run_id is not None
    folder = config.reports / held.run_id
    try:
        outcome = settled(config, catalog, held.run_id)
    except UnknownName:  # it died before the catalogue knew of the run
        if manifest := read_json(folder / MANIFEST):
            lost = {"cell": None, "name": "Lost", "message": "the worker ended at its start", "traceback": ""}
            finish(folder, manifest, "lost", lost, None, catalog)
            shared(config, folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        return True
    if outcome == "running":  # its process has outlived the worker and is about to end
        raise StillEnding
    if outcome in UNFINISHED:
        return True
    over(config, catalog, held, held.run_id)
    return False


def over(config: Config, catalog: Catalog, held: Held, run_id: str) -> str:
    """Write down what came of a run that ended, with its notices; return its outcome."""
    row = catalog.schedules.get(held.schedule)
    outcome, why = settled(config, catalog, run_id), catalog.runs.get(run_id).error or ""
    page = config.reports / run_id / PAGE
    if outcome == "succeeded" and catalog.runs.get(run_id).template_hash != row["template_hash"]:
        why = "the template has changed since it was scheduled"
    link = address(config, catalog, row, run_id, outcome) if page.is_file() else ""
    _end(catalog, row, held, outcome, why, run_id, link)
    return outcome


def given_up(catalog: Catalog, held: Held, why: str) -> None:
    """Write down that a run could not even be made."""
    _end(catalog, catalog.schedules.get(held.schedule), held, "failed", why, None, "")


def _end(
    catalog: Catalog,
    row: Mapping[str, Any],
    held: Held,
    outcome: str,
    why: str,
    run_id: str | None,
    page: str,
) -> None:
    kind = "success" if outcome == "succeeded" else "failure"
    missed = f" ({held.missed} missed before)" if held.missed else ""
    when = f"due {held.due[:16].replace('T', ' ')} UTC{missed}"
    lines = [when, f"run {run_id}" if run_id else "not run", why]
    body = "\n".join(line for line in lines if line)
    title = f"{row['name']}: {outcome.replace('_', ' ')}"
    tell = notice.compose(row, kind, title, body, page)
    catalog.occasions.end(held, outcome, why, run_id, tell)
    _LOG.info("%s: %s%s", row["name"], outcome, f": {why}" if why else "")


def _process(config: Config, said: dict[str, Any], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start the run's process. It reads from a pipe, whose end says that the worker is gone."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "tapebook.runs.occasion"],
        stdin=subprocess.PIPE,
        bufsize=0,  # nothing is left to be written when it has gone
        stdout=subprocess.PIPE,
        env=os.environ | dict(environment) | config.environment(),
        start_new_session=True,  # Ctrl-C in a terminal is for the worker, which ends its runs one by one
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(json.dumps(said).encode() + b"\n")
    return process


def _main() -> None:
    from tapebook.config import Config

    said = json.loads(_line())
    worker = os.dup(1)  # kept for one last word; what else is printed goes nowhere
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    threading.Thread(target=_end_with_worker, daemon=True).start()
    config = Config.load(os.environ["TAPEBOOK_HOME"])
    try:
        run(config, said["template"], said["parameters"], timeout=said["timeout"], id=said["id"])
    except RunFailed:  # it is in the run's record
        return
    except Exception as error:  # the worker is told why nothing could be recorded
        os.write(worker, redact.scrub(f"{type(error).__name__}: {error}").encode()[:SAID])
        sys.exit(1)


def _line() -> bytes:
    """The first line of the pipe; unbuffered, as a thread will wait for its end while this process ends."""
    line = b""
    while not line.endswith(b"\n") and (part := os.read(0, 65536)):
        line += part
    return line


def _end_with_worker() -> None:
    while os.read(0, 65536):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # the worker is gone: the run is cancelled, its notebook kept
    threading.Event().wait(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    _main()
