"""The bundled market data: real, small, and there without the internet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.errors import BadParameter, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument

if TYPE_CHECKING:
    import polars as pl

    from tapebook.schema import Frequency

FOLDER = Path(__file__).parents[2] / "data" / "sample"
STOCKS = {
    "AAPL": "Apple Inc.",
    "FB": "Facebook, Inc.",
    "GOOG": "Google Inc.",
    "IBM": "International Business Machines Corp.",
    "MSFT": "Microsoft Corp.",
}


@dataclass(frozen=True)
class _Series:
    """A series that arch carries: its module, the column of a series with closes alone, what it is."""

    module: str
    column: str
    name: str
    asset: str
    calendar: str


SERIES = {
    "SP500": _Series("sp500", "", "S&P 500", "index", "XNYS"),
    "NASDAQ": _Series("nasdaq", "", "Nasdaq Composite", "index", "XNYS"),
    "VIX": _Series("vix", "vix", "CBOE Volatility Index", "index", "XNYS"),
    "WTI": _Series("wti", "DCOILWTICO", "WTI crude oil, Cushing, spot", "commodity", "XNYS"),
}


class Sample:
    """Five US stocks 2000–2013 with splits and dividends, S&P 500, Nasdaq, VIX and WTI: bundled, daily."""

    name = "sample"

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return the nine symbols; only daily bars are there."""
        _daily(freq)
        return [*STOCKS, *SERIES]

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        _daily(freq)
        if symbol not in STOCKS and symbol not in SERIES:
            raise UnknownName("symbol in the sample", symbol, [*STOCKS, *SERIES])
        bars, actions = _stock(symbol) if symbol in STOCKS else (_series(symbol), None)
        cut = _between(start, end)
        return Fetched(cut(bars), _instrument(symbol), None if actions is None else cut(actions))


def _daily(freq: Frequency) -> None:
    if str(freq) != "1d":
        raise BadParameter(
            "freq", str(freq), "1d: the sample has daily bars; resample them with bars.resample(…)"
        )


def _instrument(symbol: str) -> Instrument:
    if symbol in STOCKS:
        return Instrument(symbol, "XNYS", "USD", STOCKS[symbol], "sample", "stock")
    series = SERIES[symbol]
    return Instrument(symbol, series.calendar, "USD", series.name, "sample", series.asset)


@lru_cache(maxsize=1)
def _tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    stamp = pl.col("ts").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    bars, actions = (
        pl.read_parquet(FOLDER / f"{name}.parquet").with_columns(stamp) for name in ("bars", "actions")
    )
    return bars, actions


def _stock(symbol: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    import polars as pl

    bars, actions = (
        table.filter(pl.col("symbol") == symbol).drop("symbol").sort("ts") for table in _tables()
    )
    return bars.drop("adj_close"), actions


def _series(symbol: str) -> pl.DataFrame:
    from importlib import import_module

    import polars as pl

    series = SERIES[symbol]
    frame = import_module(f"arch.data.{series.module}").load()
    frame = frame.rename(columns=str.lower if not series.column else {series.column: "close"})
    fields = {name: frame.get(name) for name in ("open", "high", "low", "close", "volume")}
    columns = {
        name: pl.Series(
            name, [None] * len(frame) if values is None else values.to_numpy(dtype=float), pl.Float64
        )
        for name, values in fields.items()
    }
    stamps = pl.Series("ts", frame.index.to_numpy(dtype="datetime64[us]")).dt.replace_time_zone("UTC")
    bars = pl.DataFrame({"ts": stamps, **columns})
    return bars.with_columns(pl.col(pl.Float64).fill_nan(None)).filter(pl.col("close").is_not_null())


def _between(start: datetime | None, end: datetime | None) -> Callable[[pl.DataFrame], pl.DataFrame]:
    import polars as pl

    def cut(table: pl.DataFrame) -> pl.DataFrame:
        if start is not None:
            table = table.filter(pl.col("ts") >= start)
        return table if end is None else table.filter(pl.col("ts") <= end)

    return cut
