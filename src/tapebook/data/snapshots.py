"""Snapshots of the lake: every write makes one, and each can be read again."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

from tapebook.data.store import EMPTY, NAME
from tapebook.data.when import When, last_moment
from tapebook.errors import NoData

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

AsOf = int | str | date | datetime | None
"""A snapshot's number (also as digits), or a time; None is now."""

SETTING_UP = (
    "(map_contains(changes, 'schemas_created') OR map_contains(changes, 'tables_created')) "
    "AND NOT map_contains(changes, 'tables_inserted_into')"
)
"""Snapshots that made tables and wrote nothing: nobody reads them."""
_WORDS = {"inserted_into": "rows added", "deleted_from": "rows removed", "merge_adjacent": "files merged"}


def resolve(cursor: DuckDBPyConnection, asof: AsOf) -> int:
    """Return the number of the snapshot valid at `asof`.

    Raises
    ------
    NoData
        If there is none: the lake is empty, was empty then, or the snapshot has been dropped.
    """
    if asof is None:
        row = cursor.execute(f"FROM {NAME}.current_snapshot()").fetchone()
        if row is None or row[0] < 2 and _found(cursor, "true") is None:  # noqa: PLR2004 - 0 and 1 set up
            raise NoData(EMPTY)
        return int(row[0])
    number = _number(asof)
    if number is not None:
        if _found(cursor, f"snapshot_id = {number}") is None:
            raise _none(cursor, f"snapshot {number}")
        return number
    found = _found(cursor, f"snapshot_time <= '{last_moment(cast(When, asof), 'asof')}'")
    if found is None:
        raise _none(cursor, f"snapshot as early as {asof}")
    return found


def _number(asof: Any) -> int | None:
    if isinstance(asof, str) and asof.strip().isdigit():
        return int(asof)
    if isinstance(asof, int) or hasattr(asof, "__index__"):
        return int(asof)
    return None


def _found(cursor: DuckDBPyConnection, condition: str, pick: str = "max(snapshot_id)") -> int | None:
    query = f"SELECT {pick} FROM {NAME}.snapshots() WHERE NOT ({SETTING_UP}) AND {condition}"
    row = cursor.execute(query).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _none(cursor: DuckDBPyConnection, what: str) -> NoData:
    query = f"SELECT min(snapshot_id), max(snapshot_id), min(snapshot_time)::VARCHAR FROM {NAME}.snapshots() "
    row = cursor.execute(f"{query} WHERE NOT ({SETTING_UP})").fetchone()
    if row is None or row[0] is None:
        return NoData(EMPTY)
    first, last, since = row
    told = f"there are some from {first} to {last}, the first of {since}"
    return NoData(f"the lake has no {what}: {told}; see `tapebook data snapshots`.")


def frame(cursor: DuckDBPyConnection | None) -> pd.DataFrame:
    """Return id, time, note and changes of each snapshot, oldest first."""
    import pandas as pd

    rows = []
    if cursor is not None:
        query = (
            f"SELECT snapshot_id, epoch_us(snapshot_time), commit_message, changes FROM {NAME}.snapshots()"
        )
        rows = cursor.execute(f"{query} WHERE NOT ({SETTING_UP}) ORDER BY snapshot_id").fetchall()
        names = _table_names(cursor)
    return pd.DataFrame(
        {
            "id": pd.array([row[0] for row in rows], dtype="int64"),
            "time": pd.to_datetime([row[1] for row in rows], unit="us", utc=True).as_unit("us"),
            "note": pd.array([row[2] or "" for row in rows], dtype="str"),
            "changes": pd.array([_readable(row[3], names) for row in rows], dtype="str"),
        }
    )


def _table_names(cursor: DuckDBPyConnection) -> dict[str, str]:
    query = f"SELECT table_id, table_name FROM ducklake_table_info('{NAME}')"
    return {str(number): name for number, name in cursor.execute(query).fetchall()}


def _readable(changes: dict[str, list[str]], names: dict[str, str]) -> str:
    """Turn {"tables_inserted_into": ["4"]} into "bars: rows added"."""
    told: dict[str, list[str]] = {}
    for kind, tables in changes.items():
        short = kind.removeprefix("tables_")
        for table in tables:
            told.setdefault(names.get(table, table).removeprefix("main."), []).append(
                _WORDS.get(short, short.replace("_", " "))
            )
    return "; ".join(f"{table}: {', '.join(sorted(words))}" for table, words in sorted(told.items()))
