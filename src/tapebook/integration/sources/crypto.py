"""Bars of cryptocurrency exchanges, through ccxt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.deadline import bounded
from tapebook.integration.outside import Unavailable, retry_after
from tapebook.integration.sources.base import Fetched, Instrument
from tapebook.integration.sources.vendor import Vendor, bars_of, between, library

if TYPE_CHECKING:
    from tapebook.schema import Frequency

PAGE = 1000
EARLIEST = datetime(2010, 7, 1, tzinfo=UTC)
EMPTY = 100
"""Empty pages in a row after which an exchange has nothing more."""


class Crypto(Vendor):
    """Cryptocurrency exchanges through ccxt: exchange=kraken; symbols such as BTC/USDT, days of UTC."""

    listed = True

    def __init__(self, *, exchange: Any = "binance", api_key: str = "", secret: str = "") -> None:
        self.name = "ccxt"
        self._exchange, self._keys = exchange, (api_key, secret)
        self._ready: Any = None
        self._read = 0

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Return the exchange's spot markets that are open."""
        exchange = self._open()
        self._timeframe(freq)
        return [name for name, market in exchange.markets.items() if market.get("spot", True)]

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included."""
        exchange, timeframe = self._open(), self._timeframe(freq)
        if symbol not in exchange.markets:
            raise UnknownName(f"symbol at {exchange.id}", symbol, exchange.markets)
        last = min(end.timestamp() if end else time.time(), time.time())
        rows, since = [], int((start or EARLIEST).timestamp() * 1000)
        empty = 0
        while since <= last * 1000 and empty < EMPTY:
            self._read = 0
            page = self._call(partial(exchange.fetch_ohlcv, symbol, timeframe, since, PAGE))
            self._refuse_lost(exchange.last_json_response, exchange.id)
            new = [row for row in page if row[0] is not None and row[0] >= since]
            rows += page
            if new:
                since, empty = max(row[0] for row in new) + 1, 0
            else:  # a halt, or an exchange that answers for a window of time only
                since, empty = since + PAGE * freq.seconds * 1000, empty + 1
        where = f"{exchange.id} {symbol}"
        bars, problems = bars_of([_bar(row, freq, where) for row in rows], where=where)
        market = exchange.markets[symbol]
        instrument = Instrument(
            symbol, "24/7", market.get("quote") or "", symbol, exchange.id, "cryptocurrency"
        )
        return Fetched(between(bars, start, end), instrument, None, problems)

    def _open(self) -> Any:
        """Return the exchange with its markets, asked for once."""
        if self._ready is None:
            exchange = self._exchange
            if isinstance(exchange, str):
                ccxt = library("ccxt")
                if exchange not in ccxt.exchanges:
                    raise UnknownName("exchange of ccxt", exchange, ccxt.exchanges)
                keys = {
                    k: self.outside.credential(v)
                    for k, v in zip(("apiKey", "secret"), self._keys, strict=True)
                    if v
                }
                exchange = getattr(ccxt, exchange)(keys)
            exchange.enableLastJsonResponse = True
            bounded(exchange.session, exchange.id)
            exchange.enableRateLimit = False  # the desk's own pace holds for all processes
            exchange.parse_ohlcv = self._counted(exchange.parse_ohlcv)
            self.rate = 1000 / (exchange.rateLimit or 1000)
            self._exchange = exchange
            self._call(exchange.load_markets)
            self._ready = exchange
        return self._ready

    def _counted(self, parse: Callable[..., Any]) -> Callable[..., Any]:
        """Count the rows that ccxt reads as bars, before it drops those that nobody asked for."""

        def parsed(*args: Any, **how: Any) -> Any:
            bar = parse(*args, **how)
            self._read += bar[0] is not None and any(value is not None for value in bar[1:5])
            return bar

        return parsed

    def _refuse_lost(self, answer: Any, exchange: str) -> None:
        if not self._read and _has_rows(answer):
            raise BadInput(
                f"{exchange} answered with bars that ccxt does not find: the exchange may have changed its "
                f"format; a newer ccxt may read it: {answer!r:.160}"
            )

    def _timeframe(self, freq: Frequency) -> str:
        known = self._open().timeframes or {}
        told = "1M" if str(freq) == "1mo" else str(freq)
        if told not in known or freq.unit in ("w", "mo"):
            offered = ", ".join(name for name in known if name[-1] in "mhd")
            raise BadParameter("freq", str(freq), f"one of {offered}: resample for weeks and months")
        return told

    def _call(self, question: Callable[[], Any]) -> Any:
        """Ask the exchange in turn; its errors are told in the desk's words."""
        ccxt = library("ccxt")
        exchange = self._exchange

        def once() -> Any:
            exchange.last_json_response = exchange.last_response_headers = None  # of the answer before
            try:
                answer = question()
            except ccxt.BadSymbol as error:
                raise UnknownName(f"symbol at {exchange.id}", str(error), []) from error
            except ccxt.AuthenticationError as error:
                raise BadInput(f"{exchange.id} refuses the credential: {error}") from error
            except ccxt.NetworkError as error:  # limits, time-outs, an exchange that is down
                raise Unavailable(f"{exchange.id}: {error}", _wished(exchange)) from error
            except (ccxt.BadResponse, OSError) as error:
                raise Unavailable(f"{exchange.id}: {type(error).__name__}: {error}") from error
            except ccxt.BaseError as error:
                if exchange.last_json_response is None:  # what came was no JSON: it may be, a moment later
                    raise Unavailable(f"{exchange.id}: {error}") from error
                raise BadInput(f"{exchange.id}: {type(error).__name__}: {error}") from error
            except (KeyError, TypeError, IndexError, AttributeError) as error:
                raise BadInput(
                    f"{exchange.id}'s answer cannot be read: {error!r}; it may have changed"
                ) from error
            if exchange.last_json_response is None:
                raise Unavailable(
                    f"{exchange.id} answered with what is no JSON: {exchange.last_http_response!r:.160}"
                )
            return answer

        return self.outside.ask(f"ccxt-{exchange.id}", self.rate, once)


def _has_rows(answer: Any) -> bool:
    """Whether there is a list of lists or objects anywhere in an answer."""
    if isinstance(answer, dict):
        return any(map(_has_rows, answer.values()))
    return isinstance(answer, list) and any(isinstance(part, (list, dict)) and part for part in answer)


def _bar(row: Sequence[Any], freq: Frequency, where: str) -> dict[str, Any]:
    if len(row) < 6 or row[0] is None:
        raise BadInput(f"{where}: {row!r} is no bar: the exchange may have changed its format")
    stamp = datetime.fromtimestamp(row[0] / 1000, UTC)
    if stamp < EARLIEST:
        raise BadInput(f"{where}: a bar of {stamp:%Y-%m-%d}: the exchange may have changed its format")
    if not freq.intraday and (stamp.hour or stamp.minute):
        told = f"{where}: its days begin at {stamp:%H:%M} UTC, not at midnight: ask for hours and resample"
        raise BadInput(told)
    return {"ts": stamp} | dict(zip(("open", "high", "low", "close", "volume"), row[1:6], strict=True))


def _wished(exchange: Any) -> float | None:
    headers = {str(k).lower(): v for k, v in (exchange.last_response_headers or {}).items()}
    return retry_after(headers.get("retry-after"), time.time())
