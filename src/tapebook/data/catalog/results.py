"""Stored backtests in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row, func, select, update

from tapebook.data.again import lasting
from tapebook.data.catalog.changes import write_change
from tapebook.data.catalog.items import with_tag
from tapebook.data.catalog.kinds import one
from tapebook.data.catalog.rows import Rows, insert_with_symbols, plain
from tapebook.data.catalog.tables import result_symbols, results

_KNOWN = [column.name for column in results.columns if column.name not in ("seq", "note", "extra")]
_EMPTY: dict[str, Any] = {"symbols": [], "params": {}, "rules": {}, "metrics": {}}


@lasting
class Results:
    """One row a stored backtest, newest first."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, record: Mapping[str, Any], note: str = "") -> None:
        """Add `Backtest.record()`. Keys that the table has no column for are kept under `extra`."""
        row = {name: record.get(name, _EMPTY.get(name)) for name in _KNOWN}
        row["adjust"] = None if row["adjust"] is None else str(row["adjust"])
        row |= {"note": note, "extra": {k: v for k, v in record.items() if k not in _KNOWN}}
        with self._rows.writing() as connection:
            insert_with_symbols(connection, results, result_symbols, row)
            write_change(connection, "result", row["id"], "created")

    def get(self, id: str) -> Row[Any]:
        """Return one row; its columns are attributes.

        Raises
        ------
        UnknownName
            With the nearest id that there is.
        """
        return one(self._rows, results, "result", id)

    def list(
        self,
        strategy: str | None = None,
        symbol: str | None = None,
        limit: int | None = 50,
        code_hash: str | None = None,
        tag: str | None = None,
    ) -> list[dict[str, Any]]:
        """List rows, newest first, that match every filter given; `code_hash` is of what made them."""
        query = with_tag(select(results), "result", results.c.id, tag)
        query = query.order_by(results.c.seq.desc()).limit(limit)
        if code_hash is not None:
            query = query.where(results.c.code_hash == code_hash)
        if strategy is not None:
            query = query.where(results.c.strategy == strategy)
        if symbol is not None:
            query = query.join(result_symbols, result_symbols.c.seq == results.c.seq)
            query = query.where(result_symbols.c.symbol == symbol)
        with self._rows.reading() as connection:
            return [plain(row) for row in connection.execute(query).mappings()]

    def by_code(self) -> dict[str, int]:
        """Count the rows that each code made."""
        counted = select(results.c.code_hash, func.count()).group_by(results.c.code_hash)
        with self._rows.reading() as connection:
            return {code: count for code, count in connection.execute(counted).all() if code}

    def made_by(self, ids: Iterable[str], run_id: str) -> None:
        """Say that a run made these results."""
        named = tuple(ids)
        if named:
            with self._rows.writing() as connection:
                connection.execute(update(results).where(results.c.id.in_(named)).values(run_id=run_id))
