"""Report verbs: `run`, `templates`, and `runs list|show|open|rerun|diff|delete`."""

from __future__ import annotations

import webbrowser
from typing import Any

import click

from tapebook.cli.items import each_at, item_words, revised
from tapebook.cli.output import as_json, confirmed, dump, each, link, open_desk, pairs, parameters, show, yes


@click.command()
@click.argument("template", required=False)
@parameters()
@click.option(
    "--grid",
    multiple=True,
    callback=pairs,
    metavar="NAME=V1,V2",
    help="Run once for each value; several give every combination. Values that hold commas are parted by "
    "semicolons: 'symbols=AAPL,MSFT;GOOG'.",
)
@click.option("--timeout", type=float, help="Seconds that a whole run may take.")
@click.option("--memory", help="Memory that a run may take, such as 2G.")
@click.option("--jobs", type=int, help="Runs side by side [default: processors + 1].")
@click.option("--retries", default=2, show_default=True, help="Tries again, after what may pass.")
@click.option("--resume", metavar="BATCH", help="Go on with a batch whose program was ended.")
@as_json
def run(
    template: str | None,
    parameters: dict[str, str],
    grid: dict[str, str],
    timeout: float | None,
    memory: str | None,
    jobs: int | None,
    retries: int,
    resume: str | None,
    json_: bool,
) -> None:
    """Run the report TEMPLATE and keep notebook, page, tables, figures, metrics and manifest.

    \b
    tapebook run backtest -p strategy=sma_cross -p symbols=AAPL,MSFT
    tapebook run backtest --grid symbols=AAPL,MSFT,GOOG --grid "params=fast=10;fast=20"
    """
    if (template is None) == (resume is None):
        raise click.UsageError("name a TEMPLATE, or a batch with --resume")
    given: dict[str, Any] = dict(parameters)
    with open_desk() as desk:
        if resume is not None:
            _report_batch(desk.resume_runs(resume), json_)
        elif grid:
            done = desk.run_many(
                str(template), grid, timeout=timeout, memory=memory, jobs=jobs, retries=retries, **given
            )
            _report_batch(done, json_)
        else:
            _report(desk.run(str(template), timeout=timeout, memory=memory, **given), json_)


def _report_batch(done: Any, json_: bool) -> None:
    """Print what came of each run; exit 1 unless all succeeded."""
    frame = done.frame().reset_index()
    show(frame if json_ else frame.drop(columns="item"), json_)
    click.echo(repr(done), err=True)
    if set(done.counts) - {"succeeded"}:
        raise SystemExit(1)


def _report(done: Any, json_: bool) -> None:
    if json_:
        click.echo(dump(done.manifest | {"metrics": done.metrics}))
        return
    click.echo(f"{done.id}: {done.outcome} in {done.manifest['seconds']:.1f} s")
    if str(done.manifest.get("kernel")).startswith("cold: "):
        click.echo(f"note: the kernel started {done.manifest['kernel']}", err=True)
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
@click.option(
    "--outcome", help="running, succeeded, failed, timed_out, out_of_memory, killed, cancelled or lost."
)
@click.option("--tag", help="Only those with this tag.")
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
    from tapebook.strategy.performance.metrics import Metrics

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
@click.argument("ids", nargs=-1)
@click.option("--timeout", type=float, help="Seconds that each run may take.")
@click.option("--now", is_flag=True, help="On the bars and universes as they are now.")
@click.option("--stale", is_flag=True, help="Every run whose bars were revised since, on those of now.")
@as_json
def rerun(ids: tuple[str, ...], timeout: float | None, now: bool, stale: bool, json_: bool) -> None:
    """Run again what IDS ran: same snapshot, same parameters, same seed, unless --now."""
    with open_desk() as desk:
        ids = tuple(dict.fromkeys((*ids, *(desk.stale_runs() if stale else ()))))
        if not ids and not stale:
            raise click.UsageError("say which: ids, or --stale")
        for id in ids:
            _report(desk.rerun(id, timeout=timeout, now=now or stale), json_)
    if not ids:
        click.echo("no run is stale", err=True)


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
@revised
@yes
def delete(ids: tuple[str, ...], revision: int | None, yes: bool) -> None:
    """Move runs to the trash; pinned and published ones are refused."""
    with open_desk() as desk:
        confirmed(f"Delete {', '.join(ids)}?", yes, lambda: each_at(desk.delete_run, ids, revision))


@runs.command()
@click.argument("ids", nargs=-1, required=True)
def cancel(ids: tuple[str, ...]) -> None:
    """End runs that go on, or whole batches, whichever process runs them."""
    with open_desk() as desk:
        each(desk.cancel_run, ids)


@runs.command()
@click.argument("id", required=False)
@as_json
def batches(id: str | None, json_: bool) -> None:
    """List the batches, or what came of each run of batch ID."""
    with open_desk() as desk:
        if id is None:
            show(
                desk.batches(),
                json_,
                empty="no batches yet: try `tapebook run backtest --grid symbols=AAPL,MSFT`",
            )
        else:
            show(desk.load_batch(id).frame().reset_index(), json_)


item_words(runs, "run", "ID")
COMMANDS = [run, templates, runs]
