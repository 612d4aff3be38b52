"""From long to wide and back: bars as rows of a table, and as matrices of times by symbols.

Codes by runs and one copy per run and field; no hash table of pairs, no pandas.pivot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


Places = list[tuple["slice | np.ndarray", slice]]


def widen(
    table: pa.Table, symbols: Sequence[str], *, freeze: bool = True
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Turn a long table into the union of its stamps and one matrix per field.

    Parameters
    ----------
    table : pyarrow.Table
        Columns symbol, ts and the five fields; at most one row a (symbol, ts), in any order.
        Rows of other symbols are left out.
    symbols : sequence of N str
        The columns wanted, in this order; a symbol without rows becomes a column of NaN.
    freeze : bool
        Make the arrays read-only; else they may be so or not.

    Returns
    -------
    stamps : datetime64[us], shape (T,)
        Sorted, UTC.
    values : dict of float64, shape (T, N)
        NaN where there is no bar. Each column is contiguous; the arrays are read-only.
    """
    codes = _codes(table, symbols)
    if len(codes) and codes.min() < 0:
        table, codes = table.filter(codes >= 0), codes[codes >= 0]
    stamps = _stamps(table)
    starts = _runs(codes, stamps)
    index = _union(stamps, starts)
    if 8 * len(starts) < len(stamps):
        places = _slices(codes, stamps, starts, index)
    else:
        places = [(codes * len(index) + np.searchsorted(index, stamps), slice(None))]
    values = {field: _filled(table.column(field), places, (len(symbols), len(index))) for field in FIELDS}
    return np.asarray(index.view("datetime64[us]")), frozen(values) if freeze else values


def frozen(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Make the arrays read-only."""
    for matrix in values.values():
        matrix.flags.writeable = False
    return values


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
    exists: np.ndarray = ~np.isnan(values["close"])
    for field in ("open", "high", "low", "volume"):
        exists |= ~np.isnan(values[field])
    return exists


def _codes(table: pa.Table, symbols: Sequence[str]) -> np.ndarray:
    """Position in `symbols` of each row's symbol; -1 for others. Runs of one symbol are quick."""
    import pyarrow as pa
    import pyarrow.compute as pc

    where = {symbol: position for position, symbol in enumerate(symbols)}
    column = table.column("symbol")
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    parts = []
    for runs in pc.run_end_encode(column, pa.int64()).chunks:
        names = runs.values.dictionary_encode()
        places = np.array([where.get(name, -1) for name in names.dictionary.to_pylist()], dtype=np.int64)
        lengths = np.diff(runs.run_ends.to_numpy(), prepend=0)
        parts.append(np.repeat(places[names.indices.to_numpy(zero_copy_only=False)], lengths))
    return np.concatenate(parts) if parts else np.empty(0, np.int64)


def _stamps(table: pa.Table) -> np.ndarray:
    import pyarrow as pa

    column = table.column("ts")
    if column.type != pa.timestamp("us", "UTC"):
        column = column.cast(pa.timestamp("us", "UTC"))
    stamps: np.ndarray = column.cast(pa.int64()).to_numpy()
    return stamps


def _runs(codes: np.ndarray, stamps: np.ndarray) -> np.ndarray:
    """Where each run begins: rows of one symbol with rising stamps."""
    breaks = np.flatnonzero((np.diff(codes) != 0) | (np.diff(stamps) <= 0)) + 1
    return np.concatenate([[0], breaks]) if len(codes) else breaks


def _union(stamps: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sorted distinct stamps.

    Bars sorted by symbol repeat the same stamps run after run, so the union is small: find it
    from each run's news rather than by sorting everything.
    """
    if not len(stamps) or 8 * len(starts) >= len(stamps):  # not sorted by symbol
        return np.unique(stamps)
    runs = np.split(stamps, starts[1:])
    index = max(runs, key=len)
    for run in runs:
        if _within(run, index) is None:
            index = np.union1d(index, run)
    return index


def _within(run: np.ndarray, index: np.ndarray) -> Any:
    """The rows of `index` that a run's stamps are: a slice if they are in a row, None if some lack."""
    first = int(np.searchsorted(index, run[0]))
    if np.array_equal(index[first : first + len(run)], run):
        return slice(first, first + len(run))
    spots = np.searchsorted(index, run)
    return spots if spots[-1] < len(index) and np.array_equal(index[spots], run) else None


def _slices(codes: np.ndarray, stamps: np.ndarray, starts: np.ndarray, index: np.ndarray) -> Places:
    """Where each run goes in the flat matrix of symbols by times, and the rows that it is."""
    places: Places = []
    for start, end in pairwise([*starts.tolist(), len(stamps)]):
        rows, offset = _within(stamps[start:end], index), int(codes[start]) * len(index)
        spot = slice(rows.start + offset, rows.stop + offset) if isinstance(rows, slice) else rows + offset
        places.append((spot, slice(start, end)))
    return places


def _filled(column: pa.ChunkedArray, places: Places, shape: tuple[int, int]) -> np.ndarray:
    """A matrix of shape (T, N) with a column's values at their places and NaN elsewhere."""
    given, size = column.to_numpy(), shape[0] * shape[1]
    block = np.empty(size) if len(given) == size else np.full(size, np.nan)
    for spot, rows in places:
        block[spot] = given[rows]
    return block.reshape(shape).T
