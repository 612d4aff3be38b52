"""Strategy verbs: `strategy list|show`, `backtest`, `results list|show|odds|delete`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import click

from tapebook.cli.items import each_at, item_words, revised
from tapebook.cli.output import adjusted, as_json, confirmed, dump, open_desk, show, yes


@click.group()
def strategy() -> None:
    """See the strategies at hand, and save versions of them."""


@strategy.command("list")
@as_json
def list_(json_: bool) -> None:
    """List the strategies of the library and of installed packages."""
    from tapebook.strategy import registry

    found = [registry.get(name) for name in registry.names()]
    rows = [
        {
            "name": s.name,
            "family": s.family,
            "parameters": " ".join(f"{p.name}={p.default}" for p in s.parameters.values()),
            "description": s.description,
        }
        for s in found
    ]
    show(rows, json_)


@strategy.command("show")
@click.argument("name")
@as_json
def show_(name: str, json_: bool) -> None:
    """Show one strategy: what it does, when it decides, its parameters with type and bounds.

    Of a saved version ("trend@2") also its notes, parent, rules, look-ahead check and code.
    """
    with open_desk() as desk:
        found = desk.strategy(name)
        if "@" in found.name:
            from tapebook.cli.versions import show_version

            show_version(desk.version(found.name), json_)
            return
    rows = [asdict(p) | {"type": p.type.__name__} for p in found.parameters.values()]
    if json_:
        head = {"name": found.name, "family": found.family, "description": found.description}
        click.echo(dump(head | {"source_hash": found.source_hash, "parameters": rows}))
    else:
        click.echo(f"{found.name} ({found.family})\n\n{found.doc}\n")
        show(rows, False, empty="no parameters")


def options_of(words: tuple[str, ...]) -> dict[str, str]:
    """Read `--fast 10 --slow=50` into {"fast": "10", "slow": "50"}."""
    read: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise click.UsageError(f"unexpected {word!r}: a parameter is given as --name value")
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest:
                raise click.UsageError(f"--{name} needs a value")
            value = rest.pop(0)
        read[name.replace("-", "_")] = value
    return read


def on_bars(command: Callable[..., None]) -> click.Command:
    """Make a command of STRATEGY, SYMBOLs and parameters as options, with the span of the bars."""
    for option in (
        click.option("--asof", help="A snapshot's number or a time: data as the lake held it then."),
        click.option("--freq", default="1d", show_default=True),
        click.option("--end", help="Last day or time, UTC, included."),
        click.option("--start", help="First day or time, UTC, included."),
        click.argument("words", nargs=-1, metavar="SYMBOL… [--PARAMETER VALUE]…", type=click.UNPROCESSED),
        click.argument("name", metavar="STRATEGY"),
    ):
        command = option(command)
    settings = {"ignore_unknown_options": True, "allow_interspersed_args": True}
    return click.command(context_settings=settings)(command)


def parted(words: tuple[str, ...]) -> tuple[str | None, dict[str, str]]:
    """Part `AAPL MSFT --fast 10` into symbols (None for all) and settings."""
    first = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    return ",".join(words[:first]) or None, options_of(words[first:])


def ruled_by(found: Any, words: Mapping[str, str]) -> Any:
    """A strategy's own rules, or the usual ones, with what is said on the command line."""
    from tapebook.strategy import Rules

    said = Rules.parse(words)
    return (found.rules or Rules()).changed(**{name: getattr(said, name) for name in words})


@on_bars
@adjusted
@click.option("--benchmark", help="A symbol to compare with [default: buy and hold of the same bars].")
@click.option("--note", default="", help="A word to find the result by.")
@click.option("--no-save", is_flag=True, help="Do not keep the result in the catalogue.")
@as_json
def backtest(
    name: str,
    words: tuple[str, ...],
    note: str,
    no_save: bool,
    benchmark: str | None,
    json_: bool,
    **span: Any,
) -> None:
    """Trade STRATEGY on past bars of SYMBOLs and print what came of it.

    Decided at a bar's close, filled at the next bar's open. Every parameter of the strategy
    (`tapebook strategy show STRATEGY`) and every rule (cash, fees, slippage, size, sizing, direction,
    execution, stop_loss, take_profit, trailing_stop, …) is an option.

    \b
    tapebook backtest sma_cross AAPL --fast 10 --slow 50
    tapebook backtest donchian_breakout AAPL,MSFT --direction both --stop-loss 0.1 --json
    """
    from tapebook.strategy.rules import divided

    symbols, said = parted(words)
    with open_desk() as desk:
        found = desk.strategy(name)
        said, ruled = divided(found.name, found.parameters, said)
        params, rules = found.parse(said), ruled_by(found, ruled)
        bars = desk.bars(symbols, **span)
        result = desk.backtest(
            found, bars, rules=rules, benchmark=benchmark, note=note, save=not no_save, **params
        )
    if json_:
        click.echo(dump(result.record()))
        return
    click.echo(repr(result))
    show(result.metrics.frame()[["shown", "convention"]], False)
    click.echo("\n" + _verdict(result.luck()))
    if result.id:
        click.echo(
            f"\nkept as {result.id}: `tapebook results show {result.id}`, or Desk.load({result.id!r})",
            err=True,
        )


@on_bars
@adjusted
@click.option("--cuts", default=20, show_default=True, help="Random bars to cut at, besides the signals.")
@as_json
def check(name: str, words: tuple[str, ...], cuts: int, json_: bool, **span: Any) -> None:
    """Check whether STRATEGY uses the future: its decisions on past bars of SYMBOLs, without later ones.

    Says the first bar, symbol and field that leaked, how many signals were tried, and how many bars of
    history a decision needs. Exit code 0 only if nothing leaked; 1 if something did, or nothing could
    be checked.

    \b
    tapebook check sma_cross AAPL --fast 10 --slow 50
    tapebook check ideas/trend.py:calm_trend AAPL,MSFT --cuts 50
    """
    symbols, said = parted(words)
    with open_desk() as desk:
        found = desk.strategy(name)
        params = found.parse(said)
        bars = desk.bars(symbols, **span)
        told = desk.check(found, bars, cuts=cuts, **params)
    click.echo(dump(told.record()) if json_ else str(told))
    if not told:
        click.get_current_context().exit(1)


@click.group()
def results() -> None:
    """See and keep stored backtests."""


@results.command("list")
@click.option("--strategy", help="Only this strategy.")
@click.option("--symbol", help="Only those that trade this symbol.")
@click.option("--tag", help="Only those with this tag.")
@click.option("--limit", default=50, show_default=True)
@as_json
def results_list(json_: bool, **filters: Any) -> None:
    """List stored backtests, newest first."""
    with open_desk() as desk:
        asked = {k: v for k, v in filters.items() if v is not None}
        if json_:
            rows = desk.catalog.results.list(**asked)
            marked = [row | {"stale": stale} for row, stale in zip(rows, desk.stale(rows), strict=True)]
        shown = marked if json_ else desk.results(**asked)
    show(shown, json_, empty="no results yet: try `tapebook backtest sma_cross AAPL`")


@results.command("show")
@click.argument("id")
@as_json
def results_show(id: str, json_: bool) -> None:
    """Show one stored backtest: parameters, data, metrics."""
    with open_desk() as desk:
        result, item = desk.load(id), desk.item(f"result:{id}")
    if json_:
        click.echo(dump(result.record()))
    else:
        click.echo(repr(result))
        about = [f"revision {item['revision']}", ", ".join(item["tags"]), item["note"]]
        click.echo("  " + "; ".join(part for part in about if part))
        show(result.metrics.frame()[["shown", "convention"]], False)
        click.echo("\n" + _verdict(result.luck()))


@results.command("rerun")
@click.argument("ids", nargs=-1)
@click.option("--stale", is_flag=True, help="Every result whose bars or universe were revised since.")
@click.option("--now", is_flag=True, help="With universes as they are now, too; --stale does so.")
def results_rerun(ids: tuple[str, ...], stale: bool, now: bool) -> None:
    """Trade stored backtests again on the bars as they are now; the old ones stay."""
    with open_desk() as desk:
        ids = (*ids, *(desk.stale_results() if stale else ()))
        for id in dict.fromkeys(ids):
            click.echo(f"{id} → {desk.rerun_result(id, now=now or stale).id}")
    if not ids:
        click.echo("nothing to trade again", err=True)


@results.command("odds")
@click.argument("id")
@click.option("--trials", type=click.IntRange(min=1), help="How many were tried, the discarded included.")
@click.option("--draws", type=click.IntRange(min=100), default=2000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@as_json
def results_odds(id: str, trials: int | None, draws: int, seed: int, json_: bool) -> None:
    """Show what a stored backtest can be expected to make, and how likely it is to be luck.

    \b
    tapebook results odds ID --trials 200
    """
    with open_desk() as desk:
        result = desk.load(id)
    expected, luck = result.expectancy(draws=draws, seed=seed), result.luck(trials=trials)
    if json_:
        click.echo(dump({"expectancy": expected.to_json(), "luck": luck.record()}))
        return
    click.echo(repr(result))
    show(expected.frame()[["shown", "convention"]], False)
    click.echo()
    click.echo(_verdict(luck))
    show(luck.frame()[["shown", "convention"]], False)


def _verdict(luck: Any) -> str:
    return "\n".join([f"Verdict: {luck.verdict}", *(f"  - {reason}" for reason in luck.reasons)])


@results.command("delete")
@click.argument("ids", nargs=-1, required=True)
@revised
@yes
def results_delete(ids: tuple[str, ...], revision: int | None, yes: bool) -> None:
    """Move stored backtests to the trash; what was tried stays counted."""
    with open_desk() as desk:
        confirmed(f"Delete {', '.join(ids)}?", yes, lambda: each_at(desk.delete_result, ids, revision))


item_words(results, "result", "ID")
item_words(strategy, "strategy", "NAME@NUMBER", besides=("note", "restore"))
COMMANDS = [strategy, backtest, check, results]
