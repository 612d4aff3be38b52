"""Who does a sweep's work: threads of this process, or whatever a concurrent.futures.Executor brings."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tapebook.strategy.code_hash import body
from tapebook.strategy.memory import Memory, remembering

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules
    from tapebook.strategy.sweep.grid import Part, Settings

    Answers = Sequence[np.ndarray | None] | np.ndarray
    """Figures of each combination of a part, (symbols, figures), None where one was refused."""


@dataclass(frozen=True)
class Job:
    """What every part of the work needs; `strategy` itself, or as another process takes it."""

    strategy: Strategy | str | bytes
    bars: Bars
    rules: Rules
    fixed: Settings
    alone: bool


class Crew:
    """Workers with one job: `count` of them, who share a `memory` where they are in this process."""

    def __init__(self, job: Job, executor: Executor | None) -> None:
        self._own = executor is None
        self._pool = executor or ThreadPoolExecutor(os.cpu_count() or 1)
        self.here = isinstance(self._pool, ThreadPoolExecutor)
        self.memory = Memory()
        self.count = _count(self._pool)
        self._job: Any = job if self.here else _sent(job, self._pool)

    def submit(self, part: Part, memory: Memory | None = None) -> Future[Answers]:
        """Trade some combinations somewhere."""
        return self._pool.submit(work, self._job, part, (memory or self.memory) if self.here else None)

    def leave(self) -> None:
        """Stop what is not under way yet; an executor that was given is left as it is."""
        if self._own:
            self._pool.shutdown(wait=False, cancel_futures=True)


def work(job: Job, part: Part, memory: Memory | None) -> Answers:
    """Trade each combination of a part."""
    from tapebook.strategy.compiled import Compiled
    from tapebook.strategy.sweep.work import figures_of, figures_of_all

    found = received(job.strategy)
    with remembering(memory or Memory()):
        if isinstance(found, Compiled) and job.alone:
            return figures_of_all(found, job.bars, job.rules, job.fixed, part)
        return [figures_of(found, job.bars, job.rules, job.fixed | c, alone=job.alone) for c in part]


def _count(pool: Any) -> int:
    """How many work at the same time."""
    if hasattr(pool, "_max_workers"):
        return int(pool._max_workers)
    if hasattr(pool, "_client"):  # Dask's
        return sum(pool._client.nthreads().values()) or 1
    return os.cpu_count() or 1


def _sent(job: Job, pool: Any) -> Any:
    """The job as workers elsewhere receive it; Dask sends it to each of them once, not with every chunk."""
    packed = replace(job, strategy=sendable(job.strategy))  # type: ignore[arg-type]
    if hasattr(pool, "_client"):
        return pool._client.scatter(packed, broadcast=True, hash=False)
    return packed


# ---- a strategy in another process


def sendable(strategy: Strategy) -> Strategy | str | bytes:
    """A strategy as another process can receive it: its name in the library, else its code by value.

    Without cloudpickle (Dask brings it) only functions that the other process can import arrive.
    """
    from tapebook.strategy import registry
    from tapebook.strategy.compiled import Compiled

    if strategy.name in registry.names() and registry.get(strategy.name).source_hash == strategy.source_hash:
        return strategy.name
    try:
        import cloudpickle
    except ImportError:
        return strategy
    if isinstance(strategy, Compiled):  # what is compiled here stays here
        strategy = Compiled(
            strategy.decide, strategy.parameters, family=strategy.family, shorts=strategy.shorts
        )
        function = strategy.decide
    else:
        function = strategy.function
    with _by_value(body(function).__module__):
        return bytes(cloudpickle.dumps(strategy))


@contextmanager
def _by_value(module: str) -> Iterator[None]:
    """Functions of this module are written out whole: elsewhere it may not be there."""
    import cloudpickle

    found = sys.modules.get(module)
    if found is None or module == "__main__" or module.startswith("tapebook."):
        yield
        return
    cloudpickle.register_pickle_by_value(found)
    try:
        yield
    finally:
        cloudpickle.unregister_pickle_by_value(found)


def received(strategy: Strategy | str | bytes) -> Strategy:
    """Return the strategy that was sent."""
    from tapebook.strategy import registry

    return _unpacked(strategy) if isinstance(strategy, bytes) else registry.get(strategy)


@lru_cache(maxsize=4)
def _unpacked(code: bytes) -> Strategy:
    found: Strategy = pickle.loads(code)
    return found
