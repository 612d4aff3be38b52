"""What every source of bars must do. An adapter's test subclasses this in a few lines."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from integration.vendors import BROKEN, WEB_PAGE, Clock, Vendor, limited, outside, truncated
from tapebook import Desk
from tapebook.errors import TapebookError
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
    "a web page": WEB_PAGE,
    "truncated": truncated,
}


class VendorContract(SourceContract):
    """What every source that asks a vendor must do besides. Give `answer` and `connect(url, tmp_path)`.

    `answer(path, query)` speaks the vendor's format: daily bars of `symbol`, all in the past.
    """

    kind = "application/json"
    waits = True
    """Whether its client tells the desk of `Retry-After`."""

    def answer(self, path, query):
        raise NotImplementedError

    def connect(self, url) -> Source:
        raise NotImplementedError

    def make(self, tmp_path):
        self.clock = Clock()
        source = self.connect(self.vendor.url)
        source.attach(outside(tmp_path, self.clock, {"key": "planted-key-0123456789"}))
        return source

    @pytest.fixture(autouse=True)
    def _vendor(self):
        with Vendor(lambda path, query: self.answer(path, query), self.kind) as self.vendor:
            yield

    def test_it_lands_in_the_lake_once(self, source, tmp_path):
        with Desk.open(tmp_path / "desk") as desk:
            first = ingest(desk.lake, source, [self.symbol])
            assert [row.outcome for row in first.rows] == ["ok"], first
            again = ingest(desk.lake, source, [self.symbol])
            assert [row.outcome for row in again.rows] == ["unchanged"]
            assert again.rows[0].fetched == 1  # only the last bar is asked for again
            assert again.snapshot == first.snapshot
            stored = desk.bars(self.symbol, adjust=False).close[self.symbol]
        assert stored.tolist() == self.fetch(source).bars["close"].to_list()

    @pytest.mark.parametrize("fault", FAULTS)
    def test_after_a_fault_everything_is_there(self, source, fault):
        whole = self.fetch(source).bars
        self.vendor.faults += [FAULTS[fault]] * 2
        assert self.fetch(source).bars.equals(whole)
        if fault == "limited" and self.waits:
            assert sum(self.clock.slept) >= 14

    def test_a_vendor_that_stays_broken_is_given_up_and_nothing_lands(self, source, tmp_path):
        self.vendor.faults += [BROKEN] * 200
        with Desk.open(tmp_path / "desk") as desk:
            try:
                done = ingest(desk.lake, source, [self.symbol])
            except TapebookError as error:  # a vendor that is first asked for its symbols
                reason = str(error)
            else:
                assert [row.outcome for row in done.rows] == ["failed"]
                reason = done.rows[0].reason
        assert "500" in reason or "oh no" in reason
        assert "planted" not in reason

    def test_one_symbol_that_fails_keeps_no_other_out(self, source, tmp_path):
        if source.listed:
            pytest.skip("a symbol that is not listed is refused before anything is asked")
        with Desk.open(tmp_path / "desk") as desk:
            done = ingest(desk.lake, source, ["NO SUCH SYMBOL", self.symbol])
        assert [row.outcome for row in done.rows] == ["failed", "ok"]
        assert "NO SUCH SYMBOL" in done.rows[0].reason
