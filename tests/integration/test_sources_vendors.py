"""yfinance, ccxt and Alpaca: their own clients against vendors on this machine that speak their formats."""

import json
import re
from datetime import UTC, date, datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest

from contracts.sources import CLOCKS_CHANGE, DAYS, VendorContract, bars_for
from integration.vendors import Clock, Vendor, dripping, dripping_headers, outside
from tapebook import Desk
from tapebook.errors import BadInput, BadParameter
from tapebook.integration import deadline
from tapebook.integration.ingest import ingest
from tapebook.integration.outside import Unavailable
from tapebook.integration.sources import get
from tapebook.schema import Frequency

NEW_YORK = ZoneInfo("America/New_York")
SPLIT, PAID = date(2020, 1, 8), date(2020, 1, 7)


def moment(day, hour):
    return datetime(2020, 1, day, hour, tzinfo=UTC)


def opens(day, hour, minute=0, zone=NEW_YORK):
    """Seconds since 1970 at a time of day in a zone."""
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp())


def chart(path, query, bars, zone=NEW_YORK, meta=(), **change):
    """Yahoo's v8 chart: daily stamps are the session's open; prices are adjusted for later splits."""
    symbol = path.rpartition("/")[2]
    if symbol != "ACME":
        error = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
        return 404, {}, json.dumps({"chart": {"result": None, "error": error}})
    from_, to = int(query.get("period1", 0)), int(query.get("period2", 9e12))
    bars = [(d, close) for d, close in bars if from_ <= opens(d, 9, 30, zone) < to]
    about = {
        "currency": "USD", "symbol": symbol, "exchangeName": "NYQ", "instrumentType": "EQUITY",
        "exchangeTimezoneName": zone.key, "timezone": "EST", "gmtoffset": -18000,
        "longName": "Acme Corp.", "priceHint": 2, "dataGranularity": "1d", "range": "",
        "validRanges": ["1d", "5d", "1mo", "max"], "regularMarketTime": 1578690001, "firstTradeDate": 0,
        "currentTradingPeriod": {},
    }  # fmt: skip
    half = [2.0 if d < SPLIT else 1.0 for d, _ in bars]  # a split of two for one
    prices = {"open": -1, "high": 1, "low": -2, "close": 0}
    quote = {
        name: [None if c is None else (c + by) / h + 1e-7 for (_, c), h in zip(bars, half, strict=True)]
        for name, by in prices.items()
    }
    quote["volume"] = [
        None if c is None else (100 * c - 100) * h for (_, c), h in zip(bars, half, strict=True)
    ]
    quote |= change
    split, paid = str(opens(SPLIT, 9, 30, zone)), str(opens(PAID, 9, 30, zone))
    events = {
        "splits": {split: {"date": int(split), "numerator": 2, "denominator": 1, "splitRatio": "2:1"}},
        "dividends": {paid: {"amount": 0.25, "date": int(paid)}},
    }
    result = {
        "meta": about | dict(meta),
        "indicators": {"quote": [quote if bars else {}], "adjclose": [{"adjclose": quote["close"]}]},
    }
    if bars:
        first = min(opens(d, 0, 0, zone) for d, _ in bars)
        result["timestamp"] = [opens(d, 9, 30, zone) for d, _ in bars]
        result["events"] = {k: {s: e for s, e in v.items() if int(s) >= first} for k, v in events.items()}
    return json.dumps({"chart": {"result": [result], "error": None}})


def revised_actions(test, desk, source, change, dividend):
    """A dividend that the vendor corrects: it is told, and what was computed with it is stale."""
    ingest(desk.lake, source, [test.symbol])
    raw, split = (desk.bars(test.symbol, adjust=how).close[test.symbol] for how in (False, "splits"))
    total = desk.bars(test.symbol, adjust="total").close[test.symbol]
    (ratio,) = desk.sql("select split from actions where split != 1")["split"]
    assert (split / raw).to_list() == pytest.approx([1 / ratio] * 2 + [1.0] * 3)
    assert total.iloc[0] < split.iloc[0]
    assert total.iloc[-1] == raw.iloc[-1]
    made = desk.backtest("sma_cross", desk.bars(test.symbol, adjust="total"), fast=2, slow=3)
    answer = test.vendor.answer
    test.vendor.answer = lambda path, query: change(answer(path, query))
    (row,) = ingest(desk.lake, source, [test.symbol], refresh=True).rows
    assert (row.changed, row.outcome) == (0, "ok")
    assert desk.sql("select dividend from actions where dividend != 0")["dividend"].to_list() == [dividend]
    (told,) = desk.revisions(test.symbol).to_dict("records")
    assert (told["actions"], told["changed"], told["first"][:10]) == (1, 0, "2020-01-07")
    (stale,) = desk.results()["stale"]
    assert "1 splits or dividends of ACME revised" in stale
    assert desk.rerun_result(made.id).close.iloc[0, 0] < total.iloc[0]


@pytest.fixture(scope="module")
def yahoos_own(tmp_path_factory):
    """Return yfinance, whose own cache is in one folder as long as the process lives."""
    yf = pytest.importorskip("yfinance")
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yf")))
    return yf


class TestYahoo(VendorContract):
    symbol = "ACME"

    @pytest.fixture(autouse=True)
    def _cache(self, yahoos_own):
        yahoos_own.data.YfData._instances.clear()

    changed = (
        lambda text: text.replace('"timestamp"', '"time"'),
        lambda text: text.replace('"close"', '"last"'),
        lambda text: text.replace('"chart"', '"charts"'),
        lambda text: text.replace('"splits"', '"splitEvents"'),
        lambda text: text.replace('"numerator"', '"from"'),
        lambda text: text.replace('"quote"', '"quotes"'),
        lambda text: text.replace('"exchangeTimezoneName"', '"zone"'),
    )

    def say(self, path, query, bars):
        return chart(path, query, bars)

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

    @pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Auckland", "Europe/London"])
    def test_days_are_those_of_the_exchange(self, source, zone):
        self.vendor.answer = lambda path, query: chart(path, query, self.bars, ZoneInfo(zone))
        self.bars = [*bars_for(CLOCKS_CHANGE), (CLOCKS_CHANGE[1], 1.5)]  # the second time another truth
        found = self.fetch(source)
        assert [ts.date() for ts in found.bars["ts"]] == [CLOCKS_CHANGE[0], *CLOCKS_CHANGE[2:]]
        assert len(found.problems) == 1

    def test_dividends_and_splits_land_adjust_and_their_revisions_are_told(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            revised_actions(self, desk, source, lambda text: text.replace("0.25", "0.3"), 0.6)


def test_yahoos_own_session_gives_a_dripping_answer_up_too(yahoos_own, tmp_path, monkeypatch):
    """yfinance asks by curl_cffi, whose sessions are none of requests'."""
    curl = pytest.importorskip("curl_cffi.requests")
    yahoos_own.data.YfData._instances.clear()
    test, asked = TestYahoo(), []
    test.bars = bars_for(DAYS)

    class Here(curl.Session):
        def request(self, method, url, **how):
            chart = "/finance/chart/" in url
            asked.append(how.get("timeout"))
            parts = urlsplit(url)._replace(scheme="http", netloc=urlsplit(vendor.url).netloc)
            return super().request(
                method, (parts if chart else parts._replace(path="/crumb")).geturl(), **how
            )

    def answer(path, query):
        return "crumb" if path == "/crumb" else chart(path, query, test.bars)

    with Vendor(answer, "application/json") as vendor, Here() as session:
        source = get("yfinance", session=session)
        source.attach(outside(tmp_path, Clock()))
        whole = source.fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None).bars
        assert len(whole) == len(DAYS)
        monkeypatch.setattr(deadline, "LONGEST", 0.5)
        vendor.faults += [dripping, dripping_headers]
        assert source.fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None).bars.equals(whole)
        assert not vendor.faults
    assert asked[-1] == 0.5, "curl gives the whole answer so long"


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


def kraken(path, query, bars):
    if path.endswith("/OHLC"):
        rows = [
            [opens(d, 0, zone=UTC), *map(str, (c - 1, c + 1, c - 2, c, c)), str(c * 10), 5]
            for d, c in bars
            if c is not None and opens(d, 0, zone=UTC) > int(query.get("since", 0))
        ]
        return json.dumps({"error": [], "result": {query["pair"]: rows, "last": 1}})
    return json.dumps({"error": [], "result": ASSETS if path.endswith("/Assets") else {"XXBTZUSD": KRAKEN}})


class TestCcxt(VendorContract):
    symbol = "BTC/USD"

    changed = (
        lambda text: text.replace('"result"', '"data"'),
        lambda text: re.sub(r"\[(\d{10}), ", r'[{"time": \1}, ', text),
        lambda text: re.sub(r"\[(\d{10}), ", r"[[\1], ", text),
        lambda text: re.sub(r'(\d{10}), "[\d.]+", "[\d.]+", "[\d.]+", "[\d.]+"', r'\1, "", "", "", ""', text),
        lambda text: re.sub(r"\[(\d{7})\d{3}, ", r"[\1, ", text),
        lambda text: text.replace("XXBTZUSD", "candles"),
        lambda text: re.sub(r"\[(\d{10}), ", lambda m: f"[{int(m[1]) + 57_600}, ", text),
        {"error": ["EGeneral:Unknown method"]},
        [],
    )

    def say(self, path, query, bars):
        return kraken(path, query, bars)

    def altered(self, path, query, body):
        return super().altered(path, query, body) if path.endswith("/OHLC") else self.answer(path, query)

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


def alpaca(path, query, bars):
    if path == "/v1/corporate-actions":
        found = {
            "forward_splits": [{"symbol": "ACME", "new_rate": 4, "old_rate": 1, "ex_date": str(SPLIT)}],
            "cash_dividends": [{"symbol": "ACME", "rate": 0.5, "ex_date": str(PAID), "special": False}],
        }
        return json.dumps({"corporate_actions": found, "next_page_token": None})
    first = datetime.fromisoformat(query["start"]).timestamp()
    last = datetime.fromisoformat(query.get("end", "2030-01-01T00:00:00Z")).timestamp()
    asked = [(d, c) for d, c in bars if c is not None and first <= opens(d, 0) <= last]
    rows = [
        {
            "t": f"{datetime.fromtimestamp(opens(d, 0), UTC):%Y-%m-%dT%H:%M:%SZ}", "o": c - 1, "h": c + 1,
            "l": c - 2, "c": c, "v": c * 10, "n": 1, "vw": c,
        }
        for d, c in (asked if query["symbols"] == "ACME" else [])
    ]  # fmt: skip
    at = int(query.get("page_token") or 0)
    more = str(at + 3) if at + 3 < len(rows) else None
    return json.dumps({"bars": {"ACME": rows[at : at + 3]} if rows else {}, "next_page_token": more})


class TestAlpaca(VendorContract):
    symbol = "ACME"

    changed = (
        {"bars": {}},
        {"bars": {"ACME": [{"time": 1}]}, "next_page_token": None},
        lambda text: text.replace('"bars"', '"candles"'),
        lambda text: text.replace('"c":', '"close":'),
        lambda text: text.replace('"t": "', '"t": "on '),
        lambda text: text.replace('"ex_date"', '"date"'),
        lambda text: text.replace('"cash_dividends"', '"dividends"'),
        [],
    )

    def say(self, path, query, bars):
        return alpaca(path, query, bars)

    def connect(self, url):
        pytest.importorskip("alpaca")
        return get("alpaca", api_key="secret:key", secret_key="secret:key", url=url)

    def test_pages_days_of_new_york_and_actions(self, source):
        found = self.fetch(source)
        assert [ts.date() for ts in found.bars["ts"]] == DAYS
        assert found.actions.rows() == [(moment(7, 0), 1.0, 0.5), (moment(8, 0), 4.0, 0.0)]
        assert self.vendor.asked[0][2]["APCA-API-KEY-ID"] == "planted-key-0123456789"

    def test_dividends_and_splits_land_adjust_and_their_revisions_are_told(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            revised_actions(self, desk, source, lambda text: text.replace('"rate": 0.5', '"rate": 0.6'), 0.6)

    def test_weeks_are_refused(self, source):
        with pytest.raises(BadParameter, match="resample"):
            source.symbols(Frequency.parse("1w"))
