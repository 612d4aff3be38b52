"""FRED: economic series of the Federal Reserve Bank of St. Louis."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.vendor import Vendor, bars_of, between, columns, day

if TYPE_CHECKING:
    from tapebook.schema import Frequency

FREQUENCIES = {"1d": "D", "1w": "W", "1mo": "M"}
PAGE = 100_000


class Fred(Vendor):
    """FRED's series (DGS10, CPIAUCSL …): closes alone; needs api_key, as in api_key=secret:fred.

    `stamp="release"` stamps each value of a series with the day of its first release, and takes the value
    of that release: a month's figure is known weeks after the month. "period" stamps the period's end.
    """

    name = "fred"
    rate = 2.0  # the documented limit is 120 a minute

    def __init__(
        self,
        *,
        api_key: str,
        stamp: Literal["period", "release"] = "period",
        url: str = "https://api.stlouisfed.org/fred",
    ) -> None:
        if stamp not in ("period", "release"):
            raise BadParameter("stamp", stamp, '"period" or "release"')
        self.api_key, self.stamp, self.url = api_key, stamp, url.rstrip("/")

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return nothing: FRED has 800,000 series; any may be asked."""
        _short(freq)
        return []

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Values of one series as closes, stamped from `start` to `end`, both included."""
        about = self._about(symbol)
        if about["frequency_short"] not in (_short(freq), {"D": "7"}.get(_short(freq))):
            known = {short: name for name, short in FREQUENCIES.items()}.get(about["frequency_short"])
            hint = (
                f"{known}: that is how often FRED has {symbol}"
                if known
                else "a daily, weekly or monthly series"
            )
            raise BadParameter("freq", str(freq), hint)
        rows = [
            {"ts": self._stamp(row, freq), "close": row["value"]} for row in self._observations(symbol, start)
        ]
        bars, problems = bars_of(rows, where=f"fred {symbol}")
        instrument = Instrument(symbol, "24/7", "", str(about.get("title", "")), self.name, "economic series")
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _about(self, symbol: str) -> dict[str, Any]:
        answer = self._get("series", symbol, {})
        columns(answer, ("seriess",), f"fred {symbol}")
        if not answer["seriess"]:
            raise UnknownName("series at FRED", symbol, [])
        about: dict[str, Any] = answer["seriess"][0]
        columns(about, ("frequency_short",), f"fred {symbol}")
        return about

    def _observations(self, symbol: str, start: datetime | None) -> list[dict[str, str]]:
        """All pages. A period begins before the stamp that it gets, so the question begins earlier too."""
        params: dict[str, Any] = {"limit": PAGE, "sort_order": "asc"}
        if start is not None:
            early = timedelta(days=400 if self.stamp == "release" else 31)
            params["observation_start"] = (
                f"{max(start - early, datetime(1776, 7, 4, tzinfo=start.tzinfo)):%Y-%m-%d}"
            )
        if self.stamp == "release":
            params |= {"output_type": 4, "realtime_start": "1776-07-04", "realtime_end": "9999-12-31"}
        rows: list[dict[str, str]] = []
        while True:
            answer = self._get("series/observations", symbol, params | {"offset": len(rows)})
            columns(answer, ("observations", "count"), f"fred {symbol}")
            page = answer["observations"]
            for row in page:
                columns(row, ("date", "value"), f"fred {symbol}")
            rows += page
            if len(rows) >= int(answer["count"]):
                return rows
            if not page:
                raise BadInput(f"fred {symbol} has {answer['count']} values but sent {len(rows)} of them")

    def _stamp(self, row: dict[str, str], freq: Frequency) -> datetime:
        if self.stamp == "release":
            columns(row, ("realtime_start",), "fred")
            return day(row["realtime_start"])
        first = day(row["date"])
        if freq.unit == "mo":  # FRED dates a month by its first day, a bar of a month by its last
            return first.replace(day=monthrange(first.year, first.month)[1])
        return first

    def _get(self, what: str, symbol: str, params: dict[str, Any]) -> Any:
        def refused(status: int, text: str) -> Exception | None:
            unknown = status in (400, 404) and "does not exist" in text
            return UnknownName("series at FRED", symbol, []) if unknown else None

        key = self.outside.credential(self.api_key)
        asked = params | {"series_id": symbol, "api_key": key, "file_type": "json"}
        return self.json(f"{self.url}/{what}", asked, refused=refused)


def _short(freq: Frequency) -> str:
    if str(freq) not in FREQUENCIES:
        raise BadParameter("freq", str(freq), f"one of {', '.join(FREQUENCIES)}: FRED has no others")
    return FREQUENCIES[str(freq)]
