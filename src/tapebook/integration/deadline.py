"""No answer may take for ever: not one that never comes, nor one that drips a byte at a time.

A time-out of a socket begins anew with each byte, so it holds for silence alone. Here whoever asks does so in
a thread and is waited for so long and no longer; the thread ends when its socket does.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from functools import partial
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
    """Let each request of a session end in time: one of requests', or of curl_cffi's.

    The libraries of vendors bring sessions of their own, some without any time-out. Any other session is left
    as it is.
    """
    import requests

    if hasattr(session, "tapebook_bounds"):
        return session
    if isinstance(session, requests.Session):
        session.request = partial(_in_time, session.request, who)  # type: ignore[method-assign]
    elif _of_curl(session):
        session.request = partial(_by_curl, session.request)
    else:
        return session
    session.tapebook_bounds = True
    return session


def _in_time(ask: Callable[..., Any], who: str, *args: Any, **how: Any) -> Any:
    if how.get("timeout") is None:
        how["timeout"] = SILENCE
    return within(LONGEST, partial(ask, *args, **how), who)


def _by_curl(ask: Callable[..., Any], *args: Any, **how: Any) -> Any:
    """A time-out of curl's is one of the whole answer already."""
    said = how.get("timeout")
    how["timeout"] = min(said, LONGEST) if isinstance(said, (int, float)) else LONGEST
    return ask(*args, **how)


def _of_curl(session: Any) -> bool:
    return any(base.__module__.startswith("curl_cffi") for base in type(session).__mro__)
