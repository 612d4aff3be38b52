"""A kernel of the fork server for whoever asks it directly, as `subprocess.Popen` would have it.

A run holds the connection to the server itself: it needs no process that stands in for its kernel, as
Jupyter's tools do (`client.py`). When this process is gone, so is the connection, and so is the kernel.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tapebook.runs.warm.client import COLD, SOCKET, WARM, reason, request

ANSWER_SECONDS = 0.25
"""How long the answer is waited for: a server that is still warming up answers later, and is asked again."""
PARENT = "JPY_PARENT_PID"
"""By which ipykernel knows whose end a cold kernel looks out for; without it, it goes on for ever."""


class Forked:
    """A forked kernel, or a cold one where there is none to be had; `log` then says why."""

    stdin = stdout = stderr = None

    def __init__(
        self, command: list[str], *, folder: Path, environment: Mapping[str, str], log: Path
    ) -> None:
        """Ask for a kernel that does what `command` does, "python -m ipykernel_launcher …"."""
        self.args, self.folder, self.environment, self.log = command, folder, dict(environment), log
        self.pid = 0
        """The kernel's process, 0 until the server has answered."""
        self.returncode: int | None = None
        self.started = "warm"
        """Or "cold: " and why."""
        self._lock = threading.RLock()  # a watch kills while the run asks
        self._cold: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with log.open("ab") as said, open(os.devnull, "rb") as nothing:  # noqa: PTH123
                streams = [nothing.fileno(), said.fileno(), said.fileno()]
                request(
                    self._server, environment[SOCKET], command[3:], str(folder), self.environment, streams
                )
        except OSError as error:
            self._start_cold(reason(error))
        else:
            self._hear(ANSWER_SECONDS)

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        with self._lock:
            if self._cold is not None:
                self.returncode = self._cold.poll()
            elif self.returncode is None:
                self._hear(0.0)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
            time.sleep(0.01)
        return int(self.returncode or 0)

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and what its cells have started, as a terminal would."""
        if self.poll() is None and self.pid:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # it had no time to become the leader of a group
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, with what its cells have started; the server kills one that it had not told of yet."""
        with self._lock:
            self.send_signal(signal.SIGKILL)
            self._server.close()
            if self._cold is not None:
                self._cold.wait()
            elif self.returncode is None:
                self.returncode = -signal.SIGKILL

    def _hear(self, seconds: float) -> None:
        """Take in what the server says: which process it is, why there is none, or how it ended."""
        self._server.settimeout(seconds)
        try:
            more = self._server.recv(4096)
        except (BlockingIOError, TimeoutError):
            return
        except OSError:
            more = b""
        self._heard += more
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._told(json.loads(line))
        if not more and self.returncode is None and self._cold is None:
            if self.pid:  # server and kernel are gone: how it ended nobody knows
                self.returncode = 255
            else:
                self._start_cold(reason(ConnectionResetError("it ended")))

    def _told(self, said: dict[str, object]) -> None:
        if "refused" in said:
            self._start_cold(str(said["refused"]))
        elif "pid" in said:
            self.pid = int(str(said["pid"]))
            self._write(f"{WARM}{self.pid}")
        elif "exit" in said:
            self.returncode = int(str(said["exit"]))

    def _start_cold(self, why: str) -> None:
        self._write(f"{COLD}{why}")
        self.started = f"cold: {why}"
        self._server.close()
        with self.log.open("ab") as said:
            self._cold = subprocess.Popen(
                self.args,
                cwd=self.folder,
                env=self.environment | {PARENT: str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.pid = self._cold.pid

    def _write(self, line: str) -> None:
        with self.log.open("ab") as log:
            log.write(f"{line}\n".encode())
