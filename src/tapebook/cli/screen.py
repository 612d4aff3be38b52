"""`tapebook scan EXPR` and `tapebook screen`: which symbols a condition finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tapebook.cli.items import each_at, item_words, revised
from tapebook.cli.output import adjusted, as_json, confirmed, dump, each, open_desk, show, yes

if TYPE_CHECKING:
    from tapebook.strategy.screen.hits import Screen


def looks_like_one(word: str) -> bool:
    """Whether a word is meant as an expression, not as a name: it has more than letters, or it is a field."""
    from tapebook.strategy.screen.words import FIELDS, WORDS

    return not word.replace("_", "").isalpha() or word.lower() in (*FIELDS, *WORDS, "symbol")


def day_or_snapshot(said: str | None) -> str | int | None:
    """Read what --asof was given: a day, a time, or a snapshot's number (four digits are a year)."""
    return int(said) if said and said.isdigit() and len(said) != 4 else said


@click.command("EXPR")
@click.argument("expression", metavar="EXPR")
@click.option("--universe", help="Symbols to look at, such as AAPL,MSFT [default: all of the lake].")
@click.option("--asof", help="A day or time, UTC: what was known then. Or a snapshot's number.")
@click.option("--snapshot", help="A snapshot's number or a time: data as the lake held it then.")
@click.option("--freq", default="1d", show_default=True)
@adjusted
@click.option("--rows", default=20, show_default=True, help="Hits shown at most.")
@click.option("--history", is_flag=True, help="Show how often it held on the bars of the past instead.")
@as_json
def expression_(
    expression: str,
    universe: str | None,
    asof: str | None,
    snapshot: str | None,
    rows: int,
    history: bool,
    json_: bool,
    **options: Any,
) -> None:
    """Find the symbols for which EXPR holds, as of the newest bar or of any day.

    `tapebook screen words` lists what EXPR may say.

    \b
    tapebook scan "close > sma(200) and rsi(14) < 30 and volume > 2 * avg(volume, 20)"
    tapebook scan "rank(change(250)) <= 5" --asof 2008-10-10 --universe AAPL,IBM,MSFT
    """
    with open_desk() as desk:
        pinned = int(snapshot) if snapshot and snapshot.isdigit() and len(snapshot) != 4 else snapshot
        found = desk.scan(expression, universe, asof=day_or_snapshot(asof), snapshot=pinned, **options)
    if json_:
        click.echo(dump(told(found) | ({"history": _counts(found)} if history else {})))
        return
    note(found)
    if history:
        show(found.counts().reset_index().head(rows), False)
    else:
        print_hits(found, rows)


def told(found: Screen) -> dict[str, Any]:
    """Return what a screen found, for a machine."""
    coverage = found.coverage
    return {
        "expression": found.expression,
        "bar": found.end,
        "snapshot": found.snapshot,
        "summary": found.summary,
        "coverage": {
            "asked": coverage.asked,
            "used": coverage.used,
            "excluded": coverage.excluded.to_dict("records"),
        },
        "notes": list(found.notes),
        "hits": found.table.to_dict("records"),
    }


def note(found: Screen) -> None:
    """Print what was found in words, and what is odd."""
    click.echo(found.summary)
    for said in found.notes:
        click.echo(f"note: {said}", err=True)


def print_hits(found: Screen, rows: int) -> None:
    """Print the hits as a table."""
    show(found.table.head(rows), False, empty="nothing found")
    if len(found.table) > rows:
        click.echo(f"and {len(found.table) - rows:,} more: --rows {len(found.table)}", err=True)


def _counts(found: Screen) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in found.counts().reset_index().to_dict("records")]


@click.group()
def screen() -> None:
    """Screens that are kept: what they find now, what entered and what left since the last time."""


@screen.command()
@as_json
def words(json_: bool) -> None:
    """List the fields and functions of the screening language."""
    from tapebook.strategy.screen.words import FIELDS, WORDS, usage

    fields = [{"word": name, "meaning": "of the bar, adjusted"} for name in FIELDS]
    fields.append({"word": "symbol", "meaning": "the name: symbol in (AAPL, 'BRK.B')"})
    show([*fields, *({"word": usage(name), "meaning": WORDS[name].help} for name in WORDS)], json_)
    if not json_:
        click.echo(SYNTAX, err=True)


@screen.command()
@click.argument("name")
@click.argument("expression", metavar="EXPR")
@click.option("--universe", help="Symbols to look at, such as AAPL,MSFT [default: all of the lake].")
@click.option("--freq", default="1d", show_default=True)
@adjusted
@click.option("--note", help="What it is for [default: as it was].")
@click.option("--version", type=int, help="Change it only if it is still at this version.")
@revised
def save(name: str, expression: str, universe: str | None, **options: Any) -> None:
    """Keep the screen EXPR as NAME, or change it.

    \b
    tapebook screen save oversold "close > sma(200) and rsi(14) < 30"
    """
    with open_desk() as desk:
        version = desk.save_screen(name, expression, universe, **options)
    click.echo(f"{name}@{version}")
    click.echo(f"`tapebook screen run {name}` runs it and tells what entered and left", err=True)


@screen.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the kept screens."""
    with open_desk() as desk:
        rows = desk.screens()
    show(rows, json_, empty="no screen yet: `tapebook screen save NAME EXPR`")


@screen.command()
@click.argument("name")
@click.option("--asof", help="A day or time, UTC: bars known by then [default: the newest].")
@click.option("--rows", default=20, show_default=True, help="Hits shown at most.")
@as_json
def run(name: str, asof: str | None, rows: int, json_: bool) -> None:
    """Run a kept screen; what entered and left since the last run becomes events (`scan.hit`)."""
    with open_desk() as desk:
        done = desk.run_screen(name, asof=asof)
    if json_:
        changes = {"first": done.ran.entered is None, "entered": done.entered, "left": done.left}
        click.echo(dump({"name": name, "run": done.ran.seq} | changes | told(done.found)))
        return
    click.echo(done.summary)
    show(done.table.head(rows), False, empty="nothing found")


@screen.command("show")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="Runs shown at most.")
@as_json
def show_(name: str, limit: int, json_: bool) -> None:
    """Show a kept screen and its runs: when, on what bars, what entered and left."""
    with open_desk() as desk:
        row, runs = desk.catalog.screens.get(name), desk.screen_runs(name, limit=limit)
    if json_:
        said = {
            key: getattr(row, key) for key in ("name", "version", "expression", "symbols", "freq", "note")
        }
        click.echo(dump(said | {"runs": runs.to_dict("records")}))
        return
    click.echo(f"{row.name}@{row.version}: {row.expression}")
    show(runs.drop(columns=["seq", "snapshot"]), False, empty=f"not run yet: `tapebook screen run {name}`")


@screen.command()
@click.argument("names", nargs=-1, required=True)
@revised
@yes
def delete(names: tuple[str, ...], revision: int | None, yes: bool) -> None:
    """Move kept screens and their runs to the trash."""
    with open_desk() as desk:
        each(desk.catalog.screens.get, names)
        confirmed(f"Delete {', '.join(names)}?", yes, lambda: each_at(desk.delete_screen, names, revision))


@screen.command()
@click.argument("scanner", type=click.Choice(["tradingview", "finviz"]))
@click.argument("filters", nargs=-1, metavar="[FILTER]…")
@click.option("--limit", default=100, show_default=True, help="Hits asked for at most.")
@click.option("--compare", metavar="EXPR", help="Put what our own screen finds beside it.")
@click.option("--url", help="Another address than the scanner's own.")
@click.option("--save-universe", metavar="NAME", help="Keep the hits as a universe of this name.")
@as_json
def outside(
    scanner: str,
    filters: tuple[str, ...],
    compare: str | None,
    save_universe: str | None,
    json_: bool,
    **options: Any,
) -> None:
    """Ask a scanner of others in its own words.

    \b
    tapebook screen outside tradingview "RSI < 30" "close > SMA200"
    tapebook screen outside finviz "Exchange=NASDAQ" "RSI (14)=Oversold (30)" --save-universe oversold
    """  # fmt: skip
    with open_desk() as desk:
        asked: Any = list(filters)
        if scanner == "finviz":
            asked = {
                name.strip(): said.strip() for name, _, said in (text.partition("=") for text in filters)
            }
        ours = desk.scan(compare) if compare else None
        found = desk.outside_scan(scanner, asked, compare=ours, **options)
        if save_universe:
            theirs = found[found["theirs"]] if compare else found
            desk.save_universe(save_universe, theirs["symbol"].tolist())
            click.echo(f"kept as the universe @{save_universe}", err=True)
    show(found, json_, empty="nothing found")


SYNTAX = """
+ - * /   < <= > >= == !=   and or not   x between a and b   x in (a, b)   x crosses above (or below) y
x[1] is x one bar ago; 5% is 0.05; 1.5M is 1,500,000; # begins a remark"""
item_words(screen, "screen", "NAME")
COMMANDS = [screen]
