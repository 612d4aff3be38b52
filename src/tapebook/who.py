"""Who does something here: the name that every change on a desk is written down with."""

from __future__ import annotations

import getpass
import os
import socket


def who() -> str:
    """Return TAPEBOOK_USER, or this account and machine: "ann@desk-3".

    It is a name and no proof: whoever may write to the desk's database may write any name there.
    """
    said = os.environ.get("TAPEBOOK_USER", "").strip()
    return (said or f"{_account()}@{socket.gethostname()}")[:255]


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a name for its user
        return "unknown"
