"""Scanners of others, against a server on this machine that speaks their format, with its faults."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tapebook.errors import BadInput, BadParameter
from tapebook.integration.outside import Outside, Unavailable
from tapebook.integration.outside_screens import finviz, tradingview

pytest.importorskip("tradingview_screener")
pytest.importorskip("finvizfinance")


class Server:
    """Answers with what is next in `answers`: (status, headers, body); the last one for ever."""

    def __init__(self):
        self.answers, self.asked = [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.say()

            def do_GET(self):
                server.asked.append(self.path)
                self.say()

            def say(self):
                status, headers, body = (
                    server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                )
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/scan"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server():
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def outside(tmp_path):
    """Patience without waiting."""
    waited = []
    now = [1e9]

    def sleep(seconds):
        waited.append(seconds)
        now[0] += seconds

    made = Outside(tmp_path, clock=lambda: now[0], sleep=sleep)
    object.__setattr__(made, "waited", waited)
    return made


def good(*rows):
    data = [{"s": name, "d": list(values)} for name, *values in rows]
    return 200, {"Content-Type": "application/json"}, json.dumps({"totalCount": 77, "data": data}).encode()


ROWS = (("NASDAQ:AAPL", 190.5, 5e7), ("NYSE:BRK.B", 400.0, 3e6))


def test_tradingview_tells_symbols_and_values(server, outside):
    server.answers = [good(*ROWS)]
    found = tradingview(["RSI < 30", "close > SMA200", "exchange == NYSE"], url=server.url, outside=outside)
    assert found["symbol"].tolist() == ["AAPL", "BRK.B"]
    assert found["exchange"].tolist() == ["NASDAQ", "NYSE"]
    assert found["close"].tolist() == [190.5, 400.0]
    assert found.attrs["total"] == 77
    assert server.asked[0]["filter"] == [
        {"left": "RSI", "operation": "less", "right": 30.0},
        {"left": "close", "operation": "greater", "right": "SMA200"},
        {"left": "exchange", "operation": "equal", "right": "NYSE"},
    ]


def test_it_waits_as_long_as_it_is_told_and_asks_again(server, outside):
    server.answers = [(429, {"Retry-After": "7"}, b"slow"), (500, {}, b"oops"), good(*ROWS)]
    assert len(tradingview(url=server.url, outside=outside)) == 2
    assert sum(outside.waited) >= 7
    assert len(server.asked) == 3


FAULTS = {
    "cut": ((200, {}, good(*ROWS)[2][:-20]), Unavailable, "cut off"),
    "html": ((200, {}, b"<html>maintenance</html>"), Unavailable, "no JSON"),
    "renamed": ((200, {}, b'{"totalCount": 1, "symbols": []}'), BadInput, "its format has changed"),
    "shorter": (good(("NYSE:A", 1.0)), BadInput, "row 0 is"),
    "refused": ((400, {}, b'{"error": "Unknown field"}'), BadInput, "refuses the question with 400.*Unknown"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_never_nothing_found(server, outside, fault):
    answer, kind, said = FAULTS[fault]
    server.answers = [answer]
    with pytest.raises(kind, match=said):
        tradingview(url=server.url, outside=outside)


def test_a_filter_that_is_none_says_what_one_is():
    with pytest.raises(BadParameter, match="such as 'RSI < 30'"):
        tradingview(["RSI"])


def page(*names, options=1):
    spans = "".join(f"<span>{n}\xa0{name}</span>" for n, name in enumerate(names, 1))
    choice = "".join(f"<option>Page {n} / {options}</option>" for n in range(1, options + 1))
    body = f'<html><select id="pageSelect">{choice}</select><table><tr><td class="screener-tickers">{spans}</td></tr></table></html>'  # noqa: E501
    return 200, {"Content-Type": "text/html; charset=utf-8"}, body.encode()


def test_finviz_tells_symbols(server, outside):
    server.answers = [page("AAPL", "BRK-B")]
    assert finviz({"Exchange": "NASDAQ"}, url=server.url, outside=outside)["symbol"].tolist() == [
        "AAPL",
        "BRK-B",
    ]
    assert "exch_nasd" in server.asked[0]


def test_a_finviz_page_that_changed_is_refused(server, outside):
    server.answers = [(200, {}, page("AAPL")[2].replace(b"screener-tickers", b"other"))]
    with pytest.raises(BadInput, match="not as expected"):
        finviz(url=server.url, outside=outside)
    server.answers = [page("see more")]
    with pytest.raises(BadInput, match="is no symbol"):
        finviz(url=server.url, outside=outside)
    server.answers = [(200, {}, b"<html>maintenance</html>")]
    with pytest.raises(BadInput, match="maintenance"):
        finviz(url=server.url, outside=outside)
    server.answers = [(200, {}, b'<html><div id="screener-total">#0 / 0 Total</div></html>')]
    assert finviz(url=server.url, outside=outside).empty
    with pytest.raises(BadParameter, match="Finviz' own names"):
        finviz({"Exchangee": "NASDAQ"}, outside=outside)


def test_finviz_out_of_order_is_asked_later(server, outside, monkeypatch):
    monkeypatch.setattr("finvizfinance.util.MAX_RETRIES", 0)
    server.answers = [(503, {"Retry-After": "3"}, b"busy"), page("IBM")]
    assert finviz(url=server.url, outside=outside)["symbol"].tolist() == ["IBM"]


def test_their_hits_beside_ours_and_as_a_universe(server, sample_home):
    from click.testing import CliRunner

    from tapebook.cli import main

    server.answers = [good(("NASDAQ:AAPL", 1.0, 2.0), ("NYSE:ELSE", 3.0, 4.0))]
    words = [
        "--compare",
        "close > 0 and symbol in (SP500, WTI)",
        "--url",
        server.url,
        "--save-universe",
        "his",
    ]
    said = CliRunner().invoke(
        main, ["--home", str(sample_home), "screen", "outside", "tradingview", "RSI < 30", *words, "--json"]
    )
    assert said.exit_code == 0, said.output
    rows = {row["symbol"]: (row["theirs"], row["ours"]) for row in json.loads(said.stdout)}
    assert rows["AAPL"] == (True, False)
    assert rows["ELSE"] == (True, False)
    shown = CliRunner().invoke(main, ["--home", str(sample_home), "universe", "show", "his"])
    assert "ELSE" in shown.output
