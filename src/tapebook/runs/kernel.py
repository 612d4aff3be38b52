"""A kernel of this very Python, started early and gone afterwards, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

KILL_SECONDS = 5
LOG = "kernel.log"


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[Any]:
    """Give the manager of a kernel that is starting, in `folder`, and sees only `environment`.

    The kernel boots in its own process while the caller imports what it needs. What compiled code says
    when it crashes goes to kernel.log, which is kept only if something was said.
    """
    from jupyter_core.utils import run_sync

    sockets = Path(tempfile.mkdtemp(prefix="tapebook-"))
    words = folder / LOG
    manager = _manager(sockets)
    try:
        with words.open("wb") as log:
            run_sync(manager.start_kernel)(env=environment, cwd=str(folder), stdout=log, stderr=log)
        yield manager
    finally:
        kill(manager)
        with suppress(Exception):  # a client that was there has done it
            run_sync(manager.cleanup_resources)()
        shutil.rmtree(sockets, ignore_errors=True)
        if words.is_file() and not words.stat().st_size:
            words.unlink()


def kill(manager: Any) -> None:
    """Kill the kernel at once, with what its cells have started: nobody waits for them any more."""
    process = getattr(manager.provisioner, "process", None)
    if process is not None and process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(KILL_SECONDS)


def _manager(sockets: Path) -> Any:
    """Give a manager of a kernel that runs this Python, whatever kernels are installed elsewhere."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager(kernel_name="python3", connection_file=str(sockets / "kernel.json"))
    if os.name == "posix":  # no port that others on the machine could reach
        manager.transport, manager.ip = "ipc", str(sockets / "k")
    options = ("-f", "{connection_file}", "--HistoryManager.enabled=False")
    command = [sys.executable, "-m", "ipykernel_launcher", *options]
    manager._kernel_spec = KernelSpec(argv=command, display_name="Python 3", language="python")
    return manager
