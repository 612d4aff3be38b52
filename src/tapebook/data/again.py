"""Work goes on after a database was stopped and started: what was lost with a connection is done again.

Only what may be done twice is: a question, or a write that finds its own rows there. A database that this
process has not reached yet is not waited for, as its address is more likely wrong than its server away;
unless it says itself that it is starting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial, wraps
from inspect import isfunction
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from tapebook.errors import TapebookError

if TYPE_CHECKING:
    from tapebook.data.store import Store

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Part = TypeVar("Part")
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
    "database has been invalidated",  # and this, of any, after an answer of PostgreSQL that is no answer
    "attempted to access index 0 within vector of size 0",
    "current transaction is aborted",  # what DuckDB says of the next statement
    'failed to execute query "',
)
_COMING = ("the database system is", "not yet accepting connections")


class Away(TapebookError):
    """The database did not come back in time; whoever waited within this wait does not wait once more."""


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
    Away
        If it has not come back after two minutes.
    """
    until, wait = time.monotonic() + PATIENCE, STEP
    while True:
        try:
            return act()
        except Exception as error:
            if (
                isinstance(error, Away)
                or not lost(error)
                or not (met or any(word in _text(error) for word in _COMING))
            ):
                raise
            forget()
            if time.monotonic() > until:
                raise Away(
                    f"the database has been away for {PATIENCE:.0f} seconds: start it and try again. "
                    "What was written before is there; what was under way was undone"
                ) from error
        time.sleep(wait)
        wait = min(2 * wait, LONGEST)


def lasting(part: type[Part]) -> type[Part]:
    """Make the public methods of a part of the catalogue wait for its database, see `again`.

    Each is one transaction, which a lost connection undoes; whether one landed whose end was not heard,
    `Rows.writing` asks the server.
    """
    for name, method in list(vars(part).items()):
        if isfunction(method) and not name.startswith("_"):
            setattr(part, name, _lasting(method))
    return part


def _lasting(method: Callable[..., Answer]) -> Callable[..., Answer]:
    @wraps(method)
    def lastingly(self: _WithRows, /, *args: Any, **given: Any) -> Answer:
        return again(partial(method, self, *args, **given), met=self._rows.met)

    return lastingly


class _Rows(Protocol):
    """What says whether its database was reached before."""

    @property
    def met(self) -> bool: ...


class _WithRows(Protocol):
    """What has rows."""

    _rows: _Rows


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
