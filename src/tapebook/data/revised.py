"""What each snapshot of the lake took back: bars revised or deleted, splits and dividends changed.

And what came late: a bar for a time at which others of its exchange had theirs already. Whoever read that
time before has read a gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tapebook.data.changes import numbers
from tapebook.data.parts import Where, landed
from tapebook.data.store import NAME
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tapebook.data.store import Store

_OTHERWISE = " OR ".join(f"w.{name} IS DISTINCT FROM c.{name}" for name in FIELDS)


@dataclass(frozen=True)
class Revised:
    """What one snapshot revised of one symbol and bar length ("" for splits and dividends).

    Counts of bars with other numbers than before (`changed`), of bars that are gone, of actions that went,
    changed, or came for a time of which there were bars already, and of bars that came late (`added`); their
    first and last stamp; the largest relative change of a close; since when it is known, and the snapshot's
    note.
    """

    symbol: str
    freq: str
    snapshot: int
    known: datetime
    changed: int
    removed: int
    actions: int
    added: int
    first: datetime
    last: datetime
    largest: float | None
    note: str


def revised(store: Store, cursor: DuckDBPyConnection, after: int, limit: int) -> tuple[int, list[Revised]]:
    """Tell what the snapshots after number `after` took back, oldest first, and which was looked at last."""
    snapshots = cursor.execute(
        f"SELECT snapshot_id, snapshot_time, commit_message, changes FROM {NAME}.snapshots() "
        f"WHERE snapshot_id > {after} ORDER BY snapshot_id LIMIT {limit}"
    ).fetchall()
    tables = numbers(store, cursor) if snapshots else {}
    bars, actions = str(tables.get("bars")), str(tables.get("actions"))
    found: list[Revised] = []
    for number, time, note, did in snapshots:
        touched = {str(table) for tables_ in did.values() if isinstance(tables_, list) for table in tables_}
        gone, came = ({str(t) for t in did.get(f"tables_{w}", ())} for w in ("deleted_from", "inserted_into"))
        rows: list[tuple[Any, ...]] = []
        if bars in gone:
            rows += cursor.execute(_bars(number)).fetchall()
        if bars in came and (bars in gone or _may_be_late(store, cursor, number)):
            rows += _late(cursor, number, also_gone=bars in gone)
        if actions in touched:
            rows += cursor.execute(_actions(cursor, number)).fetchall()
        found += [_revised(row, number, time, note or "") for row in rows]
    return (snapshots[-1][0] if snapshots else after), found


def _revised(row: tuple[Any, ...], number: int, time: datetime, note: str) -> Revised:
    symbol, freq, changed, removed, actions, added, first, last, largest = row
    return Revised(symbol, freq, number, time, changed, removed, actions, added, first, last, largest, note)


def _bars(number: int) -> str:
    return f"""
        SELECT w.symbol, w.freq, count(c.ts), count(*) - count(c.ts), 0, 0, min(w.ts), max(w.ts),
               max(abs(c.close / nullif(w.close, 0) - 1))
        FROM {_rows("bars", "deletions", number)} w
        LEFT JOIN {_rows("bars", "insertions", number)} c USING (symbol, freq, ts)
        WHERE c.ts IS NULL OR {_OTHERWISE}
        GROUP BY w.symbol, w.freq ORDER BY ALL
    """


def _may_be_late(store: Store, cursor: DuckDBPyConnection, number: int) -> bool:
    """Whether any earlier file may have bars from the first new one on, as far as the files' spans tell."""
    files = landed(store, cursor, number)
    if files is None:
        return True
    new, old = files
    if not all({"freq", "ts"} <= one.spans.keys() and len(set(one.spans["freq"])) == 1 for one in new):
        return True
    spans = [Where(freq=one.spans["freq"][0], first=one.spans["ts"][0]) for one in new]
    return any(span.may_be_in(one) for span in spans for one in old)


def _late(cursor: DuckDBPyConnection, number: int, *, also_gone: bool) -> list[tuple[Any, ...]]:
    """Bars of symbols that had some, for times that the newest bar of their exchange does not lie before.

    A symbol that the lake did not know is news: nothing can have read it. Most snapshots are told by that, or
    by the files' own spans (bars that lie behind all others), without a look at the bars.
    """
    before = _before(cursor, number)
    if before is None:
        return []
    came = _rows("bars", "insertions", number)
    if also_gone:
        gone = _rows("bars", "deletions", number)
        came = (
            f"(SELECT * FROM {came}) ANTI JOIN (SELECT symbol, freq, ts FROM {gone}) USING (symbol, freq, ts)"
        )
    known = f"SELECT symbol, calendar FROM {NAME}.instruments AT (VERSION => {before})"
    if cursor.execute(f"SELECT 1 FROM ({known}) LIMIT 1").fetchone() is None:
        return []  # the first load: nobody can have read anything
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE came AS SELECT symbol, freq, ts, calendar FROM {came} "
        f"JOIN ({known}) USING (symbol)"
    )
    first = (cursor.execute("SELECT min(ts) FROM came").fetchone() or (None,))[0]
    if first is None:
        return []
    there = f"SELECT symbol, freq, ts FROM {NAME}.bars AT (VERSION => {before})"
    newest = cursor.execute(
        f"SELECT freq, calendar, max(ts) AS newest FROM ({there} WHERE ts >= '{first}') JOIN ({known}) USING "
        "(symbol) WHERE freq IN (SELECT freq FROM came) GROUP BY ALL"
    ).to_arrow_table()
    if not newest.num_rows:
        return []
    cursor.register("newest", newest)
    had = f"SELECT DISTINCT symbol, freq FROM ({there}) WHERE symbol IN (SELECT symbol FROM came)"
    late = f"came JOIN newest USING (freq, calendar) JOIN ({had}) USING (symbol, freq) WHERE ts <= newest"
    counted = "symbol, freq, 0, 0, 0, count(*), min(ts), max(ts), NULL"
    rows = cursor.execute(f"SELECT {counted} FROM {late} GROUP BY symbol, freq ORDER BY ALL").fetchall()
    cursor.unregister("newest")
    cursor.execute("DROP TABLE came")
    return rows


def _before(cursor: DuckDBPyConnection, number: int) -> int | None:
    """The snapshot before; None if there is none."""
    query = f"SELECT max(snapshot_id) FROM {NAME}.snapshots() WHERE snapshot_id < {number}"
    row = cursor.execute(query).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def _actions(cursor: DuckDBPyConnection, number: int) -> str:
    """An action that comes with the bars of its day, or with all of a new symbol, is news and no revision."""
    before = _before(cursor, number)
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
        SELECT symbol, '', 0, 0, count(DISTINCT ts), 0, min(ts), max(ts), NULL
        FROM diff JOIN there USING (symbol) WHERE ts <= last GROUP BY symbol ORDER BY ALL
    """


def _rows(table: str, kind: str, number: int) -> str:
    return f"ducklake_table_{kind}('{NAME}', 'main', '{table}', {number}, {number})"
