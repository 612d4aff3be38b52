"""Serve the dashboards: a Voila of its own, whose root holds nothing but them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import click

from tapebook.errors import TapebookError
from tapebook.integration.vault_key import VARIABLES

if TYPE_CHECKING:
    from tapebook.config import Config

IDLE = 300
"""Seconds after which the kernel of a page that nobody looks at is ended."""
PATIENCE = 60.0
"""Seconds that the server may take to answer."""
HOST = "127.0.0.1"
_TEMPLATES = Path(__file__).parent / "jupyter"
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The server has a session of its own, so what ends only this process must be passed on."""


def serve(config: Config, *, port: int = 8866, open_browser: bool = True) -> None:
    """Serve until Ctrl-C, a closed terminal or `kill`; the address is printed once it answers."""
    for ending in _ENDINGS:
        signal.signal(ending, _interrupt)
    server, address = start(config, port=port)
    try:
        click.echo(f"dashboards at {address} (Ctrl-C ends them)")
        if open_browser:
            click.launch(address)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        stop(server)


def start(config: Config, *, port: int = 0) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server in a process of its own; return it and the gallery's address.

    Raises
    ------
    TapebookError
        If the port is taken, the folder has no dashboards, or the server ends at once.
    """
    root = config.notebooks / "dashboards"
    if not (root / "gallery.ipynb").is_file():
        raise TapebookError(f"no dashboards in {root}: expected gallery.ipynb and run.ipynb there")
    port = port or _free()
    if _taken(port):
        raise TapebookError(f"port {port} is taken: give another with --port, or --port 0 for a free one")
    server = subprocess.Popen(_command(root, port), env=_environment(config), start_new_session=True)
    base = f"http://{HOST}:{port}/voila/"
    try:
        _wait(server, f"{base}static/voila.js")
    except BaseException:  # Ctrl-C too: it must not leave a server behind
        stop(server)
        raise
    return server, f"{base}render/gallery.ipynb"


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _answers(address):
        if server.poll() is not None:
            raise TapebookError(
                f"the server ended at once with code {server.returncode}: its words are above"
            )
        if time.monotonic() > deadline:
            raise TapebookError(f"the server did not answer within {PATIENCE:.0f} seconds")
        time.sleep(0.1)


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and every kernel that it has started."""
    if server.poll() is None:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=5)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    try:
        os.killpg(server.pid, signal.SIGTERM)  # its own session: kernels that outlived it
    except ProcessLookupError:
        return


def _command(root: Path, port: int) -> list[str]:
    options = {
        "port": port,
        "Voila.ip": HOST,
        "VoilaConfiguration.template": "tapebook",
        "VoilaConfiguration.file_allowlist": "^$",  # nothing in the root is served as a file
        "Voila.tornado_settings": "disable_check_xsrf=1",  # else a page that closes cannot end its kernel
        "MappingKernelManager.cull_idle_timeout": IDLE,
        "MappingKernelManager.cull_interval": 30,
        "MappingKernelManager.cull_connected": False,
        "KernelManager.transport": "ipc",  # nobody else on this machine can speak to the kernels
        "Voila.log_level": "ERROR",
    }
    return [
        sys.executable,
        "-m",
        "voila",
        str(root),
        "--no-browser",
        *(f"--{k}={v}" for k, v in options.items()),
    ]


def _environment(config: Config) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(_TEMPLATES), os.environ.get("JUPYTER_PATH", "")]))
    seen = {name: value for name, value in os.environ.items() if name not in VARIABLES}  # viewers need no key
    return seen | config.environment() | {"JUPYTER_PATH": path}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=2):
            return True
    except (URLError, OSError):
        return False
