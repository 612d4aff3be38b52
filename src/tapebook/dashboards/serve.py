"""Serve the dashboards: a server of their own in a process of its own, never JupyterLab's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import click

from tapebook.errors import TapebookError
from tapebook.integration.vault_key import VARIABLES

if TYPE_CHECKING:
    from tapebook.config import Config

PATIENCE = 60.0
"""Seconds that the server may take to answer."""
HOST = "127.0.0.1"
LOCAL = ("127.0.0.1", "localhost", "::1")
_ENDINGS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The server has a session of its own, so what ends only this process must be passed on."""


def serve(
    config: Config,
    *,
    port: int = 8866,
    open_browser: bool = True,
    host: str = HOST,
    everything: bool = False,
    groups: Sequence[str] = (),
    names: Sequence[str] = (),
) -> None:
    """Serve until Ctrl-C, a closed terminal or `kill`; the address is printed once it answers."""
    for ending in _ENDINGS:
        signal.signal(ending, _interrupt)
    server, address = start(config, port=port, host=host, everything=everything, groups=groups, names=names)
    try:
        click.echo(f"dashboards at {address} (Ctrl-C ends them)")
        if open_browser:
            click.launch(address)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        stop(server)


def start(
    config: Config,
    *,
    port: int = 0,
    host: str = HOST,
    everything: bool = False,
    groups: Sequence[str] = (),
    names: Sequence[str] = (),
) -> tuple[subprocess.Popen[bytes], str]:
    """Start the server in a process of its own; return it and the gallery's address.

    Parameters
    ----------
    host : str
        The address to listen on. Any other than this machine's own is for a network that may see all that
        is published: no password is asked, a proxy in front does that.
    everything : bool
        Show every run, published or not: for the owner, and so on this machine only.
    groups : sequence of str
        Audiences that this server's viewers belong to, besides everyone.
    names : sequence of str
        Host names by which a proxy asks it.

    Raises
    ------
    TapebookError
        If the port is taken, the folder has no dashboards, or the server ends at once.
    """
    root = config.notebooks / "dashboards"
    if not (root / "run.ipynb").is_file():
        raise TapebookError(f"no dashboards in {root}: expected run.ipynb and others there")
    if everything and host not in LOCAL:
        raise TapebookError(
            f"all runs are shown on this machine only, but the host is {host}: publish instead"
        )
    port = port or _free()
    if _taken(port):
        raise TapebookError(f"port {port} is taken: give another with --port, or --port 0 for a free one")
    hosts = [*LOCAL, *names] if host in LOCAL else []
    said = {"root": str(root), "port": port, "host": host, "everything": everything, "groups": list(groups)}
    command = [sys.executable, "-m", "tapebook.dashboards", json.dumps(said | {"hosts": hosts})]
    seen = {name: value for name, value in os.environ.items() if name not in VARIABLES}  # viewers need no key
    server = subprocess.Popen(command, env=seen | config.environment(), start_new_session=True)
    base = f"http://{HOST if host in (*LOCAL, '0.0.0.0', '') else host}:{port}/"
    try:
        _wait(server, base)
    except BaseException:  # Ctrl-C too: it must not leave a server behind
        stop(server)
        raise
    return server, base


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
