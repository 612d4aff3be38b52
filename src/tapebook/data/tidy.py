"""Long frames from anywhere, checked and brought to the lake's columns and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapebook.data.store import TABLES
from tapebook.errors import BadInput
from tapebook.schema import Frequency

if TYPE_CHECKING:
    import pyarrow as pa

KEYS = {"bars": ("symbol", "freq", "ts"), "actions": ("symbol", "ts"), "instruments": ("symbol",)}
"""What a row of a table is known by: at most one row a key."""


def columns(table: str) -> dict[str, str]:
    """Name and SQL type of each column of a table of the lake."""
    return dict(part.split() for part in TABLES[table].split(", "))


def nothing(table: str) -> pa.Table:
    """Return a table of the lake without a row."""
    import pyarrow as pa

    return pa.table({name: pa.array([], _arrow(kind)) for name, kind in columns(table).items()})


def _arrow(kind: str) -> pa.DataType:
    import pyarrow as pa

    return {"VARCHAR": pa.string(), "DOUBLE": pa.float64(), "TIMESTAMPTZ": pa.timestamp("us", "UTC")}[kind]


def tidy(table: str, frame: Any) -> pa.Table:
    """Return `frame` as a pyarrow table with exactly the columns of `table`; NaN becomes null.

    Raises
    ------
    BadInput
        If a column is missing, unknown or of another kind; if a key is missing or occurs twice;
        if a price is infinite; if a daily bar has a time of day. The message says which row.
    """
    import pyarrow as pa

    from tapebook.data.frames import as_arrow  # pandas: what only looks at the catalogue does without

    given = as_arrow(frame)
    if not given.num_columns:
        return nothing(table)
    wanted = columns(table)
    if set(given.column_names) != set(wanted):
        raise BadInput(_columns_told(table, given.column_names, list(wanted)))
    rows = pa.table({name: _cast(table, name, kind, given.column(name)) for name, kind in wanted.items()})
    if "freq" in wanted:
        rows = _frequencies(rows)
    if table in KEYS and rows.num_rows:
        _check_keys(table, rows)
    if table == "bars" and rows.num_rows:
        _check_dates(rows)
    if table == "actions":
        _check_not_negative(rows)
    return rows


def _columns_told(table: str, got: list[str], wanted: list[str]) -> str:
    missing = [name for name in wanted if name not in got]
    unknown = [name for name in got if name not in wanted]
    told = [f"lacks {', '.join(missing)}"] * bool(missing) + [f"has the unknown {', '.join(unknown)}"] * bool(
        unknown
    )
    return f"the frame of {table} {' and '.join(told)}: expected exactly the columns {', '.join(wanted)}"


def _cast(table: str, name: str, kind: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if kind == "TIMESTAMPTZ" and pa.types.is_timestamp(column.type) and column.type.tz is None:
        raise BadInput(f'{table}.{name} has no time zone: expected UTC; try .dt.tz_localize("UTC")')
    target = _arrow(kind)
    try:
        cast = column.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise BadInput(f"{table}.{name} holds {column.type}: expected {target} ({error})") from error
    if kind == "DOUBLE":
        _check_finite(table, name, cast)
        cast = pc.if_else(pc.is_nan(cast), pa.scalar(None, pa.float64()), cast)
    return cast


def _check_finite(table: str, name: str, column: pa.ChunkedArray) -> None:
    import pyarrow.compute as pc

    bad = pc.index(pc.is_inf(column), True).as_py()
    if bad >= 0:
        raise BadInput(
            f"{table}.{name} is {column[bad].as_py()} in row {bad}: expected a finite number, NaN or null"
        )


def _frequencies(rows: pa.Table) -> pa.Table:
    """Spell every bar length as the lake does: "daily" is stored as "1d"."""
    import pyarrow.compute as pc

    spelled = rows.column("freq")
    for text in spelled.unique().to_pylist():
        if text is not None and text != (plain := str(Frequency.parse(text))):
            spelled = pc.if_else(pc.equal(spelled, text), plain, spelled)
    return rows.set_column(rows.column_names.index("freq"), "freq", spelled)


def _check_keys(table: str, rows: pa.Table) -> None:
    import pyarrow.compute as pc

    keys = list(KEYS[table])
    for key in keys:
        bad = pc.index(pc.is_null(rows.column(key)), True).as_py()
        if bad >= 0:
            raise BadInput(f"{table}.{key} is missing in row {bad}: expected one for every row")
    if _rising(rows, keys):
        return
    counts = rows.group_by(keys).aggregate([([], "count_all")])
    if counts.num_rows < rows.num_rows:
        twice = counts.filter(pc.greater(counts.column("count_all"), 1)).slice(0, 1).to_pylist()[0]
        told = " ".join(str(twice[key]) for key in keys)
        raise BadInput(
            f"{table} has {told} {twice['count_all']} times: "
            f"expected at most one row for each {', '.join(keys)}"
        )


def _rising(rows: pa.Table, keys: list[str]) -> bool:
    """Whether rows come symbol by symbol with rising stamps, so that no key is there twice: quick to see."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if "ts" not in keys or ("freq" in keys and len(rows.column("freq").unique()) > 1):
        return False
    runs = pc.run_end_encode(rows.column("symbol").combine_chunks(), pa.int64())
    if len(runs.values.unique()) < len(runs.values):
        return False
    falls = np.flatnonzero(np.diff(rows.column("ts").cast(pa.int64()).to_numpy()) <= 0) + 1
    return bool(np.isin(falls, runs.run_ends.to_numpy()).all())


def _check_dates(rows: pa.Table) -> None:
    """A bar of a day or longer carries a date: 00:00 UTC."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    long = [text for text in rows.column("freq").unique().to_pylist() if not Frequency.parse(text).intraday]
    if not long:
        return
    off = rows.column("ts").cast(pa.int64()).to_numpy() % 86_400_000_000 != 0
    bad = np.flatnonzero(off & pc.is_in(rows.column("freq"), pa.array(long)).to_numpy())
    if len(bad):
        row = rows.slice(int(bad[0]), 1).to_pylist()[0]
        raise BadInput(
            f"bars has {row['symbol']} {row['freq']} at {row['ts']} (row {bad[0]}): "
            "expected the session's date at 00:00 UTC for bars of a day or longer"
        )


def _check_not_negative(rows: pa.Table) -> None:
    """A split of 0 or a dividend of 0 says that there is none."""
    import pyarrow.compute as pc

    for name in ("split", "dividend"):
        bad = pc.index(pc.less(rows.column(name), 0), True).as_py()
        if bad >= 0:
            row = rows.slice(bad, 1).to_pylist()[0]
            raise BadInput(
                f"actions.{name} is {row[name]} for {row['symbol']} on {row['ts']:%Y-%m-%d} (row {bad}): "
                "expected 0 or more"
            )
