"""Bars in an ArcticDB library: one table a symbol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, BadParameter, ConfigError, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.stored import Columns, around
from tapebook.integration.sources.vendor import Vendor, bars_of, between, library
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    from tapebook.schema import Frequency


class Arctic(Vendor):
    """An ArcticDB library, a table a symbol: url=lmdb://…, library=prices; needs arcticdb."""

    name = "arcticdb"
    rate = 1000.0
    listed = True

    def __init__(self, *, url: str, library: str, tz: str | None = None, calendar: str = "24/7") -> None:
        self._url, self.library, self.calendar = url, library, calendar
        self.columns = Columns.of(None, tz)

    def symbols(self, freq: Frequency) -> Sequence[str]:  # noqa: ARG002
        """Return every symbol of the library."""
        return sorted(self._open().list_symbols())

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        store = self._open()
        if not store.has_symbol(symbol):
            raise UnknownName(f"symbol in {self.library}", symbol, store.list_symbols())
        first, last = (moment and moment.replace(tzinfo=None) for moment in around(start, end))
        dated = hasattr(store.tail(symbol, 1).data.index, "to_pydatetime")
        if not dated:
            raise BadInput(f"{self.library} {symbol} has no times as its index: expected a bar a time")
        frame = store.read(symbol, date_range=(first, last)).data
        names = {str(name).lower(): name for name in frame.columns}
        fields = [name for name in FIELDS if name in names]
        if "close" not in fields:
            raise BadInput(f"{self.library} {symbol} has no close (it has {', '.join(names)})")
        values = zip(
            frame.index.to_pydatetime(), *(frame[names[name]].tolist() for name in fields), strict=True
        )
        rows = self.columns.rows(values, ["ts", *fields], freq)
        bars, problems = bars_of(rows, where=f"{self.library} {symbol}")
        instrument = Instrument(symbol, self.calendar, source=self.name)
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _open(self) -> Any:
        url = self.outside.credential(self._url)
        if url.startswith("lmdb://") and not Path(url.removeprefix("lmdb://").partition("?")[0]).is_dir():
            raise BadInput(f"there is no ArcticDB at {url}: a folder was expected there")  # it would make one
        try:
            arctic = library("arcticdb").Arctic(url)
        except ConfigError:
            raise ConfigError(
                "the source needs arcticdb, which is not installed, and cannot be beside pandas 3: it needs "
                "pandas < 3. Export the library to Parquet in an environment of its own, then "
                "`tapebook ingest parquet -o path=FOLDER`"
            ) from None
        except ValueError as error:
            raise BadParameter("url", url, f"one such as lmdb:///folder ({error})") from None
        if self.library not in arctic.list_libraries():
            raise UnknownName("library in ArcticDB", self.library, arctic.list_libraries())
        return arctic[self.library]
