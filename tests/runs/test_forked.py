"""A run's own end of a forked kernel: answers that come late, refusals, and a kill before any answer."""

import json
import signal
import socket
import subprocess
import sys

import pytest

from runs_made import until
from tapebook.runs.warm import client, forked
from tapebook.runs.warm.forked import Forked

ENDS = [sys.executable, "-c", "raise SystemExit(3)"]


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


def test_nobody_listens(tmp_path):
    kernel = ask(tmp_path)
    assert kernel.started == "cold: no fork server is running"
    assert kernel.wait(60) == 3
