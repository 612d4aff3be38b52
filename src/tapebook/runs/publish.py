"""Publish runs under stable names, leaf through what a name showed, and clear old runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.runs.record import PAGE
from tapebook.who import who

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

EVERYONE, UNLISTED = "everyone", "unlisted"
PAGES = {"data-health": "What the lake holds, how fresh it is, and what the quality checks found"}
"""Pages that can be published without a run."""
RESERVED = frozenset({"run", "live", "static", "schedules", "voila", "api", "about"})
"""Names that the dashboards' server needs for itself."""
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?")
_WORD = re.compile(r"[\w.@-]{1,80}")


@dataclass(frozen=True)
class Publication:
    """A stable name and what it shows.

    `source` is {"run": id}, {"template": name, "parameters": {…}} (the latest run that succeeded with these
    parameters), {"schedule": name} (its latest run that succeeded) or {"page": name}. `audience` is
    "everyone", "unlisted" (whoever knows the address) or names of groups that a server is started for.
    `late_hours` is the age of a run from which on the page warns.
    """

    name: str
    source: dict[str, Any]
    title: str | None
    description: str | None
    audience: tuple[str, ...]
    pinned: bool
    late_hours: float | None
    created: str
    who: str

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Publication:
        """Read a row of the catalogue."""
        return cls(**{**row, "audience": tuple(row["audience"] or ())})

    @property
    def shows(self) -> str:
        """What it shows, in words."""
        if "run" in self.source:
            return f"run {self.source['run']}"
        if "template" in self.source:
            asked = ", ".join(f"{k}={v}" for k, v in self.source.get("parameters", {}).items())
            return f"latest run of {self.source['template']}" + (f" with {asked}" if asked else "")
        kind, value = next(iter(self.source.items()))
        return f"latest run of schedule {value}" if kind == "schedule" else f"the page {value}"


def publish(
    config: Config,
    name: str,
    *,
    run: str | None = None,
    template: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    schedule: str | None = None,
    page: str | None = None,
    title: str | None = None,
    description: str | None = None,
    audience: str | Sequence[str] | None = None,
    pinned: bool | None = None,
    late_after: float | None = None,
    revision: int | None = None,
) -> Publication:
    """Publish one thing under `name`, or change what is said of a name: what is None stays as it was.

    Parameters
    ----------
    run, template, schedule, page : str, optional
        What it shows: this run, the latest run of a template (with `parameters`) or of a schedule, or
        a page without a run. At most one; none only for a name that there is.
    late_after : float, optional
        Hours after which the page warns that its run is late; 0 takes the warning away.
    revision : int, optional
        The one that the change was made from (`desk.item`).

    Raises
    ------
    BadParameter, UnknownName, BadInput
        Before anything is written.
    Changed
        If the name is at another revision by now.
    """
    given = {"run": run, "template": template, "schedule": schedule, "page": page}
    said = {kind: value for kind, value in given.items() if value is not None}
    if not _NAME.fullmatch(name) or name in RESERVED:
        expected = f"small letters, digits and '-', at most 80, and none of {', '.join(sorted(RESERVED))}"
        raise BadParameter("name", name, expected)
    if len(said) > 1:
        raise BadInput(f"a name shows one thing, but {' and '.join(said)} were given")
    with _open(config) as catalog:
        before = {row["name"]: row for row in catalog.publications.list()}.get(name)
        if not said and before is None:
            raise BadInput(f"nothing to publish as {name!r}: give a run, a template, a schedule or a page")
        source = _source(config, catalog, said, parameters or {}) if said else before["source"]  # type: ignore[index]
        row = (before or _new(name)) | {"source": source}
        told = {"title": title, "description": description, "pinned": pinned}
        row |= {key: value for key, value in told.items() if value is not None}
        if audience is not None:
            row["audience"] = _audience(audience)
        if late_after is not None:
            if not late_after >= 0:
                raise BadParameter("late_after", late_after, "hours, 0 for no warning")
            row["late_hours"] = late_after or None
        left = _left(catalog, before, source)
        catalog.publications.put(row, run_id=source.get("run"), left=left, seen=revision)
        return Publication.read(catalog.publications.get(name))


def _left(catalog: Catalog, before: Mapping[str, Any] | None, source: Mapping[str, Any]) -> str | None:
    """The run that a name shows as the latest of a template or schedule, if it is to show another thing."""
    if before is None or before["source"] == source or "run" in before["source"]:
        return None
    return next(iter(history(catalog, Publication.read(before))), None)


def _new(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": None,
        "description": None,
        "audience": [EVERYONE],
        "pinned": False,
        "late_hours": None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": who(),
    }


def _audience(said: str | Sequence[str]) -> list[str]:
    names = [n.strip() for n in (said.split(",") if isinstance(said, str) else said)]
    if not names or not all(_WORD.fullmatch(n) for n in names):
        raise BadParameter("audience", said, f"{EVERYONE!r}, {UNLISTED!r} or names of groups: 'desk,clients'")
    return list(dict.fromkeys(names))


def _source(
    config: Config, catalog: Catalog, said: dict[str, str], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    kind, value = next(iter(said.items()))
    if parameters and kind != "template":
        raise BadInput("parameters choose among the runs of a template: give the template too")
    if kind == "run":
        row = catalog.runs.get(value)
        if row.outcome != "succeeded":
            raise BadInput(
                f"run {value} {row.outcome.replace('_', ' ')}: only one that succeeded is published"
            )
        return {"run": value}
    if kind == "page":
        if value not in PAGES:
            raise UnknownName("page", value, PAGES)
        return {"page": value}
    if kind == "schedule":
        catalog.schedules.get(value)
        return {"schedule": value}
    from tapebook.runs.template import find

    found = find(config, value)
    full = found.check(parameters)
    return {"template": found.name, "parameters": {name: full[name] for name in parameters}}


def unpublish(config: Config, name: str, *, revision: int | None = None) -> None:
    """Move a published name to the trash; its runs stay. UnknownName if there is none."""
    with _open(config) as catalog:
        catalog.publications.delete(name, seen=revision)


def published(config: Config) -> list[Publication]:
    """Every publication: pinned ones first, then the newest."""
    with _open(config) as catalog:
        return [Publication.read(row) for row in catalog.publications.list()]


def history(catalog: Catalog, publication: Publication) -> list[str]:
    """Ids of the runs that the name shows (the first) and showed, newest first; a page shows none.

    Of a template or a schedule, its runs; then those that the name showed before it showed these.
    """
    source, runs = publication.source, []
    if "page" in source:
        return []
    if "template" in source:
        wanted = source.get("parameters", {})
        rows = catalog.publications.succeeded(source["template"])
        runs = [row["id"] for row in rows if all(row["parameters"].get(k) == v for k, v in wanted.items())]
    elif "schedule" in source:
        runs = list(catalog.occasions.run_ids(source["schedule"]))
    return list(dict.fromkeys([*runs, *(run for _, run, _ in catalog.publications.shown(publication.name))]))


def address(config: Config, catalog: Catalog, schedule: Mapping[str, Any], run: str, outcome: str) -> str:
    """Where a reader opens a schedule's run: its published name if it has one, else the run's own page.

    Under `config.address`, or as a file of this machine where the desk has none. A run that did not succeed
    is shown under no name: its own page opens only where all runs are shown.
    """
    if config.address is None:
        return (config.reports / run / PAGE).as_uri()
    for row in catalog.publications.list() if outcome == "succeeded" else []:
        if row["source"].get("schedule") == schedule["name"]:
            return f"{config.address}/{row['name']}/at/{run}"
    return f"{config.address}/run/{run}"


def pin(config: Config, run: str, note: str = "", *, revision: int | None = None) -> None:
    """Keep a run from every rule that clears old ones. UnknownName if there is none."""
    with _open(config) as catalog:
        catalog.runs.get(run)
        catalog.publications.pin(run, note, seen=revision)


def unpin(config: Config, run: str, *, revision: int | None = None) -> None:
    """Let the rules clear a run again. UnknownName if it was not pinned."""
    with _open(config) as catalog:
        if not catalog.publications.unpin(run, seen=revision):
            raise UnknownName("pinned run", run, catalog.publications.pinned())


@contextmanager
def _open(config: Config) -> Iterator[Catalog]:
    from tapebook.data.catalog import Catalog

    with closing(Catalog.open(config)) as catalog:
        yield catalog
