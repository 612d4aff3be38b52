"""A kernel of this very Python, warm or cold, started early and gone afterwards, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty
from typing import Any, Self

from tapebook.runs.warm.client import COLD, SOCKET, WARM
from tapebook.runs.warm.forked import Forked

KILL_SECONDS = 60
"""A killed process is gone at once, but on a busy machine it takes a while until that is seen."""
LOG = "kernel.log"
LOOK_SECONDS, ASK_SECONDS = 0.1, 1.0
"""How often it is looked whether a kernel that starts is still there, and how often it is asked to answer."""
RECONNECT_MS = 5
"""How often a socket is tried that the kernel has not opened yet; ZeroMQ's 100 ms are a third of a run."""


class NotStarted(Exception):
    """A kernel died, or did not answer in time, before it ran anything."""


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
        self._process: Any = None

    def __enter__(self) -> Self:
        from jupyter_core.utils import run_sync

        self._sockets = Path(tempfile.mkdtemp(prefix="tapebook-"))
        self.manager = _manager(self._sockets)
        if SOCKET in self.environment:
            self.manager.provisioner = _forking(self.manager, self.folder / LOG)
        try:
            with (self.folder / LOG).open("wb") as log:
                start = run_sync(self.manager.start_kernel)
                start(env=self.environment, cwd=str(self.folder), stdout=log, stderr=log)
            self._process = self.manager.provisioner.process
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
        process = self._process or getattr(self.manager.provisioner, "process", None)
        if isinstance(process, Forked):
            process.kill()
        elif process is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(KILL_SECONDS)

    @property
    def pid(self) -> int | None:
        """The process that runs the cells; None while it is not known."""
        return None if self._process is None else self._process.pid or None

    def _started(self) -> str:
        """Say how it started; a log of nothing else is thrown away."""
        log = self.folder / LOG
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        if not "".join(line for line in said.splitlines() if not line.startswith((COLD, WARM))):
            log.unlink(missing_ok=True)
        return self._process.started if isinstance(self._process, Forked) else "cold"


def _manager(sockets: Path) -> Any:
    """Give a manager of a kernel that runs this Python, whatever kernels are installed elsewhere."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    manager = AsyncKernelManager(kernel_name="python3", connection_file=str(sockets / "kernel.json"))
    if os.name == "posix":  # no port that others on the machine could reach
        manager.transport, manager.ip = "ipc", str(sockets / "k")
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    command.append("--HistoryManager.enabled=False")
    manager._kernel_spec = KernelSpec(argv=command, display_name="Python 3", language="python")
    manager.client_factory = _client()
    manager.context.reconnect_ivl = RECONNECT_MS
    return manager


def _forking(manager: Any, log: Path) -> Any:
    """Give what starts the kernel by asking the fork server that its environment names."""
    from jupyter_client.provisioning.local_provisioner import LocalProvisioner

    class Provisioner(LocalProvisioner):
        async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
            folder, environment = Path(kwargs["cwd"]), kwargs["env"]
            forked: Any = Forked(cmd, folder=folder, environment=environment, log=log)
            self.process, self.pid, self.cwd = forked, forked.pid, folder
            return self.connection_info

    return Provisioner(kernel_id="tapebook", kernel_spec=manager.kernel_spec, parent=manager)


@cache
def _client() -> Any:
    """Give Jupyter's client, without what a run does not use.

    That is a fifth of a second in which it listens to what nobody asked for, and a thread of heartbeats: the
    process itself is watched, and that thread holds up the end of a kernel that never answered.
    """
    from jupyter_client.asynchronous.client import AsyncKernelClient

    class Client(AsyncKernelClient):
        def start_channels(self, *_: Any, **__: Any) -> None:
            """Open the two channels that a run uses."""
            super().start_channels(stdin=False, hb=False, control=False)

        def stop_channels(self) -> None:
            """Close those two; asking for the others would open them."""
            for channel in (self._shell_channel, self._iopub_channel):
                if channel is not None and channel.is_alive():
                    channel.stop()

        async def wait_for_ready(self, timeout: float | None = None) -> None:
            """Wait until the kernel answers and is heard; what else it said has another message's id."""
            until = time.monotonic() + (timeout or float("inf"))
            asked = 0.0
            while (now := time.monotonic()) < until:
                if now >= asked + ASK_SECONDS:
                    asked = now
                    self.kernel_info()
                with suppress(Empty):
                    answer = await self.get_shell_msg(timeout=LOOK_SECONDS)
                    if answer["msg_type"] == "kernel_info_reply":
                        asked = 0.0  # if it was not heard
                        await self.get_iopub_msg(timeout=0.2)
                        self._handle_kernel_info_reply(answer)
                        return
                if self.parent is None or not await self.parent.is_alive():
                    raise NotStarted("the notebook's process died before its first cell")
            raise NotStarted(f"the notebook's process did not answer within {timeout} s of its start")

    return Client
