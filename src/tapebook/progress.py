"""A progress bar that appears once something has taken more than a second."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Report = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done now)."""

PATIENCE = 1.0  # seconds of silence before the bar appears


@contextmanager
def progress(label: str) -> Iterator[Report]:
    """Yield a `Report`; the bar goes to stderr (or below the cell) and clears itself at the end."""
    bar = _Bar(label)
    timer = threading.Timer(PATIENCE, bar.show)
    timer.daemon = True
    timer.start()
    try:
        yield bar.report
    finally:
        timer.cancel()
        bar.close()


class _Bar:
    def __init__(self, label: str) -> None:
        self._label, self._lock, self._closed = label, threading.Lock(), False
        self._last: tuple[int, int | None, str] = (0, None, "")
        self._live: tuple[Progress, TaskID] | None = None

    def report(self, done: int, total: int, doing: str) -> None:
        with self._lock:
            self._last = (done, total, doing)
            if self._live:
                live, task = self._live
                live.update(task, completed=done, total=total, doing=doing)

    def show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        with self._lock:
            if self._closed or os.environ.get("TAPEBOOK_RUN"):  # nobody watches the cells of a run
                return
            columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            doing_now = TextColumn("{task.fields[doing]}")
            live = Progress(*columns, doing_now, console=Console(stderr=True), transient=True)
            done, total, doing = self._last
            self._live = (live, live.add_task(self._label, completed=done, total=total, doing=doing))
            live.start()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._live:
                self._live[0].stop()
