"""`publish`, `unpublish`, `published [show|note|tag|log|restore]`, and `runs pin|unpin|prune`."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.items import item_words, revised
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
@revised
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
@revised
def unpublish(name: str, revision: int | None) -> None:
    """Move a published NAME to the trash; its runs stay. `tapebook published restore NAME` undoes it."""
    with open_desk() as desk:
        desk.unpublish(name, revision=revision)


class Names(click.Group):
    """Words for published names. What is none of them is a name, whose runs are listed."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the word that was asked for, or show a name."""
        if args and args[0] not in self.commands:
            return "show", show_, args
        return super().resolve_command(ctx, args)


@click.group(cls=Names, invoke_without_command=True, subcommand_metavar="[NAME | COMMAND NAME]")
@as_json
@click.pass_context
def published(ctx: click.Context, json_: bool) -> None:
    """List what is published, or the runs that NAME shows and showed."""
    if ctx.invoked_subcommand is not None:
        return
    with open_desk() as desk:
        show(desk.published(), json_, empty=_NONE)


@published.command("show")
@click.argument("name")
@as_json
@click.pass_context
def show_(ctx: click.Context, name: str, json_: bool) -> None:
    """List the runs that NAME shows and showed, newest first."""
    json_ = json_ or bool(ctx.parent and ctx.parent.params["json_"])
    with open_desk() as desk:
        show(desk.published_history(name), json_, empty=_NONE)


@runs.command()
@click.argument("id")
@click.option("--note", default="", help="Why.")
@revised
def pin(id: str, note: str, revision: int | None) -> None:
    """Keep the run ID from every rule that clears old ones."""
    with open_desk() as desk:
        desk.pin_run(id, note, revision=revision)


@runs.command()
@click.argument("id")
@revised
def unpin(id: str, revision: int | None) -> None:
    """Let the rules clear the run ID again."""
    with open_desk() as desk:
        desk.unpin_run(id, revision=revision)


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


_NONE = "nothing is published: try `tapebook publish RUN --as NAME`"
item_words(published, "publication", "NAME")
COMMANDS = [publish, unpublish, published]
