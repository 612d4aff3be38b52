"""Rows of a sweep's table as they come in; in a file of their own when they are too many for the memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from tapebook.strategy.grid import Settings

LARGE = 32_000_000
"""Bytes of figures up to which they are kept in memory."""
WIDTH = 8
"""Bytes of a figure."""


class Rows:
    """Figures of up to `size` combinations, each at its slot, of `each` rows (symbols) and some `names`.

    `values`: what was given of each setting that varies. Beyond LARGE bytes the figures are written
    to a temporary file without a name, which is gone with the table that reads it: what such a sweep
    takes of the memory does not grow with its figures.
    """

    def __init__(
        self, values: Mapping[str, Sequence[Any]], names: Sequence[str], each: int, size: int
    ) -> None:
        self.values, self.names, self.each, self.size = values, tuple(names), each, size
        self.refused = 0
        self._steps = {name: {v: i for i, v in enumerate(found)} for name, found in values.items()}
        self._taken = np.full((len(values), size), -1, np.int32)
        figures = (len(self.names), size * each)
        self._file: IO[bytes] | None = None
        if WIDTH * figures[0] * figures[1] > LARGE:
            self._file = tempfile.TemporaryFile(prefix="tapebook-sweep-", buffering=0)  # noqa: SIM115
            self._file.truncate(WIDTH * figures[0] * figures[1])
        else:
            self._block = np.empty(figures)

    def put(self, slots: np.ndarray, answers: Sequence[tuple[Settings, np.ndarray | None]]) -> None:
        """Keep what some combinations made, figures of shape (each, names); None where one was refused."""
        done = [(slot, *answer) for slot, answer in zip(slots.tolist(), answers, strict=True)]
        kept = [(slot, settings, found) for slot, settings, found in done if found is not None]
        self.refused += len(done) - len(kept)
        if not kept:
            return
        places = np.array([slot for slot, _, _ in kept])
        for i, (name, steps) in enumerate(self._steps.items()):
            self._taken[i, places] = [steps[settings[name]] for _, settings, _ in kept]
        figures = np.stack([found for _, _, found in kept])
        for first, part in _runs(places):
            self._write(first * self.each, figures[part].reshape(-1, len(self.names)).T)

    def table(self, symbols: Sequence[str] | None) -> pd.DataFrame:
        """Make the table, at the very end: settings that varied, "symbol" where each is alone, figures."""
        done = np.flatnonzero(self._taken[0] >= 0)
        columns = {name: self._column(i, done) for i, name in enumerate(self.values)}
        table = pd.DataFrame(columns)
        if symbols is not None:
            named = np.tile(np.array(list(symbols), dtype=object), len(done))
            table["symbol"] = pd.Series(named, dtype="str")
        figures = pd.DataFrame(self._figures(done).T, columns=list(self.names), copy=False)
        return pd.concat([table, figures], axis=1)

    def _column(self, i: int, done: np.ndarray) -> np.ndarray | pd.Series:
        """One setting, of the type that its values have together."""
        found = np.array([*self.values.values()][i], dtype=object)
        used, which = np.unique(self._taken[i, done], return_inverse=True)
        values = pd.DataFrame({"": found[used]}).infer_objects()[""]
        return values.take(np.repeat(which, self.each)).reset_index(drop=True)

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
