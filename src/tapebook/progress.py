"""A progress bar that appears once something has taken more than a second."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Report = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done now)."""

PATIENCE = 1.0  # seconds of silence before the bar appears
PAUSE = 0.25  # seconds between two pictures of it in a notebook


@contextmanager
def progress(label: str) -> Iterator[Report]:
    """Yield a `Report`; the bar goes to stderr (or below the cell) and clears itself at the end.

    Ctrl-C (in a notebook: ■) that some library swallows is raised again at the next report.
    """
    bar: _Any = _Cell(label) if _in_notebook() else _Terminal(label)
    timer = threading.Timer(PATIENCE, bar.show)
    timer.daemon = True
    timer.start()
    try:
        with _stoppable(bar.report) as report:
            yield report
    finally:
        timer.cancel()
        bar.close()


class _Any(Protocol):
    def report(self, done: int, total: int, doing: str) -> None: ...
    def show(self) -> None: ...
    def close(self) -> None: ...


class _Terminal:
    """A bar of rich's on stderr."""

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
            if self._closed or _unseen():
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


class _Cell:
    """An output of the cell, redrawn in place.

    Nobody ever waits for its lock, and it has no thread that redraws: rich's bar, which has both, could hold
    up a notebook whose work was interrupted, and left a dead widget in the saved file.
    """

    def __init__(self, label: str) -> None:
        self._label, self._began, self._drawn = label, time.monotonic(), 0.0
        self._lock, self._closed, self._handle = threading.Lock(), False, None
        self._last: tuple[int, int, str] = (0, 0, "")

    def report(self, done: int, total: int, doing: str) -> None:
        self._last = (done, total, doing)
        now = time.monotonic()
        if now - self._began >= PATIENCE and now - self._drawn >= PAUSE:
            self.show()

    def show(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                if not self._closed and not _unseen():
                    self._drawn = time.monotonic()
                    self._put(self._picture())
            finally:
                self._lock.release()

    def close(self) -> None:
        self._closed = True
        if self._handle is not None:
            self._put({"text/plain": "", "text/html": ""})

    def _put(self, picture: dict[str, str]) -> None:
        from IPython.display import display

        if self._handle is None:
            handle: Any = display(picture, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            self._handle = handle
        else:
            self._handle.update(picture, raw=True)

    def _picture(self) -> dict[str, str]:
        done, total, doing = self._last
        counted = f"{done:,}/{total:,}" if total else ""
        said = [counted, doing, f"{time.monotonic() - self._began:.0f} s"]
        words = " · ".join(word for word in said if word)
        how_far = f"value='{done}' max='{total}'" if total else ""
        bar = f"<progress {how_far} style='width:220px;vertical-align:middle'></progress>"
        style = "color:var(--jp-ui-font-color1,inherit);font-size:13px"
        return {
            "text/plain": f"{self._label}: {words}",
            "text/html": f"<div role='status' style='{style}'>{escape(self._label)} {bar} {escape(words)} "
            "<span style='opacity:.7'>(■ stops it)</span></div>",
        }


@contextmanager
def _stoppable(report: Report) -> Iterator[Report]:
    """Give a report that raises KeyboardInterrupt if there was one and whoever got it went on as before."""
    if threading.current_thread() is not threading.main_thread():
        yield report
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield report
        return
    act, asked = before, threading.Event()

    def note(number: int, frame: Any) -> None:
        asked.set()
        act(number, frame)

    def told(done: int, total: int, doing: str) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        report(done, total, doing)

    signal.signal(signal.SIGINT, note)
    try:
        yield told
    finally:
        if signal.getsignal(signal.SIGINT) is note:
            signal.signal(signal.SIGINT, before)


def _in_notebook() -> bool:
    """Whether this is the kernel of a notebook."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return getattr(found, "kernel", None) is not None


def _unseen() -> bool:
    """Whether nobody watches: the cells of a run."""
    return bool(os.environ.get("TAPEBOOK_RUN"))
