"""What each snapshot of the lake changed: which symbols, how many bars, over which span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tapebook.data.snapshots import SETTING_UP
from tapebook.data.store import NAME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TOUCHED = ("tables_inserted_into", "tables_deleted_from")
_NEW = "change_type IN ('insert', 'update_postimage')"
_OLD = "change_type IN ('delete', 'update_preimage')"


@dataclass(frozen=True)
class Change:
    """What one snapshot did to the bars, and to splits and dividends (`actions`, rows).

    `complete` is False where snapshots before it were dropped unseen: then `symbols` is all that there are.
    """

    snapshot: int
    time: datetime
    note: str
    symbols: tuple[str, ...]
    freqs: tuple[str, ...] = ()
    added: int = 0
    changed: int = 0
    removed: int = 0
    actions: int = 0
    first: datetime | None = None
    last: datetime | None = None
    complete: bool = True


def changes(cursor: DuckDBPyConnection, after: int, limit: int) -> tuple[int, list[Change]]:
    """Tell the snapshots after number `after`, oldest first; those that left the bars alone are left out.

    Returns
    -------
    (int, list of Change)
        The last snapshot that was looked at (at most `limit` of them are), and what they did.
    """
    rows = cursor.execute(
        f"SELECT snapshot_id, snapshot_time, commit_message, changes, {SETTING_UP} FROM {NAME}.snapshots() "
        f"WHERE snapshot_id > {after} ORDER BY snapshot_id LIMIT {limit}"
    ).fetchall()
    tables = _tables(cursor) if rows else {}
    told, before = [], after
    for number, time, note, did, setting_up in rows:
        touched = {tables.get(table, "") for kind in _TOUCHED for table in did.get(kind, ())}
        if number > before + 1:  # what lay between was dropped before anybody asked
            told.append(Change(number, time, note or "", _all(cursor, number), complete=False))
        elif not setting_up and touched & {"bars", "actions"}:
            told.append(_change(cursor, number, time, note or "", touched))
        before = number
    return before, told


def _change(cursor: DuckDBPyConnection, number: int, time: datetime, note: str, touched: set[str]) -> Change:
    bars = f"ducklake_table_changes('{NAME}', 'main', 'bars', {number}, {number})"
    actions = f"ducklake_table_changes('{NAME}', 'main', 'actions', {number}, {number})"
    groups, paid = [], []
    if "bars" in touched:
        groups = cursor.execute(
            f"SELECT symbol, freq, count(*) FILTER ({_NEW}), count(*) FILTER ({_OLD}), min(ts), max(ts) "
            f"FROM {bars} GROUP BY ALL"
        ).fetchall()
    if "actions" in touched:
        paid = cursor.execute(f"SELECT symbol, count(DISTINCT ts) FROM {actions} GROUP BY ALL").fetchall()
    new, old = sum(row[2] for row in groups), sum(row[3] for row in groups)
    changed = _both(cursor, bars) if new and old else 0
    return Change(
        number,
        time,
        note,
        symbols=tuple(sorted({row[0] for row in groups} | {row[0] for row in paid})),
        freqs=tuple(sorted({row[1] for row in groups})),
        added=new - changed,
        changed=changed,
        removed=old - changed,
        actions=sum(row[1] for row in paid),
        first=min((row[4] for row in groups), default=None),
        last=max((row[5] for row in groups), default=None),
    )


def _both(cursor: DuckDBPyConnection, bars: str) -> int:
    """Bars whose key was taken away and written again."""
    key = "symbol, freq, ts"
    row = cursor.execute(
        f"SELECT count(*) FROM (SELECT {key} FROM {bars} WHERE {_NEW}) "
        f"SEMI JOIN (SELECT {key} FROM {bars} WHERE {_OLD}) USING ({key})"
    ).fetchone()
    return int(row[0]) if row else 0


def _all(cursor: DuckDBPyConnection, number: int) -> tuple[str, ...]:
    query = f"SELECT symbol FROM {NAME}.instruments AT (VERSION => {number}) ORDER BY symbol"
    return tuple(name for (name,) in cursor.execute(query).fetchall())


def _tables(cursor: DuckDBPyConnection) -> dict[str, str]:
    query = f"SELECT table_id, table_name FROM ducklake_table_info('{NAME}')"
    return {str(number): name for number, name in cursor.execute(query).fetchall()}
