"""`tapebook walk-forward`: choose on the past, trade what follows."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.output import adjusted, as_json, dump, open_desk, show
from tapebook.cli.strategy import on_bars, parted
from tapebook.cli.sweep import SPAN


@on_bars
@adjusted
@click.option(
    "--scheme",
    type=click.Choice(["rolling", "expanding", "combinatorial"]),
    default="rolling",
    show_default=True,
    help="Learn from the last --train bars, from all so far, or from all groups but those traded.",
)
@click.option("--train", type=click.IntRange(min=2), help="Bars to learn from [default: three years].")
@click.option("--test", type=click.IntRange(min=1), help="Bars to trade [default: one year].")
@click.option("--groups", default=6, show_default=True, help="Pieces of time, of a combinatorial walk.")
@click.option("--tests", default=2, show_default=True, help="How many of them are traded at once.")
@click.option("--purge", default=0, show_default=True, help="Bars left out next to what is traded.")
@click.option("--embargo", default=0, show_default=True, help="More bars left out after it.")
@click.option("--where", help="Only combinations that meet this, such as 'fast < slow'.")
@click.option("--metric", default="sharpe", show_default=True, help="What a fold chooses by.")
@click.option("--alone/--together", default=None, help="Cash for each symbol, or one pot [default: one pot].")
@click.option("--note", default="", help="A word to find the result by.")
@click.option("--no-save", is_flag=True, help="Do not keep the stitched result.")
@as_json
def walk_forward(name: str, words: tuple[str, ...], no_save: bool, json_: bool, **options: Any) -> None:
    """Choose STRATEGY's settings on past bars, trade them on the next ones, again and again.

    Shows what each fold chose and made, inside and outside, and what the whole made outside: the only
    figures of a search that are not chosen with hindsight.

    \b
    tapebook walk-forward sma_cross AAPL --fast 5:50:5 --slow 20:200:20 --where "fast < slow"
    tapebook walk-forward sma_cross AAPL --fast 5:50:5 --slow 60 --scheme combinatorial --purge 5
    """
    from tapebook.strategy.spans import read_settings

    symbols, said = parted(words)
    span = {key: options.pop(key) for key in SPAN}
    with open_desk() as desk:
        found = desk.strategy(name)
        settings = read_settings(found, said)
        walk = desk.walk_forward(found, desk.bars(symbols, **span), save=not no_save, **options, **settings)
    if json_:
        told = {"efficiency": walk.efficiency, "tried": walk.tried, "metrics": walk.metrics.to_json()}
        told |= {"folds": walk.folds.to_dict("records"), "same_close": walk.same_close}
        told["id"] = walk.traded.id if walk.traded else None
        click.echo(dump(told))
        return
    shown = walk.folds.copy()
    for column in ("train_start", "train_end", "test_start", "test_end"):
        shown[column] = shown[column].dt.strftime("%Y-%m-%d")
    show(shown, False)
    click.echo("\n" + repr(walk))
    if walk.traded is not None:
        luck = walk.traded.luck()
        click.echo("\n".join(["", f"Verdict: {luck.verdict}", *(f"  - {reason}" for reason in luck.reasons)]))
        if walk.traded.id:
            click.echo(f"\nkept as {walk.traded.id}: `tapebook results show {walk.traded.id}`", err=True)


COMMANDS = [walk_forward]
