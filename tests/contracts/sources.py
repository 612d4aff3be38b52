"""What every source of bars must do. An adapter's test subclasses this in a few lines."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tapebook import Desk
from tapebook.errors import TapebookError
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
        assert self.symbol in names
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
