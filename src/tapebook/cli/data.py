"""Data verbs: ingest, sources, sql, and `data list|show|quality|snapshots|delete|compact`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tapebook.cli.output import adjusted, as_json, confirmed, dump, open_desk, pairs, show, yes

span = [
    click.option("--start", help="First day or time, UTC, included."),
    click.option("--end", help="Last day or time, UTC, included."),
]
EMPTY = "the lake is empty: try `tapebook ingest sample`"


def spanned(command: Callable[..., None]) -> Callable[..., None]:
    """Add --start and --end."""
    for option in reversed(span):
        command = option(command)
    return command


@click.command()
@click.argument("source")
@click.argument("symbols", nargs=-1)
@spanned
@click.option("--freq", default="1d", show_default=True, help="Length of a bar: 1m … 24h, 1d, 1w, 1mo.")
@click.option("--path", help="files, parquet: a file, a folder, or a pattern such as 'prices/*.csv.gz'.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    callback=pairs,
    metavar="FIELD=HEADER",
    help="files, sql, parquet: which header holds a field; may be repeated.",
)
@click.option("--tz", help="files, sql, parquet: time zone of stamps without one, such as America/New_York.")
@click.option("--calendar", help="The exchange's calendar, such as XNYS, XLON or 24/7.")
@click.option("--dayfirst/--monthfirst", default=None, help="files: how to read 03/04/2013.")
@click.option("--dry-run", is_flag=True, help="Fetch and judge; write nothing.")
@click.option(
    "--quarantine", is_flag=True, help="Let good rows land and put broken ones aside, in data/quarantine/."
)
@click.option("--force", is_flag=True, help="Store bars that the quality checks call severely wrong.")
@click.option("--refresh", is_flag=True, help="Ask a vendor for all again, to find what it has revised.")
@click.option(
    "-o",
    "--option",
    "more",
    multiple=True,
    callback=pairs,
    metavar="NAME=VALUE",
    help="What else the source takes, such as api_key=secret:fred; may be repeated.",
)
@as_json
def ingest(
    source: str, symbols: tuple[str, ...], json_: bool, more: dict[str, str], **options: object
) -> None:
    """Write the missing bars of SYMBOLS (all by default) from SOURCE to the lake.

    \b
    tapebook ingest sample
    tapebook ingest files --path prices/ --tz America/New_York --column close=Last
    tapebook ingest fred DGS10 -o api_key=secret:fred
    """
    given = {
        name: value for name, value in options.items() if value not in (None, {}, False) or name == "dayfirst"
    }
    if given.get("dayfirst") is None:
        given.pop("dayfirst", None)
    with open_desk() as desk:
        done = desk.ingest(source, symbols, **{**given, **more})  # type: ignore[arg-type]
    click.echo(dump(done.frame().to_dict("records")) if json_ else str(done))
    if done.failed:
        raise SystemExit(1)


@click.command()
@as_json
def sources(json_: bool) -> None:
    """List where bars can come from."""
    from tapebook.integration.sources import describe

    show(describe(), json_)


@click.command()
@click.argument("query")
@click.option("--asof", help="A snapshot's number or a time: what the lake held then.")
@as_json
def sql(query: str, asof: str | None, json_: bool) -> None:
    """Ask the lake in DuckDB's SQL (read-only): bars, adjusted, actions, instruments, quality, edits.

    \b
    tapebook sql "select symbol, count(*) from bars group by symbol"
    """
    with open_desk() as desk:
        show(desk.sql(query, asof=asof), json_, empty="no rows")


@click.group()
def data() -> None:
    """See and keep what the lake holds."""


@data.command("list")
@click.option("--asof", help="A snapshot's number or a time: what the lake held then.")
@as_json
def list_(asof: str | None, json_: bool) -> None:
    """List the symbols: span, number of bars, worst quality finding."""
    with open_desk() as desk:
        show(desk.symbols(asof=asof), json_, empty=EMPTY)


@data.command("show")
@click.argument("symbols")
@spanned
@click.option("--freq", default="1d", show_default=True)
@adjusted
@click.option("--asof", help="A snapshot's number or a time: what the lake held then.")
@click.option("--rows", default=20, show_default=True, help="The last so many; 0 for all.")
@as_json
def show_(symbols: str, rows: int, json_: bool, **options: Any) -> None:
    """Show the bars of SYMBOLS (comma separated), newest last."""
    with open_desk() as desk:
        bars = desk.bars(symbols, **options)
    frame = bars.polars().to_pandas()
    show(frame.groupby("symbol", sort=False).tail(rows) if rows else frame, json_)


@data.command()
@click.argument("symbols", required=False)
@click.option("--asof", help="A snapshot's number or a time.")
@as_json
def quality(symbols: str | None, asof: str | None, json_: bool) -> None:
    """Show the stored findings of the quality checks."""
    with open_desk() as desk:
        show(desk.quality(symbols, asof=asof), json_, empty="no findings")


@data.command()
@as_json
def snapshots(json_: bool) -> None:
    """List the lake's snapshots: each names one state that can be read again."""
    with open_desk() as desk:
        show(desk.lake.snapshots(), json_, empty=EMPTY)


@data.command()
@click.argument("symbols", required=False)
@click.option("--limit", default=100, show_default=True)
@as_json
def revisions(symbols: str | None, limit: int, json_: bool) -> None:
    """List what was revised: bars, splits and dividends, in which snapshot, known since when."""
    with open_desk() as desk:
        show(desk.revisions(symbols, limit=limit), json_, empty="nothing was revised")


@data.command()
@click.argument("symbols")
@click.option("--freq", help="Only bars of this length.")
@spanned
@click.option("--reason", default="", help="Why: then it is a correction, which later ingestions keep.")
@yes
def delete(symbols: str, yes: bool, **options: Any) -> None:
    """Delete the bars of SYMBOLS (comma separated); `data restore` undoes it. Earlier snapshots stay.

    \b
    tapebook data delete AAPL --start 2010-01-04 --end 2010-01-04 --reason "bad print"
    """
    with open_desk() as desk:

        def act() -> None:
            done = desk.delete(symbols, **options)
            click.echo(done)
            if done.removed:
                number = desk.audit(limit=1)["edit"].iloc[0]
                click.echo(f"`tapebook data restore {number}` brings them back", err=True)

        confirmed(f"Delete bars of {symbols}?", yes, act)


@data.command()
@click.option("--strays", is_flag=True, help="Remove files older than a day that no snapshot names.")
def compact(strays: bool) -> None:
    """Merge small files; drop snapshots that no run and no result names.

    Files that a failed write left are told. --strays removes them: not where another desk, or a copy of this
    one, has its files in the same place.
    """
    with open_desk() as desk:
        click.echo(desk.compact(strays=strays))


COMMANDS = [ingest, sources, sql, data]
