"""A recorded table, page by page."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import look

if TYPE_CHECKING:
    import ipywidgets

ROWS = 15


def table_view(path: Path) -> ipywidgets.Widget:
    """Return the table with buttons to turn its pages."""
    import ipywidgets as w
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.ParquetFile(path).read(use_threads=False)  # read_table would load pandas
    except (OSError, pa.ArrowException) as error:
        said = f"The table {path.stem} cannot be read: {error}"
        return w.HTML(look.page(f'<div class="trouble">{escape(said)}</div>'))
    body = w.HTML(_page(rows, 0))
    if rows.num_rows <= ROWS:
        return body
    pages = -(-rows.num_rows // ROWS)
    turn = w.BoundedIntText(value=1, min=1, max=pages, description="page", layout=w.Layout(width="160px"))
    of = w.HTML(look.page(f'<span class="muted">of {pages:,} ({rows.num_rows:,} rows)</span>'))

    def show(change: Any) -> None:
        body.value = _page(rows, change["new"] - 1)

    turn.observe(show, "value")
    controls = w.Box([turn, of])
    controls.add_class("controls")
    return w.VBox([controls, body])


def _page(rows: Any, page: int) -> str:
    part = rows.slice(page * ROWS, ROWS)
    names = ordered(part.schema)
    columns = [_values(part.column(name)) for name in names]
    numeric = [
        i for i, column in enumerate(columns) if all(isinstance(v, (int, float, type(None))) for v in column)
    ]
    cells = ([escape(look.plain(v)) for v in row] for row in zip(*columns, strict=True))
    return look.page(look.table([name.replace("_", " ") for name in names], cells, numeric=numeric))


def ordered(schema: Any) -> list[str]:
    """Names of the columns, what a row is about (pandas' index, which Parquet puts last) first."""
    try:
        index = (schema.pandas_metadata or {}).get("index_columns", [])
    except (ValueError, AttributeError):  # written by something else than pandas
        index = []
    named = [name for name in schema.names if not name.startswith("__index")]
    return sorted(named, key=lambda name: name not in index)


def _values(column: Any) -> list[Any]:
    """A column as plain values; nanoseconds would need pandas, which a page does not load."""
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    values: list[Any] = column.to_pylist()
    return values
