"""Words that groups have for what they keep (note, tag, log, restore); `search`, `tags` and `trash`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from tapebook.cli.output import as_json, confirmed, open_desk, show, yes

revised = click.option(
    "--revision",
    type=int,
    help="The revision that this was made from: if there is a later one, it is refused.",
)


def each_at(act: Callable[..., object], names: Sequence[str], revision: int | None) -> None:
    """Do it for each, in this order; a revision is of one item alone."""
    if revision is not None and len(names) > 1:
        raise click.UsageError(f"--revision is of one item, but {len(names)} are named")
    for name in names:
        act(name, revision=revision)


def item_words(group: click.Group, kind: str, metavar: str, besides: tuple[str, ...] = ()) -> None:
    """Give a group the words for one kind of item, but for those that it has by itself."""
    argument = click.argument("name", metavar=metavar)
    made = {
        "note": argument(click.argument("text")(revised(_note(kind)))),
        "tag": argument(click.argument("tags", nargs=-1)(_removed(revised(as_json(_tag(kind)))))),
        "log": argument(as_json(_log(kind))),
        "restore": argument(revised(_restore(kind))),
    }
    told = {
        "note": f"Replace the note of a {kind}; `tapebook search` finds it by its words.",
        "tag": f"Give a {kind} TAGS, or take some away; without any, show those that it has.",
        "log": f"Show what was done to a {kind}: who, when, and what it was before and after.",
        "restore": f"Bring a deleted {kind} back from the trash.",
    }
    for word, run in made.items():
        if word not in besides:
            group.add_command(click.command(word, help=told[word])(run))


_removed = click.option("--remove", multiple=True, help="Take this tag away; may be repeated.")


def _note(kind: str) -> Any:
    def note(name: str, text: str, revision: int | None) -> None:
        with open_desk() as desk:
            now = desk.note(f"{kind}:{name}", text, revision=revision)
        click.echo(f"{name} is at revision {now}")

    return note


def _tag(kind: str) -> Any:
    def tag(
        name: str, tags: tuple[str, ...], remove: tuple[str, ...], revision: int | None, json_: bool
    ) -> None:
        with open_desk() as desk:
            said = desk.tag(f"{kind}:{name}", *tags, remove=remove, revision=revision)
        show([{"tag": one} for one in said], json_, empty="no tags")

    return tag


def _log(kind: str) -> Any:
    def log(name: str, json_: bool) -> None:
        with open_desk() as desk:
            show(desk.log(f"{kind}:{name}"), json_, empty="nobody has changed it since there is a history")

    return log


def _restore(kind: str) -> Any:
    def restore(name: str, revision: int | None) -> None:
        with open_desk() as desk:
            desk.restore(f"{kind}:{name}", revision=revision)
        click.echo(f"{name} is back")

    return restore


@click.command()
@click.argument("words", nargs=-1)
@click.option("--kind", "kinds", multiple=True, help="Only of this kind: strategy, result, run …")
@click.option("--tag", "tags", multiple=True, help="Only what has this tag; may be repeated.")
@click.option("--limit", default=20, show_default=True)
@as_json
def search(
    words: tuple[str, ...], kinds: tuple[str, ...], tags: tuple[str, ...], limit: int, json_: bool
) -> None:
    """Find strategies, results, runs and whatever else is kept by WORDS of names, notes, tags and titles.

    All words must be found; each finds what begins with it; accents and case do not count. Words in quotes
    follow each other as they are.

    \b
    tapebook search trend exit
    tapebook search cafe "slow exit" --kind strategy --tag to-review
    """
    with open_desk() as desk:
        asked = (f'"{word}"' if " " in word and '"' not in word else word for word in words)  # as typed
        found = desk.search(" ".join(asked), kinds=kinds, tags=tags, limit=limit)
    show(found, json_, empty="nothing found")


@click.command()
@as_json
def tags(json_: bool) -> None:
    """List the tags, and how many items of each kind have them."""
    with open_desk() as desk:
        show(desk.tags(), json_, empty="no tags yet: try `tapebook results tag ID to-review`")


@click.group()
def trash() -> None:
    """See what was deleted, and let go of it for good."""


@trash.command("list")
@click.option("--kind", help="Only of this kind: result, run, screen …")
@as_json
def list_(kind: str | None, json_: bool) -> None:
    """List what was deleted, by whom, and until when it can come back (`tapebook GROUP restore NAME`)."""
    with open_desk() as desk:
        show(desk.trash(kind), json_, empty="the trash is empty")


@trash.command()
@click.argument("names", nargs=-1, metavar="[KIND:NAME]…")
@click.option("--older-than", help="What was deleted so long ago: 90d, 12h [default: trash_days, 30d].")
@click.option("--all", "all_", is_flag=True, help="Everything.")
@click.option("--dry-run", is_flag=True, help="Show what would go; destroy nothing.")
@yes
@as_json
def empty(
    names: tuple[str, ...], older_than: str | None, all_: bool, dry_run: bool, yes: bool, json_: bool
) -> None:
    """Destroy what was deleted longer ago than the desk keeps it, or the items named, with their files.

    `tapebook worker` does it by itself. What was tried stays counted, and history stays.

    \b
    tapebook trash empty --older-than 7d --dry-run
    tapebook trash empty result:bt-20261126-101500-ab12
    """
    age = "0d" if all_ else older_than
    with open_desk() as desk:
        going = desk.empty_trash(*names, older_than=age, dry_run=True)
        if dry_run or going.empty:
            show(going, json_, empty="nothing to destroy")
            return

        def act() -> None:
            show(desk.empty_trash(*names, older_than=age), json_)

        confirmed(f"Destroy {len(going)} deleted items for good?", yes, act)


COMMANDS = [search, tags, trash]
