"""Credentials of integrations: `secrets set|list|show|delete|rotate|key`."""

from __future__ import annotations

import sys

import click

from tapebook.cli.items import item_words, revised
from tapebook.cli.output import as_json, confirmed, open_desk, show, yes


@click.group()
def secrets() -> None:
    """Credentials of integrations: stored encrypted, shown masked, referred to by name.

    The key is in TAPEBOOK_KEY, in the file that TAPEBOOK_KEY_FILE names, in the system's keyring
    (TAPEBOOK_KEY=keyring), or else in data/secrets.key of the desk, which only its owner can read.
    """


@secrets.command("set")
@click.argument("name")
@revised
def set_(name: str, revision: int | None) -> None:
    """Store the credential NAME: asked for without an echo, or read from stdin.

    \b
    tapebook secrets set alpaca
    pass show alpaca | tapebook secrets set alpaca
    """
    if sys.stdin.isatty():
        value = click.prompt(f"value of {name}", hide_input=True, confirmation_prompt=True, err=True)
    else:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    with open_desk() as desk:
        version = desk.secrets.set(name, value, revision=revision)
    click.echo(f"secret:{name} stored, version {version}")


@secrets.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the credentials, masked."""
    with open_desk() as desk:
        show(desk.secrets.list(), json_, empty="no secrets yet: try `tapebook secrets set alpaca`")


@secrets.command("show")
@click.argument("name")
def show_(name: str) -> None:
    """Show NAME masked: enough to tell which one it is."""
    with open_desk() as desk:
        click.echo(desk.secrets.show(name))


@secrets.command()
@click.argument("name")
@revised
@yes
def delete(name: str, revision: int | None, yes: bool) -> None:
    """Forget the credential NAME, for good; one that something uses is refused."""
    with open_desk() as desk:
        confirmed(f"Delete secret {name}?", yes, lambda: desk.secrets.delete(name, revision=revision))


@secrets.command()
def rotate() -> None:
    """Encrypt every credential with a new key, all of them or none.

    A key file or keyring gets the new key by itself. A key in TAPEBOOK_KEY is yours to change: give the next
    one as TAPEBOOK_NEW_KEY, rotate, then let TAPEBOOK_KEY be that one.
    """
    with open_desk() as desk:
        count = desk.secrets.rotate()
    click.echo(f"{count} secrets are sealed with a new key")


@secrets.command()
def key() -> None:
    """Print a new random key, for TAPEBOOK_KEY or a key file of your own. Nothing is stored."""
    from tapebook.integration.vault_key import generate

    click.echo(generate())


item_words(secrets, "secret", "NAME", besides=("restore",))
COMMANDS = [secrets]
