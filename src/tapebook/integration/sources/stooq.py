"""Stooq: daily, weekly and monthly bars of the world's exchanges as CSV, without a key."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.outside import Unavailable
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.vendor import Vendor, bars_of, between, columns, day

if TYPE_CHECKING:
    from tapebook.schema import Frequency

CALENDARS = {"us": "XNYS", "uk": "XLON", "de": "XFRA", "jp": "XTKS", "pl": "XWAR", "hk": "XHKG", "hu": "XBUD"}
CURRENCIES = {"us": "USD", "uk": "GBX", "de": "EUR", "jp": "JPY", "pl": "PLN", "hk": "HKD", "hu": "HUF"}
INTERVALS = {"1d": "d", "1w": "w", "1mo": "m"}


class Stooq(Vendor):
    """Stooq's CSV: symbols such as AAPL.US; prices adjusted for splits by Stooq, so there are no actions."""

    name = "stooq"
    rate = 1.0
    restates = True

    def __init__(self, *, calendar: str = "", url: str = "https://stooq.com/q/d/l/") -> None:
        self.calendar, self.url = calendar, url

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return nothing: Stooq has no list; any symbol may be asked."""
        _interval(freq)
        return []

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        span = {"d1": start, "d2": end}
        params = {"s": symbol.lower(), "i": _interval(freq)}
        params |= {name: f"{moment:%Y%m%d}" for name, moment in span.items() if moment}
        text = self.ask(lambda: self._csv(symbol, params))
        rows = list(csv.DictReader(io.StringIO(text)))
        where = f"stooq {symbol}"
        made = []
        for row in rows:
            columns([k for k, v in row.items() if k and v is not None], _wanted(row), where)
            made.append(
                {"ts": day(row["Date"])} | {k.lower(): v for k, v in row.items() if k and k != "Date"}
            )
        bars, problems = bars_of(made, where=where)
        market = symbol.lower().rpartition(".")[2] if "." in symbol else ""
        calendar = self.calendar or CALENDARS.get(market, "24/7")
        instrument = Instrument(symbol, calendar, CURRENCIES.get(market, ""), source=self.name)
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _csv(self, symbol: str, params: dict[str, str]) -> str:
        from tapebook.integration import web

        page = web.get(self.url, params)
        text = page.text.lstrip("\ufeff").strip()
        if text.lower().startswith("exceeded"):
            raise Unavailable(f"stooq: {page.quoted}", after=3600.0)  # its limit is one of a day
        if text.lower() in ("no data", "") and not ("d1" in params or "d2" in params):
            raise UnknownName("symbol at stooq", symbol, [], "Symbols have a market, as in AAPL.US.")
        if text.lower() in ("no data", ""):
            return "Date,Open,High,Low,Close,Volume"
        if "html" in page.kind or text.startswith("<"):
            raise Unavailable(f"stooq answered with a web page where CSV was expected: {page.quoted}")
        head, _, last = text.split("\n", 1)[0], "", text.rpartition("\n")[2]
        if "Date" not in head:
            raise BadInput(f"stooq answered with no CSV of bars: {page.quoted}")
        torn = not page.counted and not page.text.endswith("\n")  # its last number may lack its end
        if torn or last.count(",") != head.count(","):
            raise Unavailable(f"stooq's answer breaks off at {last!r}")
        return text


def _wanted(row: dict[str, str]) -> tuple[str, ...]:
    """Currencies and indices have no volume; a column in its place that is none of ours is another thing."""
    known = ("Date", "Open", "High", "Low", "Close")
    return known if set(row) - {None} <= set(known) else (*known, "Volume")


def _interval(freq: Frequency) -> str:
    if str(freq) not in INTERVALS:
        raise BadParameter("freq", str(freq), f"one of {', '.join(INTERVALS)}: stooq has no others")
    return INTERVALS[str(freq)]
