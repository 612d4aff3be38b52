"""What each snapshot of the lake changed: which symbols, how many bars, over which span."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tapebook.data.parts import Where, forget, landed, lazily
from tapebook.data.snapshots import SETTING_UP
from tapebook.data.store import NAME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tapebook.data.store import Store

_CAME, _WENT = "insertions", "deletions"  # far cheaper to read than both together
_DID = {"tables_inserted_into": _CAME, "tables_deleted_from": _WENT}


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


def changes(store: Store, cursor: DuckDBPyConnection, after: int, limit: int) -> tuple[int, list[Change]]:
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
    names = {str(number): name for name, number in numbers(store, cursor).items()} if rows else {}
    told, before = [], after
    for number, time, note, did, setting_up in rows:
        touched = {(names.get(table, ""), kind) for word, kind in _DID.items() for table in did.get(word, ())}
        if number > before + 1:  # what lay between was dropped before anybody asked
            told.append(Change(number, time, note or "", _all(cursor, number), complete=False))
        elif not setting_up and {"bars", "actions"} & {table for table, _ in touched}:
            told.append(_change(store, cursor, number, time, note or "", touched))
        before = number
    return before, told


def _change(
    store: Store,
    cursor: DuckDBPyConnection,
    number: int,
    time: datetime,
    note: str,
    touched: set[tuple[str, str]],
) -> Change:
    def ask(table: str, kind: str, what: str) -> list[tuple[Any, ...]]:
        if (table, kind) not in touched:
            return []
        return cursor.execute(f"SELECT {what} FROM {_rows(table, kind, number)} GROUP BY ALL").fetchall()

    groups = "symbol, freq, count(*), min(ts), max(ts)"
    alone = ("bars", _CAME) in touched and ("bars", _WENT) not in touched
    came = _came(store, cursor, number) if alone else None
    came, went = ask("bars", _CAME, groups) if came is None else came, ask("bars", _WENT, groups)
    paid = {row for kind in (_CAME, _WENT) for row in ask("actions", kind, "symbol, ts")}
    new, old = sum(row[2] for row in came), sum(row[2] for row in went)
    changed = _both(cursor, number) if new and old else 0
    return Change(
        number,
        time,
        note,
        symbols=tuple(sorted({row[0] for row in [*came, *went, *paid]})),
        freqs=tuple(sorted({row[1] for row in [*came, *went]})),
        added=new - changed,
        changed=changed,
        removed=old - changed,
        actions=len(paid),
        first=min((row[3] for row in [*came, *went]), default=None),
        last=max((row[4] for row in [*came, *went]), default=None),
    )


def _rows(table: str, kind: str, number: int) -> str:
    return f"ducklake_table_{kind}('{NAME}', 'main', '{table}', {number}, {number})"


def _both(cursor: DuckDBPyConnection, number: int) -> int:
    """Bars whose key was taken away and written again."""
    key = "symbol, freq, ts"
    came, went = (f"SELECT {key} FROM {_rows('bars', kind, number)}" for kind in (_CAME, _WENT))
    row = cursor.execute(f"SELECT count(*) FROM ({came}) SEMI JOIN ({went}) USING ({key})").fetchone()
    return int(row[0]) if row else 0


def _all(cursor: DuckDBPyConnection, number: int) -> tuple[str, ...]:
    query = f"SELECT symbol FROM {NAME}.instruments AT (VERSION => {number}) ORDER BY symbol"
    return tuple(name for (name,) in cursor.execute(query).fetchall())


def _came(store: Store, cursor: DuckDBPyConnection, number: int) -> list[tuple[Any, ...]] | None:
    """The same of a snapshot that only added bars, from its own files; None if DuckLake has to be asked."""
    import polars as pl

    if not (files := landed(store, cursor, number)) or not files[0]:
        return None
    try:
        rows = lazily("bars", files[0], Where())
        found = rows.group_by("symbol", "freq").agg(
            pl.len(), pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last")
        )
        return found.collect().rows()
    except (OSError, pl.exceptions.PolarsError):
        forget(store)
        return None


def numbers(store: Store, cursor: DuckDBPyConnection) -> dict[str, int]:
    """DuckLake's number of each table."""
    query = f"SELECT table_name, table_id FROM {store.metadata}.ducklake_table WHERE end_snapshot IS NULL"
    return dict(cursor.execute(query).fetchall())
