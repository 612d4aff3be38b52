"""`new template`: begin a report of your own."""

from __future__ import annotations

import click

from tapebook.cli.output import link, open_desk


@click.group()
def new() -> None:
    """Begin something of your own."""


@new.command()
@click.argument("name")
@click.option("--title", help="The report's heading [default: the name in words].")
def template(name: str, title: str | None) -> None:
    """Write a report template NAME that already runs, and a test of it.

    It is in `tapebook templates` and in JupyterLab's Launcher at once; change its parameters and cells.

    \b
    tapebook new template weekly_risk --title "Risk of the week"
    tapebook run weekly_risk -p symbols=AAPL,MSFT
    """
    from tapebook.runs.new import new_template

    with open_desk() as desk:
        made = new_template(desk.config, name, title)
    if made.brought:
        click.echo(f"this desk has notebooks of its own now: {link(made.notebook.parents[1])}", err=True)
    click.echo(f"  template  {link(made.notebook)}\n  test      {link(made.test)}")
    click.echo(f"try it: tapebook run {name}", err=True)


COMMANDS = [new]
