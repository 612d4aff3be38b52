"""What was tried on this desk: `tapebook trials`."""

from __future__ import annotations

import click

from tapebook.cli.output import as_json, open_desk, show


@click.command()
@click.option("--batches", is_flag=True, help="One row a backtest or sweep, with who made it.")
@as_json
def trials(batches: bool, json_: bool) -> None:
    """List every idea that was tried here and how often: nothing in this ledger expires.

    An idea is a family of strategies on a universe. "independent" estimates how many of its trials were
    different in truth, from groups of like returns; the odds of every result count them.
    """
    with open_desk() as desk:
        listed = desk.trials(batches=batches)
    if listed.empty and not json_:
        click.echo("nothing was tried yet: `tapebook backtest sma_cross AAPL` is a trial", err=True)
        return
    show(listed, json_)


COMMANDS = [trials]
