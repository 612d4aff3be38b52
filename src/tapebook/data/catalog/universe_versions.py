"""What a universe was in each of its versions: kept when it is saved, and when it gets another note."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from tapebook.data.catalog.tables import universe_versions


def keep_noted(connection: Connection, name: str, version: int) -> None:
    """Keep the members of a version that only got another note."""
    kept = universe_versions
    last = connection.execute(
        select(kept).where(kept.c.name == name).order_by(kept.c.version.desc()).limit(1)
    ).one_or_none()
    if last is not None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        row = {"name": name, "version": version, "members": last.members, "at": at, "who": last.who}
        connection.execute(insert(kept).values(row))
