"""Saved versions: `strategy save|versions|note|delete|restore|diff`, in the group of cli/strategy.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tapebook.cli.items import revised
from tapebook.cli.output import as_json, confirmed, dump, open_desk, show, yes
from tapebook.cli.strategy import options_of, strategy

if TYPE_CHECKING:
    from tapebook.strategy.version import Version


@strategy.command("save", context_settings={"ignore_unknown_options": True})
@click.argument("what", metavar="STRATEGY")
@click.argument("words", nargs=-1, metavar="[--PARAMETER VALUE]…", type=click.UNPROCESSED)
@click.option("--name", help="A word to find it by [default: the strategy's own name].")
@click.option("--notes", default="", help="What it is, and why.")
@click.option("--parent", help="The version it was made from, such as trend@1 [default: the one before].")
@click.option("--symbols", help="What to check on [default: the three longest-held daily symbols].")
@click.option("--unchecked", is_flag=True, help="Do not check for look-ahead; the version stays marked.")
@as_json
def save(
    what: str, words: tuple[str, ...], symbols: str | None, unchecked: bool, json_: bool, **said: Any
) -> None:
    """Save STRATEGY as it is now: its code, parameters and rules, under a name and the next number.

    It is checked for look-ahead first; what uses the future is not saved. The same code with the same
    parameters and rules is the same version. Every command that takes a strategy takes NAME@NUMBER.

    \b
    tapebook strategy save ideas/trend.py:calm_trend --name trend --notes "slower exit" --fast 10
    tapebook strategy save trend@1 --fees 0.002 --symbols AAPL,MSFT
    tapebook backtest trend@2 AAPL
    """
    from tapebook.strategy import Rules
    from tapebook.strategy.rules import divided

    with open_desk() as desk:
        found = desk.strategy(what)
        own, ruled = divided(found.name, found.parameters, options_of(words))
        params = {name: found.parameters[name].parse(text) for name, text in own.items()}
        rules = Rules.parse(ruled) if ruled else None
        saved = desk.save_strategy(
            found, params=params, rules=rules, bars=symbols, check=not unchecked, **said
        )
    show_version(saved, json_, code=False)
    click.echo(f"\nsaved as {saved}: `tapebook backtest {saved} AAPL`", err=True)


@strategy.command("versions")
@click.argument("name", required=False)
@click.option("--archived", is_flag=True, help="The archived ones too.")
@as_json
def versions(name: str | None, archived: bool, json_: bool) -> None:
    """List saved versions, newest first: parent, look-ahead check, parameters, notes, stored backtests."""
    with open_desk() as desk:
        listed = desk.versions(name, archived=archived)
    hidden = "nothing but archived ones: --archived shows them" if name else None
    show(
        listed,
        json_,
        empty=hidden or "nothing saved yet: try `tapebook strategy save sma_cross --name trend`",
    )


@strategy.command("note")
@click.argument("version", metavar="NAME@NUMBER")
@click.argument("notes")
@revised
def note(version: str, notes: str, revision: int | None) -> None:
    """Replace the notes of a saved version. Nothing else of it can change: save another one.

    \b
    tapebook strategy note trend@2 "too slow in 2020"
    """
    with open_desk() as desk:
        click.echo(repr(desk.update_version(version, notes=notes, revision=revision)))


@strategy.command("delete")
@click.argument("name", metavar="NAME[@NUMBER]")
@revised
@yes
@as_json
def delete(name: str, revision: int | None, yes: bool, json_: bool) -> None:
    """Move one saved version, or all of a name, to the trash.

    It is archived instead, and says so, while a stored result, a run, a frozen version or the ledger of
    trials names it. `tapebook strategy restore` brings it back from either.
    """
    with open_desk() as desk:
        listed = desk.versions(name, archived=True)
        which = ", ".join(f"{row['name']}@{row['version']}" for row in listed.to_dict("records"))

        def act() -> None:
            show(desk.delete_strategy(name, revision=revision), json_)

        confirmed(f"Delete {which}?", yes, act)


@strategy.command("restore")
@click.argument("name", metavar="NAME[@NUMBER]")
@revised
@as_json
def restore(name: str, revision: int | None, json_: bool) -> None:
    """Bring archived and deleted versions back: one, or all of a name."""
    with open_desk() as desk:
        show(desk.restore_strategy(name, revision=revision), json_)


@strategy.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
def diff(a: str, b: str) -> None:
    """Compare two saved versions: code, parameters, rules, and the figures of their newest results.

    \b
    tapebook strategy diff trend@1 trend@2
    """
    with open_desk() as desk:
        click.echo(repr(desk.diff_versions(a, b)))


def show_version(version: Version, json_: bool, code: bool = True) -> None:
    """Print a version for people or for machines."""
    if json_:
        click.echo(dump(version.record()))
        return
    click.echo(repr(version))
    if code:
        click.echo(f"\n{version.code}")


COMMANDS: list[click.Command] = []
"""They are commands of the group `strategy`, which brings them."""
