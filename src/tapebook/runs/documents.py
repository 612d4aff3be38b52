"""A run's findings at a documentation tool: which page a run has, and publishing as runs end."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tapebook.data.catalog.documents import LEASE_SECONDS
from tapebook.errors import TapebookError, UnknownName
from tapebook.integration.documents.publish import Published
from tapebook.integration.documents.publish import publish as publish_document
from tapebook.integration.documents.render import render
from tapebook.integration.event_delivery import deliver, redeliver
from tapebook.integration.outside import Outside
from tapebook.runs.book import load
from tapebook.runs.page_picture import picture

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.event_types import Event
    from tapebook.data.catalog.events import Patience
    from tapebook.runs.record import Run

KIND = "document"


def page_key(catalog: Catalog, run: Run) -> str:
    """Name the page of a run: the name it is published under, or its template and parameters.

    Another run of the same template with the same parameters has the same page.
    """
    for name, id, _ in catalog.publications.shown():
        if id == run.id:
            return name
    said = run.manifest
    parameters = json.dumps(said.get("parameters") or {}, sort_keys=True, ensure_ascii=False)
    template = str(said.get("template")).replace("/", "-")
    return f"{template}-{hashlib.sha256(parameters.encode()).hexdigest()[:8]}"


def publish(
    config: Config,
    catalog: Catalog,
    run: str,
    to: str,
    *,
    key: str | None = None,
    link: str = "",
    dry_run: bool = False,
    outside: Outside | None = None,
) -> Published:
    """Publish a run's findings to a target; see `tapebook.integration.documents.publish.publish`.

    Raises
    ------
    UnknownName
        If there is no such run or target.
    BadInput
        If the run has not ended.
    """
    catalog.documents.target(to)
    found = load(config, run)
    document = render(found.folder, key or page_key(catalog, found), link=link, draw=picture)
    return publish_document(catalog, outside or Outside.of(config), to, document, dry_run=dry_run)


def follow(
    catalog: Catalog,
    to: str,
    *,
    template: str | None = None,
    schedule: str | None = None,
    published: str | None = None,
) -> str:
    """Publish from now on each run that succeeds, of a template, a schedule or a published name.

    `tapebook worker` does it. Returns the subscriber's name; `tapebook events unsubscribe` ends it.
    """
    asked = {"template": template, "schedule": schedule, "published": published}
    given = {name: value for name, value in asked.items() if value is not None}
    catalog.documents.target(to)
    if schedule is not None:
        catalog.schedules.get(schedule)
    if published is not None:
        catalog.publications.get(published)
    name = ":".join([KIND, to, *(f"{what}={value}" for what, value in given.items())])
    catalog.subscribers.add(name, KIND, ["run.finished"], target=json.dumps({"to": to} | given))
    return name


def deliver_all(config: Config, catalog: Catalog, holder: str, patience: Patience) -> int:
    """Publish what ended and is followed; return how many events were handled."""
    due = {name for name, _ in catalog.subscribers.due(KIND)}
    again = {letter["subscriber"] for letter in catalog.subscribers.letters(again=True)}
    went = 0
    for row in catalog.subscribers.all(KIND):
        asked = json.loads(row["target"])

        def send(event: Event, asked: dict[str, str] = asked) -> None:
            _follow(config, catalog, asked, event)

        if row["name"] in due:
            went += deliver(catalog, row["name"], "run.finished", holder, send, patience, LEASE_SECONDS)
        if row["name"] in again:
            went += redeliver(catalog, row["name"], send)
    return went


def _follow(config: Config, catalog: Catalog, asked: dict[str, str], event: Event) -> None:
    """Publish one run that ended, if it is asked for."""
    said: dict[str, Any] = event.content
    if said["outcome"] != "succeeded" or not _asked(catalog, asked, said):
        return
    with suppress(UnknownRun):
        run = _there(config, said["run"])
        key = asked.get("published") or asked.get("schedule") or page_key(catalog, run)
        if not _overtaken(config, catalog, asked["to"], key, run):
            publish(config, catalog, run.id, asked["to"], key=key)


def _overtaken(config: Config, catalog: Catalog, to: str, key: str, run: Run) -> bool:
    """Whether the page shows a later run already: a dead letter that is tried again must not undo that."""
    row = catalog.documents.get(to, key)
    if row is None or row["run_id"] in (None, run.id):
        return False
    with suppress(UnknownRun):
        shown = _there(config, row["run_id"])
        return str(shown.manifest.get("started")) > str(run.manifest.get("started"))
    return False


class UnknownRun(TapebookError):
    """A run was deleted before it could be published."""


def _there(config: Config, id: str) -> Run:
    try:
        return load(config, id)
    except UnknownName as error:
        raise UnknownRun(str(error)) from error


def _asked(catalog: Catalog, asked: dict[str, str], said: dict[str, Any]) -> bool:
    """Whether a run is of the template, the schedule and the published name that are followed."""
    if asked.get("template") not in (None, said["template"]):
        return False
    schedules = [asked["schedule"]] if asked.get("schedule") else []
    if (name := asked.get("published")) is not None:
        from tapebook.runs.publish import Publication, history

        row = next((row for row in catalog.publications.list() if row["name"] == name), None)
        if row is None:
            return False
        if "schedule" in row["source"]:
            schedules.append(row["source"]["schedule"])
        elif said["run"] not in history(catalog, Publication.read(row)):
            return False
    # that the run succeeded is written to the schedule's occasion a moment after this event
    return all(said["run"] in catalog.occasions.run_ids(name, succeeded=False) for name in schedules)
