"""Questions to the lake: each is answered from one snapshot, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from tapebook.data import s3
from tapebook.data.snapshots import AsOf, resolve
from tapebook.data.store import NAME, Store, among, newest, undo
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import NoData, TapebookError, UnknownName
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

Answer = TypeVar("Answer")
TRIES = 20
"""Times that a question is asked again when a compaction took a file away from under it."""

NEXT = "Load it with `tapebook ingest …`."


@dataclass(frozen=True)
class View:
    """The lake as one snapshot holds it."""

    cursor: DuckDBPyConnection
    snapshot: int
    metadata: str

    def bare(self, name: str) -> bool:
        """Whether a table never held a row: to ask it all the same takes 20 ms."""
        files, tables = (f"{self.metadata}.ducklake_{what}" for what in ("data_file", "table"))
        query = f"SELECT 1 FROM {files} JOIN {tables} USING (table_id) WHERE table_name = '{name}' LIMIT 1"
        return self.cursor.execute(query).fetchone() is None

    def table(self, name: str) -> str:
        """How a query names a table of the lake."""
        return f"{NAME}.{name} AT (VERSION => {self.snapshot})"

    def arrow(self, query: str, parameters: Any = ()) -> pa.Table:
        """Ask in SQL; times come back in UTC."""
        return in_utc(self.cursor.execute(query, parameters or None).to_arrow_table())


def in_utc(table: pa.Table) -> pa.Table:
    """Name the time zone "UTC": DuckDB says "Etc/UTC"."""
    import pyarrow as pa

    for at, kind in enumerate(table.schema):
        if pa.types.is_timestamp(kind.type) and kind.type.tz not in (None, "UTC"):
            table = table.set_column(at, kind.name, table.column(at).cast(pa.timestamp("us", "UTC")))
    return table


def in_pandas(table: pa.Table) -> pd.DataFrame:
    """By way of pyarrow: DuckDB's own `.df()` uses what pandas 4 takes away."""
    frame: pd.DataFrame = table.to_pandas()
    return frame


def seeing(store: Store, asof: AsOf, question: Callable[[View], Answer]) -> Answer:
    """Answer `question` at one snapshot; ask again if the files behind it were tidied up meanwhile.

    Raises
    ------
    NoData
        If the lake is empty, or was at `asof`.
    """
    return store.again(lambda: _seeing(store, asof, question))


def _seeing(store: Store, asof: AsOf, question: Callable[[View], Answer]) -> Answer:
    import duckdb

    reason = "it was tidied up during each of them: wait for the compaction to end"
    for _ in range(TRIES):
        try:
            with closing(store.reading()) as cursor, transaction(cursor):
                begun = newest(cursor)
                view = View(cursor, resolve(cursor, asof), store.metadata)
                answer = question(view)
            if _undisturbed(store, view.snapshot, begun):
                return answer
        except duckdb.Error as error:
            if (words := s3.explained(error, store.files)) is not None:
                raise words from None
            if not moved(error):
                raise
            store.repair()
            reason = f"it was tidied up during each of them, or cannot be read: {str(error).splitlines()[0]}"
    raise TapebookError(f"the lake could not be read in {TRIES} attempts: {reason}")


@contextmanager
def transaction(cursor: DuckDBPyConnection) -> Iterator[None]:
    """One transaction, in which DuckLake looks its catalogue up once.

    It is ended here, not by closing the cursor: where PostgreSQL has gone away, that ends the process.
    """
    cursor.execute("BEGIN")
    try:
        yield
    finally:
        undo(cursor)


def _undisturbed(store: Store, snapshot: int, begun: int) -> bool:
    """Whether all that the catalogue said of `snapshot` since `begun` was newest belongs together.

    It is asked several times for one answer, and DuckDB reads a table of a SQLite catalogue through a
    connection of its own: beside the old list of files stands the new list of deletions. That matters
    where rows of the catalogue go away: when a snapshot is dropped, when files are merged, and when a
    second deletion in a file is written together with the first.
    """
    query = (
        f"SELECT EXISTS (FROM {store.metadata}.ducklake_snapshot WHERE snapshot_id = {snapshot}) "
        f"AND NOT EXISTS (FROM {store.metadata}.ducklake_delete_file WHERE partial_max > {begun}) "
        f"AND NOT EXISTS (FROM {store.metadata}.ducklake_snapshot_changes WHERE snapshot_id > {begun} "
        "AND (changes_made LIKE '%merge_adjacent%' OR changes_made LIKE '%rewrite_delete%'))"
    )
    with closing(store.reading()) as cursor:
        row = cursor.execute(query).fetchone()
    return row is not None and bool(row[0])


def moved(error: Exception) -> bool:
    """Whether a compaction took away a snapshot or a file after the question had found it."""
    import duckdb

    return isinstance(error, (duckdb.IOException, duckdb.HTTPException)) or "No snapshot found" in str(error)


def span(freq: Frequency, start: When, end: When) -> str:
    """Write the condition that bars are of one length and between two times, both included."""
    told = [f"freq = '{freq}'"]
    first, last = first_moment(start, "start"), last_moment(end, "end")
    told += [f"ts >= '{first}'"] if first is not None else []
    told += [f"ts <= '{last}'"] if last is not None else []
    return " AND ".join(told)


def long(view: View, symbols: Sequence[str] | None, known: Collection[str], condition: str) -> pa.Table:
    """Raw bars, long, in the order in which they are stored; of most symbols, with those of the others.

    Comparing every row's name with a long list takes longer than reading some rows in vain.
    """
    columns = ", ".join(("symbol", "ts", *FIELDS))
    chosen = roughly(symbols, known)
    return view.arrow(f"SELECT {columns} FROM {view.table('bars')} WHERE {condition} AND {chosen}")


def ends(view: View, symbols: Sequence[str], freq: Frequency) -> pa.Table:
    """First and last stamp, and the last close, of each symbol that has bars of this length."""
    known = calendars(view, None)
    mine = [name for name in symbols if name in known]
    table = view.arrow(
        "SELECT symbol, min(ts) AS first, max(ts) AS last, arg_max(close, ts) AS close FROM "
        f"{view.table('bars')} WHERE freq = '{freq}' AND {roughly(mine, known)} GROUP BY symbol"
    )
    return only(table, mine)


def no_ends() -> pa.Table:
    """What `ends` answers where there is nothing."""
    import pyarrow as pa

    names = {"symbol": pa.string(), "first": pa.timestamp("us", "UTC"), "last": pa.timestamp("us", "UTC")}
    return pa.table({name: pa.array([], kind) for name, kind in (names | {"close": pa.float64()}).items()})


def stored(
    view: View, symbols: Sequence[str], freq: Frequency, since: When
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Bars of a length from a moment on, actions, and findings on bars of that length; see `Lake.stored`."""
    known = calendars(view, None)
    mine = [name for name in symbols if name in known]
    if not mine:
        return stored_nothing()
    bars = long(view, mine, known, span(freq, since, None))
    bars = only(bars, mine) if len(mine) < len(known) <= 2 * len(mine) else bars
    _, actions, found = stored_nothing()
    chosen = roughly(mine, known)
    if not view.bare("actions"):
        columns = ", ".join(actions.column_names)
        asked = view.arrow(f"SELECT {columns} FROM {view.table('actions')} WHERE {chosen}")
        actions = only(asked, mine)
    if not view.bare("quality"):
        columns = ", ".join(found.column_names)
        asked = view.arrow(
            f"SELECT {columns} FROM {view.table('quality')} WHERE freq = '{freq}' AND {chosen}"
        )
        found = only(asked, mine)
    return bars, actions, found


def stored_nothing() -> tuple[pa.Table, pa.Table, pa.Table]:
    """What `stored` answers where there is nothing."""
    from tapebook.data import tidy

    bars = tidy.nothing("bars").drop_columns("freq")
    return bars, tidy.nothing("actions"), tidy.nothing("quality")


def roughly(symbols: Sequence[str] | None, known: Collection[str]) -> str:
    """Write the condition of some symbols; true if they are most of those known."""
    return among("symbol", symbols) if symbols is not None and 2 * len(symbols) < len(known) else "true"


def only(rows: pa.Table, symbols: Sequence[str]) -> pa.Table:
    """Keep the rows of `symbols`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return rows.filter(pc.is_in(rows.column("symbol"), pa.array(symbols, pa.string())))


def tidied(rows: pa.Table, symbols: Sequence[str] | None) -> pa.Table:
    """Only the rows of `symbols`, sorted by (symbol, ts)."""
    rows = rows if symbols is None else only(rows, symbols)
    return rows.sort_by([("symbol", "ascending"), ("ts", "ascending")])


def calendars(view: View, symbols: Sequence[str] | None) -> dict[str, str]:
    """Calendar of every symbol that the lake knows; refuses `symbols` that are not among them."""
    rows = view.cursor.execute(f"SELECT symbol, calendar FROM {view.table('instruments')}").fetchall()
    known = {name: calendar or "24/7" for name, calendar in rows}
    for name in symbols or ():
        if name not in known:
            raise UnknownName("symbol", name, known, NEXT)
    return known


def last(view: View, symbols: Sequence[str], freq: Frequency) -> dict[str, Any]:
    """Newest stamp of each symbol that has bars of this length."""
    table = view.arrow(
        f"SELECT symbol, max(ts) AS ts FROM {view.table('bars')} "
        f"WHERE freq = '{freq}' AND {among('symbol', symbols)} GROUP BY symbol"
    )
    found = dict(zip(table.column("symbol").to_pylist(), table.column("ts").to_pylist(), strict=True))
    return {name: found[name] for name in symbols if name in found}


def nothing(view: View, symbols: Sequence[str] | None, freq: Frequency, start: When, end: When) -> NoData:
    """Say that a span has no bars, and which there are."""
    chosen = among("symbol", symbols) if symbols is not None else "true"
    stored = view.cursor.execute(
        f"SELECT freq, min(ts)::DATE, max(ts)::DATE, count(*) FROM {view.table('bars')} "
        f"WHERE {chosen} GROUP BY freq ORDER BY freq"
    ).fetchall()
    there = "; ".join(f"{n:,} of {name} from {first} to {end}" for name, first, end, n in stored) or "none"
    names = (
        "any symbol"
        if symbols is None
        else ", ".join(symbols[:5] or ["no symbol"]) + " …" * (len(symbols) > 5)
    )
    span = f" from {start or 'the first'} to {end or 'the last'}" if start or end else ""
    return NoData(f"no bars of {names} of length {freq}{span}. There are: {there}.")


def listing(view: View) -> pd.DataFrame:
    """One row a (symbol, freq); see `Lake.listing`."""
    worst = "CASE max(CASE severity WHEN 'severe' THEN 3 WHEN 'warning' THEN 2 ELSE 1 END)"
    table = view.arrow(
        f"SELECT b.symbol, b.freq, coalesce(i.calendar, '24/7') AS calendar, b.first, b.last, b.bars, "
        f"coalesce(q.quality, '') AS quality FROM (SELECT symbol, freq, min(ts) AS first, max(ts) AS last, "
        f"count(*) AS bars FROM {view.table('bars')} GROUP BY symbol, freq) b "
        f"LEFT JOIN (FROM {view.table('instruments')}) i USING (symbol) LEFT JOIN (SELECT symbol, freq, "
        f"{worst} WHEN 3 THEN 'severe' WHEN 2 THEN 'warning' ELSE 'info' END AS quality "
        f"FROM {view.table('quality')} GROUP BY symbol, freq) q USING (symbol, freq) "
        f"ORDER BY b.symbol, b.freq"
    )
    return in_pandas(table)


def quality(view: View, symbols: Sequence[str] | None) -> pd.DataFrame:
    """One row a finding; see `Lake.quality`."""
    if symbols is not None:
        calendars(view, symbols)
    chosen = among("symbol", symbols) if symbols is not None else "true"
    order = "symbol, freq, ts, check_name"
    return in_pandas(view.arrow(f"SELECT * FROM {view.table('quality')} WHERE {chosen} ORDER BY {order}"))
