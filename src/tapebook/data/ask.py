"""An analyst's own SQL: one SELECT on the lake's tables at one snapshot, nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tapebook.data import edit_log, s3
from tapebook.data.panels import split_factors
from tapebook.data.read import View, in_utc, moved, seeing
from tapebook.data.snapshots import AsOf
from tapebook.data.store import TABLES, Store
from tapebook.errors import BadInput, BadParameter, NoData, TapebookError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

OFFERED = ("bars", "adjusted", "actions", "instruments", "quality", "edits")
FUNCTIONS = {"unnest", "range", "generate_series"}
"""Table functions that reach no file and no catalogue."""


def ask(store: Store, query: str, out: str, asof: AsOf, parameters: Any) -> Any:
    """Answer a query; see `Lake.sql`."""
    if out not in ("pandas", "polars", "arrow"):
        raise BadParameter("out", out, '"pandas", "polars" or "arrow"')
    try:
        table = seeing(store, asof, lambda view: _answer(view, query, parameters))
    except NoData:
        if asof is not None:
            raise
        table = _answer_empty(query, parameters)
    if out == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table if out == "arrow" else table.to_pandas()


def _answer(view: View, query: str, parameters: Any) -> pa.Table:
    check(view.cursor, query)
    for name in TABLES:
        view.cursor.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM {view.table(name)}")
    _show_edits(view)
    view.cursor.register("split_factors", split_factors(view))
    view.cursor.execute(_ADJUSTED)
    return _run(view.cursor, query, parameters)


def _show_edits(view: View) -> None:
    """Offer the log of corrections as the snapshot has it: it is made with the first of them."""
    now = view.snapshot
    query = (
        f"SELECT 1 FROM {view.metadata}.ducklake_table WHERE table_name = 'edits' "
        f"AND begin_snapshot <= {now} AND (end_snapshot IS NULL OR end_snapshot > {now})"
    )
    if view.cursor.execute(query).fetchone():
        view.cursor.execute(f"CREATE OR REPLACE TEMP VIEW edits AS FROM {view.table('edits')}")
    else:
        view.cursor.register("edits", edit_log.empty().to_arrow())


def _answer_empty(query: str, parameters: Any) -> pa.Table:
    """The lake's tables without a row, where there is no lake yet."""
    import duckdb

    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = false; BEGIN")
        check(connection, query)
        for name in TABLES:
            connection.execute(f"CREATE TEMP TABLE {name} ({TABLES[name]})")
        connection.register("edits", edit_log.empty().to_arrow())
        connection.execute(f"CREATE TEMP TABLE adjusted ({TABLES['bars']})")
        return _run(connection, query, parameters)


def _run(cursor: DuckDBPyConnection, query: str, parameters: Any) -> pa.Table:
    import duckdb

    try:
        cursor.execute("COMMIT; BEGIN TRANSACTION READ ONLY")
        return _plain(in_utc(cursor.execute(query, parameters or None).to_arrow_table()))
    except duckdb.Error as error:
        if moved(error) or s3.faulty(error):
            raise  # and asked again, or told in words
        raise BadInput(f"the query does not work: {error}") from error


def _plain(table: pa.Table) -> pa.Table:
    """Turn DuckDB's decimals and 128-bit integers into numbers that pandas can count with."""
    import pyarrow as pa

    for at, kind in enumerate(table.schema):
        if pa.types.is_decimal(kind.type):
            table = table.set_column(at, kind.name, _number(table.column(at)))
    return table


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    if column.type.scale == 0:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            pass  # too large
    return column.cast(pa.float64())


_ADJUSTED = """
CREATE OR REPLACE TEMP VIEW adjusted AS
SELECT b.symbol, b.freq, b.ts, b.open / f AS open, b.high / f AS high, b.low / f AS low, b.close / f AS close,
       b.volume * f AS volume
FROM (SELECT b.*, coalesce(s.factor, 1) AS f
      FROM (SELECT *, right(freq, 1) IN ('m', 'h') AS intraday FROM bars) b
      ASOF LEFT JOIN split_factors s
      ON b.symbol = s.symbol AND b.intraday = s.intraday AND b.ts < s.moment) b
"""


def check(cursor: DuckDBPyConnection, query: str) -> None:
    """Refuse all but one SELECT on the tables offered: the parsed query is looked through.

    Raises
    ------
    TapebookError
        If it would write. BadInput if it cannot be read, or names a file, a function that reads
        one, or a table that is not offered.
    """
    tree = _parsed(cursor, query)
    nodes = list(_nodes(tree["statements"]))
    own = {entry["key"].lower() for node in nodes for entry in node.get("cte_map", {}).get("map", [])}
    own |= {
        node["cte_name"].lower() for node in nodes if node.get("type") == "CTE_NODE" and "cte_name" in node
    }
    own = {name for name in own if re.fullmatch(r"\w+", name)}  # a name with dots or slashes may be a file
    for node in nodes:
        kind = node.get("type")
        if kind in ("BASE_TABLE", "SHOW_REF") and node.get("table_name"):
            _check_table(node, own)
        elif kind == "TABLE_FUNCTION" and (name := node["function"]["function_name"]) not in FUNCTIONS:
            raise BadInput(f"{name}(…) is not offered: read the tables {', '.join(OFFERED)}")


def _parsed(cursor: DuckDBPyConnection, query: str) -> dict[str, Any]:
    import duckdb

    row = cursor.execute("SELECT json_serialize_sql(?)", [query]).fetchone()
    tree: dict[str, Any] = json.loads(row[0]) if row else {}
    if not tree.get("error"):
        if len(tree["statements"]) == 1:
            return tree
        raise BadInput(f"got {len(tree['statements'])} statements: expected one SELECT")
    if tree["error_type"] != "not implemented":
        raise BadInput(f"the query does not work: {tree['error_message']}")
    kind = duckdb.extract_statements(query)[0].type.name.replace("SELECT", "this")  # a PRAGMA says SELECT
    if re.search(r"\bpivot\b", query, re.IGNORECASE):
        raise BadInput("a PIVOT has to list its columns: PIVOT … ON symbol IN ('AAPL', 'MSFT') USING …")
    raise TapebookError(
        f"the lake is read-only for SQL: {kind} is not allowed, expected one SELECT. "
        "Write with `tapebook ingest`, `tapebook data delete` or `Lake.write`."
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)


def _check_table(node: dict[str, Any], own: set[str]) -> None:
    name = node["table_name"]
    full = ".".join(part for part in (node.get("catalog_name"), node.get("schema_name"), name) if part)
    if full != name or name.lower().strip('"') not in {*OFFERED, *own}:
        raise BadInput(f"no table {full}: there are {', '.join(OFFERED)}")
