"""`tapebook worker`: run what is due, deliver events and notices."""

from __future__ import annotations

import logging
import sys

import click

from tapebook.cli.output import open_desk


@click.command()
@click.option("--once", is_flag=True, help="Run what is due now, then end.")
@click.option("--parallel", type=click.IntRange(1), default=1, show_default=True, help="Runs at a time.")
def worker(once: bool, parallel: int) -> None:
    """Run schedules as they become due, and deliver events and notices, until Ctrl-C.

    Several workers may run, on one machine or many: nothing is run by two. Runs in progress when it is
    stopped are made again by the next one, and what was missed meanwhile is made up once.
    """
    said = logging.getLogger("tapebook")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    said.addHandler(handler)
    said.setLevel(logging.INFO)
    try:
        with open_desk() as desk:
            if not once:
                click.echo("working: Ctrl-C ends it", err=True)
            count = desk.work(once=once, parallel=parallel)
    finally:
        said.removeHandler(handler)
    click.echo(f"{count} run{'' if count == 1 else 's'} ended")


COMMANDS = [worker]
