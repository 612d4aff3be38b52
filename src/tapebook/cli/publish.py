"""`publish`, `unpublish`, `published`, and `runs pin|unpin|prune`."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.output import as_json, confirmed, dump, open_desk, parameters, show, yes
from tapebook.cli.runs import runs


@click.command()
@click.argument("run", required=False)
@click.option("--as", "name", required=True, metavar="NAME", help="The stable name, as in /apple-trend.")
@click.option("--template", help="Show the latest run of this template that succeeded.")
@parameters("With --template: only runs with this parameter; may be repeated.")
@click.option("--schedule", help="Show the latest run of this schedule that succeeded.")
@click.option("--page", help="Show a page without a run: data-health.")
@click.option("--title", help="Said instead of the run's own.")
@click.option("--description", help="A line below the title in the gallery.")
@click.option("--audience", help="everyone (default), unlisted, or groups: 'desk,clients'.")
@click.option("--pin/--no-pin", "pinned", default=None, help="First in the gallery.")
@click.option("--late-after", type=float, metavar="HOURS", help="Warn when its run is older; 0: never.")
@as_json
def publish(json_: bool, parameters: dict[str, str], **said: Any) -> None:
    """Publish RUN under a stable name, or change what is said of a name.

    \b
    tapebook publish backtest-20261126-183000-a1b2 --as apple-trend --title "Apple's trend"
    tapebook publish --template backtest -p symbols=AAPL --as apple-latest --late-after 26
    """
    with open_desk() as desk:
        done = desk.publish(parameters=parameters or None, **said)
    if json_:
        click.echo(dump(vars(done)))
    else:
        click.echo(f"/{done.name} shows {done.shows} (to {', '.join(done.audience)})")


@click.command()
@click.argument("name")
def unpublish(name: str) -> None:
    """Take a published NAME away; its runs stay."""
    with open_desk() as desk:
        desk.unpublish(name)


@click.command()
@click.argument("name", required=False)
@as_json
def published(name: str | None, json_: bool) -> None:
    """List what is published, or the runs that NAME shows and showed."""
    with open_desk() as desk:
        rows = desk.published() if name is None else desk.published_history(name)
    show(rows, json_, empty="nothing is published: try `tapebook publish RUN --as NAME`")


@runs.command()
@click.argument("id")
@click.option("--note", default="", help="Why.")
def pin(id: str, note: str) -> None:
    """Keep the run ID from every rule that clears old ones."""
    with open_desk() as desk:
        desk.pin_run(id, note)


@runs.command()
@click.argument("id")
def unpin(id: str) -> None:
    """Let the rules clear the run ID again."""
    with open_desk() as desk:
        desk.unpin_run(id)


@runs.command()
@click.option("--keep", type=int, help="The newest runs of each template and parameters that stay.")
@click.option("--older-than", metavar="AGE", help="Younger runs stay: 90d, 12h, 6w.")
@click.option("--dry-run", is_flag=True, help="Say what would go; delete nothing.")
@yes
@as_json
def prune(keep: int | None, older_than: str | None, dry_run: bool, yes: bool, json_: bool) -> None:
    """Delete old runs, never pinned or published ones.

    \b
    tapebook runs prune --keep 30 --older-than 90d --dry-run
    """
    with open_desk() as desk:
        rows = desk.prune_runs(keep=keep, older_than=older_than, dry_run=True)
        if not dry_run and len(rows):
            confirmed(
                f"Delete {len(rows)} runs ({rows['bytes'].sum() / 1e6:,.1f} MB)?",
                yes,
                lambda: desk.prune_runs(keep=keep, older_than=older_than),
            )
    show(rows, json_, empty="no run is old enough")


COMMANDS = [publish, unpublish, published]
