"""The fork server: warm up once, then fork a kernel for each client that asks.

It is a program, `python -m tapebook.runs.warm.server FD FOLDER WARM_UP`, that is given a listening socket
and takes no more clients once its standard input ends: whoever started it holds that open. It has one
thread, and nothing open that would not survive a fork. Clients that come while it warms up wait.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import socket
import sys
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tapebook.runs.warm.client import me
from tapebook.runs.warm.code import Code
from tapebook.runs.warm.fork import READY, Request, become, import_time, refusal

PATIENCE = 5.0
"""Seconds that a client may take to say what it wants."""
_OWNER = 0  # standard input


class Server:
    """The listening socket, and the kernels with the clients that stand for them."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener: socket.socket | None = listener
        self.kernels: dict[int, socket.socket | None] = {}  # None: its client is gone
        self.orphaned = False

    def serve(self, code: Code, variables: dict[str, str]) -> Request | None:
        """Fork kernels until nobody needs them. Returns in each kernel's process too, with its request.

        `code` is what was warmed up, `variables` what the environment said then.
        """
        self.code, self.variables = code, variables
        self._watch()
        while self.listener is not None or self.kernels:
            for key, _ in self.selector.select():
                act: Callable[[], Request | None] = key.data
                request = act()
                if request is not None:
                    return request
        return None

    def _watch(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.ended, self.wake = os.pipe()
        for end in (self.ended, self.wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self.wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        assert self.listener is not None
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)
        self.selector.register(self.ended, selectors.EVENT_READ, self._reap)
        self.selector.register(_OWNER, selectors.EVENT_READ, self._owner_spoke)

    def _accept(self) -> Request | None:
        """Answer one client; in the forked child return what it asked for."""
        if self.listener is None:
            return None
        client, _ = self.listener.accept()
        try:
            request = _read(client)
        except (OSError, ValueError):
            client.close()
            return None
        stale = self.code.changed()
        why = stale or refusal(request.environment, self.variables)
        if request.of != me():
            why = "the fork server belongs to another Python or another tapebook"
        if why:
            _answer(client, refused=why)
            client.close()
            request.close()
            if stale:
                self.close()
            return None
        return self._fork(client, request)

    def _fork(self, client: socket.socket, request: Request) -> Request | None:
        pid = os.fork()
        if pid == 0:
            self._forget()
            request.client = client
            return request
        request.close()
        client.setblocking(False)
        self.kernels[pid] = client
        self.selector.register(client, selectors.EVENT_READ, lambda: self._client_left(pid, client))
        _answer(client, pid=pid)
        return None

    def _reap(self) -> None:
        """Tell the clients of kernels that have ended how they did."""
        with suppress(BlockingIOError):
            os.read(self.ended, 4096)
        for pid in list(self.kernels):
            found, status = os.waitpid(pid, os.WNOHANG)
            if not found:
                continue
            client = self.kernels.pop(pid)
            if client is not None:
                self.selector.unregister(client)
                _answer(client, exit=os.waitstatus_to_exitcode(status))
                client.close()

    def _client_left(self, pid: int, client: socket.socket) -> None:
        """Kill the kernel whose client is gone, with what its cells have started."""
        if self.kernels.get(pid) is not client:
            return
        self.selector.unregister(client)
        client.close()
        self.kernels[pid] = None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
            return
        os.kill(pid, signal.SIGKILL)  # it had no time to become the leader of a group

    def _owner_spoke(self) -> None:
        if not os.read(_OWNER, 4096):
            self.selector.unregister(_OWNER)
            self.orphaned = True
            self.close()

    def close(self) -> None:
        """Take no more clients; the kernels that run may end in peace."""
        if self.listener is not None:
            Path(self.listener.getsockname()).unlink(missing_ok=True)
            self.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None

    def _forget(self) -> None:
        """Close in a child what is the server's."""
        signal.set_wakeup_fd(-1)
        self.selector.close()
        for end in (self.ended, self.wake):
            os.close(end)
        for known in (self.listener, *self.kernels.values()):
            if known is not None:
                known.close()


def _read(client: socket.socket) -> Request:
    """Read what a client wants: a line of JSON, and with its first byte the three streams."""
    client.settimeout(PATIENCE)
    streams = array("i")
    data, extra, _, _ = client.recvmsg(1, socket.CMSG_LEN(3 * streams.itemsize))
    for level, kind, part in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            streams.frombytes(part[: len(part) - len(part) % streams.itemsize])
    while not data.endswith(b"\n"):
        more = client.recv(1 << 20)
        if not more:
            raise ConnectionResetError("the client left in mid-sentence")
        data += more
    return Request.read(json.loads(data), list(streams))


def _answer(client: socket.socket, **said: Any) -> None:
    with suppress(OSError):  # a client that has left needs no answer
        client.sendall(json.dumps(said).encode() + b"\n")


def main(listener: str, folder: str, warm_up: str) -> None:
    """Warm up and serve; a kernel's process goes on from here as that kernel."""
    server = Server(socket.socket(fileno=int(listener)))
    code = Code.now(Path(warm_up))
    variables = import_time(os.environ)
    from tapebook.runs.warm.prepare import prepare

    prepare(code.warm_up)
    Path(folder, READY).touch()
    request = server.serve(code, variables)
    if request is not None:
        become(request)
    elif server.orphaned:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
