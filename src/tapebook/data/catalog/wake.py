"""Sleep until something happens: PostgreSQL says so at once, SQLite is looked at often."""

from __future__ import annotations

import sqlite3
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tapebook.data.catalog.rows import Rows

CHANNEL = "tapebook_events"
"""What PostgreSQL's subscribers listen to."""
LOOK_SECONDS = 0.2
"""How often an embedded catalogue is looked at; a look is one PRAGMA on an open connection."""
AGAIN_SECONDS = 2.0
"""How long after a lost connection another one is tried."""


class Waiter(Protocol):
    """What a subscriber sleeps on."""

    def wait(self, seconds: float) -> bool:
        """Sleep at most so long; True when something was written meanwhile."""

    def close(self) -> None:
        """Let go of the connection."""


def waiter(rows: Rows) -> Waiter:
    """Give the waiter of this database."""
    return Looking(rows.file) if rows.file is not None else Listening(rows)


class Looking:
    """Looks whether another connection has written to a SQLite file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None

    def wait(self, seconds: float) -> bool:
        """Sleep at most so long; True when something was written meanwhile."""
        until = time.monotonic() + seconds
        while True:
            if self._changed():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(left, LOOK_SECONDS))

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = self._seen = None

    def _changed(self) -> bool:
        try:
            if self._connection is None:
                if not self._file.exists():
                    return False
                self._connection = sqlite3.connect(self._file, timeout=5, check_same_thread=False)
            (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:  # being replaced, or on a disk that has gone: look again later
            self.close()
            return False
        changed = self._seen is not None and version != self._seen
        self._seen = version
        return changed


class Listening:
    """Listens to PostgreSQL's notices; while it cannot, it sleeps and tries again."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._connection: Any = None

    def wait(self, seconds: float) -> bool:
        """Sleep at most so long; True when something was written meanwhile, or might have been."""
        import psycopg

        try:
            if self._connection is None:
                self._connection = self._listen()
                return True  # what was written before cannot have been heard
            return any(True for _ in self._connection.notifies(timeout=seconds, stop_after=1))
        except psycopg.Error:
            self.close()
            time.sleep(min(seconds, AGAIN_SECONDS))
            return False

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    def _listen(self) -> Any:
        import psycopg

        url = self._rows.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=10, application_name="tapebook listens"
        )
        try:
            connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            connection.close()
            raise
        return connection
