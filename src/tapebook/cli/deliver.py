"""`demo`: the whole desk once, on real data; `dashboards`: what came of it, in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tapebook.cli.output import link, open_desk, show

if TYPE_CHECKING:
    from tapebook.desk import Desk
    from tapebook.runs import Run

SYMBOLS = "AAPL,GOOG,IBM,MSFT"  # FB's eight months are too short to share a portfolio's history
REPORTS: dict[str, dict[str, Any]] = {
    "backtest": {"strategy": "sma_cross", "symbols": "AAPL"},
    "portfolio": {"strategy": "momentum", "symbols": SYMBOLS},
}


@click.command()
def demo() -> None:
    """Load the bundled market data, write two reports, say where they are. A second call is quick."""
    with open_desk() as desk:
        done = desk.ingest("sample")
        added = sum(row["added"] for row in done.frame().to_dict("records"))
        click.echo(f"data: {len(done.frame())} symbols, {added:,} new bars, snapshot {done.snapshot}")
        runs = {name: _once(desk, name, parameters) for name, parameters in REPORTS.items()}
    headline = [_headline(name, run) for name, run in runs.items()]
    click.echo()
    show(headline, False)
    click.echo("\nreports (open in any browser, no internet needed):")
    for run in runs.values():
        click.echo(f"  {link(run.html)}")
    click.echo("\nnext:")
    click.echo("  make lab          explore in JupyterLab: start with tour/01")
    click.echo("  make dashboards   see the reports in a browser")


def _once(desk: Desk, template: str, parameters: dict[str, Any]) -> Run:
    """Run the report unless the same one, on the same data and template, is there already."""
    found = desk.same_run(template, parameters)
    if found is None:
        click.echo(f"report: running {template} ...", err=True)
    return found or desk.run(template, **parameters)


def _headline(name: str, run: Run) -> dict[str, object]:
    from tapebook.strategy.performance.metrics import Metrics

    metrics = Metrics.from_json(run.metrics)
    first = run.manifest.get("headline") or list(metrics)[:6]
    return {"report": name, **{key.replace("_", " "): str(metrics[key]) for key in first}}


@click.command()
@click.option("--port", default=8866, show_default=True, help="0 takes a free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--all", "everything", is_flag=True, help="Show every run, to you alone: on this machine only.")
@click.option(
    "--for", "groups", default="", metavar="GROUPS", help="Audiences of its viewers: 'desk,clients'."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Listen on another address; asks no password."
)
@click.option("--name", "names", multiple=True, help="A host name by which a proxy asks it; may be repeated.")
def dashboards(
    port: int, no_browser: bool, everything: bool, groups: str, host: str, names: tuple[str, ...]
) -> None:
    """Serve what is published until Ctrl-C: the gallery, static pages, and interactive ones.

    \b
    tapebook publish RUN --as apple-trend && tapebook dashboards
    tapebook dashboards --all                     every run, for yourself
    """
    from tapebook.dashboards.serve import serve

    with open_desk() as desk:
        if not everything and not len(desk.published()):
            click.echo(
                "nothing is published yet: `tapebook publish RUN --as NAME`, or see every run with --all",
                err=True,
            )
        audiences = [word.strip() for word in groups.split(",") if word.strip()]
        serve(
            desk.config,
            port=port,
            open_browser=not no_browser,
            everything=everything,
            groups=audiences,
            host=host,
            names=names,
        )


COMMANDS = [demo, dashboards]
