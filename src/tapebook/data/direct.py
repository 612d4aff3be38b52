"""Read a small part of an embedded lake without DuckDB: its catalogue says in which files a snapshot lies.

Opening DuckDB with DuckLake and asking four questions takes a quarter of a second of computing, most of a
report's time that is not the report's own; the files themselves are read in a few milliseconds. What this
cannot answer is answered by DuckDB: a lake that is not on this disk or of another version, rows that were
deleted from a file, files of mixed snapshots, many or large files, symbols that are not there, an empty span.

The catalogue is read in one transaction and a data file is never changed, so what is read belongs together;
a file that a compaction took away in between is an error here, and then DuckDB's answer is asked for.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tapebook.config import Config
    from tapebook.data.panel import Adjust, Bars
    from tapebook.data.when import When

Answer = TypeVar("Answer")
VERSION = "1.0"
"""Of DuckLake's catalogue: another one may mean other things by the same tables."""
FILES, ROWS = 16, 500_000
"""Files of a table, and rows of the row groups that may hold a symbol, above which DuckDB is faster."""

lock = threading.RLock()
"""Held while the catalogue is read here, and while DuckDB opens it: see `opened`."""
opened: set[int] = set()
"""Processes in which DuckDB has a SQLite catalogue open. It brings a SQLite of its own, and when one of two
in a process closes a file, the locks of the other on it are gone: there nothing is read here."""


class _NotHereError(Exception):
    """This question is for DuckDB."""


def bars(
    config: Config,
    asof: Any,
    symbols: Sequence[str] | None,
    freq: Frequency,
    start: When,
    end: When,
    adjust: Adjust,
) -> Bars | None:
    """Answer as `Lake.bars` does, or None."""
    if not symbols or adjust not in ("splits", False) or freq.intraday:
        return None
    return _asked(config, asof, lambda files: _bars(files, symbols, freq, start, end, adjust))


def quality(config: Config, asof: Any, symbols: Sequence[str] | None) -> pd.DataFrame | None:
    """Answer as `Lake.quality` does, or None."""

    def found(files: _Files) -> pd.DataFrame:
        _known(files, symbols or ())
        columns = ["symbol", "freq", "check_name", "severity", "ts", "value", "detail"]
        rows = files.rows("quality", columns, symbols)
        order = [(name, "ascending") for name in ("symbol", "freq", "ts", "check_name")]
        frame: pd.DataFrame = rows.sort_by(order).to_pandas()
        return frame

    return _asked(config, asof, found)


def _asked(config: Config, asof: Any, question: Callable[[_Files], Answer]) -> Answer | None:
    import pyarrow as pa

    if not config.embedded or "://" in config.lake or not (asof is None or type(asof) is int):
        return None
    try:
        return question(_Files.at(config, asof))
    except (_NotHereError, sqlite3.Error, OSError, KeyError, pa.ArrowException):
        return None


class _Files:
    """Which files each table is made of at one snapshot."""

    def __init__(self, snapshot: int, paths: dict[str, list[str]]) -> None:
        self.snapshot, self.paths = snapshot, paths

    @classmethod
    def at(cls, config: Config, asof: int | None) -> _Files:
        catalogue = Path(config.database.removeprefix("sqlite:///")).with_name("lake.sqlite")
        with lock:
            if os.getpid() in opened or not catalogue.is_file():
                raise _NotHereError
            with closing(sqlite3.connect(f"{catalogue.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                connection.execute("BEGIN")  # one state of it for all that is asked
                snapshot = _snapshot(connection, asof)
                return cls(snapshot, _paths(connection, snapshot, config.lake))

    def rows(self, table: str, columns: list[str], symbols: Sequence[str] | None) -> pa.Table:
        """Rows of a table, of some symbols."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self.paths[table]:  # it never held a row
            raise _NotHereError
        rows = pa.concat_tables(_read(path, columns, symbols) for path in self.paths[table])
        if symbols is None:
            return rows
        return rows.filter(pc.is_in(rows.column("symbol"), pa.array(symbols, pa.string())))


def _snapshot(connection: sqlite3.Connection, asof: int | None) -> int:
    said = dict(connection.execute("SELECT key, value FROM ducklake_metadata WHERE scope IS NULL").fetchall())
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if said.get("version") != VERSION or said.get("encrypted") != "false" or "unfinished_copy" in tables:
        raise _NotHereError
    query = "SELECT max(snapshot_id) FROM ducklake_snapshot"
    row = connection.execute(f"{query} WHERE ? IS NULL OR snapshot_id = ?", [asof, asof]).fetchone()
    if row[0] is None or row[0] < 2:  # noqa: PLR2004 - 0 and 1 set up
        raise _NotHereError
    return int(row[0])


def _paths(connection: sqlite3.Connection, snapshot: int, lake: str) -> dict[str, list[str]]:
    """Files of each table that holds nothing but whole files; the others are left out."""
    at = {"at": snapshot}
    tables = connection.execute(
        "SELECT table_id, table_name, s.path || t.path FROM ducklake_table t JOIN ducklake_schema s "
        f"USING (schema_id) WHERE {_valid('t')} AND t.path_is_relative AND s.path_is_relative",
        at,
    ).fetchall()
    files = connection.execute(
        "SELECT table_id, path, path_is_relative AND file_format = 'parquet' AND encryption_key IS NULL "
        f"AND mapping_id IS NULL AND partial_max IS NULL FROM ducklake_data_file f WHERE {_valid('f')}",
        at,
    ).fetchall()
    less = f"SELECT table_id FROM ducklake_delete_file d WHERE {_valid('d')} OR partial_max IS NOT NULL"
    mixed = {table for (table,) in connection.execute(less, at)}
    mixed |= {table for table, _, plain in files if not plain}
    for table, name in connection.execute("SELECT table_id, table_name FROM ducklake_inlined_data_tables"):
        mixed |= {table} if connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone() else set()
    found = {
        name: [os.path.join(lake, folder, path) for of, path, _ in files if of == table]  # noqa: PTH118
        for table, name, folder in tables
        if table not in mixed
    }
    return {name: paths for name, paths in found.items() if len(paths) <= FILES}


def _valid(name: str) -> str:
    return f"{name}.begin_snapshot <= :at AND ({name}.end_snapshot IS NULL OR {name}.end_snapshot > :at)"


def _read(path: str, columns: list[str], symbols: Sequence[str] | None) -> pa.Table:
    """The row groups of a file that may hold these symbols; rows are sorted by symbol, and few groups do."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        about = file.metadata
        groups = [n for n in range(about.num_row_groups) if _may_hold(about.row_group(n), symbols)]
        if sum(about.row_group(n).num_rows for n in groups) > ROWS:
            raise _NotHereError
        return file.read_row_groups(groups, columns=columns, use_threads=False)


def _may_hold(group: Any, symbols: Sequence[str] | None) -> bool:
    if symbols is None:
        return True
    for n in range(group.num_columns):
        column = group.column(n)
        if column.path_in_schema == "symbol":
            known = column.statistics
            return known is None or not known.has_min_max or any(known.min <= s <= known.max for s in symbols)
    return True


def _known(files: _Files, symbols: Sequence[str]) -> dict[str, str]:
    """Calendar of every symbol; those asked for must be among them."""
    rows = files.rows("instruments", ["symbol", "calendar"], None)
    names, calendars = (rows.column(name).to_pylist() for name in ("symbol", "calendar"))
    known = {name: calendar or "24/7" for name, calendar in zip(names, calendars, strict=True)}
    if not set(symbols) <= known.keys():
        raise _NotHereError
    return known


def _bars(
    files: _Files, symbols: Sequence[str], freq: Frequency, start: When, end: When, adjust: Adjust
) -> Bars:
    """Do what `panels.panel` does."""
    import pandas as pd
    import pyarrow.compute as pc

    from tapebook.data import pivot
    from tapebook.data.adjust import adjusted
    from tapebook.data.panel import Bars
    from tapebook.data.when import first_moment, last_moment

    known = _known(files, symbols)
    rows = files.rows("bars", ["symbol", "freq", "ts", *FIELDS], symbols)
    rows = rows.filter(pc.equal(rows.column("freq"), str(freq))).drop_columns("freq")
    first, last = first_moment(start, "start"), last_moment(end, "end")
    if first is not None:  # masks, not expressions: those bring a whole engine along
        rows = rows.filter(pc.greater_equal(rows.column("ts"), _moment(first)))
    if last is not None:
        rows = rows.filter(pc.less_equal(rows.column("ts"), _moment(last)))
    stamps, values = pivot.widen(rows, tuple(symbols), freeze=False)
    if not len(stamps):
        raise _NotHereError
    if adjust and files.paths["actions"]:
        values = adjusted(values, stamps, tuple(symbols), _splits(files, symbols))
    index = pd.DatetimeIndex(stamps, name="ts").tz_localize("UTC")
    calendars = {name: known[name] for name in symbols}
    return Bars(pivot.frozen(values), index, tuple(symbols), freq, calendars, files.snapshot, adjust)


def _splits(files: _Files, symbols: Sequence[str]) -> pa.Table:
    """Do what `panels.events` does for days and longer bars."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = files.rows("actions", ["symbol", "ts", "split"], symbols)
    for nothing in (0.0, 1.0):
        rows = rows.filter(pc.not_equal(rows.column("split"), nothing))
    rows = rows.sort_by([("symbol", "ascending"), ("ts", "ascending")])
    nulls = pa.nulls(len(rows), pa.float64())
    names = ["symbol", "moment", "split", "dividend", "before"]
    return pa.table([*(rows.column(name) for name in ("symbol", "ts", "split")), nulls, nulls], names)


def _moment(stamp: pd.Timestamp) -> pa.Scalar:
    import pyarrow as pa

    return pa.scalar(stamp.value // 1_000, pa.timestamp("us", "UTC"))  # `value` counts nanoseconds
