"""The server starts where it is told to, says what is wrong, and leaves nothing behind when it ends."""

import os
import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import psutil
import pytest

from dashboards.records_made import make_run, soon_warm
from runs_made import alive, until
from tapebook.config import Config
from tapebook.dashboards import serve
from tapebook.errors import TapebookError

COMMAND = [sys.executable, "-m", "tapebook", "dashboards", "--port", "0", "--no-browser", "--all"]


@pytest.fixture
def config(tmp_path):
    (tmp_path / "tapebook.toml").touch()
    config = Config.load(tmp_path)
    make_run(config.reports, "one")
    return config


def test_a_taken_port_is_said_at_once(config):
    with socket.socket() as other:
        other.bind((serve.HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(TapebookError, match=f"port {port} is taken: .*--port 0"):
            serve.start(config, port=port)


def test_a_folder_without_dashboards_is_said(config, tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(TapebookError, match=r"no dashboards in .*expected run\.ipynb"):
        serve.start(Config.load(tmp_path))


def test_every_run_is_shown_on_this_machine_only(config):
    with pytest.raises(TapebookError, match=r"on this machine only, but the host is 0\.0\.0\.0"):
        serve.start(config, host="0.0.0.0", everything=True)


def test_a_server_that_does_not_answer_is_ended(config, monkeypatch):
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[0])
    monkeypatch.setattr(serve, "PATIENCE", 0.0)
    with pytest.raises(TapebookError, match="did not answer"):
        serve.start(config)
    assert started[0].poll() is not None


@pytest.mark.parametrize("ending", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_ends_with_its_kernels(config, ending):
    """Ctrl-C, `kill` and a closed terminal."""
    soon_warm(config.home)
    told = os.environ | config.environment() | {"TAPEBOOK_HOME": str(config.home)}
    desk = subprocess.Popen(COMMAND, env=told, stdout=subprocess.PIPE, text=True)
    with desk:
        address = desk.stdout.readline().split()[2]
        with urlopen(f"{address}live/run?run=one", timeout=60) as page:
            assert b"kernelId" in page.read()
        below = psutil.Process(desk.pid).children(recursive=True)
        started = " ".join(word for child in below for word in child.cmdline())
        assert "warm/client.py" in started or "ipykernel" in started  # warm, or cold where no server is
        desk.send_signal(getattr(signal, ending))
        assert desk.wait(timeout=60) == 0
    assert until(lambda: not any(alive(child.pid) for child in below)), "something was left behind"
