"""What every source of bars must do. An adapter's test subclasses this in a few lines."""

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from integration.vendors import (
    BROKEN,
    HTML_CALLED_JSON,
    WEB_PAGE,
    Clock,
    Vendor,
    called_text,
    dripping,
    dripping_headers,
    limited,
    outside,
    truncated,
    truncated_unseen,
)
from tapebook import Desk
from tapebook.errors import TapebookError
from tapebook.integration import deadline
from tapebook.integration.ingest import ingest
from tapebook.integration.sources import Fetched, Source, describe
from tapebook.schema import FIELDS, Frequency

KINDS = {"ts": pl.Datetime("us", "UTC")} | dict.fromkeys(FIELDS, pl.Float64)


class SourceContract:
    """Give `make(tmp_path)`: a source that has `symbol` with some clean daily bars."""

    symbol: str
    freq = Frequency.parse("1d")

    def make(self, tmp_path) -> Source:
        raise NotImplementedError

    @pytest.fixture
    def source(self, tmp_path):
        return self.make(tmp_path)

    def fetch(self, source, start=None, end=None) -> Fetched:
        return source.fetch(self.symbol, freq=self.freq, start=start, end=end)

    def test_it_is_a_source_and_says_what_it_is(self, source):
        assert isinstance(source, Source)
        (row,) = [row for row in describe() if row["name"] == source.name]
        assert row["description"].endswith(".")

    def test_it_names_its_symbols(self, source):
        names = list(source.symbols(self.freq))
        assert self.symbol in names or not getattr(source, "listed", True)
        assert len(names) == len(set(names))

    def test_bars_have_the_columns_and_types_promised(self, source):
        bars = self.fetch(source).bars
        assert dict(bars.schema) == KINDS
        assert bars["ts"].is_sorted()
        assert bars["ts"].is_unique().all()
        assert bars["close"].null_count() == 0
        assert len(bars) > 2

    def test_the_instrument_and_actions_are_those_of_the_symbol(self, source):
        fetched = self.fetch(source)
        assert fetched.instrument.symbol == self.symbol
        assert fetched.instrument.calendar
        if fetched.actions is not None:
            assert set(fetched.actions.columns) >= {"ts", "split", "dividend"}
            assert (fetched.actions["split"].fill_null(1.0) >= 0).all()

    def test_a_span_includes_both_ends(self, source):
        stamps = self.fetch(source).bars["ts"].to_list()
        assert self.fetch(source, stamps[1], stamps[-2]).bars["ts"].to_list() == stamps[1:-1]
        later = stamps[-1] + timedelta(days=1)
        assert self.fetch(source, later).bars.is_empty()
        assert self.fetch(source, None, datetime(1900, 1, 1, tzinfo=UTC)).bars.is_empty()

    def test_asking_twice_gives_the_same(self, source):
        assert self.fetch(source).bars.equals(self.fetch(source).bars)

    def test_what_it_has_not_is_said(self, source):
        with pytest.raises(TapebookError) as caught:
            source.fetch("NO SUCH SYMBOL", freq=self.freq, start=None, end=None)
        assert "NO SUCH SYMBOL" in str(caught.value)

    def test_it_lands_in_the_lake_once(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            first = desk.ingest(source, self.symbol)
            assert [row.outcome for row in first.rows] == ["ok"], first
            again = desk.ingest(source, self.symbol)
            assert [row.outcome for row in again.rows] == ["unchanged"]
            assert again.snapshot == first.snapshot
            stored = desk.bars(self.symbol, adjust=False).close[self.symbol]
        assert stored.tolist() == self.fetch(source).bars["close"].to_list()


FAULTS = {
    "limited": limited("7"),
    "a date to come back": limited("Tue, 14 Nov 2023 22:13:30 GMT"),
    "broken": BROKEN,
    "away": (503, {}, "maintenance"),
    "a web page": WEB_PAGE,
    "a web page called data": HTML_CALLED_JSON,
    "data called a file": called_text,
    "truncated": truncated,
    "truncated, and nobody says so": truncated_unseen,
    "dripping": dripping,
    "dripping headers": dripping_headers,
}
DAYS = [date(2020, 1, day) for day in (6, 7, 8, 9, 10)]
CLOCKS_CHANGE = [date(2020, 3, 6), date(2020, 3, 9), date(2020, 10, 30), date(2020, 11, 2)]
"""Days around the changes of the clocks in New York and London."""


def bars_for(days, **closes):
    """Bars as a vendor has them: (day, close); `d7=None` says that the 7th has none."""
    return [(d, closes.get(f"d{d.day}", d.day + 1.0)) for d in days]


class VendorContract(SourceContract):
    """What every source that asks a vendor must do besides. Give `say` and `connect(url)`.

    `say(path, query, bars)` speaks the vendor's format: it answers the question with daily bars of `symbol`,
    a list of (date, close) in the order sent, cut to the span asked. `changed` are answers that a vendor
    gives who has changed his format.
    """

    kind = "application/json"
    waits = True
    """Whether its client tells the desk of `Retry-After`."""
    changed = ()

    def say(self, path, query, bars):
        raise NotImplementedError

    def answer(self, path, query):
        return self.say(path, query, self.bars)

    def connect(self, url) -> Source:
        raise NotImplementedError

    def make(self, tmp_path):
        self.clock = Clock()
        source = self.connect(self.vendor.url)
        source.attach(outside(tmp_path, self.clock, {"key": "planted-key-0123456789"}))
        return source

    @pytest.fixture(autouse=True)
    def _vendor(self):
        self.bars = bars_for(DAYS)
        with Vendor(lambda path, query: self.answer(path, query), self.kind) as self.vendor:
            yield

    def days(self, source, **span):
        return [ts.date() for ts in self.fetch(source, **span).bars["ts"]]

    def test_it_lands_in_the_lake_once(self, source, tmp_path):
        """And, on the same desk: what goes wrong later neither lands nor takes anything away."""
        with Desk.open(tmp_path / "desk") as desk:

            def ask(**how):
                (row,) = ingest(desk.lake, source, [self.symbol], **how).rows
                return row

            first = ask()
            assert first.outcome == "ok", first
            snapshot = desk.lake.snapshot()
            again = ask()
            assert again.outcome == "unchanged"
            assert again.fetched == 1  # only the last bar is asked for again
            assert desk.lake.snapshot() == snapshot
            stored = desk.bars(self.symbol, adjust=False).close[self.symbol]
            assert stored.tolist() == self.fetch(source).bars["close"].to_list()
            for number, body in enumerate(self.changed):
                self.vendor.answer = lambda path, query, body=body: self.altered(path, query, body)
                row = ask(refresh=True)
                assert row.outcome == "failed", (number, row)
            self.vendor.answer = lambda path, query: self.say(path, query, [])
            assert ask().outcome == "unchanged"  # an empty day
            two = [*bars_for(DAYS), (date(2020, 1, 13), 12.0), (date(2020, 1, 13), 13.0)]
            self.vendor.answer = lambda path, query: self.say(path, query, two)
            row = ask()
            assert row.outcome == "failed"
            assert "two different bars at 2020-01-13" in row.reason
            assert desk.lake.snapshot() == snapshot
            self.bars = bars_for([*DAYS, date(2020, 1, 13), date(2020, 1, 14)], d8=9.25)
            self.vendor.answer = self.answer
            assert ask().added == 2
            assert ask(refresh=True).changed == 1
            assert desk.bars(self.symbol, adjust=False).close[self.symbol].loc["2020-01-08"] == 9.25

    def altered(self, path, query, body):
        """What `changed` says, in place of the answer with bars."""
        told = body(self.answer(path, query)) if callable(body) else body
        return told if isinstance(told, (str, tuple)) else json.dumps(told)

    @pytest.mark.parametrize("fault", FAULTS)
    def test_after_a_fault_everything_is_there(self, source, fault, monkeypatch):
        whole = self.fetch(source).bars
        if "dripping" in fault:
            monkeypatch.setattr(deadline, "LONGEST", 0.25)
        self.vendor.faults += [FAULTS[fault]] * 2
        assert self.fetch(source).bars.equals(whole)
        if fault == "limited" and self.waits:
            assert sum(self.clock.slept) >= 14

    def test_bars_out_of_order_and_sent_twice_are_put_right(self, source):
        whole = self.fetch(source).bars
        self.bars = [self.bars[i] for i in (2, 0, 4, 4, 3, 1, 0)]
        found = self.fetch(source)
        assert found.bars.equals(whole)
        assert not found.problems

    def test_of_two_truths_neither_is_taken_and_the_others_are(self, source):
        self.bars = [*self.bars, (date(2020, 1, 8), 1.5)]
        found = self.fetch(source)
        assert [ts.day for ts in found.bars["ts"]] == [6, 7, 9, 10]
        (problem,) = found.problems
        assert "two different bars at 2020-01-08" in problem.message

    def test_a_day_is_its_exchanges_day_whatever_the_clocks_do(self, source):
        self.bars = bars_for(CLOCKS_CHANGE)
        assert self.days(source) == CLOCKS_CHANGE
        asked = datetime(2020, 3, 9, tzinfo=UTC)
        assert self.days(source, start=asked) == CLOCKS_CHANGE[1:]
        assert self.days(source, end=asked) == CLOCKS_CHANGE[:2]

    def test_an_empty_day_is_no_bar(self, source):
        whole = self.days(source)
        self.bars = bars_for(DAYS, d8=None)
        found = self.fetch(source)
        assert [ts.date() for ts in found.bars["ts"]] == [d for d in whole if d.day != 8]
        assert not found.problems
        self.bars = []
        assert self.days(source, start=datetime(2020, 1, 8, tzinfo=UTC)) == []

    def test_a_vendor_that_stays_broken_is_given_up_and_nothing_lands(self, source, tmp_path):
        self.vendor.faults += [BROKEN] * 200
        with Desk.open(tmp_path / "desk") as desk:
            try:
                done = ingest(desk.lake, source, ["NO SUCH SYMBOL", self.symbol])
            except TapebookError as error:  # a vendor that is first asked for its symbols
                reason = str(error)
            else:
                assert [row.outcome for row in done.rows] == ["failed"] * 2
                reason = done.rows[1].reason
            assert "500" in reason or "oh no" in reason
            assert "planted" not in reason
            self.vendor.faults.clear()
            if not source.listed:  # one that fails keeps no other out
                done = ingest(desk.lake, source, ["NO SUCH SYMBOL", self.symbol])
                assert [row.outcome for row in done.rows] == ["failed", "ok"]
                assert "NO SUCH SYMBOL" in done.rows[0].reason
