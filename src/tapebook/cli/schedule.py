"""Schedules: `tapebook schedule add|list|show|history|pause|resume|run|remove`."""

from __future__ import annotations

from typing import Any

import click

from tapebook.cli.items import item_words, revised
from tapebook.cli.output import as_json, cell, confirmed, dump, link, open_desk, pairs, parameters, show, yes


@click.group()
def schedule() -> None:
    """Run reports at a time, after a close, on an event, or when their data are there."""


@schedule.command()
@click.argument("name")
@click.argument("template")
@click.argument("delay_words", nargs=-1, metavar="[+DELAY]")
@click.option("--cron", metavar="EXPR", help="Minute hour day month weekday, such as '30 18 * * mon-fri'.")
@click.option(
    "--tz", metavar="ZONE", help="The time zone of --cron, such as America/New_York [default: UTC]."
)
@click.option("--after-close", metavar="CALENDAR", help="An exchange, such as XNYS; half days are known.")
@click.option("--delay", help="How long after the close, such as 30min; may be written +30min.")
@click.option("--on", metavar="TOPIC", help="bars.updated, run.finished, strategy.changed, scan.hit …")
@click.option(
    "--where",
    multiple=True,
    callback=pairs,
    metavar="FIELD=VALUE",
    help="Only events with this, such as symbol=AAPL or template=backtest; may be repeated.",
)
@click.option("--when-complete", metavar="SYMBOLS", help="As soon as a session's bars of these are there.")
@click.option("--deadline", help="How long after the close they may come, else it is stale [default: 12h].")
@click.option("--freq", help="Of the bars that must be there [default: 1d].")
@click.option("--calendar", help="Of the sessions [default: the symbols' own].")
@parameters()
@click.option("--timeout", type=float, help="Seconds that each run may take.")
@click.option("--notify", multiple=True, metavar="URL", help="Whom to tell: an Apprise URL or secret:NAME.")
@click.option("--notify-on", type=click.Choice(["failure", "success", "always"]), default="always")
@click.option("--replace", is_flag=True, help="Let the schedule of this name run this from now on.")
@revised
@as_json
def add(
    name: str, template: str, delay_words: tuple[str, ...], json_: bool, delay: str | None, **said: Any
) -> None:
    """Add the schedule NAME, which runs TEMPLATE. Say one of --cron, --after-close, --on, --when-complete.

    \b
    tapebook schedule add nightly backtest --cron "30 18 * * mon-fri" --tz America/New_York -p symbols=AAPL
    tapebook schedule add close backtest --after-close XNYS +30min -p symbols=AAPL
    tapebook schedule add fresh backtest --on bars.updated --where symbol=AAPL -p symbols=AAPL
    tapebook schedule add whole portfolio --when-complete AAPL,MSFT --deadline 3h -p symbols=AAPL,MSFT
    """
    for word in delay_words:
        if not word.startswith("+") or delay is not None:
            raise click.UsageError(f"unexpected argument {word!r}: parameters are given as -p NAME=VALUE")
        delay = word
    with open_desk() as desk:
        made = desk.schedule(name, template, said.pop("parameters"), delay=delay, **said)
    if json_:
        click.echo(dump(made))
        return
    click.echo(f"{name}: {made['when']}")
    if made["next"]:
        click.echo(f"next: {cell(made['next'][0])}")
    click.echo("`tapebook worker` runs what is due", err=True)


@schedule.command("list")
@as_json
def list_(json_: bool) -> None:
    """List schedules: when, state, next time (UTC), the last one and what came of it."""
    with open_desk() as desk:
        show(desk.schedules(), json_, empty="none yet: see `tapebook schedule add --help`")


@schedule.command("show")
@click.argument("name")
@click.option("--times", default=10, show_default=True, help="So many of the next times.")
@as_json
def show_(name: str, times: int, json_: bool) -> None:
    """Show the schedule NAME with the next times that it is due."""
    with open_desk() as desk:
        said = desk.load_schedule(name, times)
    if json_:
        click.echo(dump(said))
        return
    coming, rule = said.pop("next"), said.pop("rule")
    none = "nothing is due while it is paused" if said["state"] == "paused" else "no time can be told"
    show([{"": key, "value": value} for key, value in said.items() if value not in (None, "", {})], False)
    click.echo()
    show(_local(coming, rule), False, empty=none if times else "")


def _local(coming: list[Any], rule: dict[str, Any]) -> list[dict[str, Any]]:
    from zoneinfo import ZoneInfo

    zone = rule.get("tz", "UTC")
    if zone == "UTC":
        return [{"next (UTC)": f"{due:%a %Y-%m-%d %H:%M}"} for due in coming]
    here = ZoneInfo(zone)
    return [
        {"next (UTC)": f"{due:%a %Y-%m-%d %H:%M}", zone: f"{due.astimezone(here):%a %Y-%m-%d %H:%M %Z}"}
        for due in coming
    ]


@schedule.command()
@click.argument("name")
@click.option("--limit", default=50, show_default=True)
@as_json
def history(name: str, limit: int, json_: bool) -> None:
    """Show each time that NAME became due, newest first, and what came of it."""
    with open_desk() as desk:
        show(desk.schedule_history(name, limit), json_, empty=f"{name} has not been due yet")


@schedule.command()
@click.argument("name")
@revised
def pause(name: str, revision: int | None) -> None:
    """Let nothing of NAME run until it is resumed."""
    with open_desk() as desk:
        desk.pause_schedule(name, revision=revision)
    click.echo(f"{name}: paused")


@schedule.command()
@click.argument("name")
@revised
def resume(name: str, revision: int | None) -> None:
    """Go on with NAME; what would have been due during the pause is not made up."""
    with open_desk() as desk:
        desk.resume_schedule(name, revision=revision)
        said = desk.load_schedule(name, 1)
    click.echo(f"{name}: active" + (f", next: {cell(said['next'][0])}" if said["next"] else ""))


@schedule.command()
@click.argument("name")
@as_json
def run(name: str, json_: bool) -> None:
    """Run NAME now, whether it is due or not, and wait for it."""
    with open_desk() as desk:
        row = desk.run_schedule(name)
        page = desk.config.reports / str(row["run_id"]) / "report.html"
    if json_:
        click.echo(dump({key: row[key] for key in ("schedule", "state", "run_id", "why", "due", "finished")}))
    else:
        click.echo(f"{name}: {row['state'].replace('_', ' ')}" + (f": {row['why']}" if row["why"] else ""))
        if page.is_file():
            click.echo(f"  page      {link(page)}")
    if row["state"] not in ("succeeded", "due"):
        raise SystemExit(1)


@schedule.command()
@click.argument("name")
@revised
@yes
def remove(name: str, revision: int | None, yes: bool) -> None:
    """Move the schedule NAME with its history to the trash; its runs stay."""
    with open_desk() as desk:
        desk.load_schedule(name, 0)
        confirmed(f"Remove the schedule {name}?", yes, lambda: desk.remove_schedule(name, revision=revision))


item_words(schedule, "schedule", "NAME")
COMMANDS = [schedule]
