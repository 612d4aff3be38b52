"""`kernel`: warm kernels for JupyterLab and other Jupyter tools of this environment."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import click

from tapebook.cli.output import link, open_desk

if TYPE_CHECKING:
    from tapebook.runs.warm import Kernels


@click.group()
def kernel() -> None:
    """Have warm kernels: imports and compiling done before the notebook is opened."""


@kernel.command()
@click.option("--user", is_flag=True, help="For every environment of this user, not this one alone.")
def install(user: bool) -> None:
    """Put the kernel `tapebook` where JupyterLab, papermill, Voila and nbval see it."""
    from tapebook.runs import warm

    click.echo(link(warm.install(user=user)))
    click.echo("its kernels start warm while `tapebook kernel serve` or a worker runs", err=True)


@kernel.command()
def remove() -> None:
    """Take the kernel `tapebook` away again."""
    from tapebook.runs import warm

    for folder in warm.remove():
        click.echo(link(folder))


@kernel.command()
def serve() -> None:
    """Keep kernels warm until Ctrl-C, for whatever you run beside: Lab, `tapebook run`, papermill."""
    from tapebook.runs.warm import serving

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with open_desk() as desk, serving(desk.config) as kernels:
        _announce(kernels)
        try:
            stop.wait()
        except KeyboardInterrupt:
            return


def _announce(kernels: Kernels) -> None:
    if kernels.wait():
        click.echo("kernels are warm (Ctrl-C ends that)", err=True)
    for name, value in kernels.environment.items():
        click.echo(f"{name}={value}")


COMMANDS = [kernel]
