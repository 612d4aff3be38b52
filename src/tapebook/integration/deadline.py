"""No answer may take for ever: not one that never comes, nor one that drips a byte at a time.

A time-out of a socket begins anew with each byte, so it holds for silence alone. Here whoever asks does so in
a thread and is waited for so long and no longer; the thread ends when its socket does.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from tapebook.integration.outside import Unavailable

Answer = TypeVar("Answer")
SILENCE = 20.0
"""Seconds without a byte after which an answer is given up."""
LONGEST = 120.0
"""Seconds that one answer may take in all."""


def within(seconds: float, question: Callable[[], Answer], who: str) -> Answer:
    """Ask, and raise Unavailable if `who` has not answered after so many seconds."""
    told: list[Answer] = []
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            told.append(question())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(ask,), daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not told:
        raise Unavailable(f"{who} took longer than {seconds:g} s to answer")
    return told[0]


def bounded(session: Any, who: str) -> Any:
    """Let each request of a `requests.Session` end in time; any other session is left as it is.

    The libraries of vendors bring sessions of their own, some without any time-out.
    """
    import requests

    if isinstance(session, requests.Session) and not hasattr(session, "tapebook_bounds"):
        ask = session.request

        def request(*args: Any, **how: Any) -> Any:
            if how.get("timeout") is None:
                how["timeout"] = SILENCE
            return within(LONGEST, lambda: ask(*args, **how), who)

        session.request, session.tapebook_bounds = request, True  # type: ignore[method-assign, attr-defined]
    return session
