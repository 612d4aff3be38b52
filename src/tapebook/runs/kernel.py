"""A kernel of this very Python, warm or cold, started early and gone afterwards, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tapebook.runs.warm.client import COLD, SOCKET, WARM
from tapebook.runs.warm.spec import argv

KILL_SECONDS = 5
LOG = "kernel.log"


class Kernel:
    """A kernel that starts when its block does, in `folder`, and sees only `environment`.

    It is asked of the fork server that the environment names, and cold without one. It boots in its own
    process while the caller imports what it needs. What compiled code says when it crashes goes to
    kernel.log, which is kept only if something was said.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.started = "cold"
        """How it started, known at the end: "warm", "cold", or "cold: " and why not warm."""

    def __enter__(self) -> Self:
        from jupyter_core.utils import run_sync

        self._sockets = Path(tempfile.mkdtemp(prefix="tapebook-"))
        self.manager = _manager(self._sockets, warm=SOCKET in self.environment)
        try:
            with (self.folder / LOG).open("wb") as log:
                start = run_sync(self.manager.start_kernel)
                start(env=self.environment, cwd=str(self.folder), stdout=log, stderr=log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        from jupyter_core.utils import run_sync

        self.kill()
        with suppress(Exception):  # a client that was there has done it
            run_sync(self.manager.cleanup_resources)()
        shutil.rmtree(self._sockets, ignore_errors=True)
        self.started = self._started()

    def kill(self) -> None:
        """Kill the kernel at once, with what its cells have started: nobody waits for them any more."""
        process = getattr(self.manager.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(KILL_SECONDS)

    @property
    def pid(self) -> int | None:
        """The process that runs the cells; None while it is not known."""
        first = self._first_words()
        if first.startswith(WARM):
            return int(first.removeprefix(WARM))
        process = getattr(self.manager.provisioner, "process", None)
        return None if process is None or (SOCKET in self.environment and not first) else process.pid

    def _first_words(self) -> str:
        try:
            with (self.folder / LOG).open(encoding="utf-8", errors="replace") as log:
                line = log.readline()
        except OSError:
            return ""
        return line.rstrip("\n") if line.endswith("\n") else ""

    def _started(self) -> str:
        """Read from the log how it started; a log of nothing else is thrown away."""
        log = self.folder / LOG
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        first, _, rest = said.partition("\n")
        if not (rest if first.startswith((COLD, WARM)) else said):
            log.unlink(missing_ok=True)
        if first.startswith(COLD):
            return f"cold: {first.removeprefix(COLD)}"
        return "warm" if first.startswith(WARM) else "cold"


def _manager(sockets: Path, *, warm: bool) -> Any:
    """Give a manager of a kernel that runs this Python, whatever kernels are installed elsewhere."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager(kernel_name="python3", connection_file=str(sockets / "kernel.json"))
    if os.name == "posix":  # no port that others on the machine could reach
        manager.transport, manager.ip = "ipc", str(sockets / "k")
    cold = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    command = [*(argv() if warm else cold), "--HistoryManager.enabled=False"]
    manager._kernel_spec = KernelSpec(argv=command, display_name="Python 3", language="python")
    return manager
