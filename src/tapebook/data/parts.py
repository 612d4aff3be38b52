"""The files that a table is made of at a snapshot, read as they are where that says the same as DuckLake.

DuckLake needs 10 to 20 ms more for a question than its files do, and several times as long for a million
rows. Its catalogue says which files a snapshot has, which of them may hold what is asked, and which rows of
them are gone. What else there may be (rows in the catalogue itself, files of mixed snapshots, files that
are not on this machine's disks, another version of DuckLake) is left to it: then the answer here is None.

A snapshot stays what it is, so its files are looked up once; one that a compaction took away meanwhile is an
error here, and DuckLake is asked instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from tapebook.data.tidy import nothing

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection

    from tapebook.data.store import Store

VERSION = "1.0"
"""Of DuckLake's catalogue: another one may mean other things by the same tables."""

Spans = dict[str, tuple[Any, Any]]
"""Least and greatest value by column: text, or microseconds."""


@dataclass(frozen=True)
class Part:
    """A Parquet file of a table, there `since` a snapshot; `gone` is the file of the rows deleted from it."""

    path: str
    since: int = 0
    gone: str | None = None
    spans: Spans = field(default_factory=dict)


@dataclass(frozen=True)
class Where:
    """What rows are asked for: of these symbols, of this bar length, stamped (microseconds) in a span."""

    symbols: Sequence[str] | None = None
    freq: str | None = None
    first: int | None = None
    last: int | None = None

    def may_be_in(self, part: Part) -> bool:
        """Whether a file may hold any of these rows, as far as its spans tell."""
        asked: dict[str, Iterable[tuple[Any, Any]]] = {}
        if self.symbols is not None:
            asked["symbol"] = [(name, name) for name in self.symbols]
        if self.freq is not None:
            asked["freq"] = [(self.freq, self.freq)]
        if self.first is not None or self.last is not None:
            first, last = self.first, self.last
            asked["ts"] = [(-(2**63) if first is None else first, 2**63 if last is None else last)]
        for name, spans in asked.items():
            low, high = part.spans.get(name, (None, None))
            if low is not None and high is not None and not any(a <= high and b >= low for a, b in spans):
                return False
        return True

    def condition(self) -> pl.Expr | None:
        """The same for a row; None if it holds for all."""
        import polars as pl

        told = []
        if self.symbols is not None:
            one = len(self.symbols) == 1  # lets a reader skip row groups
            name = pl.col("symbol")
            told.append(name == self.symbols[0] if one else name.is_in(list(self.symbols)))
        if self.freq is not None:
            told.append(pl.col("freq") == self.freq)
        stamp = pl.Datetime("us", "UTC")
        if self.first is not None:
            told.append(pl.col("ts") >= pl.lit(self.first).cast(stamp))
        if self.last is not None:
            told.append(pl.col("ts") <= pl.lit(self.last).cast(stamp))
        return pl.all_horizontal(told) if told else None


Tables = Mapping[str, "tuple[Part, ...] | None"]
_found: WeakKeyDictionary[Store, tuple[object, int, Tables]] = WeakKeyDictionary()
"""The files of the snapshot that was asked last, of each connection."""


def tables(store: Store, cursor: DuckDBPyConnection, snapshot: int) -> Tables:
    """The files of each table at a snapshot; None of a table that only DuckLake can read."""
    connection = store.connection
    known = _found.get(store)
    if known is None or known[0] is not connection or known[1] != snapshot:
        known = (connection, snapshot, _tables(store, cursor, snapshot))
        _found[store] = known
    return known[2]


def landed(store: Store, cursor: DuckDBPyConnection, snapshot: int) -> tuple[list[Part], list[Part]] | None:
    """Files of bars that came with a snapshot which deleted none, and those from before; None if unknown."""
    files = tables(store, cursor, snapshot).get("bars")
    if files is None:
        return None
    return [one for one in files if one.since == snapshot], [one for one in files if one.since != snapshot]


def forget(store: Store) -> None:
    """Look the files up again: some are gone."""
    _found.pop(store, None)


def lazily(table: str, files: Sequence[Part], where: Where) -> pl.LazyFrame:
    """Rows of these files of a table, without order; `file` is the path of each one's file."""
    import polars as pl

    chosen, condition = [part for part in files if where.may_be_in(part)], where.condition()
    frames = [_scanned([part.path for part in chosen if part.gone is None])]
    frames += [_without(part.path, part.gone) for part in chosen if part.gone is not None]
    found = [frame if condition is None else frame.filter(condition) for frame in frames if frame is not None]
    if not found:
        return pl.DataFrame(nothing(table)).with_columns(file=pl.lit("")).lazy()
    return found[0] if len(found) == 1 else pl.concat(found, how="diagonal")


def _scanned(paths: list[str], **options: Any) -> pl.LazyFrame | None:
    import polars as pl

    if not paths:
        return None
    options |= {"hive_partitioning": False, "glob": False, "extra_columns": "ignore"}
    return pl.scan_parquet(paths, include_file_paths="file", **options)


def _without(path: str, gone: str) -> pl.LazyFrame | None:
    """A file without its deleted rows."""
    import polars as pl

    rows = pl.read_parquet(gone, columns=["pos"], glob=False)["pos"].cast(pl.UInt32)
    found = _scanned([path], row_index_name="row")
    return None if found is None else found.filter(~pl.col("row").is_in(rows.implode())).drop("row")


def _tables(store: Store, cursor: DuckDBPyConnection, at: int) -> dict[str, tuple[Part, ...] | None]:
    if "://" in store.files or not _plain(store, cursor):
        return {}
    found: dict[str, tuple[Part, ...] | None] = {}
    spans, root = _spans(cursor, store.metadata), store.files.rstrip("/")
    rows = cursor.execute(_files(store.metadata, at)).fetchall()
    for table, number, since, path, plain, gone, gone_plain in rows:
        files = found.setdefault(table, ())
        if files is None or number is None:
            continue
        if not plain or not (gone is None or gone_plain):
            found[table] = None
        else:
            gone = None if gone is None else f"{root}/{gone}"
            found[table] = (*files, Part(f"{root}/{path}", since, gone, spans.get(number, {})))
    return found


_fit: WeakKeyDictionary[Store, tuple[object, int, bool]] = WeakKeyDictionary()
"""Whether a lake was fit to be read like this when a connection met it, and its first snapshot then."""


def _plain(store: Store, cursor: DuckDBPyConnection) -> bool:
    """Whether this is DuckLake as it is known here, and no row is kept in the catalogue itself.

    What stands there is looked for once; what came since is in the log of snapshots, until some are dropped.
    """
    log = f"{store.metadata}.ducklake_snapshot_changes"
    query = f"SELECT min(snapshot_id), bool_or(changes_made LIKE '%inline%') FROM {log}"
    first, inlined = cursor.execute(query).fetchone() or (None, True)
    known = _fit.get(store)
    if known is None or known[0] is not store.connection or known[1] != first:
        known = (store.connection, first, _met(cursor, store.metadata))
        _fit[store] = known
    return known[2] and not inlined


def _met(cursor: DuckDBPyConnection, metadata: str) -> bool:
    query = f"SELECT key, value FROM {metadata}.ducklake_metadata WHERE scope IS NULL"
    said = dict(cursor.execute(query).fetchall())
    query = f"SELECT table_name FROM {metadata}.ducklake_inlined_data_tables"
    asked = [f"(SELECT 1 FROM {metadata}.{table} LIMIT 1)" for (table,) in cursor.execute(query).fetchall()]
    inlined = asked and cursor.execute(" UNION ALL ".join(asked)).fetchone() is not None
    return said.get("version") == VERSION and said.get("encrypted") == "false" and not inlined


def _files(metadata: str, at: int) -> str:
    """Write the question for table, number, path and deletions of each file, and whether they are plain."""

    def plain(name: str, kind: str) -> str:
        return (
            f"{name}.path_is_relative AND {name}.{kind} = 'parquet' AND {name}.encryption_key IS NULL "
            f"AND coalesce({name}.partial_max, 0) <= {at}"
        )

    files, tables, schemas, gone = (
        f"{metadata}.ducklake_{name}" for name in ("data_file", "table", "schema", "delete_file")
    )
    folder = "s.path || t.path ||"
    return (
        f"SELECT t.table_name, f.data_file_id, f.begin_snapshot, {folder} f.path, "
        f"{plain('f', 'file_format')} AND f.mapping_id IS NULL AND t.path_is_relative "
        f"AND s.path_is_relative, {folder} d.path, {plain('d', 'format')} "
        f"FROM {tables} t JOIN {schemas} s USING (schema_id) "
        f"LEFT JOIN {files} f ON f.table_id = t.table_id AND {_valid('f', at)} "
        f"LEFT JOIN {gone} d ON d.data_file_id = f.data_file_id AND {_valid('d', at)} "
        f"WHERE {_valid('t', at)} ORDER BY f.data_file_id"
    )


def _spans(cursor: DuckDBPyConnection, metadata: str) -> dict[int, Spans]:
    """Least and greatest symbol, freq and ts of each file."""
    columns = (
        f"SELECT table_id, column_id, column_name FROM {metadata}.ducklake_column "
        "WHERE column_name IN ('symbol', 'freq', 'ts')"
    )
    value = "CASE column_name WHEN 'ts' THEN epoch_us({0}::TIMESTAMPTZ)::VARCHAR ELSE {0} END"
    rows = cursor.execute(
        f"SELECT data_file_id, column_name, {value.format('min_value')}, {value.format('max_value')} "
        f"FROM {metadata}.ducklake_file_column_stats JOIN ({columns}) USING (table_id, column_id) "
        "WHERE min_value IS NOT NULL AND max_value IS NOT NULL"
    ).fetchall()
    found: dict[int, Spans] = {}
    for number, column, low, high in rows:
        found.setdefault(number, {})[column] = (int(low), int(high)) if column == "ts" else (low, high)
    return found


def _valid(name: str, at: int) -> str:
    return f"{name}.begin_snapshot <= {at} AND ({name}.end_snapshot IS NULL OR {name}.end_snapshot > {at})"
