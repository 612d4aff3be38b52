"""Rows of a sweep's table as they come in; in a file of their own when they are too many for the memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from tapebook.strategy.sweep.crew import Answers
    from tapebook.strategy.sweep.grid import Grid

LARGE = 32_000_000
"""Bytes of figures up to which they are kept in memory."""
WIDTH = 8
"""Bytes of a figure."""


class Rows:
    """Figures of up to `size` combinations, each at its slot, of `each` rows (symbols) and some `names`.

    Settings are known by their place in the grid. Beyond LARGE bytes the figures are written to a
    temporary file without a name, which is gone with the table that reads it: what such a sweep takes
    of the memory does not grow with its figures.
    """

    def __init__(self, grid: Grid, names: Sequence[str], each: int, size: int) -> None:
        self.grid, self.names, self.each, self.size = grid, tuple(names), each, size
        self.refused = 0
        self._places = np.full(size, -1, np.int64)
        figures = (len(self.names), size * each)
        self._file: IO[bytes] | None = None
        if WIDTH * figures[0] * figures[1] > LARGE:
            self._file = tempfile.TemporaryFile(prefix="tapebook-sweep-", buffering=0)  # noqa: SIM115
            self._file.truncate(WIDTH * figures[0] * figures[1])
        else:
            self._block = np.empty(figures)

    def put(self, slots: np.ndarray, places: np.ndarray, answers: Answers) -> None:
        """Keep what the combinations at some places made; one that was refused leaves its slot empty."""
        if not isinstance(answers, np.ndarray):
            known = np.array([found is not None for found in answers], dtype=bool)
            self.refused += len(known) - int(known.sum())
            if not known.any():
                return
            slots, places = slots[known], places[known]
            answers = np.stack([found for found in answers if found is not None])
        self._places[slots] = places
        for first, part in _runs(slots):
            self._write(first * self.each, answers[part].reshape(-1, len(self.names)).T)

    def table(self, symbols: Sequence[str] | None) -> pd.DataFrame:
        """Make the table, at the very end: settings that varied, "symbol" where each is alone, figures."""
        done = np.flatnonzero(self._places >= 0)
        steps = self.grid.steps_of(self._places[done])
        table = pd.DataFrame({name: self._column(name, steps[name]) for name in self.grid.values})
        if symbols is not None:
            named = np.tile(np.array(list(symbols), dtype=object), len(done))
            table["symbol"] = pd.Series(named, dtype="str")
        figures = pd.DataFrame(self._figures(done).T, columns=list(self.names), copy=False)
        return pd.concat([table, figures], axis=1)

    def _column(self, name: str, steps: np.ndarray) -> Any:
        """One setting, of the type that the values that came up have together."""
        given = self.grid.values[name]
        used = np.zeros(len(given), dtype=bool)
        used[steps] = True
        values = pd.Series([given[i] for i in np.flatnonzero(used)], dtype=object).infer_objects().array
        return values.take(np.repeat((np.cumsum(used) - 1)[steps], self.each))

    def _write(self, row: int, figures: np.ndarray) -> None:
        if self._file is None:
            self._block[:, row : row + figures.shape[1]] = figures
            return
        for i, column in enumerate(figures):
            self._file.seek(WIDTH * (i * self.size * self.each + row))
            self._file.write(np.ascontiguousarray(column).data)

    def _figures(self, done: np.ndarray) -> np.ndarray:
        """Figures of the slots that are done, shape (names, rows)."""
        kept = slice(len(done) * self.each)
        gaps = len(done) < self.size
        rows = (done[:, None] * self.each + np.arange(self.each)).ravel() if gaps else kept
        if self._file is None:
            return self._block[:, rows]
        if gaps:
            self._close_gaps(rows)  # type: ignore[arg-type]
        block = np.memmap(self._file, float, "c", shape=(len(self.names), self.size * self.each))
        self._file.close()  # what is mapped stays readable
        return np.asarray(block)[:, kept]

    def _close_gaps(self, rows: np.ndarray) -> None:
        assert self._file is not None
        length = self.size * self.each
        for i in range(len(self.names)):
            self._file.seek(WIDTH * i * length)
            column = np.frombuffer(self._file.read(WIDTH * length))
            self._file.seek(WIDTH * i * length)
            self._file.write(column[rows].data)


def _runs(places: np.ndarray) -> Iterator[tuple[int, slice]]:
    """Parts of ascending places that follow each other without a gap: the first place, and which they are."""
    ends = [*(np.flatnonzero(np.diff(places) != 1) + 1).tolist(), len(places)]
    start = 0
    for end in ends:
        yield int(places[start]), slice(start, end)
        start = end
