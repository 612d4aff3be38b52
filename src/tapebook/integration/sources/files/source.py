"""Source "files": prices from CSV and Parquet files of any vendor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

from tapebook.errors import BadParameter, TapebookError, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument, Lot
from tapebook.integration.sources.files.headers import checked_mapping
from tapebook.integration.sources.files.options import known_calendar, known_zone, one_character
from tapebook.integration.sources.files.paths import found_files, refuse_twins, stem
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

    from tapebook.integration.sources.files.rows import Rows

BLOCK = 1_000_000
"""Bars that are handed on together."""


class Files:
    """CSV and Parquet files: one file a symbol, or all symbols in one; headers are found by name.

    Nothing is guessed where a guess could be wrong: a row that cannot be read is a `Problem` with
    its file, line and value, and a file that cannot be read is an error that says what to pass.
    A line is a row; blank lines, lines that begin with "#", a repeated header line and a closing
    remark are none.
    Of identical rows one is kept. Files without headers are read if they are date, perhaps time,
    open, high, low, close, perhaps volume, in this order and consistent.

    Parameters
    ----------
    path : str or Path
        A file, a folder (its own files, not those of folders in it), or a pattern such as
        "prices/*.csv.gz". CSV (.csv, .txt, .tsv) and Parquet (.parquet, .pq), plain or .gz, .bz2,
        .xz, .zst. A file's name without suffix is its symbol, unless a column holds the symbols.
    columns : mapping, optional
        Which header holds what, where the name does not tell: {"close": "Last"}. Keys: open, high,
        low, close, volume, date, time, symbol, split, dividend. Where a file has no headers, the
        column's number: {"date": "1", "close": "5"}.
    tz : str, optional
        Time zone of stamps that name none, such as "America/New_York". Bars shorter than a day
        need it unless the calendar is "24/7", where it is UTC. Longer bars keep the date as written,
        and of instants that are not midnights (epoch seconds, say) the date in this zone.
    calendar : str
        Calendar of the instruments, such as "XNYS"; "24/7" by default.
    dayfirst : bool, optional
        How to read 03/04/2013. By default a file's own rows decide, and if they cannot, an error asks.
    symbol : str, optional
        Symbol of the one file's one instrument, instead of the file's name.
    delimiter : str, optional
        What stands between cells. By default comma, semicolon, tab or bar, whichever fits the headers.
    """

    name = "files"

    def __init__(
        self,
        *,
        path: str | Path,
        columns: Mapping[str, str] | None = None,
        tz: str | None = None,
        calendar: str = "24/7",
        dayfirst: bool | None = None,
        symbol: str | None = None,
        delimiter: str | None = None,
    ) -> None:
        self.path = str(path)
        self.columns = checked_mapping(columns)
        self.tz = known_zone(tz)
        self.calendar = known_calendar(calendar)
        self.dayfirst = dayfirst
        self.symbol = symbol
        self.delimiter = one_character(delimiter)
        self._read: dict[Path, Rows] = {}  # files of many symbols: parsed once, kept
        self._long: tuple[list[Rows], dict[str, pl.DataFrame]] | None = None
        self._lock = RLock()

    def symbols(self, freq: Frequency) -> list[str]:  # noqa: ARG002
        """Return the symbols of all files. A file that cannot be read is named after its stem.

        Raises
        ------
        BadInput
            If there is no file at `path`.
        """
        return sorted(self._owners)

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included, None for all there are.

        Raises
        ------
        BadInput
            If a file cannot be read, two files hold the symbol, or the stamps are not those of `freq`.
        UnknownName
            If no file holds the symbol.
        """
        from tapebook.integration.sources.files.fetch import answer, together

        if symbol not in self._owners:
            raise UnknownName("symbol", symbol, self._owners, f"Files are read from {self.path}.")
        owners = self._owners[symbol]
        refuse_twins(symbol, owners, self._read)
        if owners[0] in self._read:
            files, by_symbol = self._many()
            frame = by_symbol[symbol]
        else:
            files = [self._rows(owners[0])]
            frame = together(files)
        bars, actions, problems = answer(
            frame, files, Frequency.parse(freq), self.tz, self.calendar, _utc(start), _utc(end)
        )
        return Fetched(bars, Instrument(symbol, calendar=self.calendar, source=self.name), actions, problems)

    def fetch_many(
        self, starts: Mapping[str, datetime | None], *, freq: Frequency, end: datetime | None
    ) -> Iterator[Lot]:
        """Bars of symbols that lie together in long files, about a million at once; of others one by one.

        What has splits, dividends, or a row with anything odd is to be fetched alone.
        """
        import polars as pl

        length, alone = Frequency.parse(freq), []
        bars: dict[str, pl.DataFrame] = {}
        for name, start in starts.items():
            mine = self._plain(name, length, start, end)
            if mine is None:
                alone.append(name)
                continue
            bars[name] = mine.select(pl.lit(name).alias("symbol"), pl.all())
            if sum(map(len, bars.values())) > BLOCK:
                yield self._lot(bars)
                bars = {}
        yield replace(self._lot(bars), alone=tuple(alone))

    def _plain(
        self, symbol: str, freq: Frequency, start: datetime | None, end: datetime | None
    ) -> pl.DataFrame | None:
        """The bars of a symbol of a long file; None if there is more to say of it than bars."""
        import polars as pl

        from tapebook.integration.sources.files.fetch import answer

        owners = self._owners.get(symbol, ())
        if len(owners) != 1 or owners[0] not in self._read:
            return None
        files, by_symbol = self._many()
        try:
            bars, actions, problems = answer(
                by_symbol[symbol], files, freq, self.tz, self.calendar, _utc(start), _utc(end)
            )
        except TapebookError:  # `fetch` says it
            return None
        return None if actions is not None or problems else bars.with_columns(pl.col(*FIELDS).fill_nan(None))

    def _lot(self, bars: Mapping[str, pl.DataFrame]) -> Lot:
        import polars as pl

        made = {n: Instrument(n, calendar=self.calendar, source=self.name) for n in bars}
        return Lot(pl.concat(list(bars.values())) if bars else pl.DataFrame(), made)

    @cached_property
    def _owners(self) -> dict[str, list[Path]]:
        """The files of each symbol."""
        files = found_files(self.path)
        if self.symbol is not None and len(files) > 1:
            raise BadParameter(
                "symbol", self.symbol, f"no symbol, since {self.path} holds {len(files)} files"
            )
        owners: dict[str, list[Path]] = {}
        for file in files:
            for symbol in self._symbols_in(file):
                owners.setdefault(symbol, []).append(file)
        return owners

    def _symbols_in(self, file: Path) -> list[str]:
        """Return a file's symbols; one that cannot be read has its stem and is complained of when fetched."""
        from tapebook.integration.sources.files.table import head_of

        named = [self.symbol or stem(file)]
        try:
            if "symbol" not in head_of(file, self.columns, self.delimiter).at:
                return named
            rows = self._rows(file)
        except TapebookError:
            return named
        if len(rows.symbols) > 1 and self.symbol is not None:
            raise BadParameter(
                "symbol", self.symbol, f"no symbol, since {file} holds {len(rows.symbols)} of them"
            )
        if not rows.symbols or self.symbol is not None:
            return named
        self._read[file] = rows
        return rows.symbols

    def _rows(self, file: Path) -> Rows:
        from tapebook.integration.sources.files.rows import read_rows
        from tapebook.integration.sources.files.table import read_table

        return read_rows(read_table(file, self.columns, self.delimiter), file, self.dayfirst)

    def _many(self) -> tuple[list[Rows], dict[str, pl.DataFrame]]:
        """Return the files of many symbols, and their rows by symbol."""
        from tapebook.integration.sources.files.fetch import together

        with self._lock:
            if self._long is None:
                files = list(self._read.values())
                parts = together(files).partition_by("symbol", as_dict=True, maintain_order=True)
                self._long = files, {str(symbol): part for (symbol,), part in parts.items()}
            return self._long


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
