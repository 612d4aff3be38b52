"""`tapebook scan`, `scans`, `explain`: what the market does, and why it moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tapebook.cli.items import each_at, item_words, revised
from tapebook.cli.output import adjusted, as_json, confirmed, dump, each, open_desk, show, yes
from tapebook.cli.strategy import parted
from tapebook.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd

KINDS = {
    "trends": "Ask every symbol for its trends, its memory, its breaks and its state.",
    "correlations": "Ask every pair whether they move together, at once or some bars apart.",
    "cointegration": "Ask every pair whether the spread of their levels returns to a mean.",
    "patterns": "Ask what followed candlesticks, seasons, gaps, breakouts, volume spikes and shapes.",
    "moves": "Find the moves that matter: when a symbol went much further than it usually does.",
}
EXAMPLES = {
    "trends": "AAPL,MSFT,IBM --horizons 20,60,250",
    "correlations": "--lags 5 --method spearman",
    "cointegration": "AAPL,MSFT,IBM,GOOG --level 0.1",
    "patterns": "AAPL --kinds candlesticks,gaps --horizons 1,5",
    "moves": "AAPL,IBM,MSFT,GOOG --series WTI --threshold 5",
}
HIDDEN = (
    "unit", "statistic", "first_half", "second_half", "hedge_low", "hedge_high", "meaning", "method",
    "known_at", "breadth", "rarity", "lags", "change", "speed", "p_ab", "p_ba",
)  # fmt: skip
"""Columns that a terminal has no room for; `--json` and the stored findings have them."""


class Kinds(click.Group):
    """Kinds of scan. Where a word is none of them, an expression to screen by can go."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the kind that was asked for, take an expression, or name the nearest kind."""
        from tapebook.cli.screen import expression_, looks_like_one

        if args and args[0] not in self.commands:
            if looks_like_one(args[0]):
                return "EXPR", expression_, args
            raise UnknownName("kind of scan", args[0], self.commands)
        return super().resolve_command(ctx, args)


class Asking(click.Command):
    """One kind, whose help names the settings of its function."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the settings with their defaults."""
        from tapebook.cli.settings import settings_of

        super().format_options(ctx, formatter)
        known = settings_of(_function(str(self.name)))
        rows = [(f"--{name.replace('_', '-')}", _said(p.default)) for name, p in known.items()]
        with formatter.section("Settings of the scan and their defaults"):
            formatter.write_dl(rows)


def _function(kind: str) -> Any:
    from tapebook.desk.scans import module_of

    return getattr(module_of(kind), kind)


def _said(default: Any) -> str:
    if isinstance(default, tuple):
        return ",".join(map(_said, default))
    return str(default).lower() if default is None or isinstance(default, bool) else str(default)


@click.group(cls=Kinds)
def scan() -> None:
    """Ask the market a question of many symbols at once: trends, correlations, patterns …

    Shows how much was used, how many questions were asked and which answers hold after correction for all
    of them. Findings are kept: `tapebook scans changed` says what is new since the last time.

    Where the first word is a condition, finds the symbols for which it holds: put it in quotes
    (`tapebook screen words` lists what it may say).

    \b
    tapebook scan trends AAPL,MSFT,IBM
    tapebook scan correlations --lags 5
    tapebook scan "close > sma(200) and rsi(14) < 30" --asof 2008-10-10
    """


def _command(kind: str) -> click.Command:
    """Make the command of one kind: symbols, the span of the bars, and each setting as an option."""

    def run(words: tuple[str, ...], rows: int, no_save: bool, json_: bool, **options: Any) -> None:
        from tapebook.cli.settings import read

        series = options.pop("series", None)
        symbols, said = parted(words)
        settings = read(_function(kind), said)
        settings |= {} if series is None else {"series": series}
        with open_desk() as desk:
            found = getattr(desk, kind)(desk.bars(symbols, **options), save=not no_save, **settings)
        _print(kind, found, rows, json_)

    run.__doc__ = f"{KINDS[kind]}\n\nOf SYMBOLs, by default all.\n\n\b\ntapebook scan {kind} {EXAMPLES[kind]}"
    command: Any = as_json(run)
    for option in (
        click.option("--no-save", is_flag=True, help="Do not keep the findings."),
        click.option("--rows", default=20, show_default=True, help="Findings shown at most."),
        *([_series] if kind == "moves" else []),
        adjusted,
        click.option("--asof", help="A snapshot's number or a time: data as the lake held it then."),
        click.option("--freq", default="1d", show_default=True),
        click.option("--end", help="Last day or time, UTC, included: what was known then."),
        click.option("--start", help="First day or time, UTC, included."),
        click.argument("words", nargs=-1, metavar="SYMBOL… [--SETTING VALUE]…", type=click.UNPROCESSED),
    ):
        command = option(command)
    settings = {"ignore_unknown_options": True, "allow_interspersed_args": True}
    return click.command(kind, cls=Asking, context_settings=settings)(command)


_series = click.option("--series", help="Symbols that are looked at and not searched, such as VIX,WTI.")
for _kind in KINDS:
    scan.add_command(_command(_kind))


def _print(kind: str, found: Any, rows: int, json_: bool) -> None:
    from tapebook.desk.scans import findings_of

    table, id, warnings = findings_of(found), getattr(found, "id", None), getattr(found, "warnings", ())
    if json_:
        told = {"id": id, "summary": found.summary, "coverage": found.coverage.share}
        click.echo(dump(told | {"warnings": list(warnings), "findings": _records(table)}))
        return
    click.echo(found.summary)
    for warning in warnings:
        click.echo(f"note: {warning}", err=True)
    _show(table, rows)
    if kind != "moves":
        for row in found.ideas(3).itertuples():
            click.echo(f"\nfinding {row.finding} as a strategy: {row.command}", err=True)
    if id:
        click.echo(f"\nkept as {id}: `tapebook scans changed` tells what is new the next time", err=True)


def _show(table: pd.DataFrame, rows: int) -> None:
    show(table.head(rows).drop(columns=[name for name in HIDDEN if name in table]), False, empty="no finding")
    if len(table) > rows:
        click.echo(f"and {len(table) - rows:,} more: --rows {len(table)}", err=True)


@click.group()
def scans() -> None:
    """Stored scans: list, show, compare, delete."""


@scans.command("list")
@click.option("--kind", type=click.Choice(list(KINDS)))
@click.option("--tag", help="Only those with this tag.")
@click.option("--limit", default=20, show_default=True)
@as_json
def list_(kind: str | None, tag: str | None, limit: int, json_: bool) -> None:
    """List stored scans, newest first."""
    with open_desk() as desk:
        told = desk.scans(kind, tag=tag, limit=limit)
    show(told, json_, empty="no scan yet: `tapebook scan trends`")


@scans.command("show")
@click.argument("id")
@click.option("--rows", default=20, show_default=True, help="Findings shown at most.")
@as_json
def show_(id: str, rows: int, json_: bool) -> None:
    """Show what a stored scan found."""
    with open_desk() as desk:
        row, table = desk.catalog.scans.get(id), desk.findings(id)
    if json_:
        click.echo(
            dump({"id": id, "summary": row.summary, "params": row.params, "findings": _records(table)})
        )
        return
    click.echo(row.summary)
    _show(table, rows)


@scans.command()
@click.argument("id", required=False)
@click.option("--since", help="The earlier scan [default: the last that asked the same of earlier bars].")
@click.option("--kind", type=click.Choice(list(KINDS)), help="The newest of this kind, where no ID is given.")
@as_json
def changed(id: str | None, since: str | None, kind: str | None, json_: bool) -> None:
    """Say what is new, what broke and what still holds since the last scan that asked the same."""
    with open_desk() as desk:
        told = desk.changed(id, since, kind=kind)
    if not json_:
        click.echo(f"{told.attrs['now']}. {told.attrs['summary']}")
    show(told, json_, empty="nothing held, then or now")


@scans.command()
@click.argument("ids", nargs=-1, required=True)
@revised
@yes
def delete(ids: tuple[str, ...], revision: int | None, yes: bool) -> None:
    """Delete stored scans."""
    with open_desk() as desk:
        each(desk.catalog.scans.get, ids)
        confirmed(f"Delete {', '.join(ids)}?", yes, lambda: each_at(desk.delete_scan, ids, revision))


@click.command()
@click.argument("symbol")
@click.argument("start")
@click.argument("end", required=False)
@click.option("--among", help="Symbols to look for other moves in [default: all].")
@click.option("--market", help="The symbol that is the market [default: the mean of the others].")
@_series
@click.option("--within", default=10, show_default=True, help="Bars ahead that a precursor tells.")
@click.option("--freq", default="1d", show_default=True)
@click.option("--asof", help="A snapshot's number or a time: data as the lake held it then.")
@click.option("--page", type=click.Path(dir_okay=False), help="Write it there, as one page with figures.")
@as_json
def explain(
    symbol: str,
    start: str,
    end: str | None,
    among: str | None,
    json_: bool,
    freq: str,
    asof: str | None,
    page: str | None,
    **settings: Any,
) -> None:
    """Explain why SYMBOL moved on START, or from START to END: what, with what, what before, when before.

    \b
    tapebook explain AAPL 2000-09-29 --among AAPL,IBM,MSFT,GOOG
    tapebook explain AAPL 2008-09-15 2008-11-20 --among AAPL,IBM,MSFT,GOOG,SP500 --market SP500
    """
    span = (symbol, start) if end is None else (symbol, start, end)
    with open_desk() as desk:
        told = desk.explain(span, desk.bars(among, freq=freq, asof=asof), **settings)
    if page:
        told.page(page)
        click.echo(f"written to {page}", err=True)
    if json_:
        click.echo(dump(_explained(told)))
        return
    click.echo(told.summary)
    if told.attribution is not None:
        click.echo("\nwith what: parts of the log return, betas from before")
        show(told.attribution.parts.reset_index(), False)
    if len(told.precursors.table):
        click.echo("\nwhat came before, the likeliest first")
        show(told.precursors.table[list(PRECURSORS)].head(8), False)
    if told.analogues is not None:
        click.echo("\nwhen before")
        show(told.analogues.judged, False)


PRECURSORS = (
    "feature", "lead", "effect", "q", "confirmed_p", "holds", "precision", "recall", "false_a_year",
)  # fmt: skip


def _explained(told: Any) -> dict[str, Any]:
    return {
        "summary": told.summary,
        "move": told.row.to_dict(),
        "rule": told.rules.rule,
        "parts": None if told.attribution is None else _records(told.attribution.parts),
        "precursors": told.precursors.table.to_dict("records"),
        "analogues": None if told.analogues is None else told.analogues.table.to_dict("records"),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.reset_index().to_dict("records")]


item_words(scans, "scan", "ID")
COMMANDS = [scan, scans, explain]
