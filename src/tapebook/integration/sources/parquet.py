"""Bars in a lake of Parquet files that somebody else keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument, Lot
from tapebook.integration.sources.plain import blocks, cut, plain_bars
from tapebook.integration.sources.stored import Columns, around
from tapebook.integration.sources.vendor import Vendor, bars_of, between
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl

    from tapebook.schema import Frequency


BLOCK = 1_000_000
"""Rows that are read at once, if no single symbol has more."""


class Parquet(Vendor):
    """A lake of Parquet files: a folder, pattern or s3:// as path, also parted as symbol=AAPL/."""

    name = "parquet"
    rate = 1000.0
    listed = True

    def __init__(
        self,
        *,
        path: str,
        columns: Mapping[str, str] | None = None,
        tz: str | None = None,
        calendar: str = "24/7",
        currency: str = "",
    ) -> None:
        self.path, self.calendar, self.currency = path, calendar, currency
        self.columns = Columns.of(columns, tz)
        self._counted: dict[Frequency, dict[str, int]] = {}

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return every symbol of the lake."""
        return list(self._counts(freq))

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        import polars as pl

        table, kind = self._table
        fields = [name for name in ("ts", *FIELDS) if name in table.collect_schema().names()]
        mine = self._of_length(table, freq).filter(pl.col("symbol").cast(pl.String) == symbol)
        first, last = around(start, end)
        part = mine
        if kind.is_temporal():
            date = pl.col("ts").cast(pl.Date)
            part = part if first is None else part.filter(date >= first.date())
            part = part if last is None else part.filter(date <= last.date())
        rows = self._read(part.select(fields))
        if not len(rows) and not len(self._read(mine.select("ts").head(1))):
            raise UnknownName(f"symbol in {self.path}", symbol, self.symbols(freq))
        bars, problems = bars_of(self.columns.rows(rows.rows(), fields, freq), where=f"{self.path} {symbol}")
        return Fetched(between(bars, start, end), self._instrument(symbol), None, problems)

    def fetch_many(
        self, starts: Mapping[str, datetime | None], *, freq: Frequency, end: datetime | None
    ) -> Iterator[Lot]:
        """Bars of many symbols, about a million at once; those with anything odd are to be fetched alone."""
        import polars as pl

        table, kind = self._table
        counts = self._counts(freq)
        there = table.collect_schema()
        plain = all(there[name].is_numeric() for name in FIELDS if name in there.names())
        if not plain or not kind.is_temporal() or kind == pl.Time:
            yield Lot(pl.DataFrame(), {}, tuple(starts))
            return
        mine = self._of_length(table, freq).with_columns(pl.col("symbol").cast(pl.String))
        for names in blocks([name for name in counts if name in starts], counts, BLOCK):
            begins = [starts[name] for name in names]
            first, last = around(min(begins) if None not in begins else None, end)  # type: ignore[type-var]
            date = pl.col("ts").cast(pl.Date)
            part = mine.filter(pl.col("symbol").is_between(pl.lit(names[0]), pl.lit(names[-1])))
            part = part if first is None else part.filter(date >= first.date())
            part = part if last is None else part.filter(date <= last.date())
            fields = [name for name in ("symbol", "ts", *FIELDS) if name in there.names()]
            bars, odd = plain_bars(self._read(part.select(fields)), names, freq, self.columns.zone)
            if end is not None or any(begins):
                bars = cut(bars, starts, end)
            instruments = {name: self._instrument(name) for name in names if name not in odd}
            yield Lot(bars, instruments, tuple(name for name in names if name in odd))

    def _instrument(self, symbol: str) -> Instrument:
        return Instrument(symbol, self.calendar, self.currency, source=self.name)

    def _counts(self, freq: Frequency) -> dict[str, int]:
        """Rows of each symbol, sorted by symbol."""
        import polars as pl

        if freq not in self._counted:
            table, _ = self._table
            symbol = pl.col("symbol").cast(pl.String).drop_nulls()
            rows = self._of_length(table, freq).select(symbol).group_by("symbol").len().sort("symbol")
            self._counted[freq] = dict(self._read(rows).iter_rows())
        return self._counted[freq]

    def _of_length(self, table: pl.LazyFrame, freq: Frequency) -> pl.LazyFrame:
        import polars as pl

        has = "freq" in table.collect_schema().names()
        return table.filter(pl.col("freq").cast(pl.String) == str(freq)) if has else table

    def _read(self, table: pl.LazyFrame) -> Any:
        import polars as pl

        try:
            return table.collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise BadInput(f"{self.path} cannot be read: {error}") from error

    @cached_property
    def _table(self) -> tuple[pl.LazyFrame, pl.DataType]:
        """The lake with the names of our columns, and the type of its stamps."""
        import polars as pl

        try:
            table = pl.scan_parquet(self.path, hive_partitioning=True)
            there = table.collect_schema()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise BadInput(f"{self.path} cannot be read as Parquet: {error}") from error
        names = self.columns.found(there.names(), self.path)
        return table.select(pl.col(column).alias(name) for name, column in names.items()), there[names["ts"]]
