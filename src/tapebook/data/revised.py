"""What each snapshot of the lake took back: bars revised or deleted, splits and dividends changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tapebook.data.store import NAME
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_OTHERWISE = " OR ".join(f"w.{name} IS DISTINCT FROM c.{name}" for name in FIELDS)


@dataclass(frozen=True)
class Revised:
    """What one snapshot revised of one symbol and bar length ("" for splits and dividends).

    Counts of bars with other numbers than before (`changed`), of bars that are gone, and of actions that
    went, changed, or came for a time of which there were bars already; their first and last stamp; the
    largest relative change of a close; since when it is known, and the snapshot's note.
    """

    symbol: str
    freq: str
    snapshot: int
    known: datetime
    changed: int
    removed: int
    actions: int
    first: datetime
    last: datetime
    largest: float | None
    note: str


def revised(cursor: DuckDBPyConnection, after: int, limit: int) -> tuple[int, list[Revised]]:
    """Tell what the snapshots after number `after` took back, oldest first, and which was looked at last."""
    snapshots = cursor.execute(
        f"SELECT snapshot_id, snapshot_time, commit_message, changes FROM {NAME}.snapshots() "
        f"WHERE snapshot_id > {after} ORDER BY snapshot_id LIMIT {limit}"
    ).fetchall()
    tables = dict(
        cursor.execute(f"SELECT table_name, table_id FROM ducklake_table_info('{NAME}')").fetchall()
    )
    found: list[Revised] = []
    for number, time, note, did in snapshots:
        touched = {str(table) for tables_ in did.values() if isinstance(tables_, list) for table in tables_}
        gone = {str(table) for table in did.get("tables_deleted_from", ())}
        rows: list[tuple[Any, ...]] = []
        if str(tables.get("bars")) in gone:
            rows += cursor.execute(_bars(number)).fetchall()
        if str(tables.get("actions")) in touched:
            rows += cursor.execute(_actions(cursor, number)).fetchall()
        found += [
            Revised(symbol, freq, number, time, changed, removed, actions, first, last, largest, note or "")
            for symbol, freq, changed, removed, actions, first, last, largest in rows
        ]
    return (snapshots[-1][0] if snapshots else after), found


def _bars(number: int) -> str:
    return f"""
        SELECT w.symbol, w.freq, count(c.ts), count(*) - count(c.ts), 0, min(w.ts), max(w.ts),
               max(abs(c.close / nullif(w.close, 0) - 1))
        FROM {_rows("bars", "deletions", number)} w
        LEFT JOIN {_rows("bars", "insertions", number)} c USING (symbol, freq, ts)
        WHERE c.ts IS NULL OR {_OTHERWISE}
        GROUP BY w.symbol, w.freq ORDER BY ALL
    """


def _actions(cursor: DuckDBPyConnection, number: int) -> str:
    """An action that comes with the bars of its day, or with all of a new symbol, is news and no revision."""
    query = f"SELECT max(snapshot_id) FROM {NAME}.snapshots() WHERE snapshot_id < {number}"
    before = (cursor.execute(query).fetchone() or (None,))[0]
    bars = f"{NAME}.bars" + (f" AT (VERSION => {before})" if before is not None else "")
    what = "symbol, ts, split, dividend"
    came, went = (
        f"SELECT {what} FROM {_rows('actions', kind, number)}" for kind in ("insertions", "deletions")
    )
    return f"""
        WITH diff AS (({came} EXCEPT {went}) UNION ({went} EXCEPT {came})),
        there AS (
            SELECT symbol, max(ts) AS last FROM {bars}
            WHERE symbol IN (SELECT symbol FROM diff) GROUP BY symbol
        )
        SELECT symbol, '', 0, 0, count(DISTINCT ts), min(ts), max(ts), NULL
        FROM diff JOIN there USING (symbol) WHERE ts <= last GROUP BY symbol ORDER BY ALL
    """


def _rows(table: str, kind: str, number: int) -> str:
    return f"ducklake_table_{kind}('{NAME}', 'main', '{table}', {number}, {number})"
