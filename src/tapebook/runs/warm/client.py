"""What the kernelspec `tapebook` starts: ask the fork server for a kernel, then stand in for it.

Jupyter sees this process as the kernel: signals are passed on, the exit code is mirrored, and when this
process or its parent is gone, so is the kernel. Only the standard library is used, and this file is run
by its path (`python -I -S client.py`), so that it costs a few milliseconds.
"""

from __future__ import annotations

import array
import json
import os
import resource
import signal
import socket
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "TAPEBOOK_KERNELS"
"""The variable that says where the fork server listens."""
COLD = "tapebook: this kernel starts cold: "
"""How the line begins that says why a kernel is not warm."""
WARM = "tapebook: this kernel is process "
"""How the line begins that tells a run where its warm kernel is."""
LOOK_SECONDS = 0.5
"""How often it is looked whether the parent still lives."""
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_LIMITS = ("AS", "CPU", "DATA", "FSIZE", "NOFILE", "CORE")


def main(argv: list[str]) -> int:
    """Run the kernel with these arguments of ipykernel, warm if that can be; return its exit code."""
    parent = os.getppid()
    try:
        server, pid = ask(os.environ.get(SOCKET) or advertised(), argv)
    except (OSError, ValueError) as error:
        _say(f"{COLD}{reason(error)}")
        os.execv(sys.executable, [sys.executable, "-m", "ipykernel_launcher", *argv])
    if "TAPEBOOK_RUN" in os.environ:
        _say(f"{WARM}{pid}")
    for number in _FORWARDED:
        signal.signal(number, lambda number, _frame: _send(pid, number))
    return _wait(server, parent)


def ask(path: str, argv: list[str]) -> tuple[socket.socket, int]:
    """Ask for a kernel; return the connection that ends with it, and its process id.

    Raises
    ------
    OSError
        If nobody answers.
    ValueError
        If the server refuses, with its reason.
    """
    if not path:
        raise FileNotFoundError("nobody listens")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    request(server, path, argv, os.getcwd(), dict(os.environ), [0, 1, 2])  # noqa: PTH109
    answer = _line(server)
    if "refused" in answer:
        raise ValueError(answer["refused"])
    return server, int(answer["pid"])


def request(
    server: socket.socket, path: str, argv: list[str], cwd: str, env: dict[str, str], streams: list[int]
) -> None:
    """Say to the server at `path` what kernel is wanted; it answers with a line of JSON."""
    server.connect(path)
    said = {"of": me(), "argv": argv, "cwd": cwd, "env": env, "limits": _limits()}
    message = json.dumps(said).encode("utf-8", "surrogateescape") + b"\n"
    passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
    sent = server.sendmsg([message[:1]], passed)
    server.sendall(message[sent:])


def advertised() -> str:
    """Where this user's newest fork server of this Python and this package listens; "" if none does.

    Raises
    ------
    PermissionError
        If others may write the folder where they are: what is not ours is not asked.
    """
    folder = base()
    try:
        about = os.stat(folder)  # noqa: PTH116
    except OSError:
        return ""
    if about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(f"{folder} belongs to somebody else or is open to others: remove it")
    newest, when = "", 0.0
    for name in os.listdir(folder):  # noqa: PTH208
        path = os.path.join(folder, name, "socket")  # noqa: PTH118
        if name.startswith(key()) and os.path.exists(path) and os.stat(path).st_mtime >= when:  # noqa: PTH110, PTH116
            newest, when = path, os.stat(path).st_mtime  # noqa: PTH116
    return newest


def key() -> str:
    """Tell this Python and this package from others: their kernels must not be mixed."""
    return f"{zlib.crc32(chr(0).join(me()).encode()):08x}-"


def me() -> list[str]:
    """The Python and the file that this is."""
    return [sys.executable, os.path.realpath(__file__)]


def base() -> str:
    """The folder of this user's fork servers."""
    where = os.environ.get("XDG_RUNTIME_DIR") or os.environ.get("TMPDIR") or "/tmp"
    return os.path.join(where, f"tapebook-{os.getuid()}")  # noqa: PTH118


def reason(error: Exception) -> str:
    """Say in words why no warm kernel could be had."""
    if isinstance(error, FileNotFoundError):
        return "no fork server is running"
    if isinstance(error, PermissionError):
        return str(error)
    if isinstance(error, OSError):
        return f"the fork server does not answer ({error.strerror or error})"
    return str(error)


def _say(line: str) -> None:
    os.write(2, f"{line}\n".encode())


def _limits() -> dict[str, tuple[int, int]]:
    return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}")) for name in _LIMITS}


def _line(server: socket.socket) -> dict[str, Any]:
    """Read one line of JSON."""
    data = b""
    while not data.endswith(b"\n"):
        part = server.recv(1)
        if not part:
            raise ConnectionResetError("it ended")
        data += part
    return dict(json.loads(data))


def _send(pid: int, number: int) -> None:
    """Pass a signal on to the kernel and what its cells have started, as a terminal would."""
    try:  # noqa: SIM105 (contextlib would be the largest import here)
        os.killpg(pid, number)
    except ProcessLookupError:
        pass


def _wait(server: socket.socket, parent: int) -> int:
    """Wait for the kernel's end. Returning early ends it: the server watches this connection."""
    server.settimeout(LOOK_SECONDS)
    while True:
        try:
            code = int(_line(server)["exit"])
        except TimeoutError:
            if os.getppid() != parent:
                return 1
            continue
        except OSError:  # the server has ended before the kernel: how that ended nobody knows
            return 255
        if code < 0:  # ended by a signal, so that this process must be too
            if -code not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
