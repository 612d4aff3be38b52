"""Bars changed by hand: `data edit|audit|restore`, in the group of cli/data.py."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.data import data, spanned
from tapebook.cli.items import item_words
from tapebook.cli.output import as_json, confirmed, dump, open_desk, show, yes
from tapebook.schema import FIELDS


@data.command()
@click.argument("symbol", required=False)
@click.argument("ts", required=False)
@click.option("--open", type=float)
@click.option("--high", type=float)
@click.option("--low", type=float)
@click.option("--close", type=float)
@click.option("--volume", type=float)
@click.option("--times", type=float, help="Multiply the prices of the bars from --start to --end.")
@spanned
@click.option("--freq", default="1d", show_default=True, help="Length of the bar.")
@click.option("--from", "file", help="A CSV file: symbol, ts and fields; an empty cell leaves what is there.")
@click.option("--reason", required=True, help="Why; it is kept with every bar.")
@click.option("--seen", type=int, help="The snapshot in which you saw the bars [default: the newest].")
@click.option("--add", is_flag=True, help="Make bars that are not there.")
@click.option("--force", is_flag=True, help="Store what the quality checks call wrong.")
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@yes
@as_json
def edit(
    symbol: str | None,
    ts: str | None,
    file: str | None,
    dry_run: bool,
    yes: bool,
    json_: bool,
    freq: str,
    **said: Any,
) -> None:
    """Correct the bar of SYMBOL at TS (UTC), a span of its bars, or those of a file: all of them or none.

    Shows the bars before and after, and asks. If somebody changes one meanwhile, nothing is written. The
    snapshot before stays readable, results that read the bars are stale, and what a source sends later does
    not overwrite them. A file may say in columns was_open … was_volume what was seen there.

    \b
    tapebook data edit AAPL 2010-01-04 --close 214.01 --reason "misprint, see the exchange's bulletin"
    tapebook data edit VOD --start 2010-01-04 --end 2010-01-08 --times 0.01 --reason "pence, not pounds"
    tapebook data edit --from fixes.csv --reason "from the bulletin" --dry-run
    """
    one = symbol is not None and (ts is not None) != (said["times"] is not None)
    if (file is None) != one:
        raise click.UsageError("name SYMBOL and TS, SYMBOL and --times, or a file with --from")
    fields = {name: said.pop(name) for name in FIELDS}
    given = {name: value for name, value in fields.items() if value is not None}
    asked = {"freq": freq, **said, **given}
    with open_desk() as desk:
        what: tuple[Any, ...] = (symbol, ts) if file is None else (file,)
        would = desk.edit_bars(*what, dry_run=True, **asked)
        if would.number is None:
            click.echo("nothing changed: the bars are like that already", err=True)
            return
        if dry_run:
            _show(would, json_)
            return
        if not yes:
            _show(would, False)
        if asked["seen"] is None:
            asked["seen"] = would.snapshot

        def act() -> None:
            done = desk.edit_bars(*what, **asked)
            if json_:
                _show(done, True)
            else:
                click.echo(str(done))

        confirmed("Change them?", yes, act)


def _show(done: Any, json_: bool) -> None:
    both = [column for name in FIELDS for column in (f"was_{name}", name)]
    rows = [{name: row[name] for name in ("symbol", "ts", "what", *both)} for row in done.bars.to_dicts()]
    if json_:
        click.echo(dump({"edit": done.number, "snapshot": done.snapshot, "bars": rows}))
        return
    same = [n for n in FIELDS if all(row[n] == row[f"was_{n}"] for row in rows)]
    hidden = {*same, *(f"was_{name}" for name in same)}
    show([{k: v for k, v in row.items() if k not in hidden} for row in rows], False)


@data.command()
@click.argument("symbols", required=False)
@click.option("--edit", type=int, help="The bars of this edit, before and after.")
@click.option("--limit", default=100, show_default=True)
@as_json
def audit(symbols: str | None, edit: int | None, limit: int, json_: bool) -> None:
    """Show who changed which bars by hand, when and why; `data show --asof` reads the snapshot before."""
    with open_desk() as desk:
        show(desk.audit(symbols, edit=edit, limit=limit), json_, empty="no bar was changed by hand")


@data.command()
@click.argument("edit", type=int)
@click.option("--reason", default="", help="Why; it is kept with every bar.")
def restore(edit: int, reason: str) -> None:
    """Put back what EDIT changed or deleted (`data audit` has its number), as a new snapshot."""
    with open_desk() as desk:
        click.echo(str(desk.restore_bars(edit, reason=reason)))


item_words(data, "symbol", "SYMBOL", besides=("restore",))
COMMANDS: list[click.Command] = []
"""They are commands of the group `data`, which brings them."""
