"""What can happen on a desk: one small frozen model a topic, checked on writing and on reading."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any, ClassVar, Literal
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapebook.errors import BadInput, UnknownName


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Event(BaseModel):
    """Something that happened. `id` is the same at every delivery, which tells a repetition.

    `seq` is its place in the outbox, 0 before it is there; `at` is UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    topic: ClassVar[str]
    id: str = Field(default_factory=lambda: uuid4().hex, min_length=1, max_length=120)
    at: str = Field(default_factory=_now)
    seq: int = 0

    @property
    def content(self) -> dict[str, Any]:
        """The fields of its own topic."""
        return self.model_dump(mode="json", exclude={"id", "at", "seq"})

    def message(self) -> dict[str, Any]:
        """What a webhook gets: id, topic, at, data."""
        return {"id": self.id, "topic": self.topic, "at": self.at, "data": self.content}

    @property
    def told(self) -> str:
        """One line for a person."""
        return " ".join(f"{name}={value}" for name, value in self.content.items() if value not in (None, ""))


class BarsUpdated(Event):
    """A snapshot of the lake changed bars, or splits and dividends, of `symbols`.

    `first` and `last` are the span of the bars that changed; `complete` is False where the snapshots between
    the last event and this one were dropped before they could be told: then every symbol is named.
    """

    topic = "bars.updated"
    snapshot: int
    symbols: list[str]
    freqs: list[str] = []
    added: int = 0
    changed: int = 0
    removed: int = 0
    actions: int = 0
    first: str | None = None
    last: str | None = None
    note: str = ""
    complete: bool = True

    @property
    def told(self) -> str:
        """One line for a person."""
        counts = {
            "added": self.added,
            "changed": self.changed,
            "removed": self.removed,
            "actions": self.actions,
        }
        said = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n) or "details unknown"
        names = ", ".join(self.symbols[:5]) + (
            f" and {len(self.symbols) - 5} more" if self.symbols[5:] else ""
        )
        return f"{names}: {said} in snapshot {self.snapshot}"


class StrategyChanged(Event):
    """A version of a strategy was saved, noted, archived, restored or deleted; None is all of them."""

    topic = "strategy.changed"
    name: str
    version: int | None
    change: Literal["saved", "noted", "changed", "archived", "restored", "deleted"]

    @property
    def told(self) -> str:
        """One line for a person."""
        return f"{self.name}{'' if self.version is None else f'@{self.version}'} {self.change}"


class RunFinished(Event):
    """A report run ended, or was found lost; `outcome` as in `tapebook runs list`."""

    topic = "run.finished"
    run: str
    template: str
    outcome: str
    title: str | None = None
    strategy: str | None = None
    symbols: list[str] = []
    snapshot: int | None = None
    started: str | None = None
    finished: str | None = None
    seconds: float | None = None
    error: str | None = None

    @property
    def told(self) -> str:
        """One line for a person."""
        return f"{self.run} {self.outcome}" + (f": {self.error}" if self.error else "")


class ScanHit(Event):
    """A symbol entered or left what a saved scan finds, at the bar of time `bar`."""

    topic = "scan.hit"
    scan: str
    symbol: str
    change: Literal["entered", "left"]
    bar: str
    expression: str = ""
    snapshot: int | None = None
    values: dict[str, float | str | None] = {}

    @property
    def told(self) -> str:
        """One line for a person."""
        return f"{self.symbol} {self.change} {self.scan} at {self.bar}"


class IntegrationFailed(Event):
    """Something outside did not do its part: a source, a webhook, a notice, a documentation tool.

    `final` says that it will not be tried again by itself. `error` never holds a credential.
    """

    topic = "integration.failed"
    integration: str
    what: str
    error: str
    symbols: list[str] = []
    tries: int = 1
    final: bool = True

    @property
    def told(self) -> str:
        """One line for a person."""
        then = "given up" if self.final else "will be tried again"
        return f"{self.integration}: {self.what}: {self.error} ({then} after {self.tries})"


TOPICS = ("bars.updated", "strategy.changed", "run.finished", "scan.hit", "integration.failed")


@cache
def kinds() -> dict[str, type[Event]]:
    """The model of each topic."""
    return {
        kind.topic: kind for kind in (BarsUpdated, StrategyChanged, RunFinished, ScanHit, IntegrationFailed)
    }


def check_topic(topic: str) -> str:
    """Return the topic; UnknownName with the near one when there is none of this name."""
    if topic not in TOPICS:
        raise UnknownName("topic", topic, TOPICS)
    return topic


def read_event(topic: str, id: str, at: str, content: dict[str, Any], seq: int = 0) -> Event:
    """Make the event of a row, or of what a caller says.

    Raises
    ------
    UnknownName
        If there is no such topic.
    BadInput
        If a field is missing, unknown or of another type.
    """
    kind = kinds()[check_topic(topic)]
    try:
        return kind(id=id, at=at, seq=seq, **content)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise BadInput(f"the event {topic} cannot be read: {told}") from error
