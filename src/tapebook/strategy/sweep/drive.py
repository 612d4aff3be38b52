"""Do what a plan asks for: hand combinations out to the crew, and put the answers where they belong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.progress import Report
from tapebook.strategy.sweep.crew import Crew
from tapebook.strategy.sweep.grid import Part, Todo
from tapebook.strategy.sweep.plan import Plan
from tapebook.strategy.sweep.resume import Before, places_of
from tapebook.strategy.sweep.rows import Rows

if TYPE_CHECKING:
    from tapebook.strategy.sweep.crew import Answers

CHUNK = 200
"""Combinations that are handed out together."""
PART = 0.5
"""Seconds that they should take at most: what is under way when a sweep is stopped is lost."""


def done(plan: Plan, before: Before, executor: Executor | None, report: Report) -> tuple[Rows, bool]:
    """Do what is not done yet; say whether all of it was. Ctrl-C keeps what is done."""
    from tapebook.strategy.sweep.guided import guided
    from tapebook.strategy.sweep.work import names

    todo: Any = np.asarray(plan.places if plan.search != "optuna" else [])
    todo = todo[~np.isin(todo, list(before.places))] if before.places else todo
    size = len(todo) if plan.search != "optuna" else plan.asked
    each = len(plan.job.bars.symbols) if plan.job.alone else 1
    rows, crew = Rows(plan.grid, names(), each, size), Crew(plan.job, executor)
    try:
        if plan.search == "optuna":
            guided(plan, before.table, places_of(before.table, plan), crew, rows, report)
        else:
            _all(plan, todo, crew, rows, report)
    except KeyboardInterrupt:
        return rows, False
    finally:
        crew.leave()
    return rows, True


def _all(plan: Plan, todo: Any, crew: Crew, rows: Rows, report: Report) -> None:
    """Trade every combination that is not done yet. What will take long says so first."""
    from tapebook.strategy.sweep.estimate import LONG, duration, pilot

    first = pilot(plan, todo, crew, thorough=False)
    known = np.isin(todo, list(first.answers))
    rows.put(np.flatnonzero(known), todo[known], [first.answers[place] for place in todo[known].tolist()])
    rest, slots = Todo(plan.grid, todo[~known]), np.flatnonzero(~known)
    had, seconds = len(plan.places) - len(rest), first.estimate.seconds if first.estimate else 0.0
    told = f", about {duration(seconds)}" if seconds >= LONG else ""
    report(had, len(plan.places), f"combinations{told}")
    done, chunk = 0, _chunk(len(rest), first.each, crew.count)
    for answers in _in_order(crew, (rest[i : i + chunk] for i in range(0, len(rest), chunk))):
        now = slice(done, done + len(answers))
        rows.put(slots[now], rest.places[now], answers)  # type: ignore[arg-type]
        done += len(answers)
        report(had + done, len(plan.places), f"combinations{told}")


def _chunk(todo: int, each: float, workers: int) -> int:
    """How many to hand out together: each worker gets several parts, none of which takes long."""
    even = -(-todo // (4 * workers))
    return max(1, min(CHUNK, even, int(PART / max(each, 1e-9))))


def _in_order(crew: Crew, chunks: Iterable[Part]) -> Iterator[Answers]:
    """Hand out a few chunks ahead, so that memory stays the same however many there are."""
    ahead = iter(chunks)
    running: list[Future[Answers]] = [crew.submit(chunk) for chunk in islice(ahead, 2 * crew.count)]
    try:
        while running:
            yield running.pop(0).result()
            running += [crew.submit(chunk) for chunk in islice(ahead, 1)]
    finally:
        for future in running:
            future.cancel()
