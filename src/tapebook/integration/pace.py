"""How often a vendor may be asked: one rhythm for every process of a desk, kept in a small file."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

FARTHEST = 3600.0
"""Seconds: a turn farther away than this was written by a clock that was wrong."""


@dataclass(frozen=True)
class Pace:
    """Turns to ask a vendor, `rate` a second, shared by all who name the same file.

    The file holds the time (seconds since 1970) at which the next turn is free; a lock beside it lets one
    process at a time take a turn. Waiting is done without the lock.
    """

    file: Path
    rate: float
    clock: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep

    def wait(self) -> None:
        """Sleep until it is this caller's turn."""
        now = self.clock()
        with self._lock():
            turn = max(now, self._free(now))
            self._write(turn + 1 / self.rate)
        if turn > now:
            self.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Give nobody a turn for so long: the vendor has said so (`Retry-After`)."""
        now = self.clock()
        with self._lock():
            self._write(max(self._free(now), now + min(seconds, FARTHEST)))

    def _lock(self) -> FileLock:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self.file.with_suffix(".lock"))

    def _free(self, now: float) -> float:
        try:
            free = float(self.file.read_text())
        except (OSError, ValueError):
            return 0.0
        return free if free <= now + FARTHEST else 0.0

    def _write(self, free: float) -> None:
        part = self.file.with_suffix(".part")  # a process that is killed here leaves the old turn, not none
        part.write_text(repr(free))
        part.replace(self.file)
