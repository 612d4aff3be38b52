"""Indicators that were computed already: within a sweep, once for each distinct value of a parameter."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


class Memory:
    """Answers by function, frame and parameters, `size` bytes; the oldest go when `limit` is exceeded."""

    def __init__(self, limit: int = 64_000_000) -> None:
        self.limit, self.size, self._lock = limit, 0, threading.Lock()
        self._kept: dict[Any, tuple[Any, Any, int]] = {}

    def ask(self, function: Callable[..., Any], given: Any, *more: Any, **named: Any) -> Any:
        """Return what `function` said of this very frame and these parameters, computing it once."""
        key = (function, id(given), more, tuple(sorted(named.items())))
        try:
            found = self._kept.get(key)
        except TypeError:  # a parameter that cannot be looked up, such as a Series
            return function(given, *more, **named)
        if found is None:
            answer = function(given, *more, **named)
            self._keep(key, given, answer)
            return _own(answer)
        return _own(found[1])

    def _keep(self, key: Any, given: Any, answer: Any) -> None:
        size = sum(_bytes(part) for part in (answer if isinstance(answer, tuple) else (answer,)))
        with self._lock:
            self._kept[key] = (given, answer, size)  # `given` is kept, so that its id stays its own
            self.size += size
            while self.size > self.limit and len(self._kept) > 1:
                self.size -= self._kept.pop(next(iter(self._kept)))[2]


_MEMORY: ContextVar[Memory | None] = ContextVar("memory", default=None)


@contextmanager
def remembering(memory: Memory) -> Iterator[None]:
    """Within this block (and thread), indicators are looked up in `memory` first."""
    token = _MEMORY.set(memory)
    try:
        yield
    finally:
        _MEMORY.reset(token)


def remembered(function: Function) -> Function:
    """Make an indicator one that can be remembered; its first argument is the frame or the bars."""

    @wraps(function)
    def ask(given: Any, *more: Any, **named: Any) -> Any:
        memory = _MEMORY.get()
        return (
            function(given, *more, **named) if memory is None else memory.ask(function, given, *more, **named)
        )

    return cast(Function, ask)


def _bytes(part: Any) -> int:
    values = getattr(part, "to_numpy", lambda: part)()
    return int(getattr(values, "nbytes", 0))


def _own(answer: Any) -> Any:
    """A copy that shares its numbers until someone writes to it (pandas copies on write)."""
    if isinstance(answer, tuple):
        return type(answer)(*(_own(part) for part in answer))
    return answer.copy(deep=False) if hasattr(answer, "index") else answer  # an array has none
