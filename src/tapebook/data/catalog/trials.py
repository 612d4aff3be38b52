"""The ledger of trials: rows are added and read, never changed or deleted (the database refuses it)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.exc import IntegrityError

from tapebook.data.again import lasting
from tapebook.data.catalog.rows import Rows, insert_with_symbols
from tapebook.data.catalog.tables import trial_symbols, trials

_KNOWN = {column.name for column in trials.columns} - {"seq"}
_LISTED = [column for column in trials.columns if column.name != "sketch"]
SKETCH_BYTES = 8_000_000
"""Sketches that are read for one answer at most; of more, every second, third … batch."""


@lasting
class Trials:
    """Batches of trials: a backtest is a batch of one, a sweep one of all its combinations."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(self, entry: Mapping[str, Any]) -> bool:
        """Insert a batch; False when this very computation (`key`) is in the ledger already."""
        row = {name: value for name, value in entry.items() if name in _KNOWN}
        if self._has(row["key"]):
            return False
        try:
            with self._rows.writing() as connection:
                insert_with_symbols(connection, trials, trial_symbols, row)
        except IntegrityError:  # another process was faster
            if self._has(row["key"]):
                return False
            raise
        return True

    def newest(self) -> int:
        """Return the number of the newest batch, 0 of an empty ledger: what a run pins."""
        with self._rows.reading() as connection:
            return int(connection.scalar(select(func.coalesce(func.max(trials.c.seq), 0))) or 0)

    def list(
        self,
        *,
        family: str | None = None,
        symbols: Iterable[str] | None = None,
        until: int | None = None,
        besides: Collection[str] = (),
    ) -> list[dict[str, Any]]:
        """List batches without their sketches, oldest first.

        Parameters
        ----------
        symbols : names, optional
            Only batches that traded one of them.
        until : int, optional
            Only batches up to this number, and those whose keys are among `besides`.
        """
        query = select(*_LISTED).order_by(trials.c.seq)
        for condition in _meant(family, symbols, until, besides):
            query = query.where(condition)
        with self._rows.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def sketches(self, numbers: Iterable[int]) -> dict[int, bytes]:
        """Return the sketches of batches by their number; some of them where all would be too much."""
        wanted = list(numbers)
        size = func.coalesce(func.length(trials.c.sketch), 0)
        found: dict[int, bytes] = {}
        with self._rows.reading() as connection:
            sizes = connection.execute(select(trials.c.seq, size).where(trials.c.seq.in_(wanted))).all()
            kept = [number for number, bytes_ in sizes if bytes_]
            step = max(1, -(-sum(bytes_ for _, bytes_ in sizes) // SKETCH_BYTES))
            rows = select(trials.c.seq, trials.c.sketch).where(trials.c.seq.in_(kept[::step]))
            for number, packed in connection.execute(rows.order_by(trials.c.seq)):
                found[number] = bytes(packed)
        return found

    def _has(self, key: str) -> bool:
        with self._rows.reading() as connection:
            return connection.scalar(select(trials.c.seq).where(trials.c.key == key)) is not None


def _meant(
    family: str | None, symbols: Iterable[str] | None, until: int | None, besides: Collection[str]
) -> Iterable[ColumnElement[bool]]:
    if family is not None:
        yield trials.c.family == family
    if symbols is not None:
        yield trials.c.seq.in_(
            select(trial_symbols.c.seq).where(trial_symbols.c.symbol.in_(list(dict.fromkeys(symbols))))
        )
    if until is not None:
        yield or_(trials.c.seq <= until, trials.c.key.in_(list(besides)))
