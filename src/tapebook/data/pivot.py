"""From long to wide and back: bars as rows of a table, and as matrices of times by symbols.

Dictionary codes and one scatter per field; no hash table of pairs, no pandas.pivot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


def widen(table: pa.Table, symbols: Sequence[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Turn a long table into the union of its stamps and one matrix per field.

    Parameters
    ----------
    table : pyarrow.Table
        Columns symbol, ts and the five fields; at most one row a (symbol, ts), in any order.
    symbols : sequence of N str
        The columns wanted, in this order; a symbol without rows becomes a column of NaN.

    Returns
    -------
    stamps : datetime64[us], shape (T,)
        Sorted, UTC.
    values : dict of float64, shape (T, N)
        NaN where there is no bar. Each column is contiguous; the arrays are read-only.
    """
    codes, stamps = _codes(table, symbols), _stamps(table)
    index, rows = _union(stamps)
    spot = codes * len(index) + rows
    values = {field: _scatter(table, field, spot, len(symbols), len(index)) for field in FIELDS}
    return index.view("datetime64[us]"), values


def lengthen(symbols: Sequence[str], stamps: np.ndarray, values: dict[str, np.ndarray]) -> pl.DataFrame:
    """Turn matrices of shape (T, N) into a long polars frame of the bars that exist."""
    import polars as pl

    exists = present(values)
    columns, rows = np.nonzero(exists.T)
    names = pl.Series("symbol", list(symbols), dtype=pl.String)
    ts = pl.Series("ts", stamps[rows]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    fields = [pl.Series(field, values[field].T[exists.T]).fill_nan(None) for field in FIELDS]
    return pl.DataFrame([names.gather(columns), ts, *fields])


def present(values: dict[str, np.ndarray]) -> np.ndarray:
    """Say which bars exist, shape (T, N): those with at least one field."""
    exists = ~np.isnan(values["close"])
    for field in ("open", "high", "low", "volume"):
        exists |= ~np.isnan(values[field])
    return exists


def _codes(table: pa.Table, symbols: Sequence[str]) -> np.ndarray:
    """Position in `symbols` of each row's symbol."""
    import pyarrow as pa

    column = table.column("symbol")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    where = {symbol: position for position, symbol in enumerate(symbols)}
    parts = []
    for chunk in column.chunks:
        places = np.array([where[name] for name in chunk.dictionary.to_pylist()], dtype=np.int64)
        parts.append(places[chunk.indices.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _stamps(table: pa.Table) -> np.ndarray:
    import pyarrow as pa

    column = table.column("ts")
    if column.type != pa.timestamp("us", "UTC"):
        column = column.cast(pa.timestamp("us", "UTC"))
    return np.asarray(column.cast(pa.int64()).to_numpy())


def _union(stamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct stamps, and the row of each stamp among them.

    Bars sorted by symbol repeat the same stamps run after run, so the union is small: find it
    from each run's news rather than by sorting everything.
    """
    if not len(stamps):
        return stamps, stamps
    breaks = np.flatnonzero(np.diff(stamps) <= 0) + 1
    if len(breaks) > 10_000:  # not sorted by symbol
        return np.unique(stamps, return_inverse=True)
    runs = np.split(stamps, breaks)
    index = runs[0]
    for run in runs[1:]:
        if len(run) != len(index) or not np.array_equal(run, index):
            index = np.union1d(index, run) if not _inside(run, index) else index
    return index, np.searchsorted(index, stamps)


def _inside(run: np.ndarray, index: np.ndarray) -> bool:
    spots = np.searchsorted(index, run)
    return bool(spots[-1] < len(index) and np.array_equal(index[spots], run))


def _scatter(table: pa.Table, field: str, spot: np.ndarray, n: int, t: int) -> np.ndarray:
    block = np.full(n * t, np.nan)
    block[spot] = table.column(field).to_numpy()
    block.flags.writeable = False
    return block.reshape(n, t).T
