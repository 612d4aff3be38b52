"""A run's own end of a forked kernel: answers that come late, refusals, and a kill before any answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from runs_made import until
from tapebook.errors import TapebookError
from tapebook.runs import start
from tapebook.runs.template import find
from tapebook.runs.warm import client, fork, forked
from tapebook.runs.warm.forked import Forked

ENDS = [
    sys.executable,
    "-c",
    "import os; raise SystemExit(3 if os.environ.get('JPY_PARENT_PID') == str(os.getppid()) else 1)",
]
"""It ends with 3 where it was told whose end it has to watch for."""


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A socket that listens as the fork server's, and answers nothing by itself."""
    monkeypatch.setattr(forked, "ANSWER_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.settimeout(60)
        yield listener


def ask(tmp_path):
    environment = {client.SOCKET: str(tmp_path / "socket"), "NAME": "value"}
    return Forked(ENDS, folder=tmp_path, environment=environment, log=tmp_path / "kernel.log")


def test_an_answer_may_come_late(server, tmp_path):
    kernel = ask(tmp_path)
    assert (kernel.pid, kernel.poll()) == (0, None)
    connection, _ = server.accept()
    with connection:
        said = json.loads(connection.makefile("rb").readline())
        assert (said["cwd"], said["env"]["NAME"], said["of"]) == (str(tmp_path), "value", client.me())
        process = subprocess.Popen(["sleep", "60"], start_new_session=True)
        connection.sendall(json.dumps({"pid": process.pid}).encode() + b"\n")
        assert until(lambda: kernel.poll() is None and kernel.pid == process.pid)
        kernel.send_signal(signal.SIGTERM)
        assert process.wait(60) == -signal.SIGTERM
        connection.sendall(b'{"exit": -15}\n')
        assert kernel.wait(60) == -signal.SIGTERM
        kernel.kill()
    assert (kernel.started, kernel.returncode) == ("warm", -signal.SIGTERM)
    assert (tmp_path / "kernel.log").read_text() == f"{client.WARM}{process.pid}\n"


def test_a_kill_before_the_answer_starts_nothing(server, tmp_path):
    kernel = ask(tmp_path)
    connection, _ = server.accept()
    kernel.kill()
    with connection:
        connection.settimeout(60)
        assert connection.makefile("rb").readlines()[1:] == []  # what was asked, and then the end
    assert (kernel.poll(), kernel.pid) == (-signal.SIGKILL, 0)
    assert (tmp_path / "kernel.log").read_text() == ""


@pytest.mark.parametrize(
    ("answer", "why"),
    [(b'{"refused": "the code was changed"}\n', "the code was changed"), (b"", "does not answer")],
)
def test_without_a_fork_it_starts_cold_and_says_why(server, tmp_path, answer, why):
    kernel = ask(tmp_path)
    connection, _ = server.accept()
    connection.makefile("rb").readline()
    connection.sendall(answer)
    connection.close()
    assert kernel.wait(60) == 3
    assert kernel.started.startswith("cold: ")
    assert why in kernel.started
    assert why in (tmp_path / "kernel.log").read_text()


def test_a_kernel_outlives_what_the_server_sets_on_the_socket_that_both_hold(monkeypatch):
    """What is non-blocking for one is so for the other: it did kill a kernel in a thousand."""
    ended = threading.Event()
    monkeypatch.setattr(fork.os, "killpg", lambda *_: ended.set())
    client, held = socket.socketpair()

    class Shared(socket.socket):
        def setblocking(self, flag):
            super().setblocking(flag)
            servers.setblocking(False)  # between this and the kernel's next step

    servers = socket.socket(fileno=os.dup(held.fileno()))
    kernels = Shared(fileno=held.detach())
    servers.setblocking(False)
    watch = threading.Thread(target=fork._end_with, args=(kernels,), daemon=True)
    with client, servers, kernels:
        watch.start()
        assert not ended.wait(0.1)
        client.close()
        assert ended.wait(60)
        watch.join()


def test_a_run_leaves_the_folder_of_another_alone(config):
    page = config.reports / "toy-taken" / "report.html"
    page.parent.mkdir(parents=True)
    page.touch()
    order = start.Order(find(config, "toy"), find(config, "toy").check({}), id="toy-taken")
    with pytest.raises(TapebookError, match="cannot start: File exists"):
        start.carry_out(config, order)
    assert page.exists()


def test_nobody_listens(tmp_path):
    kernel = ask(tmp_path)
    assert kernel.started == "cold: no fork server is running"
    assert kernel.wait(60) == 3
