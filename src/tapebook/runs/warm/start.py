"""Start a fork server that ends with this process, keep it alive, and say how to reach it."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.errors import TapebookError
from tapebook.runs.provenance import PACKAGE
from tapebook.runs.warm import spec
from tapebook.runs.warm.client import SOCKET, advertised, base, key
from tapebook.runs.warm.fork import DEFAULTS, LISTENS, LOG, READY

if TYPE_CHECKING:
    from tapebook.config import Config

WARM_UP = "warm_up.py"
LOOK_SECONDS = 0.5
"""How often it is looked whether the fork server still listens."""
MOST_SECONDS = 60.0
"""The longest wait before one that ends again and again is started once more."""
_said = logging.getLogger("tapebook.kernels")


@contextmanager
def serving(config: Config) -> Iterator[Kernels]:
    """Have a fork server while the block runs, and start it again when it dies or its code changes.

    It warms up in the background with `notebooks/warm_up.py` of the desk, or tapebook's own. Whoever
    starts kernel `tapebook` with `Kernels.environment` meanwhile waits for it; after it the kernel is a
    fork of it. Runs of other processes of this user find it too. Kernels that still run when the block
    ends go on until their clients end them.

    Raises
    ------
    TapebookError
        If the folder for its socket belongs to somebody else.
    """
    kernels = Kernels(warm_up_of(config))
    kernels.start()
    try:
        yield kernels
    finally:
        kernels.stop()


def found() -> str | None:
    """Where a fork server listens that this process may ask: the environment's, or this user's newest."""
    with suppress(PermissionError):  # a folder of others: nobody there is asked
        return os.environ.get(SOCKET) or advertised() or None
    return None


def warm_up_of(config: Config) -> Path:
    """Return the script that a fork server runs first: the desk's own, or tapebook's."""
    folders = (config.notebooks, PACKAGE / "notebooks", PACKAGE.parents[1] / "notebooks")
    scripts = (folder / WARM_UP for folder in folders)
    return next(script for script in scripts if script.is_file())


class Kernels:
    """A fork server that belongs to this process."""

    def __init__(self, warm_up: Path) -> None:
        home = Path(base())
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            advertised()  # refuses a folder that others may write
        except PermissionError as error:
            raise TapebookError(str(error)) from error
        self.folder = Path(tempfile.mkdtemp(prefix=key(), dir=home))
        self._warm_up = warm_up
        self._server: subprocess.Popen[bytes] | None = None
        self._leaving: list[subprocess.Popen[bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="fork server")

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which Jupyter's tools find kernel `tapebook`, and the kernel its server.

        They stay the same when the server is started again.
        """
        path = os.pathsep.join(filter(None, (str(self.folder / "jupyter"), os.environ.get("JUPYTER_PATH"))))
        return {"JUPYTER_PATH": path, SOCKET: str(self.folder / LISTENS)}

    @property
    def pid(self) -> int | None:
        """The fork server's process; None if there is none now."""
        server = self._server
        return server.pid if server is not None and server.poll() is None else None

    def wait(self, seconds: float = 60.0) -> bool:
        """Wait until it has warmed up; say whether it has. Nobody needs to: its clients wait."""
        until = time.monotonic() + seconds
        while not (self.folder / READY).exists():
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    # ---- its life

    def start(self) -> None:
        """Start it, and a thread that looks after it."""
        spec.write(self.folder / "jupyter")
        self._start()
        self._thread.start()

    def stop(self) -> None:
        """Let it end as soon as no kernel needs it."""
        self._stop.set()
        self._thread.join()
        if self._server is not None:
            self._leave(self._server)
        for server in self._leaving:
            with suppress(subprocess.TimeoutExpired):
                server.wait(1.0)
            server.returncode = server.returncode or 0  # it has kernels, and ends after them by itself
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        """Listen, and hand that to a new server: a client that comes before it is warm can wait."""
        for name in (LISTENS, READY):
            (self.folder / name).unlink(missing_ok=True)
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
            (self.folder / LOG).open("wb") as log,
        ):
            listener.bind(str(self.folder / LISTENS))
            listener.listen(128)
            command = [sys.executable, "-P", "-m", "tapebook.runs.warm.server"]
            self._server = subprocess.Popen(
                [*command, str(listener.fileno()), str(self.folder), str(self._warm_up)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(os.environ),
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for whoever runs something here
            )

    def _keep(self) -> None:
        """Start another one when it has ended, or takes no more clients as its code is out of date."""
        pause = LOOK_SECONDS
        while not self._stop.wait(pause) and self.folder.exists():
            self._leaving = [server for server in self._leaving if server.poll() is None]
            server = self._server
            if server is not None and server.poll():
                pause = min(pause * 2, MOST_SECONDS)
                said = (self.folder / LOG).read_text(errors="replace").strip().rpartition("\n")[2]
                _said.warning(
                    "the fork server ended with code %s: kernels start cold until the next one listens. %s",
                    server.returncode,
                    said,
                )
            elif server is not None and not (self.folder / LISTENS).exists():
                _said.info("packages or code have changed: a new fork server warms up")
            else:
                pause = LOOK_SECONDS
                continue
            self._leave(server)
            self._start()

    def _leave(self, server: subprocess.Popen[bytes]) -> None:
        """Tell a server that nobody owns it any more; it ends after its last kernel."""
        assert server.stdin is not None
        server.stdin.close()
        self._leaving.append(server)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    """Give what a server sees: this process's variables but for those that say where it runs."""
    strange = ("TAPEBOOK_", "JPY_", "PLOTLY_RENDERER", "MPLBACKEND")
    kept = {name: value for name, value in given.items() if not name.startswith(strange)}
    return DEFAULTS | kept | {"PYTHONHASHSEED": DEFAULTS["PYTHONHASHSEED"]}  # as every run has it
