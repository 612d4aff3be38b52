"""Leases: who holds something, until when, by the database's own clock, and whether that program still is."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Double, cast, extract, func


def clock(connection: Connection) -> Any:
    """Seconds since 1970, for a statement: machines of a team may disagree, so the server's clock counts."""
    if connection.dialect.name == "postgresql":
        return cast(extract("epoch", func.clock_timestamp()), Double)
    return time.time()


def holder() -> str:
    """A new name for a holder in this process: machine, process, when that began, and a word of its own."""
    return f"{_machine()}/{os.getpid()}/{_began(os.getpid())}/{uuid4().hex[:8]}"


def gone(name: str | None) -> bool:
    """Whether the program of a holder certainly has ended; of another machine nothing is certain."""
    if not name:
        return True
    machine, pid, began, *_ = [*name.rsplit("/", 3), "", "", ""][:4]
    return machine == _machine() and pid.isdigit() and _began(int(pid)) != began


def _machine() -> str:
    """This machine, and where there are containers this one of them: process numbers are its own."""
    try:
        space = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        space = ""
    return f"{socket.gethostname()}{space}"


def _began(pid: int) -> str:
    """When a process began, "" of one that is not there: a number may be given again, but later."""
    import psutil

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return "" if ended else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return ""
