"""Alpaca's market data, through alpaca-py."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.deadline import bounded
from tapebook.integration.outside import Unavailable, retry_after
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.vendor import Vendor, actions_of, bars_of, between, columns, day, library
from tapebook.integration.web import AGAIN, quoted

if TYPE_CHECKING:
    import polars as pl

    from tapebook.schema import Frequency

NEW_YORK = ZoneInfo("America/New_York")
UNITS = {"m": "Min", "h": "Hour", "d": "Day"}
EARLIEST = datetime(2016, 1, 1, tzinfo=UTC)
"""Alpaca has nothing before."""
PAGE = 10_000
PAID = ("forward_split", "reverse_split", "cash_dividend", "stock_dividend")


class Alpaca(Vendor):
    """Alpaca's US stocks through alpaca-py: raw bars, splits, dividends; needs api_key and secret_key."""

    name = "alpaca"
    rate = 3.0  # the free plan allows 200 a minute

    def __init__(self, *, api_key: str, secret_key: str, feed: str = "iex", url: str = "") -> None:
        self._keys, self.feed, self.url = (api_key, secret_key), feed, url
        self._clients: dict[str, Any] = {}

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return nothing: any symbol may be asked."""
        _timeframe(freq)
        return []

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        where = f"alpaca {symbol}"
        params = {
            "symbols": symbol,
            "timeframe": _timeframe(freq),
            "start": f"{max(start or EARLIEST, EARLIEST):%Y-%m-%dT%H:%M:%SZ}",
            "adjustment": "raw",
            "feed": self.feed,
            "limit": PAGE,
        }
        if end is not None:  # a daily bar's stamp is midnight in New York, hours after ours
            params["end"] = f"{end + timedelta(days=0 if freq.intraday else 1):%Y-%m-%dT%H:%M:%SZ}"
        rows, asked = [], False
        for bars in self._pages("bars", params):
            asked = asked or symbol in bars
            rows += [_bar(row, freq, where) for row in bars.get(symbol) or ()]
        if not asked and start is None and end is None:
            raise UnknownName("symbol at Alpaca with bars", symbol, [])
        made, problems = bars_of(rows, where=where)
        actions = between(self._actions(symbol, start or EARLIEST), start, end)
        instrument = Instrument(symbol, "XNYS", "USD", "", self.name, "stock")
        return Fetched(between(made, start, end), instrument, actions, problems)

    def _actions(self, symbol: str, start: datetime) -> pl.DataFrame:
        splits: dict[datetime, float] = {}
        paid: dict[datetime, float] = {}
        params = {"symbols": symbol, "types": ",".join(PAID), "limit": 1000}
        params |= {"start": f"{start:%Y-%m-%d}", "end": f"{date.today():%Y-%m-%d}"}
        for page in self._pages("corporate_actions", params):
            unknown = set(page) - {f"{kind}s" for kind in PAID}
            if unknown:
                raise BadInput(
                    f"alpaca {symbol} has {', '.join(sorted(unknown))}: it may have changed its format"
                )
            for row in [*page.get("forward_splits", ()), *page.get("reverse_splits", ())]:
                columns(row, ("ex_date", "new_rate", "old_rate"), f"alpaca {symbol}")
                _times(splits, day(row["ex_date"]), float(row["new_rate"]) / float(row["old_rate"]))
            for row in page.get("stock_dividends", ()):
                columns(row, ("ex_date", "rate"), f"alpaca {symbol}")
                _times(splits, day(row["ex_date"]), 1 + float(row["rate"]))
            for row in page.get("cash_dividends", ()):
                columns(row, ("ex_date", "rate"), f"alpaca {symbol}")
                paid[day(row["ex_date"])] = paid.get(day(row["ex_date"]), 0.0) + float(row["rate"])
        return actions_of(splits, paid)

    def _pages(self, what: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen, token = set(), None
        while True:
            answer = self.ask(partial(self._get, what, params | {"page_token": token}))
            columns(answer, (what, "next_page_token"), f"alpaca's {what}")
            yield answer[what] or {}
            token = answer["next_page_token"]
            if token is None:
                return
            if token in seen:
                raise BadInput(f"alpaca gives the same next page {token!r} again")
            seen.add(token)

    def _get(self, what: str, params: dict[str, Any]) -> dict[str, Any]:
        client = self._client(what)
        from alpaca.common.exceptions import APIError

        path = "/stocks/bars" if what == "bars" else "/corporate-actions"
        try:
            answer = client.get(path, params)
        except APIError as error:
            response = error.response
            told = f"alpaca answered with status {response.status_code}: {quoted(response.text)}"
            if response.status_code in AGAIN:
                raise Unavailable(
                    told, retry_after(response.headers.get("retry-after"), time.time())
                ) from error
            raise BadInput(told) from error
        except (OSError, ValueError) as error:  # requests' errors; JSON that is none
            raise Unavailable(f"alpaca: {type(error).__name__}: {error}") from error
        if not isinstance(answer, dict):
            raise Unavailable(f"alpaca answered with {answer!r:.160}: expected an object")
        return answer

    def _client(self, what: str) -> Any:
        if what not in self._clients:
            historical = library("alpaca.data.historical", "alpaca-py")
            from alpaca.data.historical.corporate_actions import CorporateActionsClient

            kind = historical.StockHistoricalDataClient if what == "bars" else CorporateActionsClient
            key, secret = (self.outside.credential(value) for value in self._keys)
            client = kind(key, secret, raw_data=True, url_override=self.url or None)
            bounded(client._session, "alpaca")
            client._retry = 0  # it would wait three seconds whatever Retry-After says, in each process
            self._clients[what] = client
        return self._clients[what]


def _timeframe(freq: Frequency) -> str:
    if (
        freq.unit not in UNITS
        or (freq.unit == "m" and freq.count > 59)
        or (freq.unit == "h" and freq.count > 23)
    ):
        raise BadParameter("freq", str(freq), "1m to 59m, 1h to 23h or 1d: resample for weeks and months")
    return f"{freq.count}{UNITS[freq.unit]}"


def _bar(row: dict[str, Any], freq: Frequency, where: str) -> dict[str, Any]:
    columns(row, ("t", "o", "h", "l", "c", "v"), where)
    try:
        moment = datetime.fromisoformat(row["t"])
    except (TypeError, ValueError):
        raise BadInput(f"{where}: {row['t']!r} is no time: Alpaca may have changed its format") from None
    stamp = moment.astimezone(UTC) if freq.intraday else day(moment.astimezone(NEW_YORK).date())
    return {
        "ts": stamp,
        "open": row["o"],
        "high": row["h"],
        "low": row["l"],
        "close": row["c"],
        "volume": row["v"],
    }


def _times(splits: dict[datetime, float], when: datetime, ratio: float) -> None:
    splits[when] = splits.get(when, 1.0) * ratio
