"""What uses an item by its name, so that it is not deleted under its users."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, select

from tapebook.data.catalog import outbox_tables as o
from tapebook.data.catalog import tables as t
from tapebook.errors import BadInput

SHOWN = 3
"""Users that an error names."""


def refuse_used(connection: Connection, kind: str, name: str) -> None:
    """Raise BadInput if something uses an item of this kind; it says what, and how to let go."""
    used = list(users(connection, kind, name))
    if used:
        more = f" and {len(used) - SHOWN} more" if len(used) > SHOWN else ""
        listed = "; ".join(f"{what} (`{undo}`)" for what, undo in used[:SHOWN])
        raise BadInput(f"{kind} {name} is in use and was not deleted. It is used by {listed}{more}")


def users(connection: Connection, kind: str, name: str) -> Iterator[tuple[str, str]]:
    """Yield what uses an item, each with the command that ends it."""
    if kind == "universe":
        yield from _screens(connection, f"@{name}")
        yield from _schedules(connection, f"@{name}")
    elif kind == "screen":
        for row in connection.execute(select(o.schedules).where(o.schedules.c.template == "screen")):
            if row.parameters.get("screen") == name:
                yield _schedule(row.name)
    elif kind == "schedule":
        for row in connection.execute(select(t.publications)):
            if row.source.get("schedule") == name:
                yield f"the published name {row.name}", f"tapebook unpublish {row.name}"
    elif kind == "document":
        for row in connection.execute(select(o.subscribers).where(o.subscribers.c.kind == "document")):
            if json.loads(row.target or "{}").get("to") == name:
                yield f"the subscription {row.name}", f"tapebook events unsubscribe {row.name}"
    elif kind == "secret":
        yield from _secret(connection, f"secret:{name}")


def _screens(connection: Connection, word: str) -> Iterator[tuple[str, str]]:
    for row in connection.execute(select(t.screens)):
        if _names(row.symbols, word):
            yield f"screen {row.name}", f"tapebook screen delete {row.name}"


def _schedules(connection: Connection, word: str) -> Iterator[tuple[str, str]]:
    for row in connection.execute(select(o.schedules)):
        if _names(row.parameters, word) or _names(row.notify, word):
            yield _schedule(row.name)


def _schedule(name: str) -> tuple[str, str]:
    return f"schedule {name}", f"tapebook schedule remove {name}"


def _secret(connection: Connection, word: str) -> Iterator[tuple[str, str]]:
    for row in connection.execute(select(o.document_targets)):
        if _names(row.options, word):
            yield f"documentation target {row.name}", f"tapebook document remove {row.name}"
    yield from _schedules(connection, word)
    for row in connection.execute(select(o.subscribers)):
        if word in (row.target, row.secret):
            yield f"subscription {row.name}", f"tapebook events unsubscribe {row.name}"


def _names(value: Any, word: str) -> bool:
    """Whether a value, or a part of it, names `word` among others: "@sp500, SPY"."""
    if isinstance(value, dict):
        return any(_names(part, word) for part in value.values())
    if isinstance(value, list):
        return any(_names(part, word) for part in value)
    return isinstance(value, str) and word in re.split(r"[,;\s]+", value)
