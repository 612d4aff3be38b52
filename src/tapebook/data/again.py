"""Work goes on after a database was stopped and started: what was lost with a connection is done again.

Only what may be done twice is: a question, or a write that finds its own rows there. A database that this
process has not reached yet is not waited for, as its address is more likely wrong than its server away;
unless it says itself that it is starting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

from tapebook.errors import TapebookError

if TYPE_CHECKING:
    from tapebook.data.store import Store

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
PATIENCE = 120.0
"""Seconds that a database is waited for."""
STEP = 0.2
LONGEST = 2.0

_GONE = (
    "server closed the connection",
    "terminating connection",
    "connection refused",
    "connection to server",
    "could not connect",
    "unable to connect",
    "failed to connect",
    "consuming input failed",
    "no connection to the server",
    "the connection is lost",
    "connection is closed",
    "connection already closed",
    "connection has already been closed",
    "connection timed out",
    "connection reset by peer",
    "could not receive data from server",
    "could not send data to server",
    "ssl connection has been closed",
    "current transaction is aborted",  # what DuckDB says of the next statement
    'failed to execute query "',
)
_COMING = ("the database system is", "not yet accepting connections")


def lost(error: BaseException) -> bool:
    """Whether an error says that the connection to the database is gone, or that there is none yet."""
    return any(word in _text(error) for word in (*_GONE, *_COMING))


def again(
    act: Callable[[], Answer], forget: Callable[[], object] = lambda: None, *, met: bool = True
) -> Answer:
    """Do something that may be done twice, until the database answers.

    Parameters
    ----------
    act : callable
        What to do.
    forget : callable
        Lets go of connections that are no more.
    met : bool
        Whether this database was reached before: only then it is waited for.

    Raises
    ------
    TapebookError
        If it has not come back after two minutes.
    """
    until, wait = time.monotonic() + PATIENCE, STEP
    while True:
        try:
            return act()
        except Exception as error:
            if not lost(error) or not (met or any(word in _text(error) for word in _COMING)):
                raise
            forget()
            if time.monotonic() > until:
                raise TapebookError(
                    f"the database has been away for {PATIENCE:.0f} seconds: start it and try again. "
                    "What was written before is there; what was under way was undone"
                ) from error
        time.sleep(wait)
        wait = min(2 * wait, LONGEST)


class _Stored(Protocol):
    """What has a store."""

    _store: Store


Self_ = TypeVar("Self_", bound=_Stored)


def patient(
    method: Callable[Concatenate[Self_, Given], Answer],
) -> Callable[Concatenate[Self_, Given], Answer]:
    """Make a method of the lake wait for its database, see `again`: one that may be done twice."""

    @wraps(method)
    def patiently(self: Self_, /, *args: Given.args, **given: Given.kwargs) -> Answer:
        return self._store.again(partial(method, self, *args, **given))

    return patiently


def _text(error: BaseException) -> str:
    return f"{type(error).__name__} {error} {error.__cause__ or ''}".lower()
