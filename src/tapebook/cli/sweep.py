"""`tapebook sweep`: a strategy under many settings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tapebook.cli.output import adjusted, as_json, dump, link, open_desk, show
from tapebook.cli.strategy import on_bars, parted

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.sweep.sweep import Sweep

FILE = click.Path(dir_okay=False, path_type=Path)
SPAN = ("start", "end", "freq", "asof", "adjust")
"""Options that say which bars."""


@on_bars
@adjusted
@click.option("--where", help="Only combinations that meet this, such as 'fast < slow'.")
@click.option(
    "--search",
    type=click.Choice(["grid", "random", "optuna"]),
    default="grid",
    show_default=True,
    help="All combinations, or --trials of them: at random, or guided by those before.",
)
@click.option("--trials", type=click.IntRange(min=1), help="How many to try, where not all.")
@click.option("--seed", default=0, show_default=True)
@click.option("--alone/--together", default=None, help="Cash for each symbol, or one pot [default: one pot].")
@click.option("--metric", default="sharpe", show_default=True, help="What to rank by.")
@click.option("--out", type=FILE, help="Keep the whole table there, as Parquet; a later --resume goes on.")
@click.option("--resume", type=FILE, help="Go on from there; kept there again unless --out says otherwise.")
@click.option("--estimate", is_flag=True, help="Only say what time and memory it would take.")
@click.option("--top", default=10, show_default=True, help="Show the best so many; 0 for all.")
@as_json
def sweep(
    name: str,
    words: tuple[str, ...],
    top: int,
    out: Path | None,
    estimate: bool,
    json_: bool,
    **options: Any,
) -> None:
    """Trade STRATEGY under many settings and rank what came of it.

    Values are lists (10,20,50) or spans with both ends (5:50, or 10:200:10); what has one value is fixed.
    Ctrl-C stops it and keeps what is done.

    \b
    tapebook sweep sma_cross AAPL --fast 2:50 --slow 20:200:10 --where "fast < slow"
    tapebook sweep sma_cross AAPL --fast 2:50 --slow 20:200 --search optuna --trials 200
    tapebook sweep sma_cross AAPL,MSFT --alone --fast 2:50 --slow 20:200 --estimate
    """
    from tapebook.strategy.spans import read_settings

    symbols, said = parted(words)
    span = {key: options.pop(key) for key in SPAN}
    with open_desk() as desk:
        found = desk.strategy(name)
        settings = read_settings(found, said)
        bars = desk.bars(symbols, **span)
        if estimate:
            options.pop("resume")
            told = desk.sweep(found, bars, estimate=True, **options, **settings)
            click.echo(dump(asdict(told)) if json_ else repr(told))
            return
        done = desk.sweep(found, bars, **options, **settings)
    path = out or options["resume"]
    kept = done.save(path) if path and done.done else None
    if done.done:
        ranked = done.robustness()
        _print(done, ranked.head(top) if top else ranked, json_)
    if not done.complete:
        click.echo(_how_to_go_on(done, kept), err=True)
        click.get_current_context().exit(130)


def _how_to_go_on(done: Sweep, kept: Path | None) -> str:
    said = f"\nstopped: {done.done:,} of {done.asked:,} combinations are done"
    if kept is None:
        return f"{said}; nothing is kept (--out FILE.parquet would)"
    return f"{said} and kept. Go on with the same command and: --resume {link(kept)}"


def _print(done: Sweep, ranked: pd.DataFrame, json_: bool) -> None:
    if not json_:
        click.echo(repr(done))
        show(ranked, False)
        click.echo(f"\n{done.plateau()}")
        return
    marked = {"warning": done.warning} if done.warning else {}
    click.echo(dump([row | marked for row in ranked.to_dict("records")]))


COMMANDS = [sweep]
