"""`tapebook compare`: results, strategies and versions side by side."""

from __future__ import annotations

import click

from tapebook.cli.output import as_json, dump, open_desk, show


@click.command()
@click.argument("items", nargs=-1, required=True, metavar="ITEM ITEM…")
@click.option("--symbols", help="What strategies among the items are traded on, comma separated.")
@click.option("--start", help="First day or time, UTC, included.")
@click.option("--end", help="Last day or time, UTC, included.")
@click.option("--freq", default="1d", show_default=True)
@click.option(
    "--combine",
    type=click.Choice(["equal", "inverse_volatility", "mean_variance", "hrp"]),
    help="Show the weights of holding all of them together so, too.",
)
@click.option("--draws", type=click.IntRange(min=100), default=2000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@as_json
def compare(
    items: tuple[str, ...],
    symbols: str | None,
    start: str | None,
    end: str | None,
    freq: str,
    combine: str | None,
    draws: int,
    seed: int,
    json_: bool,
) -> None:
    """Put stored results (bt-…), strategies and versions (trend@2) side by side.

    Shows figures with intervals on the bars that all share, how much they move together, whether they
    differ by more than chance, and what they would have made held together.

    \b
    tapebook compare bt-20261123-101500-0a1b bt-20261123-101700-9f3c
    tapebook compare sma_cross momentum trend@2 --symbols AAPL,MSFT --combine hrp
    """
    with open_desk() as desk:
        bars = None if symbols is None else desk.bars(symbols, start=start, end=end, freq=freq)
        done = desk.compare(list(items), bars, draws=draws, seed=seed)
    together = None if combine is None else done.combined(combine)  # type: ignore[arg-type]
    if json_:
        told = {
            "bars": len(done.returns),
            "table": done.table.reset_index().to_dict("records"),
            "differences": done.differences.to_dict("records"),
            "correlation": done.correlation.to_dict(),
            "portfolios": done.portfolios().reset_index().to_dict("records"),
            "warnings": list(done.warnings),
        }
        if together is not None:
            told["weights"] = together.weights.iloc[-1].to_dict()
        click.echo(dump(told))
        return
    for warning in done.warnings:
        click.echo(warning)
    click.echo(f"{len(done.returns):,} bars are shared")
    show(done.table.reset_index(), False)
    click.echo("\ncorrelation of bar returns")
    show(done.correlation.rename_axis(None).reset_index(names=""), False)
    click.echo("\nfirst less second, each with its interval; p-values after Holm's correction")
    show(done.differences.drop(columns=["sharpe_p", "mean_return_p"]), False)
    click.echo("\nheld together, weights from the past only, monthly, after costs")
    show(done.portfolios().reset_index(), False)
    if together is not None:
        click.echo(f"\nlast weights by {combine}, {together.weights.index[-1]:%Y-%m-%d}")
        show(together.weights.iloc[-1].rename("weight").rename_axis("name").reset_index(), False)


COMMANDS = [compare]
