"""FRED, Stooq and what every source on the web stands on, against a vendor on this machine."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import pytest

from contracts.sources import VendorContract, bars_for
from integration.vendors import Clock, Vendor, dripping, outside
from tapebook import Desk
from tapebook.errors import BadInput, BadParameter, TapebookError
from tapebook.integration import web
from tapebook.integration.ingest import ingest
from tapebook.integration.outside import Outside, Unavailable
from tapebook.integration.pace import Pace
from tapebook.integration.sources import get
from tapebook.schema import Frequency

DAYS = [f"2020-01-{day:02}" for day in (6, 7, 8, 9, 10)]
KEY = "planted-key-0123456789"


def stooq(query, bars=None):
    """(date, close) as Stooq's CSV."""
    if query["s"] != "acme.us":
        return "No data"
    bars = bars_for(map(date.fromisoformat, DAYS)) if bars is None else bars
    kept = [
        (d, close)
        for d, close in bars
        if close is not None and query.get("d1", "0") <= f"{d:%Y%m%d}" <= query.get("d2", "9")
    ]
    lines = [f"{d},{c - 1},{c + 1},{c - 2},{c},{100 * c:.0f}" for d, c in kept]
    return "\r\n".join(["Date,Open,High,Low,Close,Volume", *lines]) + "\r\n" if lines else "No data"


class TestStooq(VendorContract):
    symbol, kind = "ACME.US", "text/csv"
    changed = (
        "Day;Price\n2020-01-06;1\n",
        lambda text: text.replace("Close", "Last"),
        lambda text: text.replace("Volume", "Shares"),
        lambda text: text.replace("2020-01-07", "07.01.2020"),
        lambda text: text.replace("Open,High,Low,", "").replace("Volume", "Open"),
        lambda text: text.replace(",8.0,", ',"8,0",'),
        '{"data": []}',
    )

    def say(self, path, query, bars):
        return stooq(query, bars)

    def connect(self, url):
        return get("stooq", url=url)

    def test_its_daily_limit_is_not_waited_for(self, source):
        self.vendor.faults.append((200, {}, "Exceeded the daily hits limit"))
        with pytest.raises(Unavailable, match="daily hits"):
            self.fetch(source)
        assert len(self.vendor.asked) == 1

    def test_a_currency_has_no_volume(self, source):
        self.vendor.answer = lambda path, query: "Date,Open,High,Low,Close\n2020-01-06,1,2,1,2\n"
        assert self.fetch(source).bars["volume"].to_list() == [None]

    def test_a_restated_past_is_fetched_whole(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            ingest(desk.lake, source, [self.symbol])
            halved = stooq({"s": "acme.us"}).replace("\r\n", "\n").split()
            rows = [
                halved[0],
                *(
                    ",".join([r.split(",")[0], *(str(float(v) / 2) for v in r.split(",")[1:5]), "200"])
                    for r in halved[1:]
                ),
            ]
            self.answer = lambda path, query: "\n".join(rows)
            (row,) = ingest(desk.lake, source, [self.symbol]).rows
            assert row.changed == 5
            assert desk.bars(self.symbol, adjust=False).close[self.symbol].iloc[0] == 3.5


def fred(path, query, values=None):
    values = (
        dict(zip(DAYS, ["1.5", "1.6", ".", "1.7", "1.8"], strict=True)).items() if values is None else values
    )
    if query["api_key"] != KEY:
        return (
            400,
            {},
            json.dumps({"error_code": 400, "error_message": "The value for api_key is not registered."}),
        )
    if query["series_id"] != "DGS10":
        return (
            400,
            {},
            json.dumps({"error_code": 400, "error_message": "Bad Request.  The series does not exist."}),
        )
    if path.endswith("/series"):
        return json.dumps({"seriess": [{"id": "DGS10", "title": "10-Year", "frequency_short": "D"}]})
    rows = [
        {"realtime_start": "2020-02-01", "realtime_end": "9999-12-31", "date": d, "value": v}
        for d, v in values
        if d >= query.get("observation_start", "")
    ]
    at = int(query["offset"])
    return json.dumps({"count": len(rows), "offset": at, "limit": 3, "observations": rows[at : at + 3]})


class TestFred(VendorContract):
    symbol = "DGS10"
    changed = (
        lambda text: text.replace("observations", "values"),
        lambda text: text.replace('"count"', '"total"'),
        lambda text: text.replace('"value"', '"amount"'),
        lambda text: text.replace('"date"', '"day"'),
        lambda text: text.replace('"seriess"', '"series"'),
        lambda text: text.replace('"count": 5', '"count": 50'),
        {"observations": {}, "count": 1},
        [],
    )

    def say(self, path, query, bars):
        told = [(str(d), "." if close is None else str(close)) for d, close in bars]
        return fred(path, query, told)

    def connect(self, url):
        return get("fred", api_key="secret:key", url=url)

    def test_pages_are_put_together_and_a_missing_value_is_no_bar(self, source):
        self.vendor.answer = fred
        assert self.fetch(source).bars["close"].to_list() == [1.5, 1.6, 1.7, 1.8]

    def test_a_page_that_never_comes_is_said(self, source):
        full = json.dumps({"count": 5, "observations": []})
        self.vendor.faults += [lambda h, answer: h.say(*answer()), (200, {}, full)]
        with pytest.raises(BadInput, match="5 values but sent 0"):
            self.fetch(source)

    def test_another_frequency_is_refused_with_the_right_one(self, source):
        with pytest.raises(BadParameter, match="1d"):
            source.fetch("DGS10", freq=Frequency.parse("1mo"), start=None, end=None)

    def test_release_stamps_say_when_a_value_was_known(self, source):
        source.stamp = "release"
        self.vendor.answer = lambda path, query: fred(path, query, [("2020-01-06", "1.5")])
        assert self.fetch(source).bars["ts"].to_list() == [datetime(2020, 2, 1, tzinfo=UTC)]

    def test_a_wrong_key_is_said_without_it(self, source, tmp_path):
        source.attach(outside(tmp_path, Clock(), {"key": "wrong-key-9876543210"}))
        with pytest.raises(TapebookError, match="not registered") as caught:
            self.fetch(source)
        assert "9876543210" not in str(caught.value)


def test_a_dripping_answer_is_given_up():
    with Vendor(lambda path, query: "x" * 500, "text/plain") as vendor:
        vendor.faults.append(dripping)
        with pytest.raises(Unavailable, match=r"took longer than 0\.1 s"):
            web.get(vendor.url, longest=0.1)


def test_nobody_there_is_unavailable():
    with pytest.raises(Unavailable, match="did not answer"):
        web.get("http://127.0.0.1:9/x?key=1")
    with pytest.raises(BadInput, match="no web address"):
        web.get("file:///etc/passwd")


def test_the_pace_holds_for_all_who_share_it(tmp_path):
    clock = Clock()
    paces = [Pace(tmp_path / "v.turn", 2.0, clock, clock.sleep) for _ in range(3)]
    for _ in range(3):
        for pace in paces:
            pace.wait()
    assert sum(clock.slept) == pytest.approx(4.0)  # nine turns at two a second
    paces[0].hold(30)
    paces[1].wait()
    assert clock.slept[-1] == pytest.approx(30)


TURNS = """
import sys, pathlib
from tapebook.integration.pace import Pace
pace = Pace(pathlib.Path(sys.argv[1]), 10.0, lambda: 1000.0, lambda seconds: print(round(seconds, 6)))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(25):
    pace.wait()
"""


def test_processes_never_get_the_same_turn(tmp_path):
    """Four at once; a fifth was killed while it wrote its turn down."""
    file = tmp_path / "v.turn"
    (tmp_path / "v.part").write_text("9")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    asking = [subprocess.Popen([sys.executable, "-c", TURNS, str(file)], **pipes) for _ in range(4)]
    assert [one.stdout.readline() for one in asking] == ["ready\n"] * 4
    for one in asking:
        one.stdin.write("go\n")
        one.stdin.flush()
    turns = [float(line) for one in asking for line in one.communicate(timeout=60)[0].split()]
    assert sorted(turns) == pytest.approx([round(i / 10, 6) for i in range(1, 100)])  # the first waits not
    assert float(file.read_text()) == pytest.approx(1010.0)


def test_a_turn_of_a_wrong_clock_is_forgotten(tmp_path):
    (tmp_path / "v.turn").write_text("9e12")
    clock = Clock()
    Pace(tmp_path / "v.turn", 1.0, clock, clock.sleep).wait()
    assert clock.slept == []


def test_a_bar_that_is_not_over_is_left_out(tmp_path):
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=2), today - timedelta(days=1), today]
    body = "Date,Open,High,Low,Close,Volume\n" + "\n".join(f"{d},1,1,1,1,1" for d in days)
    with Vendor(lambda path, query: body, "text/csv") as vendor, Desk.open(tmp_path) as desk:
        source = get("stooq", url=vendor.url, calendar="24/7")
        source.attach(outside(tmp_path, Clock()))
        (row,) = ingest(desk.lake, source, ["X.US"]).rows
    assert row.added == 2
    assert "1 bar left out: not over yet" in row.reason


def test_an_earlier_start_asks_for_what_lies_before(tmp_path):
    with Vendor(lambda path, query: stooq(query), "text/csv") as vendor, Desk.open(tmp_path) as desk:
        source = get("stooq", url=vendor.url)
        source.attach(outside(tmp_path, Clock()))
        ingest(desk.lake, source, ["ACME.US"], start="2020-01-08", end="2020-01-09")
        (row,) = ingest(desk.lake, source, ["ACME.US"], start="2020-01-06").rows
        spans = [(q.get("d1"), q.get("d2")) for _, q, _ in vendor.asked]
        assert row.added == 3
        (again,) = ingest(desk.lake, source, ["ACME.US"], end="2020-01-09").rows
    assert spans == [("20200108", "20200109"), ("20200106", "20200108"), ("20200109", None)]
    assert again.outcome == "unchanged"
    assert len(vendor.asked) == 3


def test_a_desk_tells_of_failures_and_keeps_the_key_to_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(Outside, "sleep", lambda self, seconds: None, raising=False)
    with Vendor(fred) as vendor, Desk.open(tmp_path) as desk:
        desk.secrets.set("fred", KEY) if hasattr(desk.secrets, "set") else desk.secrets.put("fred", KEY)
        done = desk.ingest("fred", ["DGS10", "NOPE"], api_key="secret:fred", url=vendor.url)
        events = desk.catalog.events.latest(topics=["integration.failed"])
    assert [row.outcome for row in done.rows] == ["ok", "failed"]
    assert events[-1].symbols == ["NOPE"]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in written
