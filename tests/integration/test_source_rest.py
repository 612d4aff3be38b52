"""A vendor described in TOML, against one on this machine: paging, zones, changed schemas."""

import json
import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from contracts.sources import DAYS, VendorContract
from integration.vendors import Clock, Vendor, outside
from tapebook.errors import BadInput, BadParameter
from tapebook.integration.sources import get
from tapebook.schema import Frequency

NEW_YORK = ZoneInfo("America/New_York")
SPEC = """
name = "acme"
url = "URL/v1/bars/{symbol}"
rows = "data.bars"
rate = 5
calendar = "XNYS"
freqs = { "1d" = "day", "1h" = "hour" }
params = { interval = "{freq}", from = "{start}", to = "{end}" }
time = { format = "s", ask = "s", tz = "America/New_York" }
fields = { ts = "t", open = "o", high = "h", low = "l", close = "c.last", volume = "v" }
auth = { header = "X-Key", value = "Key {secret}", secret = "secret:key" }
"""


def stamp(day):
    return int(datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp())  # midnight there


def row(day, close=None):
    """A bar of a day, or of the 6th for 6."""
    day = date(2020, 1, day) if isinstance(day, int) else day
    c = day.day + 1.0 if close is None else close
    return {"t": stamp(day), "o": c - 1, "h": c + 1, "l": c - 2, "c": {"last": c}, "v": (c - 1) * 10}


def rest(tmp_path, url, more="", spec=SPEC, clock=None):
    (tmp_path / "acme.toml").write_text(spec.replace("URL", url) + more)
    source = get("rest", spec=str(tmp_path / "acme.toml"))
    source.attach(outside(tmp_path, clock or Clock(), {"key": "planted-key-0123456789"}))
    return source


class TestRest(VendorContract):
    symbol = "ACME"
    changed = (
        {"data": {"candles": []}},
        {"data": {"bars": "none"}},
        {"data": {"bars": [{"t": 1, "o": 1}]}},
        lambda text: text.replace('"data"', '"result"'),
        lambda text: text.replace('"last"', '"price"'),
        lambda text: re.sub(r'"t": (\d+)', r'"t": \g<1>000', text),
        lambda text: re.sub(r'"t": (\d+)', r'"t": "\1 s"', text),
        lambda text: re.sub(r'"last": ([\d.]+)', r'"last": "USD \1"', text),
        [],
    )

    def make(self, tmp_path):
        self.clock = Clock()
        return rest(tmp_path, self.vendor.url, clock=self.clock)

    def say(self, path, query, bars):
        if path != "/v1/bars/ACME":
            return 404, {}, '{"error": "unknown"}'
        first, last = int(query.get("from", 0)) - 90_000, int(query.get("to", 9e12)) + 90_000
        told = [row(d, c) for d, c in bars if c is not None and first < stamp(d) < last]
        return json.dumps({"data": {"bars": told}})

    def test_a_credential_is_not_sent_to_another_host(self, source):
        with Vendor(lambda path, query: self.answer(path, query)) as other:
            elsewhere = other.url.replace("127.0.0.1", "localhost") + "/v1/bars/ACME"
            self.vendor.faults.append((302, {"location": elsewhere}, ""))
            with pytest.raises(BadInput, match="a credential goes to no other host"):
                self.fetch(source)
            assert other.asked == []
        self.vendor.faults.append((302, {"location": "/v1/bars/ACME"}, ""))
        assert len(self.fetch(source).bars) == 5

    def test_it_sends_the_credential_and_says_it_nowhere(self, source):
        self.fetch(source)
        assert self.vendor.asked[0][2]["X-Key"] == "Key planted-key-0123456789"
        self.vendor.faults.append((401, {}, "bad key planted-key-0123456789"))
        with pytest.raises(BadInput, match="status 401") as caught:
            self.fetch(source)
        assert "planted" not in str(caught.value)

    def test_midnight_in_new_york_is_that_day(self, source):
        assert [ts.day for ts in self.fetch(source).bars["ts"]] == [6, 7, 8, 9, 10]

    def test_hours_stay_moments(self, source):
        found = source.fetch("ACME", freq=Frequency.parse("1h"), start=None, end=None)
        assert found.bars["ts"][0] == datetime(2020, 1, 6, 5, tzinfo=UTC)


PAGED = {
    "cursor": 'paging = { kind = "cursor", param = "after", path = "next" }',
    "link": 'paging = { kind = "link", path = "link" }',
    "page": 'paging = { kind = "page", param = "page", size = 2 }',
    "offset": 'paging = { kind = "offset", param = "skip", size = 2 }',
}


def paged(path, query):
    at = int(query.get("after") or query.get("skip") or 2 * int(query.get("page", 1)) - 2)
    more = at + 2 if at + 2 < len(DAYS) else None
    link = f"/v1/bars/ACME?skip={more}" if more else None
    return json.dumps({"data": {"bars": [row(d) for d in DAYS[at : at + 2]]}, "next": more, "link": link})


@pytest.mark.parametrize("kind", PAGED)
def test_pages_are_put_together(tmp_path, kind):
    with Vendor(paged) as vendor:
        found = rest(tmp_path, vendor.url, PAGED[kind]).fetch(
            "ACME", freq=Frequency.parse("1d"), start=None, end=None
        )
        assert [ts.date() for ts in found.bars["ts"]] == DAYS
        assert len(vendor.asked) == 3
        assert all("X-Key" in headers for _, _, headers in vendor.asked)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"data": {"candles": []}}, "no 'data.bars'"),
        ({"data": {"bars": [row(6) | {"t": 1_578_286}]}}, "the stamps are not in 's'"),
        ({"data": {"bars": "none"}}, "expected a list of rows"),
        ({"data": {"bars": [{"t": 1, "o": 1}]}}, "a row has no h, l, c.last, v"),
        ({"data": {"bars": [row(6) | {"t": "yesterday"}]}}, "'yesterday' is no time"),
        ({"data": {"bars": [row(6)]}, "next": 2}, "same next page 2 again"),
        ({"data": {"bars": [row(6)]}, "link": "http://elsewhere.example/x"}, "another host"),
    ],
)
def test_a_changed_schema_is_refused(tmp_path, body, told):
    kind = PAGED["link"] if "link" in body else PAGED["cursor"]
    with Vendor(lambda path, query: json.dumps(body)) as vendor, pytest.raises(BadInput) as caught:
        rest(tmp_path, vendor.url, kind).fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None)
    assert told in str(caught.value)


@pytest.mark.parametrize("bars", [None, []])
def test_an_empty_day_is_no_bar_and_no_error(tmp_path, bars):
    with Vendor(lambda path, query: json.dumps({"data": {"bars": bars}})) as vendor:
        found = rest(tmp_path, vendor.url).fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None)
    assert found.bars.is_empty()


def test_a_number_that_is_none_is_a_problem_of_its_row(tmp_path):
    body = {"data": {"bars": [row(6), row(7) | {"h": "high"}, row(8) | {"v": None}]}}
    with Vendor(lambda path, query: json.dumps(body)) as vendor:
        found = rest(tmp_path, vendor.url).fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None)
    assert [ts.day for ts in found.bars["ts"]] == [6, 8]
    assert "high is 'high'" in found.problems[0].message
    assert found.bars["volume"].to_list() == [60.0, None]


def test_a_day_without_a_zone_is_refused_rather_than_shifted(tmp_path):
    spec = SPEC.replace(', tz = "America/New_York"', "")
    body = {"data": {"bars": [row(6)]}}
    with Vendor(lambda path, query: json.dumps(body)) as vendor, pytest.raises(BadInput, match="on a zone"):
        rest(tmp_path, vendor.url, spec=spec).fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None)


def test_columns_in_place_of_rows(tmp_path):
    body = {"data": {"bars": {name: [row(d)[name] for d in DAYS] for name in row(6)}}}
    with Vendor(lambda path, query: json.dumps(body)) as vendor:
        found = rest(tmp_path, vendor.url).fetch("ACME", freq=Frequency.parse("1d"), start=None, end=None)
    assert [ts.date() for ts in found.bars["ts"]] == DAYS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("rate = 5", "rate = 0"), "rate"),
        (('rows = "data.bars"', 'row = "data.bars"'), "row: Extra inputs"),
        (('header = "X-Key", ', ""), "either header or param"),
        (("name", "name ="), "not valid TOML"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, change, told):
    with pytest.raises(BadInput) as caught:
        rest(tmp_path, "http://127.0.0.1:9", spec=SPEC.replace(*change, 1))
    assert told in str(caught.value)
    with pytest.raises(BadParameter, match="time zone"):
        rest(tmp_path, "http://127.0.0.1:9", spec=SPEC.replace("America/New_York", "Nowhere"))
