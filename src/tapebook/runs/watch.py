"""Look after a run while it goes on: heartbeat, the wish to cancel it, and how much memory it takes."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from tapebook.errors import BadParameter

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.runs.kernel import Kernel

BEAT_SECONDS = 5.0
ASK_SECONDS = 1.0
"""How often the catalogue is asked whether the run shall be cancelled."""
LOOK_SECONDS = 0.1
"""How often memory is looked at."""
UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class Watch:
    """A thread beside a run. Once `why` is set, the kernel is killed: outcome, name, message."""

    def __init__(
        self, catalog: Catalog, id: str, *, memory: int | None = None, cancel: threading.Event | None = None
    ) -> None:
        self.catalog, self.id, self.memory = catalog, id, memory
        self.cancel = cancel or threading.Event()
        self.kernel: Kernel | None = None
        self.why: tuple[str, str, str] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True, name=f"watch of {id}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        beaten = asked = time.monotonic()
        while not self._stop.wait(LOOK_SECONDS if self.memory or self.why else min(ASK_SECONDS, 0.25)):
            now = time.monotonic()
            if now - beaten >= BEAT_SECONDS:
                beaten = now
                with suppress(Exception):  # a missed beat is no reason to lose a run
                    self.catalog.runs.heartbeat(self.id)
            if now - asked >= ASK_SECONDS:
                asked = now
                with suppress(Exception):
                    if self.catalog.runs.get(self.id).cancel is not None:
                        self.cancel.set()
            if self.cancel.is_set() and self.why is None:
                self.why = ("cancelled", "Cancelled", "the run was cancelled")
            if self.memory is not None and self.why is None:
                self._weigh(self.memory)
            if self.why is not None and self.kernel is not None:
                self.kernel.kill()

    def _weigh(self, most: int) -> None:
        used = 0 if self.kernel is None else resident(self.kernel.pid)
        if used > most:
            said = f"the notebook took {shown(used)} of memory and was given {shown(most)}"
            self.why = ("out_of_memory", "OutOfMemory", said)


def resident(pid: int | None) -> int:
    """Bytes of memory that a process and all that it started hold; 0 of one that is gone."""
    import psutil

    if pid is None:
        return 0
    used = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                used += process.memory_info().rss
    return used


def size(said: Any, name: str = "memory") -> int | None:
    """Read an amount of memory: bytes, or "500M", "2G", "1.5 GB"; None is no limit.

    >>> size("2G"), size("500 MB"), size(None)
    (2147483648, 524288000, None)
    """
    if said is None:
        return None
    text = str(said).strip().upper().removesuffix("B").removesuffix("I").rstrip()
    unit = text[-1:] if text[-1:].isalpha() else ""
    try:
        number = float(text.removesuffix(unit)) * UNITS[unit]
    except (KeyError, ValueError):
        number = 0.0
    if not 0 < number < 2**60:
        raise BadParameter(name, said, "an amount of memory above 0, such as 500M or 2G")
    return int(number)


def shown(count: int) -> str:
    """Write an amount of memory.

    >>> shown(3 * 2**30 // 2)
    '1.5 GB'
    """
    unit = next((u for u in ("G", "M", "K") if count >= UNITS[u]), "")
    return f"{count / UNITS[unit]:.3g} {unit}B"
