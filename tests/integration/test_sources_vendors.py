"""yfinance, ccxt and Alpaca: their own clients against vendors on this machine that speak their formats."""

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from contracts.sources import VendorContract
from tapebook import Desk
from tapebook.errors import BadInput, BadParameter
from tapebook.integration.outside import Unavailable
from tapebook.integration.sources import get
from tapebook.schema import Frequency

DAYS = [6, 7, 8, 9, 10]


def moment(day, hour):
    return datetime(2020, 1, day, hour, tzinfo=UTC)


def chart(path, query, **change):
    """Yahoo's v8 chart: daily stamps are the session's open; prices are adjusted for later splits."""
    symbol = path.rpartition("/")[2]
    if symbol != "ACME":
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return 404, {}, json.dumps({"chart": {"result": None, "error": error}})
    days = [d for d in DAYS if int(query.get("period1", 0)) <= moment(d, 15).timestamp()]
    meta = {
        "currency": "USD", "symbol": symbol, "exchangeName": "NYQ", "instrumentType": "EQUITY",
        "exchangeTimezoneName": "America/New_York", "timezone": "EST", "gmtoffset": -18000,
        "longName": "Acme Corp.", "priceHint": 2, "dataGranularity": "1d", "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"], "regularMarketTime": 1578690001, "firstTradeDate": 0,
        "currentTradingPeriod": {},
    }  # fmt: skip
    half = {d: 2.0 if d < 8 else 1.0 for d in days}  # a split of two for one on the 8th
    quote = {
        "open": [d / half[d] for d in days],
        "high": [(d + 2) / half[d] for d in days],
        "low": [(d - 1) / half[d] for d in days],
        "close": [(d + 1) / half[d] + 1e-7 for d in days],
        "volume": [100 * d * half[d] for d in days],
    } | change
    split = str(int(moment(8, 14).timestamp()))
    events = {
        "splits": {split: {"date": int(split), "numerator": 2, "denominator": 1, "splitRatio": "2:1"}},
        "dividends": {
            str(int(moment(7, 14).timestamp())): {"amount": 0.25, "date": int(moment(7, 14).timestamp())}
        },
    }
    result = {
        "meta": meta,
        "indicators": {"quote": [quote if days else {}], "adjclose": [{"adjclose": quote["close"]}]},
    }
    if days:
        result |= {"timestamp": [int(moment(d, 14).timestamp()) + 1800 for d in days]}
        result |= {
            "events": {
                k: {s: e for s, e in v.items() if int(s) >= moment(days[0], 0).timestamp()}
                for k, v in events.items()
            }
        }
    return json.dumps({"chart": {"result": [result], "error": None}})


class TestYahoo(VendorContract):
    symbol = "ACME"

    @pytest.fixture(autouse=True)
    def _cache(self, tmp_path):
        yf = pytest.importorskip("yfinance")
        yf.set_tz_cache_location(str(tmp_path / "yf"))
        yf.data.YfData._instances.clear()

    def answer(self, path, query):
        return chart(path, query)

    def connect(self, url):
        import requests
        from requests.adapters import HTTPAdapter

        here = urlsplit(url).netloc

        class Here(HTTPAdapter):
            def send(self, request, **how):
                if "/finance/chart/" not in request.url:  # cookies and crumbs
                    answer = requests.Response()
                    answer.status_code, answer._content, answer.url = 200, b"crumb", request.url
                    answer.request = request
                    return answer
                parts = urlsplit(request.url)
                request.url = parts._replace(scheme="http", netloc=here).geturl()
                return super().send(request, **how)

        session = requests.Session()
        session.mount("https://", Here())
        return get("yfinance", session=session)

    def test_prices_are_those_printed_and_actions_are_there(self, source):
        found = self.fetch(source)
        assert found.bars["close"].to_list() == [7.0, 8.0, 9.0, 10.0, 11.0]
        assert found.bars["volume"].to_list() == [600.0, 700.0, 800.0, 900.0, 1000.0]
        assert found.actions.rows() == [(moment(7, 0), 1.0, 0.5), (moment(8, 0), 2.0, 0.0)]
        assert (found.instrument.calendar, found.instrument.currency) == ("XNYS", "USD")

    def test_a_changed_schema_is_refused(self, source):
        self.vendor.answer = lambda path, query: chart(path, query).replace('"close"', '"last"')
        with pytest.raises(BadInput, match="changed its format"):
            self.fetch(source)

    def test_a_halt_is_no_bar(self, source):
        nothing = {name: [None, 1.0, 1.0, 1.0, 1.0] for name in ("open", "high", "low", "close", "volume")}
        self.vendor.answer = lambda path, query: chart(path, query, **nothing)
        assert len(self.fetch(source).bars) == 4


KRAKEN = {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1,
          "lot_decimals": 8, "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.0001",
          "costmin": "0.5", "tick_size": "0.1", "status": "online", "leverage_buy": []}  # fmt: skip
ASSETS = {
    "XXBT": {
        "aclass": "currency",
        "altname": "XBT",
        "decimals": 10,
        "display_decimals": 5,
        "status": "enabled",
    },
    "ZUSD": {
        "aclass": "currency",
        "altname": "USD",
        "decimals": 4,
        "display_decimals": 2,
        "status": "enabled",
    },
}


def kraken(path, query):
    if path.endswith("/OHLC"):
        rows = [
            [
                int(moment(d, 0).timestamp()),
                str(d),
                str(d + 2),
                str(d - 1),
                str(d + 1),
                str(d),
                str(d * 10),
                5,
            ]
            for d in DAYS
            if moment(d, 0).timestamp() > int(query.get("since", 0))
        ]
        return json.dumps({"error": [], "result": {query["pair"]: rows, "last": 1}})
    return json.dumps({"error": [], "result": ASSETS if path.endswith("/Assets") else {"XXBTZUSD": KRAKEN}})


class TestCcxt(VendorContract):
    symbol = "BTC/USD"

    def answer(self, path, query):
        return kraken(path, query)

    def connect(self, url):
        ccxt = pytest.importorskip("ccxt")
        exchange = ccxt.kraken()
        exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], url)
        return get("ccxt", exchange=exchange)

    def test_an_exchange_that_is_none_is_told(self):
        with pytest.raises(LookupError, match="Did you mean 'kraken'"):
            get("ccxt", exchange="krakn").symbols(self.freq)

    def test_an_exchange_that_does_not_answer_is_an_event(self, source, tmp_path):
        self.vendor.faults += [(503, {}, "maintenance")] * 50
        with Desk.open(tmp_path / "desk") as desk:
            source.attach = lambda _outside: None  # it keeps the clock of this test
            with pytest.raises(Unavailable):
                desk.ingest(source)
            (event,) = desk.catalog.events.latest(topics=["integration.failed"])
        assert event.integration == "ccxt"

    def test_an_error_in_a_good_answer_is_an_error(self, source):
        self.fetch(source)
        self.vendor.faults.append((200, {}, json.dumps({"error": ["EGeneral:Invalid arguments"]})))
        with pytest.raises(BadInput, match="Invalid arguments"):
            self.fetch(source)


def alpaca(path, query):
    if path == "/v1/corporate-actions":
        found = {
            "forward_splits": [{"symbol": "ACME", "new_rate": 4, "old_rate": 1, "ex_date": "2020-01-08"}],
            "cash_dividends": [{"symbol": "ACME", "rate": 0.5, "ex_date": "2020-01-07", "special": False}],
        }
        return json.dumps({"corporate_actions": found, "next_page_token": None})
    first = datetime.fromisoformat(query["start"])
    last = datetime.fromisoformat(query.get("end", "2030-01-01T00:00:00Z"))
    days = [d for d in DAYS if first <= moment(d, 5) <= last] if query["symbols"] == "ACME" else []
    at = int(query.get("page_token") or 0)
    rows = [
        {
            "t": f"2020-01-{d:02}T05:00:00Z",
            "o": d,
            "h": d + 2,
            "l": d - 1,
            "c": d + 1,
            "v": d,
            "n": 1,
            "vw": d,
        }
        for d in days
    ]
    more = str(at + 3) if at + 3 < len(rows) else None
    return json.dumps({"bars": {"ACME": rows[at : at + 3]} if rows else {}, "next_page_token": more})


class TestAlpaca(VendorContract):
    symbol = "ACME"

    def answer(self, path, query):
        return alpaca(path, query)

    def connect(self, url):
        pytest.importorskip("alpaca")
        return get("alpaca", api_key="secret:key", secret_key="secret:key", url=url)

    def test_pages_days_of_new_york_and_actions(self, source):
        found = self.fetch(source)
        assert [ts.day for ts in found.bars["ts"]] == DAYS
        assert found.actions.rows() == [(moment(7, 0), 1.0, 0.5), (moment(8, 0), 4.0, 0.0)]
        assert self.vendor.asked[0][2]["APCA-API-KEY-ID"] == "planted-key-0123456789"

    @pytest.mark.parametrize(
        "body", [{"bars": {}}, {"bars": {"ACME": [{"time": 1}]}, "next_page_token": None}]
    )
    def test_a_changed_schema_is_refused(self, source, body):
        self.vendor.faults.append((200, {}, json.dumps(body)))
        with pytest.raises(BadInput, match="changed its format"):
            self.fetch(source)

    def test_weeks_are_refused(self, source):
        with pytest.raises(BadParameter, match="resample"):
            source.symbols(Frequency.parse("1w"))
