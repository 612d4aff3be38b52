"""Bars into the lake: tidied, compared with what is there, and only the difference written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapebook.data.store import EMPTY, NAME, Store, Transaction, among, quoted
from tapebook.data.tidy import KEYS, nothing, tidy
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import NoData, UnknownName
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

MANY = 1_000
"""Symbols up to which naming them lets DuckDB skip files and row groups."""


@dataclass(frozen=True)
class Written:
    """What a write did to the bars, and the snapshot that holds the result.

    When nothing was to be done there is no new snapshot: it is the one that was the newest.
    """

    snapshot: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    symbols: tuple[str, ...] = ()
    removed: int = 0

    def __str__(self) -> str:
        counts = {"added": self.added, "changed": self.changed, "removed": self.removed}
        told = ", ".join(f"{n:,} {what}" for what, n in counts.items() if n) or "nothing changed"
        return f"{told} ({self.unchanged:,} as before) in snapshot {self.snapshot}"


def write(store: Store, frames: dict[str, Any], note: str) -> Written:
    """Write the given tables in one transaction; see `Lake.write`."""
    tables = {name: tidy(name, frame) for name, frame in frames.items() if frame is not None}
    bars = tables.setdefault("bars", nothing("bars"))
    symbols = tuple(sorted(set(bars.column("symbol").unique().to_pylist())))
    with store.writing(note) as work:
        added, changed, unchanged = _upsert(work, "bars", bars)
        if "actions" in tables:
            _upsert(work, "actions", tables["actions"])
        _upsert(work, "instruments", _instruments(work.cursor, tables.get("instruments"), symbols))
        if "quality" in tables:
            _replace_quality(work, tables["quality"], bars)
    return Written(work.snapshot, added, changed, unchanged, symbols)


def _upsert(work: Transaction, table: str, rows: pa.Table) -> tuple[int, int, int]:
    """Write the rows that are new or differ; return how many were added, changed and unchanged."""
    if not rows.num_rows:
        return 0, 0, 0
    keys, cursor = KEYS[table], work.cursor
    fields = [name for name in rows.column_names if name not in keys]
    same = " AND ".join(f"i.{key} = e.{key}" for key in keys)
    differs = " OR ".join(f"i.{name} IS DISTINCT FROM e.{name}" for name in fields)
    if table == "bars" and not _some(cursor, _near(rows)):
        _insert(cursor, table, rows)
        work.changed = True
        return rows.num_rows, 0, 0
    cursor.register("incoming", rows)
    news = cursor.execute(
        f"SELECT i.*, e.symbol IS NOT NULL AS met FROM incoming i LEFT JOIN ("
        f"SELECT * FROM {NAME}.{table} WHERE {_near(rows)}) e ON {same} WHERE e.symbol IS NULL OR {differs}"
    ).to_arrow_table()
    cursor.unregister("incoming")
    met = news.column("met").to_numpy()
    changed = int(met.sum())
    if changed:
        _delete(cursor, table, news.filter(news.column("met")))
    if news.num_rows:
        _insert(cursor, table, news)
        work.changed = True
    return news.num_rows - changed, changed, rows.num_rows - news.num_rows


def _insert(cursor: DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    columns = ", ".join(name for name in rows.column_names if name != "met")
    keys = ", ".join(key for key in ("symbol", "ts") if key in rows.column_names)
    order = "" if table == "bars" else f"ORDER BY {keys}"  # DuckLake sorts bars itself: SORTED BY
    cursor.register("fresh", rows)
    cursor.execute(f"INSERT INTO {NAME}.{table} ({columns}) SELECT {columns} FROM fresh {order}")
    cursor.unregister("fresh")


def _delete(cursor: DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    same = " AND ".join(f"t.{key} = gone.{key}" for key in KEYS[table])
    cursor.register("gone", rows)
    cursor.execute(f"DELETE FROM {NAME}.{table} t USING gone WHERE {_near(rows, 't.')} AND {same}")
    cursor.unregister("gone")


def _near(rows: pa.Table, prefix: str = "") -> str:
    """A condition that holds for every stored row with one of these keys, and for few others."""
    import pyarrow.compute as pc

    told = [
        among(f"{prefix}{name}", names)
        for name in ("symbol", "freq")
        if name in rows.column_names and len(names := rows.column(name).unique().to_pylist()) <= MANY
    ]
    if "ts" in rows.column_names:
        span = pc.min_max(rows.column("ts")).as_py()
        told.append(f"{prefix}ts BETWEEN {quoted(str(span['min']))} AND {quoted(str(span['max']))}")
    return " AND ".join(told) or "true"


def _instruments(cursor: DuckDBPyConnection, given: pa.Table | None, symbols: Sequence[str]) -> pa.Table:
    """The given instruments, and a plain one for each symbol that the lake does not know yet."""
    import pyarrow as pa

    known = {name for (name,) in cursor.execute(f"SELECT symbol FROM {NAME}.instruments").fetchall()}
    given = given if given is not None else nothing("instruments")
    known |= set(given.column("symbol").to_pylist())
    new = [name for name in symbols if name not in known]
    plain = {"symbol": new, "calendar": ["24/7"] * len(new), "name": new}
    blank = pa.table(
        {name: pa.array(plain.get(name, [""] * len(new)), pa.string()) for name in given.column_names}
    )
    return pa.concat_tables([given.cast(blank.schema), blank])


def _replace_quality(work: Transaction, findings: pa.Table, bars: pa.Table) -> None:
    """Put these findings in the place of those of every (symbol, freq) judged."""
    import pyarrow as pa

    cursor = work.cursor
    pairs = pa.concat_tables([table.select(["symbol", "freq"]) for table in (bars, findings)])
    cursor.register("findings", findings)
    cursor.register("judged", pairs.group_by(["symbol", "freq"]).aggregate([]))
    stored = f"SELECT q.* FROM {NAME}.quality q SEMI JOIN judged USING (symbol, freq)"
    differ = f"({stored} EXCEPT ALL FROM findings) UNION ALL (FROM findings EXCEPT ALL {stored})"
    if cursor.execute(f"SELECT 1 FROM ({differ}) LIMIT 1").fetchone():
        cursor.execute(
            f"DELETE FROM {NAME}.quality q USING judged j WHERE q.symbol = j.symbol AND q.freq = j.freq"
        )
        cursor.execute(f"INSERT INTO {NAME}.quality SELECT * FROM findings ORDER BY symbol, ts")
        work.changed = True
    cursor.unregister("findings")
    cursor.unregister("judged")


def delete(
    store: Store,
    symbols: Sequence[str],
    freq: Frequency | None,
    start: When,
    end: When,
    note: str,
    strike: Callable[[Transaction, str], object] | None = None,
) -> Written:
    """Delete bars, and what belongs to bars that are all gone; see `Lake.delete`.

    `strike` is called before, in the transaction, with the condition that holds for the bars.
    """
    if not store.exists():
        raise UnknownName("symbol", symbols[0], (), "The lake is empty.") if symbols else NoData(EMPTY)
    first, last = first_moment(start, "start"), last_moment(end, "end")
    told = [f"symbol IN ({', '.join(quoted(name) for name in symbols)})"]
    told += [f"freq = '{freq}'"] if freq is not None else []
    told += [f"ts >= '{first}'"] if first is not None else []
    told += [f"ts <= '{last}'"] if last is not None else []
    with store.writing(note) as work:
        _refuse_unknown(work.cursor, symbols)
        condition = " AND ".join(told)
        if strike is not None and _some(work.cursor, condition):
            strike(work, condition)
        removed = _count(work, f"DELETE FROM {NAME}.bars WHERE {condition}")
        _count(work, f"DELETE FROM {NAME}.quality WHERE {told[0]} AND {_no_bars('symbol, freq', told[0])}")
        for table in ("actions", "instruments"):
            _count(work, f"DELETE FROM {NAME}.{table} WHERE {told[0]} AND {_no_bars('symbol', told[0])}")
    return Written(work.snapshot, symbols=tuple(symbols), removed=removed)


def _some(cursor: DuckDBPyConnection, condition: str) -> bool:
    query = f"SELECT 1 FROM {NAME}.bars WHERE {condition} LIMIT 1"
    return cursor.execute(query).fetchone() is not None


def _no_bars(keys: str, among_these: str) -> str:
    return f"({keys}) NOT IN (SELECT ({keys}) FROM {NAME}.bars WHERE {among_these})"


def _count(work: Transaction, statement: str) -> int:
    """Run a deletion; say how many rows it took."""
    row = work.cursor.execute(statement).fetchone()
    gone = int(row[0]) if row else 0
    work.changed = work.changed or gone > 0
    return gone


def _refuse_unknown(cursor: DuckDBPyConnection, symbols: Sequence[str]) -> None:
    known = [name for (name,) in cursor.execute(f"SELECT symbol FROM {NAME}.instruments").fetchall()]
    for name in symbols:
        if name not in known:
            raise UnknownName("symbol", name, known)
