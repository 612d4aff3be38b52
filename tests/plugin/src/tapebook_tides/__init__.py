"""A stranger's source: it knows nothing of tapebook but what the documentation says."""

from datetime import UTC, datetime, timedelta

import polars as pl

from tapebook.errors import UnknownName
from tapebook.integration.sources import Fetched, Instrument

FIRST = datetime(2020, 1, 6, tzinfo=UTC)


class Tides:
    """The height of the tide, made up; every day of a week."""

    name = "tides"

    def __init__(self, *, harbour: str = "Dover") -> None:
        self.harbour = harbour

    def symbols(self, freq):
        return [self.harbour]

    def fetch(self, symbol, *, freq, start, end):
        if symbol != self.harbour:
            raise UnknownName("harbour", symbol, [self.harbour])
        days = [FIRST + timedelta(days=i) for i in range(7)]
        days = [d for d in days if (start is None or d >= start) and (end is None or d <= end)]
        level = [5.0 + d.day % 3 for d in days]
        bars = pl.DataFrame(
            {"ts": days, "open": level, "high": [v + 1 for v in level], "low": [v - 1 for v in level]}
            | {"close": level, "volume": [1.0] * len(days)},
            schema={"ts": pl.Datetime("us", "UTC")}
            | dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
        )
        return Fetched(bars, Instrument(symbol, calendar="24/7", source=self.name))
