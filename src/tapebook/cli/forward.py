"""Forward tests: `tapebook freeze` and `tapebook forward …`."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.output import adjusted, as_json, dump, open_desk, show
from tapebook.cli.strategy import on_bars, parted, ruled_by


@on_bars
@adjusted
@click.option("--until", help="Freeze as if on that day; marked as hindsight for good.")
@click.option("--note", default="", help="A word to find it by.")
@click.option("--unchecked", is_flag=True, help="Leave out the look-ahead check; marked so for good.")
@as_json
def freeze(
    name: str,
    words: tuple[str, ...],
    until: str | None,
    note: str,
    unchecked: bool,
    json_: bool,
    start: str | None,
    end: str | None,
    asof: str | None,
    **options: Any,
) -> None:
    """Freeze STRATEGY on SYMBOLs: code, parameters, rules, and what its backtest leads one to expect.

    Nothing of it can be changed or deleted afterwards. `tapebook forward run` then lets it decide on the
    bars that come, and says whether reality is inside what was expected.

    \b
    tapebook freeze sma_cross AAPL --fast 10 --slow 50
    """
    from tapebook.strategy.rules import divided

    if end or asof:
        raise click.UsageError("a freeze reads what there is now: say --until DAY to freeze as if earlier")
    symbols, said = parted(words)
    with open_desk() as desk:
        found = desk.strategy(name)
        said, ruled = divided(found.name, found.parameters, said)
        params, rules = found.parse(said), ruled_by(found, ruled)
        made = desk.freeze(
            name,
            params,
            symbols,
            rules=rules,
            start=start,
            until=until,
            note=note,
            check=not unchecked,
            **options,
        )
    if json_:
        click.echo(dump({"id": made.id, "digest": made.digest, "content": dict(made.content)}))
        return
    click.echo(repr(made))
    click.echo(f"\nfrom now on: `tapebook forward run {made.id}` after each session", err=True)


@click.group()
def forward() -> None:
    """Let frozen strategies decide on the bars that come, and compare with what was expected."""


@forward.command("list")
@as_json
def list_(json_: bool) -> None:
    """List frozen strategies, newest first."""
    with open_desk() as desk:
        listed = desk.all_frozen()
    if listed.empty and not json_:
        click.echo("nothing is frozen yet: `tapebook freeze sma_cross AAPL`", err=True)
        return
    show(listed, json_)


@forward.command("run")
@click.argument("id", required=False)
@as_json
def run(id: str | None, json_: bool) -> None:
    """Decide on every new bar, once, and say where reality stands (the newest frozen by default)."""
    _tell(id, json_, write=True)


@forward.command("show")
@click.argument("id", required=False)
@as_json
def show_(id: str | None, json_: bool) -> None:
    """Say where reality stands, without deciding on new bars."""
    _tell(id, json_, write=False)


def _tell(id: str | None, json_: bool, *, write: bool) -> None:
    with open_desk() as desk:
        done = desk.forward(id, write=write)
    if json_:
        told = {
            "id": done.frozen.id,
            "added": done.added,
            "entries": len(done.entries),
            "words": done.words(),
        }
        told |= {"percentile": done.cone.percentile if done.cone else None}
        told |= {"inside": done.cone.inside if done.cone else None}
        told |= {"decayed": None if done.decay is None or done.decay.since is None else str(done.decay.since)}
        told |= {"orders": done.tomorrow().to_dict("records"), "held": done.held().to_dict("records")}
        told |= {"gaps": done.gaps.to_dict("records"), "revisions": done.revisions.to_dict("records")}
        click.echo(dump(told))
        return
    click.echo(repr(done))
    if len(done.entries):
        click.echo(f"\npaper orders for {done.next_session}")
        orders = done.tomorrow()
        show(orders, False) if len(orders) else click.echo("none")
        held = done.held()
        if len(held):
            click.echo("\nheld")
            show(held, False)
    if write:
        click.echo(f"\n{done.added:,} entries were added to the ledger", err=True)


@forward.command("orders")
@click.argument("id", required=False)
@as_json
def orders(id: str | None, json_: bool) -> None:
    """Show the paper orders for the next session."""
    with open_desk() as desk:
        done = desk.forward(id, write=False)
    told = done.tomorrow()
    if told.empty and not json_:
        click.echo(f"no orders for {done.next_session}", err=True)
        return
    show(told, json_)


@forward.command("verify")
@click.argument("id", required=False)
def verify(id: str | None) -> None:
    """Prove that nothing of a frozen strategy and of its ledger was changed: walk the chain of hashes."""
    with open_desk() as desk:
        done = desk.forward(id, write=False)
        why = done.verify()
    if why is not None:
        raise click.ClickException(why)
    click.echo(f"{done.frozen.id}: {len(done.entries):,} entries, all as they were written")


COMMANDS = [freeze, forward]
