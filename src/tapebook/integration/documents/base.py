"""The seam: what a documentation tool must be able to do to have a run's findings in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tapebook.errors import BadInput, ConfigError, TapebookError
from tapebook.integration import deadline
from tapebook.integration.outside import Outside, Unavailable, retry_after

if TYPE_CHECKING:
    from tapebook.integration.documents.document import Document

Answer = TypeVar("Answer")
WHOLE = 900.0
"""Seconds that a page may take in all, tries and waiting included: the lease on it is longer."""
AGAIN = {408, 425, 429, 500, 502, 503, 504}
"""Statuses that may be other ones a moment later."""


class Gone(TapebookError):
    """A page that was there has been deleted."""


@dataclass(frozen=True)
class Remote:
    """A page as its tool knows it, and where a person opens it."""

    id: str
    url: str = ""


class Target(Protocol):
    """Keeps pages. Every method raises Unavailable for what may be better in a moment, BadInput for the rest.

    A create that fails with Unavailable may have made the page all the same: `find` is asked before it is
    made again, so that `create` must put the document's marker in with its first request.
    """

    kind: str
    rate: float

    def attach(self, outside: Outside) -> None:
        """Use this desk's vault and pace."""

    def exists(self, id: str) -> bool:
        """Say whether the page is there and not in a bin."""

    def find(self, document: Document) -> str | None:
        """Return the id of the page that has the document's marker."""

    def create(self, document: Document) -> Remote:
        """Make the page."""

    def update(self, id: str, document: Document) -> Remote:
        """Let the page say what the document says, and nothing else; Gone if it is not there."""

    def delete(self, id: str) -> None:
        """Take the page away; one that is not there is no error."""


class Keeper:
    """What targets share: the desk's outside, and requests a second."""

    kind = ""
    rate = 3.0
    outside = Outside()
    _until: float | None = None

    def attach(self, outside: Outside) -> None:
        """Use this desk's vault and pace, and be done with a page in time."""
        self.outside = outside
        self._until = time.monotonic() + WHOLE

    def within(self, question: Callable[[], Answer], who: str) -> Answer:
        """Ask the tool once; Unavailable if this answer, or the page in all, takes too long."""
        left = WHOLE if self._until is None else self._until - time.monotonic()
        if left <= 0:
            raise Unavailable(f"{who} took longer than {WHOLE:g} s for one page")
        return deadline.within(min(deadline.LONGEST, left), question, who)


def library(module: str, package: str) -> Any:
    """Import a tool's client; ConfigError says what to install when it is not there."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"publishing there needs {package}, which is not installed: "
            f"pip install 'tapebook[documents]' ({error})"
        ) from error


def fault(where: str, status: int, said: str, after: str | None = None) -> TapebookError:
    """What an answer of 400 or more means: Unavailable, Gone or BadInput."""
    told = f"{where} answered with status {status}: {' '.join(said.split())[:200]}"
    if status in AGAIN or (status == 403 and after):
        return Unavailable(told, retry_after(after, time.time()))
    if status in (404, 410):
        return Gone(told)
    if status in (401, 403):
        told += ". Check the credential and what it may do (`tapebook secrets list`)"
    return BadInput(told)
