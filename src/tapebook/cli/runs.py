"""Report verbs: `run`, `templates`, and `runs list|show|open|rerun|diff|delete`."""

from __future__ import annotations

import webbrowser
from typing import Any

import click

from tapebook.cli.output import as_json, confirmed, dump, each, link, open_desk, pairs, show, yes


@click.command()
@click.argument("template")
@click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    callback=pairs,
    metavar="NAME=VALUE",
    help="A parameter of the template; may be repeated.",
)
@click.option("--timeout", type=float, help="Seconds that the whole run may take.")
@as_json
def run(template: str, parameters: dict[str, str], timeout: float | None, json_: bool) -> None:
    """Run the report TEMPLATE and keep notebook, page, tables, figures, metrics and manifest.

    \b
    tapebook run backtest -p strategy=sma_cross -p symbols=AAPL,MSFT
    """
    with open_desk() as desk:
        done = desk.run(template, timeout=timeout, **parameters)
    _report(done, json_)


def _report(done: Any, json_: bool) -> None:
    if json_:
        click.echo(dump(done.manifest | {"metrics": done.metrics}))
    else:
        click.echo(f"{done.id}: {done.outcome} in {done.manifest['seconds']:.1f} s")
        click.echo(f"  page      {link(done.html)}\n  notebook  {link(done.notebook)}")


@click.command()
@click.argument("name", required=False)
@as_json
def templates(name: str | None, json_: bool) -> None:
    """List the report templates, or show the parameters of NAME."""
    from tapebook.runs import template

    with open_desk() as desk:
        if name is None:
            show(template.listing(desk.config), json_)
        else:
            show(template.describe(desk.config, name), json_, empty=f"{name} takes no parameters")


@click.group()
def runs() -> None:
    """See, repeat and compare report runs."""


@runs.command("list")
@click.option("--template")
@click.option("--strategy")
@click.option("--symbol")
@click.option("--outcome", help="running, succeeded, failed, timed_out, killed, cancelled or lost.")
@click.option("--limit", default=50, show_default=True)
@as_json
def list_(json_: bool, **filters: Any) -> None:
    """List runs, newest first."""
    with open_desk() as desk:
        rows = desk.runs(**{k: v for k, v in filters.items() if v is not None})
    show(rows, json_, empty="no runs yet: try `tapebook run backtest -p symbols=AAPL`")


@runs.command("show")
@click.argument("id")
@as_json
def show_(id: str, json_: bool) -> None:
    """Show one run: parameters, data, environment, outcome, metrics."""
    from tapebook.strategy.metrics import Metrics

    with open_desk() as desk:
        found = desk.load_run(id)
    if json_:
        click.echo(dump(found.manifest | {"metrics": found.metrics}))
        return
    packages = found.manifest.get("packages") or {}
    rows = {k: v for k, v in found.manifest.items() if k != "packages"} | {
        "packages": f"{len(packages)} (see --json)"
    }
    show([{"": name, "value": value} for name, value in rows.items()], False)
    click.echo()
    shown = Metrics.from_json(found.metrics).frame()[["shown", "convention"]]
    show(shown, False, empty="no metrics recorded")


@runs.command("open")
@click.argument("id")
@click.option("--print", "only_print", is_flag=True, help="Print the page's path; open no browser.")
def open_(id: str, only_print: bool) -> None:
    """Open a run's page in the browser."""
    with open_desk() as desk:
        found = desk.load_run(id)
    click.echo(link(found.html))
    if not only_print:
        webbrowser.open(found.html.as_uri())


@runs.command()
@click.argument("id")
@click.option("--timeout", type=float, help="Seconds that the whole run may take.")
@as_json
def rerun(id: str, timeout: float | None, json_: bool) -> None:
    """Run again what ID ran: same snapshot, same parameters, same seed."""
    with open_desk() as desk:
        done = desk.rerun(id, timeout=timeout)
    _report(done, json_)


@runs.command()
@click.argument("a")
@click.argument("b")
@click.option("--all", "all_", is_flag=True, help="Also what is the same in both.")
@as_json
def diff(a: str, b: str, all_: bool, json_: bool) -> None:
    """Compare two runs: parameters, snapshot, code, packages, metrics."""
    with open_desk() as desk:
        frame = desk.diff_runs(a, b)
    show(frame if all_ else frame[~frame["same"]].drop(columns="same"), json_, empty="no difference")


@runs.command()
@click.argument("ids", nargs=-1, required=True)
@yes
def delete(ids: tuple[str, ...], yes: bool) -> None:
    """Delete runs and their folders."""
    with open_desk() as desk:
        confirmed(f"Delete {', '.join(ids)}?", yes, lambda: each(desk.delete_run, ids))


COMMANDS = [run, templates, runs]
