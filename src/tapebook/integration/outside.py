"""What a source needs to speak to a vendor: credentials by reference, a shared pace, patience with faults."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tapebook import redact
from tapebook.errors import BadParameter, TapebookError
from tapebook.integration.pace import Pace
from tapebook.integration.vault_secret import PREFIX

if TYPE_CHECKING:
    from tapebook.config import Config

Answer = TypeVar("Answer")
TRIES = 5
"""How often one question is asked at most."""
LONGEST = 300.0
"""Seconds that are waited between two tries at most; a vendor that wants more is given up for now."""


class Unavailable(TapebookError):
    """A vendor does not answer as it should, for now; asking later may do.

    `after` is how many seconds it wants to be left alone, None if it did not say.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


def _nowhere(reference: str) -> str:
    raise BadParameter("credential", reference, "a value: only a desk can open the vault")


def _anywhere() -> Path:
    return Path(tempfile.gettempdir()) / f"tapebook-pace-{os.getuid() if hasattr(os, 'getuid') else 'all'}"


@dataclass(frozen=True)
class Outside:
    """The world as a source sees it. `Outside.of(config)` is a desk's; the default one has no vault."""

    folder: Path = field(default_factory=_anywhere)
    reveal: Callable[[str], str] = _nowhere
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, config: Config) -> Outside:
        """Return what the sources of a desk use: its vault, and a pace that its processes share."""
        from tapebook.integration.vault import reveal

        return cls(config.home / "data" / "pace", partial(reveal, config))

    def credential(self, value: str) -> str:
        """Return what "secret:NAME" refers to, or the value itself; from now on nothing here says it."""
        value = self.reveal(value) if value.startswith(PREFIX) else value
        redact.hide(value)
        return value

    def pace(self, vendor: str, rate: float) -> Pace:
        """Return the turns of a vendor, `rate` a second, whoever asks."""
        name = re.sub(r"[^A-Za-z0-9.-]", "_", vendor)
        return Pace(self.folder / f"{name}.turn", rate, self.clock, self.sleep)

    def ask(self, vendor: str, rate: float, question: Callable[[], Answer]) -> Answer:
        """Ask in turn, and again when the vendor is `Unavailable`: 1, 2, 4 … seconds later, or as it says.

        Raises
        ------
        Unavailable
            After the last try, or when the vendor wants to be left alone for longer than five minutes.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_attempt

        pace = self.pace(vendor, rate)

        def once() -> Answer:
            pace.wait()
            try:
                return question()
            except Unavailable as fault:
                if fault.after is not None:
                    pace.hold(fault.after)
                raise

        again = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=_patience,
            sleep=self.sleep,
            retry=retry_if_exception(_worth_waiting),
            reraise=True,
        )
        return again(once)


def retry_after(said: str | None, now: float) -> float | None:
    """Seconds in a `Retry-After` header: a number, or an HTTP date; None if it says neither.

    >>> retry_after("7", 0), retry_after("Thu, 01 Jan 1970 00:01:00 GMT", 50), retry_after("soon", 0)
    (7.0, 10.0, None)
    """
    if not said:
        return None
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())


def _worth_waiting(fault: BaseException) -> bool:
    return isinstance(fault, Unavailable) and (fault.after is None or fault.after <= LONGEST)


def _patience(state: Any) -> float:
    """Seconds before the next try. The pace holds the vendor's own wish; this is for when it has none."""
    fault = state.outcome.exception()
    if isinstance(fault, Unavailable) and fault.after is not None:
        return 0.0  # the next turn comes when the vendor said
    return float(min(2.0 ** (state.attempt_number - 1), LONGEST))
