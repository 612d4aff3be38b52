"""Execute a notebook in a kernel of its own, and say truly how that ended.

Papermill's metadata calls a notebook completed after a time-out, a dead kernel and Ctrl-C; the outcome
here comes from the exception that ended the execution.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.progress import Report
from tapebook.runs.kernel import Kernel, NotStarted
from tapebook.runs.light import light
from tapebook.runs.recorder import PLOTLY
from tapebook.runs.save import Saver

if TYPE_CHECKING:
    from tapebook.runs.watch import Watch

QUIET_SECONDS = 60
"""How long after a cell's end its last outputs are waited for; Jupyter's 4 s are few on a busy machine."""
_NO_MEMORY = {"MemoryError", "ArrayMemoryError", "_ArrayMemoryError", "OutOfMemoryException"}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Ended:
    """How an execution ended. `error` has cell (its number from 1), name, message, traceback.

    `kernel` says how that started: "warm", "cold", or "cold: " and why.
    """

    outcome: str
    error: dict[str, Any] | None = None
    interrupt: BaseException | None = field(default=None, compare=False)
    kernel: str = "cold"


def execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    environment: dict[str, str],
    *,
    seed: int,
    timeout: float | None,
    progress: Report | None,
    watch: Watch | None = None,
) -> Ended:
    """Execute `source` with `parameters` and keep it, whole or partial, at `target`.

    Parameters
    ----------
    environment
        All that the kernel's process sees.
    timeout : float, optional
        Seconds for the whole execution, the kernel's start included.
    watch : Watch, optional
        What may kill the kernel, and then says why.
    """
    given = (source, target, parameters, environment, seed, timeout, progress, watch)
    if threading.current_thread() is threading.main_thread() or _has_loop():
        return _execute(*given)
    return contextvars.Context().run(_with_loop, given)


def _with_loop(given: tuple[Any, ...]) -> Ended:
    """Execute in a thread: Jupyter's client makes an event loop for it, and would never close it."""
    from jupyter_core.utils import ensure_event_loop

    try:
        return _execute(*given)
    finally:
        ensure_event_loop().close()
        asyncio.set_event_loop(None)


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _execute(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    environment: dict[str, str],
    seed: int,
    timeout: float | None,
    progress: Report | None,
    watch: Watch | None,
) -> Ended:
    deadline = None if timeout is None else time.monotonic() + timeout
    job = _Job(target.parent, seed, deadline, progress)
    kernel = Kernel(target.parent, environment)
    ended = Ended("succeeded")
    try:
        with terminable(), kernel:
            if watch is not None:
                watch.kernel = kernel
            _papermill(source, target, parameters, kernel, job)
    except (KeyboardInterrupt, SystemExit) as error:
        ended = Ended("cancelled", job.error("Cancelled", "the run was stopped from outside"), error)
    except Exception as error:
        if watch is not None and watch.why is not None:
            outcome, name, message = watch.why
            ended = Ended(outcome, job.error(name, message))
        else:
            ended = _ended_early(error, job, timeout)
    return replace(ended, kernel=kernel.started)


@dataclass
class _Job:
    """What one execution needs, and where it is."""

    folder: Path
    seed: int
    deadline: float | None
    progress: Report | None
    cell: int | None = None

    def left(self) -> float | None:
        """Seconds until the deadline; never 0, which would mean for ever."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.001)

    def error(self, name: str, message: str, traceback: str = "") -> dict[str, Any]:
        """Say what went wrong in the cell that the execution is at."""
        return {"cell": self.cell, "name": name, "message": message, "traceback": traceback}


def _ended_early(error: Exception, job: _Job, timeout: float | None) -> Ended:
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(error, PapermillExecutionError):
        trace = _ANSI.sub("", "\n".join(error.traceback))
        outcome = "out_of_memory" if error.ename in _NO_MEMORY else "failed"
        return Ended(outcome, job.error(error.ename, str(error.evalue), trace))
    slack = 1.0 if isinstance(error, CellTimeoutError) else 0.0
    if job.deadline is not None and time.monotonic() >= job.deadline - slack:
        return Ended(
            "timed_out", job.error("TimeOut", f"the run took longer than the {timeout:g} s it was given")
        )
    if isinstance(error, NotStarted):
        return Ended("killed", job.error("KernelDied", str(error)))
    if isinstance(error, CellTimeoutError):  # nobody gave it a limit
        said = f"the notebook's process ran a cell and did not say within {QUIET_SECONDS} s what came of it"
        return Ended("killed", job.error("KernelDied", said))
    if isinstance(error, DeadKernelError):
        said = "the notebook's process died: out of memory, a crash in compiled code, or killed from outside"
        return Ended("killed", job.error("KernelDied", said))
    return Ended("failed", job.error(type(error).__name__, str(error)))


def _papermill(source: Path, target: Path, parameters: dict[str, Any], kernel: Kernel, job: _Job) -> None:
    """Do what `papermill.execute_notebook` does, but for its last step: to encode a notebook that is kept."""
    with light():
        from papermill.engines import NBClientEngine
        from papermill.execute import (
            prepare_notebook_metadata,
            raise_for_execution_errors,
            remove_error_markers,
        )
        from papermill.iorw import load_notebook_node
        from papermill.parameterize import parameterize_notebook

    class Engine(NBClientEngine):  # type: ignore[misc]
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, *_: Any, **__: Any) -> None:
            nb_man.save = Saver(nb_man.nb, target)
            _drive(nb_man, kernel, job)

    logging.getLogger("papermill").setLevel(logging.ERROR)  # it cannot read `int | None`; we have
    notebook = load_notebook_node(str(source))
    if parameters:
        notebook = parameterize_notebook(notebook, parameters, kernel_name="python3")
    notebook = remove_error_markers(prepare_notebook_metadata(notebook, str(source), None))
    notebook = Engine.execute_notebook(notebook, "python3", progress_bar=False)  # no path: `Saver` writes
    raise_for_execution_errors(notebook, None)


def _drive(nb_man: Any, kernel: Kernel, job: _Job) -> None:
    """Run the cells in the kernel, which is killed afterwards."""
    from papermill.clientwrap import PapermillNotebookClient

    class Client(PapermillNotebookClient):  # type: ignore[misc]
        def papermill_execute_cells(self) -> None:
            self.kc.execute(_prelude(job.seed), silent=True, store_history=False)
            super().papermill_execute_cells()

        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            msg["content"] = redact.scrubbed(msg["content"])  # what a child of the kernel printed
            return super().process_message(msg, cell, cell_index)

        def output(self, outs: Any, msg: Any, display_id: str, cell_index: int) -> Any:
            """Keep a chart as it came: nbformat looks at each of its thousands of values."""
            if self.output_hook_stack[msg["parent_header"].get("msg_id")]:  # it goes into a widget
                return super().output(outs, msg, display_id, cell_index)
            chart = (msg["content"].get("data") or {}).pop(PLOTLY, None)
            out = super().output(outs, msg, display_id, cell_index)
            if chart is not None and out is not None:
                dict.__setitem__(out["data"], PLOTLY, chart)
            return out

        def execute_cell(self, cell: Any, cell_index: int, *args: Any, **kwargs: Any) -> Any:
            job.cell = cell_index + 1
            if job.progress:
                job.progress(cell_index, len(self.nb.cells), f"cell {job.cell}")
            return super().execute_cell(cell, cell_index, *args, **kwargs)

    quiet = logging.getLogger("tapebook.kernel")
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    quiet.propagate = False
    left = int(min(QUIET_SECONDS, job.left() or QUIET_SECONDS))
    client = Client(
        nb_man,
        km=kernel.manager,
        timeout_func=lambda _cell: job.left(),
        startup_timeout=max(1, left),
        iopub_timeout=max(1, left),
        shutdown_kernel="immediate",
        log=quiet,
    )
    try:
        client.execute()
    finally:
        kernel.kill()
        client.km = kernel.manager
        with suppress(Exception):  # it may have gone already; the channels are closed here
            client._cleanup_kernel()


def _prelude(seed: int) -> str:
    """Seed the generators that cells share; `np.random.default_rng` takes `Recorder.seed`."""
    return f"import random, numpy\nrandom.seed({seed})\nnumpy.random.seed({seed} % 2**32)\ndel random, numpy"


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)
