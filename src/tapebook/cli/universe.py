"""Universes: `universe list|show|save|add|end|delete`."""

from __future__ import annotations

import click

from tapebook.cli.items import item_words, revised
from tapebook.cli.output import as_json, confirmed, open_desk, show, yes


@click.group()
def universe() -> None:
    """Named lists of symbols with dates of membership; `@NAME` stands for one wherever symbols do."""


@universe.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the universes."""
    with open_desk() as desk:
        show(desk.universes(), json_, empty="no universes yet: see `tapebook universe save --help`")


@universe.command("show")
@click.argument("name")
@click.option("--asof", help="Only those who were members on this day.")
@as_json
def show_(name: str, asof: str | None, json_: bool) -> None:
    """Show the members of NAME and since when, until when."""
    with open_desk() as desk:
        show(desk.universe(name, asof=asof).frame(), json_)


@universe.command()
@click.argument("name")
@click.argument("members", nargs=-1, required=True)
@click.option("--note", help="What it is, and where it comes from.")
@revised
def save(name: str, members: tuple[str, ...], note: str | None, revision: int | None) -> None:
    """Save NAME with MEMBERS: one CSV file (symbol, since, until), or symbols.

    \b
    tapebook universe save sp500 members.csv --note "from the index's notices"
    tapebook universe save majors AAPL MSFT IBM
    """
    from pathlib import Path

    file = len(members) == 1 and (members[0].endswith(".csv") or Path(members[0]).is_file())
    with open_desk() as desk:
        saved = desk.save_universe(name, members[0] if file else list(members), note=note, revision=revision)
    click.echo(f"@{saved.name} saved, version {saved.version}: {len(saved.symbols)} symbols")


@universe.command()
@click.argument("name")
@click.argument("symbol")
@click.option("--since", help="First day of the membership.")
@click.option("--until", help="Last day of the membership.")
@revised
def add(name: str, symbol: str, since: str | None, until: str | None, revision: int | None) -> None:
    """Add a membership of SYMBOL to NAME."""
    with open_desk() as desk:
        saved = desk.save_universe(desk.universe(name).added(symbol, since, until), revision=revision)
    click.echo(f"@{saved.name} saved, version {saved.version}: {len(saved.symbols)} symbols")


@universe.command()
@click.argument("name")
@click.argument("symbol")
@click.option("--until", help="Last day of the membership; without it the symbol is taken out as never in.")
@revised
def end(name: str, symbol: str, until: str | None, revision: int | None) -> None:
    """End the latest membership of SYMBOL in NAME."""
    with open_desk() as desk:
        saved = desk.save_universe(desk.universe(name).ended(symbol, until), revision=revision)
    click.echo(f"@{saved.name} saved, version {saved.version}: {len(saved.symbols)} symbols")


@universe.command()
@click.argument("name")
@revised
@yes
def delete(name: str, revision: int | None, yes: bool) -> None:
    """Move NAME to the trash; bars and results stay."""
    with open_desk() as desk:
        confirmed(f"Delete the universe {name}?", yes, lambda: desk.delete_universe(name, revision=revision))


item_words(universe, "universe", "NAME")
COMMANDS = [universe]
