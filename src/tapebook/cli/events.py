"""Events: `tapebook events tail|subscribe|subscribers|unsubscribe|dead|redeliver`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from tapebook.cli.items import item_words, revised
from tapebook.cli.output import as_json, confirmed, open_desk, show, yes

if TYPE_CHECKING:
    from tapebook.data.catalog.event_types import Event

on_topics = click.option(
    "--topic",
    "topics",
    multiple=True,
    help="bars.updated, strategy.changed, run.finished, scan.hit or integration.failed; may be repeated.",
)


@click.group()
def events() -> None:
    """What happened on this desk, and who hears of it."""


@events.command()
@click.option("--limit", default=20, show_default=True, help="At most so many.")
@click.option("--since", help="An event's number, a time (UTC), or how long ago, such as 2h.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@on_topics
@as_json
def tail(limit: int, since: str | None, follow: bool, topics: tuple[str, ...], json_: bool) -> None:
    """Show the newest events, the last one at the end.

    With --follow --json each event is one line.
    """
    with open_desk() as desk:
        found = desk.events(limit, topics=topics, since=since)
        if not follow:
            rows = [_full(event) if json_ else _short(event) for event in found]
            show(rows, json_, empty="nothing has happened yet: try `tapebook ingest sample`")
            return
        last = desk.catalog.events.newest()
        for event in found:
            _line(event, json_)
        waiter = desk.catalog.events.waiter()
        while True:
            for event in desk.catalog.events.after(last, topics):
                _line(event, json_)
                last = event.seq
            if not waiter.wait(1.0):
                desk.events(0)


def _full(event: Event) -> dict[str, object]:
    return {"seq": event.seq, **event.message()}


def _short(event: Event) -> dict[str, object]:
    return {"seq": event.seq, "at": event.at[:19] + "Z", "topic": event.topic, "what": event.told}


def _line(event: Event, json_: bool) -> None:
    click.echo(
        json.dumps(_full(event), ensure_ascii=False) if json_ else "  ".join(map(str, _short(event).values()))
    )


@events.command()
@click.argument("url")
@on_topics
@click.option("--name", help="A name for it [default: the host's].")
@click.option("--since", type=int, help="Begin after this event's number [default: with what comes].")
@revised
@as_json
def subscribe(
    url: str,
    topics: tuple[str, ...],
    name: str | None,
    since: int | None,
    revision: int | None,
    json_: bool,
) -> None:
    """Send events to URL, signed (Standard Webhooks), while `tapebook worker` runs.

    All topics, unless --topic says which. URL may be secret:NAME. An address that is known keeps its place
    and its signing secret.

    \b
    tapebook events subscribe https://example.com/hook --topic run.finished
    """
    with open_desk() as desk:
        made, secret = desk.subscribe(url, topics, name=name, since=since, revision=revision)
    if json_:
        click.echo(json.dumps({"name": made, "secret": secret}))
        return
    click.echo(f"{made}: subscribed")
    click.echo(f"signing secret, for the receiver to check with: {secret}", err=True)


@events.command()
@as_json
def subscribers(json_: bool) -> None:
    """List who hears of events: topics, events still to come, dead letters, the last error."""
    with open_desk() as desk:
        show(desk.subscribers(), json_, empty="nobody: try `tapebook events subscribe URL`")


@events.command()
@click.argument("name")
@revised
@yes
def unsubscribe(name: str, revision: int | None, yes: bool) -> None:
    """Move the subscriber NAME, with its place and its dead letters, to the trash."""
    with open_desk() as desk:
        desk.catalog.subscribers.get(name)
        confirmed(f"Remove the subscriber {name}?", yes, lambda: desk.unsubscribe(name, revision=revision))


@events.command()
@click.option("--subscriber", help="Only of this one.")
@as_json
def dead(subscriber: str | None, json_: bool) -> None:
    """List what could not be delivered after all tries, and why."""
    with open_desk() as desk:
        show(desk.dead_letters(subscriber), json_, empty="no dead letters")


@events.command()
@click.argument("numbers", nargs=-1, type=int)
@click.option("--subscriber", help="Only of this one.")
@click.option("--all", "all_", is_flag=True, help="Every dead letter.")
def redeliver(numbers: tuple[int, ...], subscriber: str | None, all_: bool) -> None:
    """Try dead letters once more, by their numbers (`tapebook events dead`), of one subscriber, or --all."""
    if not (numbers or subscriber or all_):
        raise click.UsageError("say which: numbers, --subscriber NAME, or --all")
    with open_desk() as desk:
        count = desk.redeliver(numbers or None, subscriber=subscriber)
    click.echo(f"{count} will be tried once more by `tapebook worker`")


item_words(events, "subscription", "NAME")
COMMANDS = [events]
