"""Bars into the lake: tidied, compared with what is there, and only the difference written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapebook.data import read
from tapebook.data.parts import Where
from tapebook.data.store import EMPTY, NAME, Store, Transaction, among, newest, quoted
from tapebook.data.tidy import KEYS, nothing, tidy
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import NoData, UnknownName
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

MANY = 1_000
"""Symbols up to which naming them lets DuckDB skip files and row groups."""
FILES = 100
"""Files up to which naming them saves time when rows are deleted."""


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
        view = read.View(work.cursor, newest(work.cursor), store)
        added, changed, unchanged = _upsert(work, view, "bars", bars)
        if "actions" in tables:
            _upsert(work, view, "actions", tables["actions"])
        _upsert(work, view, "instruments", _instruments(view, tables.get("instruments"), symbols))
        if "quality" in tables:
            _replace_quality(work, view, tables["quality"], bars)
    return Written(work.snapshot, added, changed, unchanged, symbols)


def _upsert(work: Transaction, view: read.View, table: str, rows: pa.Table) -> tuple[int, int, int]:
    """Write the rows that are new or differ; return how many were added, changed and unchanged."""
    import polars as pl

    if not rows.num_rows:
        return 0, 0, 0
    there = read.stored_rows(view, table, [*rows.column_names, "file"], _where(rows))
    if not len(there):
        _insert(work, table, rows)
        return rows.num_rows, 0, 0
    keys = list(KEYS[table])
    fields = [name for name in rows.column_names if name not in keys]
    met, was = pl.col("met").is_not_null(), [pl.col(f"{name} before") for name in fields]
    old = [pl.col(name).alias(f"{name} before") for name in fields]
    known = there.select(*keys, "file", pl.lit(True).alias("met"), *old)
    differs = pl.any_horizontal([pl.col(name).ne_missing(old) for name, old in zip(fields, was, strict=True)])
    both = pl.DataFrame(rows).join(known, on=keys, how="left", maintain_order="left")
    news = both.filter(~met | differs)
    gone = news.filter(met)
    if len(gone):
        _delete(work, table, keys, gone, there)
    if len(news):
        _insert(work, table, news.select(rows.column_names).to_arrow())
    return len(news) - len(gone), len(gone), rows.num_rows - len(news)


def _insert(work: Transaction, table: str, rows: pa.Table) -> None:
    cursor, columns = work.cursor, ", ".join(rows.column_names)
    keys = ", ".join(key for key in ("symbol", "ts") if key in rows.column_names)
    order = "" if table == "bars" else f"ORDER BY {keys}"  # DuckLake sorts bars itself: SORTED BY
    cursor.register("fresh", rows)
    cursor.execute(f"INSERT INTO {NAME}.{table} ({columns}) SELECT {columns} FROM fresh {order}")
    cursor.unregister("fresh")
    work.changed = True


def _delete(
    work: Transaction, table: str, keys: Sequence[str], rows: pl.DataFrame, there: pl.DataFrame
) -> None:
    """Delete the stored rows with these keys; they lie in the files that `rows` names.

    To name the files saves a look at all others; where DuckLake spells a path otherwise, it looks at all. A
    condition that holds for no other row of `there`, all that are stored near them, needs no keys.
    """
    gone, files, left = rows.select(keys).unique().to_arrow(), rows["file"].unique().to_list(), len(rows)
    where = _where(gone)
    condition, near = where.condition(), read.written(where, "t.")
    if condition is None or len(there.filter(condition)) > left:
        near += "".join(f" AND t.{key} = gone.{key}" for key in keys)
        near = f"USING gone WHERE {near} AND"
    else:
        near = f"WHERE {near} AND"
    work.cursor.register("gone", gone)
    for within in [among("filename", files)] * (len(files) <= FILES) + ["true"]:
        if left > 0:
            done = work.cursor.execute(f"DELETE FROM {NAME}.{table} t {near} {within}").fetchone()
            left -= int((done or (0,))[0])
    work.cursor.unregister("gone")
    work.changed = True


def _where(rows: pa.Table) -> Where:
    """What holds for every stored row with one of these keys, and for few others."""
    import pyarrow as pa
    import pyarrow.compute as pc

    symbols, lengths = (
        rows.column(name).unique().to_pylist() if name in rows.column_names else []
        for name in ("symbol", "freq")
    )
    span: list[int] = []
    if "ts" in rows.column_names:
        found = pc.min_max(rows.column("ts").cast(pa.int64())).as_py()
        span = [found["min"], found["max"]]
    return Where(symbols if len(symbols) <= MANY else None, lengths[0] if len(lengths) == 1 else None, *span)


def _instruments(view: read.View, given: pa.Table | None, symbols: Sequence[str]) -> pa.Table:
    """The given instruments, and a plain one for each symbol that the lake does not know yet."""
    import pyarrow as pa

    given = given if given is not None else nothing("instruments")
    known = read.calendars(view, None).keys() | set(given.column("symbol").to_pylist())
    new = [name for name in symbols if name not in known]
    plain = {"symbol": new, "calendar": ["24/7"] * len(new), "name": new}
    blank = pa.table(
        {name: pa.array(plain.get(name, [""] * len(new)), pa.string()) for name in given.column_names}
    )
    return pa.concat_tables([given.cast(blank.schema), blank])


def _replace_quality(work: Transaction, view: read.View, findings: pa.Table, bars: pa.Table) -> None:
    """Put these findings in the place of those of every (symbol, freq) judged, where they differ."""
    import polars as pl

    pairs = ["symbol", "freq"]
    new = pl.DataFrame(findings)
    judged = pl.concat([pl.DataFrame(bars.select(pairs)), new.select(pairs)]).unique()
    where = _where(judged.to_arrow())
    stored = read.stored_rows(view, "quality", [*new.columns, "file"], where)
    old = stored.join(judged, on=pairs, how="semi")
    before, after = (rows.group_by(new.columns).len() for rows in (old, new))
    differ = pl.concat(
        [
            one.join(other, on=one.columns, how="anti", nulls_equal=True).select(pairs)
            for one, other in ((before, after), (after, before))
        ]
    ).unique()
    if not len(differ):
        return
    if len(gone := old.join(differ, on=pairs, how="semi")):
        _delete(work, "quality", pairs, gone, stored)
    if len(news := new.join(differ, on=pairs, how="semi")):
        _insert(work, "quality", news.to_arrow())


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
