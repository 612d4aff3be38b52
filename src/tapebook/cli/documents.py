"""Documentation tools: `tapebook document add|publish|follow|list|targets|kinds|delete|remove`."""

from __future__ import annotations

import click

from tapebook.cli.items import item_words, revised
from tapebook.cli.output import as_json, confirmed, dump, open_desk, pairs, show, yes


@click.group()
def document() -> None:
    """Write a run's findings to a documentation tool: one page a finding, kept up to date in place."""


@document.command()
@click.argument("name")
@click.argument("kind")
@click.option("--to", help="Where: a folder, an address, owner/repo, a page's id.")
@click.option("--token", help="secret:NAME of a stored credential.")
@click.option("-o", "--option", "options", multiple=True, callback=pairs, metavar="NAME=VALUE")
@revised
def add(
    name: str, kind: str, to: str | None, token: str | None, options: dict[str, str], revision: int | None
) -> None:
    """Add a target NAME of KIND (see `document kinds`), or change its options.

    \b
    tapebook document add notes folder --to ~/vault/research
    tapebook document add team github-issue --to owner/repo --token secret:github
    """
    given = {k: v for k, v in {"to": to, "token": token}.items() if v is not None}
    with open_desk() as desk:
        desk.documents.add(name, kind, revision=revision, **given, **options)
    click.echo(f"{name}: {kind}")


@document.command()
@click.argument("run")
@click.option("--to", required=True, help="The target's name.")
@click.option("--as", "key", help="The page's name [default: the run's published name, or its parameters].")
@click.option("--link", default="", help="Address of the interactive report.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@as_json
def publish(run: str, to: str, key: str | None, link: str, dry_run: bool, json_: bool) -> None:
    """Write the findings of RUN to a target: its page is updated, or made if there is none.

    \b
    tapebook document publish backtest-20261126-183000-a1b2 --to notes --as apple
    """
    with open_desk() as desk:
        done = desk.documents.publish(run, to, key=key, link=link, dry_run=dry_run)
    if json_:
        click.echo(dump(vars(done)))
    else:
        click.echo(" ".join(part for part in (f"{to}/{done.key}", done.outcome, done.url) if part))


@document.command()
@click.option("--to", required=True, help="The target's name.")
@click.option("--template", help="Only runs of this template.")
@click.option("--schedule", help="Only runs of this schedule.")
@click.option("--published", help="Only what this published name shows.")
def follow(to: str, template: str | None, schedule: str | None, published: str | None) -> None:
    """Write each run that succeeds from now on, while `tapebook worker` runs.

    \b
    tapebook document follow --to notes --schedule nightly
    """
    with open_desk() as desk:
        name = desk.documents.follow(to, template=template, schedule=schedule, published=published)
    click.echo(name)
    click.echo(f"end it with `tapebook events unsubscribe {name}`", err=True)


@document.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the pages: which run each shows, where it is, what went wrong last."""
    with open_desk() as desk:
        show(
            desk.documents.list(), json_, empty="no pages yet: try `tapebook document publish RUN --to NAME`"
        )


@document.command()
@as_json
def targets(json_: bool) -> None:
    """List the targets of this desk."""
    with open_desk() as desk:
        rows = desk.documents.targets()
    show(rows, json_, empty="no targets yet: try `tapebook document add notes folder --to FOLDER`")


@document.command()
@as_json
def kinds(json_: bool) -> None:
    """List the kinds of targets, and the options that each takes."""
    from tapebook.integration.documents import describe

    show(describe(), json_)


@document.command()
@click.argument("key")
@click.option("--to", required=True, help="The target's name.")
@revised
@yes
def delete(key: str, to: str, revision: int | None, yes: bool) -> None:
    """Take the page KEY away, at its tool too."""
    with open_desk() as desk:
        desk.catalog.documents.one(to, key)
        confirmed(f"Delete {key} at {to}?", yes, lambda: desk.documents.delete(to, key, revision=revision))


@document.command()
@click.argument("name")
@revised
@yes
def remove(name: str, revision: int | None, yes: bool) -> None:
    """Move the target NAME to the trash; its pages stay where they are."""
    with open_desk() as desk:
        desk.catalog.documents.target(name)
        confirmed(f"Forget the target {name}?", yes, lambda: desk.documents.remove(name, revision=revision))


item_words(document, "document", "TARGET")
COMMANDS = [document]
