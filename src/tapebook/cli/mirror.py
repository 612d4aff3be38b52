"""`tapebook data mirror`: bars in plain PostgreSQL tables."""

from __future__ import annotations

from dataclasses import asdict

import click

from tapebook.cli.data import data
from tapebook.cli.output import as_json, dump, open_desk


@data.command()
@click.argument("url")
@click.option("--symbols", help="Only these, comma separated; remembered for the next time.")
@click.option("--schema", default="market", show_default=True, help="The schema that has the tables.")
@click.option("--follow", "-f", is_flag=True, help="Go on with every change, until Ctrl-C.")
@click.option("--status", is_flag=True, help="Say how far it is; write nothing.")
@as_json
def mirror(url: str, symbols: str | None, schema: str, follow: bool, status: bool, json_: bool) -> None:
    """Keep plain PostgreSQL tables at URL (or secret:NAME) in step with the lake.

    \b
    tapebook data mirror postgresql://me@host/warehouse --follow
    tapebook data mirror secret:warehouse --status
    """
    with open_desk() as desk:
        if status:
            told = asdict(desk.mirror_status(url, schema=schema))
            lines = (f"{name}: {'all' if name == 'symbols' and v is None else v}" for name, v in told.items())
            click.echo(dump(told) if json_ else "\n".join(lines))
            return
        done = desk.mirror(
            url, symbols=symbols, schema=schema, follow=follow, say=lambda line: click.echo(line, err=True)
        )
    click.echo(dump(asdict(done)) if json_ else str(done))


COMMANDS: list[click.Command] = []  # it belongs to `tapebook data`
