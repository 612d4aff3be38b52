"""Questions to the lake: each is answered from one snapshot, whatever is written meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from tapebook.data import s3
from tapebook.data.duck import closing, undo
from tapebook.data.parts import Part, Where, forget, lazily, tables
from tapebook.data.snapshots import AsOf, resolve
from tapebook.data.store import NAME, Store, among, newest, quoted
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import NoData, TapebookError, UnknownName
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

Answer = TypeVar("Answer")
TRIES = 20
"""Times that a question is asked again when a compaction took a file away from under it."""

FEW = 3
"""Questions of a process that DuckLake answers, as it is there already."""
NEXT = "Load it with `tapebook ingest …`."


@dataclass(frozen=True)
class View:
    """The lake as one snapshot holds it."""

    cursor: DuckDBPyConnection
    snapshot: int
    store: Store

    @property
    def metadata(self) -> str:
        """How a query names the schema of DuckLake's own tables."""
        return self.store.metadata

    def bare(self, name: str) -> bool:
        """Whether a table never held a row: to ask it all the same takes 20 ms."""
        if (parts := self.parts(name)) is not None:
            return not parts
        files, tables = (f"{self.metadata}.ducklake_{what}" for what in ("data_file", "table"))
        query = f"SELECT 1 FROM {files} JOIN {tables} USING (table_id) WHERE table_name = '{name}' LIMIT 1"
        return self.cursor.execute(query).fetchone() is None

    def parts(self, name: str) -> tuple[Part, ...] | None:
        """The files of a table, where they can be read as they are."""
        return tables(self.store, self.cursor, self.snapshot).get(name)

    def plainly(
        self, name: str, where: Where, ask: Callable[[pl.LazyFrame], pl.LazyFrame]
    ) -> pl.DataFrame | None:
        """Answer a question about rows of a table without DuckLake; None if only it can."""
        if not _worth(self.store) or (parts := self.parts(name)) is None:
            return None
        import polars as pl

        try:
            return ask(lazily(name, parts, where)).collect()
        except (OSError, pl.exceptions.PolarsError):  # a file went away, or is not what it was taken for
            forget(self.store)
            return None

    def table(self, name: str) -> str:
        """How a query names a table of the lake."""
        return f"{NAME}.{name} AT (VERSION => {self.snapshot})"

    def arrow(self, query: str, parameters: Any = ()) -> pa.Table:
        """Ask in SQL; times come back in UTC."""
        return in_utc(self.cursor.execute(query, parameters or None).to_arrow_table())


_asked: WeakKeyDictionary[Store, int] = WeakKeyDictionary()


def _worth(store: Store) -> bool:
    """Whether polars is there, or so much was asked by now that the tenth of a second of its import pays."""
    _asked[store] = count = _asked.get(store, 0) + 1
    return count > FEW or "polars" in sys.modules


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
                view = View(cursor, resolve(cursor, asof), store)
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


def among_rows(
    symbols: Sequence[str] | None, freq: Frequency | None = None, start: When = None, end: When = None
) -> Where:
    """Write the same condition for the files themselves."""
    first, last = first_moment(start, "start"), last_moment(end, "end")
    moments = (
        None if moment is None else moment.value // 1_000 for moment in (first, last)
    )  # from nanoseconds
    return Where(symbols, None if freq is None else str(freq), *moments)


def long(
    view: View,
    symbols: Sequence[str] | None,
    known: Collection[str],
    freq: Frequency,
    start: When,
    end: When,
) -> pa.Table:
    """Raw bars, long, in the order in which they are stored; of most symbols, with those of the others.

    Comparing every row's name with a long list takes longer than reading some rows in vain.
    """
    columns = ("symbol", "ts", *FIELDS)
    where = among_rows(symbols if few(symbols, known) else None, freq, start, end)
    found = view.plainly("bars", where, lambda rows: rows.select(columns))
    if found is not None:
        return in_arrow(found)
    condition, chosen = span(freq, start, end), roughly(symbols, known)
    return view.arrow(f"SELECT {', '.join(columns)} FROM {view.table('bars')} WHERE {condition} AND {chosen}")


def in_arrow(rows: pl.DataFrame) -> pa.Table:
    """Texts as DuckDB has them."""
    import pyarrow as pa

    table = rows.to_arrow()
    for at, kind in enumerate(table.schema):
        if pa.types.is_large_string(kind.type):
            table = table.set_column(at, kind.name, table.column(at).cast(pa.string()))
    return table


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
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Bars of a length from a moment on, actions, and findings on bars of that length; see `Lake.stored`."""
    known = calendars(view, None)
    mine = [name for name in symbols if name in known]
    if not mine:
        return stored_nothing()
    bars, actions, found = stored_nothing()
    exact = mine if len(mine) < len(known) else None
    bars = stored_rows(view, "bars", bars.columns, among_rows(exact, freq, since))
    if not view.bare("actions"):
        actions = stored_rows(view, "actions", actions.columns, among_rows(exact))
    if not view.bare("quality"):
        found = stored_rows(view, "quality", found.columns, among_rows(exact, freq))
    return bars, actions, found


def stored_rows(view: View, table: str, columns: Sequence[str], where: Where) -> pl.DataFrame:
    """Rows of a table as they are stored; a column `file`, if it is asked for, says in which file."""
    import polars as pl

    found = view.plainly(table, where, lambda rows: rows.select(columns))
    if found is not None:
        return found
    named = ("filename AS file" if name == "file" else name for name in columns)
    query = f"SELECT {', '.join(named)} FROM {view.table(table)} WHERE {written(where)}"
    return pl.DataFrame(view.arrow(query))


def written(where: Where, prefix: str = "") -> str:
    """Write a condition in SQL."""
    told = [] if where.freq is None else [f"{prefix}freq = {quoted(where.freq)}"]
    told += [] if where.first is None else [f"{prefix}ts >= {_literal(where.first)}"]
    told += [] if where.last is None else [f"{prefix}ts <= {_literal(where.last)}"]
    told += [] if where.symbols is None else [among(f"{prefix}symbol", where.symbols)]
    return " AND ".join(told) or "true"


def _literal(moment: int) -> str:
    """A moment as DuckLake compares it with the spans of files: a call of a function it does not."""
    return quoted(f"{datetime.fromtimestamp(0, UTC) + timedelta(microseconds=moment)}")


def stored_nothing() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What `stored` answers where there is nothing."""
    import polars as pl

    from tapebook.data import tidy

    bars = tidy.nothing("bars").drop_columns("freq")
    return pl.DataFrame(bars), pl.DataFrame(tidy.nothing("actions")), pl.DataFrame(tidy.nothing("quality"))


def few(symbols: Sequence[str] | None, known: Collection[str]) -> bool:
    """Whether these are so few of those known that it pays to look for them."""
    return symbols is not None and 2 * len(symbols) < len(known)


def roughly(symbols: Sequence[str] | None, known: Collection[str]) -> str:
    """Write the condition of some symbols; true if they are most of those known."""
    return among("symbol", symbols) if symbols is not None and few(symbols, known) else "true"


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
    known = _calendars(view)
    for name in symbols or ():
        if name not in known:
            raise UnknownName("symbol", name, known, NEXT)
    return known


_known: WeakKeyDictionary[Store, tuple[tuple[Part, ...], dict[str, str]]] = WeakKeyDictionary()
"""The calendars that were asked last, with the files that say them."""


def _calendars(view: View) -> dict[str, str]:
    parts, (files, known) = view.parts("instruments"), _known.get(view.store, (None, {}))
    if parts is not None and parts == files:
        return known
    found = view.plainly("instruments", Where(), lambda rows: rows.select("symbol", "calendar"))
    if found is None:
        rows = view.cursor.execute(f"SELECT symbol, calendar FROM {view.table('instruments')}").fetchall()
        return {name: calendar or "24/7" for name, calendar in rows}
    known = {name: calendar or "24/7" for name, calendar in found.iter_rows()}
    if parts is not None:
        _known[view.store] = (parts, known)
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
