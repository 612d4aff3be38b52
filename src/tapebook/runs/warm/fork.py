"""A forked child becomes a kernel: its client's streams, folder, environment and limits; new seeds."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

LISTENS, READY, LOG = "socket", "ready", "log"
"""What lies in a fork server's folder: its socket, a mark once it is warm, what it said."""
DEFAULTS = {"OPENBLAS_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
"""What a fork server is started with unless the environment says otherwise: one thread, equal hashes."""
_ACT_AT_IMPORT = ("PYTHON", "NUMBA_", "OPENBLAS_", "OMP_", "MKL_", "ARROW_", "LD_", "POLARS_")
_HARMLESS = {"PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"}


@dataclass
class Request:
    """What one client wants: a kernel with these arguments, in this folder, with these variables."""

    of: list[str]
    argv: list[str]
    folder: str
    environment: dict[str, str]
    limits: dict[str, list[int]]
    streams: list[int]
    client: socket.socket | None = None

    @classmethod
    def read(cls, said: Mapping[str, Any], streams: list[int]) -> Request:
        """Read it from the client's message; ValueError if it is none."""
        try:
            return cls(said["of"], said["argv"], said["cwd"], said["env"], said["limits"], streams)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no request: {error!r}") from error

    def close(self) -> None:
        """Let go of the client's streams."""
        for stream in self.streams:
            os.close(stream)


def import_time(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the variables that libraries read when they are imported: a fork cannot change them."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_ACT_AT_IMPORT) and name not in _HARMLESS
    }


def refusal(wanted: Mapping[str, str], had: Mapping[str, str]) -> str:
    """Say why a kernel with the variables `wanted` is no fork of a server that `had` others; "" if it is."""
    asked = import_time(wanted)
    given = {name: value for name, value in had.items() if name in asked or DEFAULTS.get(name) != value}
    for name in sorted(asked.keys() | given.keys()):
        if asked.get(name) != given.get(name):
            return f"{name} is not what the fork server was started with"
    return ""


def become(request: Request) -> None:
    """Be the kernel that was asked for, until it ends."""
    os.setsid()
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for standard, stream in enumerate(request.streams):
        os.dup2(stream, standard)
        os.close(stream)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    _limit(request.limits)
    if request.client is not None:
        threading.Thread(target=_end_with, args=(request.client,), daemon=True, name="client").start()
    _own_state()
    if "TAPEBOOK_RUN" in os.environ:
        _no_debugger()
    launcher = find_spec("ipykernel_launcher")
    sys.argv = [str(launcher and launcher.origin), *request.argv]
    _app().launch_instance([*request.argv, "--IPKernelApp.parent_handle=1"])


@cache
def _app() -> Any:
    """Give ipykernel's application; a run's arguments are known, and its parser knows hundreds.

    parent_handle 1: look after no parent, `_end_with` does; and print no advice for a terminal.
    """
    from ipykernel import ipkernel
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    class App(IPKernelApp):
        def init_kernel(self) -> None:
            """Make the kernel; that of a run without a list of all modules, which is for the debugger.

            To look at each of them copies as many pages of memory as all the rest of the start.
            """
            module: Any = ipkernel
            module.sys = _Bare() if "TAPEBOOK_RUN" in os.environ else sys
            try:
                super().init_kernel()  # type: ignore[no-untyped-call]
            finally:
                module.sys = sys

        def parse_command_line(self, argv: Any = None) -> None:
            match argv:
                case ["-f", str(file), "--HistoryManager.enabled=False", "--IPKernelApp.parent_handle=1"]:
                    own = {"connection_file": file, "parent_handle": 1}
                    self.cli_config = Config(IPKernelApp=own, HistoryManager={"enabled": False})
                    self.update_config(self.cli_config)
                    self.extra_args = []
                case _:
                    super().parse_command_line(argv)

    return App


class _Bare:
    """Module sys, but for the modules."""

    modules: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def make_ready() -> None:
    """Do in the server what needs no fork: its kernels have it then."""
    _app()
    _without_debugger()


@cache
def _without_debugger() -> Any:
    """Give ipykernel's module of the debugger as it is where debugpy is not installed, and leave no trace."""
    name = "ipykernel.debugger"
    hidden = {said: sys.modules.pop(said, None) for said in ("debugpy", name)}
    sys.modules["debugpy"] = None  # type: ignore[assignment]
    try:
        return import_module(name)
    finally:
        for said in hidden:
            del sys.modules[said]
        sys.modules.update({said: module for said, module in hidden.items() if module is not None})


def _no_debugger() -> None:
    """Boot without debugpy, which takes as long as all the rest: nobody attaches to a run.

    ipykernel does without where it is not installed; a cell may still import it.
    """
    sys.modules["ipykernel.debugger"] = _without_debugger()


def _end_with(client: socket.socket) -> None:
    """End when the client does, also when the server that would see to it is gone.

    The server holds the same open socket and makes it non-blocking, maybe just now: a read that finds
    nothing there would look like the end, and it did so once in a thousand kernels. A poll waits in any case.
    """
    ended = select.poll()
    ended.register(client, select.POLLIN)
    ended.poll()
    os.killpg(0, signal.SIGKILL)


def _limit(limits: Mapping[str, list[int]]) -> None:
    """Take over the client's limits, as a child of it would have."""
    import resource

    for name, (soft, hard) in limits.items():
        with suppress(ValueError, OSError):  # above what the server itself may
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))


def _own_state() -> None:
    """Make new what all forks would share: seeds, and what was read from the server's environment."""
    import random
    import tempfile
    import time

    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    tempfile.tempdir = None
    time.tzset()
    if "plotly.io" in sys.modules:  # it asked at its import, when there was no notebook
        renderers = sys.modules["plotly.io"].renderers
        renderers.default = os.environ.get("PLOTLY_RENDERER") or "plotly_mimetype"
