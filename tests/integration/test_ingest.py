"""Ingestion: only what is new lands, whole or not at all, and every row's fate is told."""

import csv
from dataclasses import dataclass, field

import polars as pl
import pytest

from tapebook import Desk
from tapebook.data.calendar import expected_bars
from tapebook.errors import BadInput, NoData, UnknownName
from tapebook.integration.sources import Fetched, Instrument, Problem


def series(n=30, start="2020-01-02", close=100.0):
    stamps = expected_bars("XNYS", "1d", start, "2021-12-31")[:n]
    ts = pl.Series(stamps.tz_localize(None).to_numpy("datetime64[us]")).dt.replace_time_zone("UTC")
    prices = [close + i % 7 for i in range(n)]
    return pl.DataFrame(
        {"ts": ts, "open": prices, "high": prices, "low": prices, "close": prices, "volume": [5.0] * n}
    )


@dataclass
class Shelf:
    """A source that has what a test puts on it."""

    holds: dict
    problems: dict = field(default_factory=dict)
    name: str = "shelf"

    def symbols(self, freq):
        return list(self.holds)

    def fetch(self, symbol, *, freq, start, end):
        bars = self.holds[symbol]
        if isinstance(bars, Exception):
            raise bars
        if start is not None:
            bars = bars.filter(pl.col("ts") >= start)
        return Fetched(bars, Instrument(symbol, "XNYS"), None, tuple(self.problems.get(symbol, ())))


@pytest.fixture
def desk(tmp_path):
    with Desk.open(tmp_path) as desk:
        yield desk


def rows(done):
    return {row.symbol: row for row in done.rows}


def test_only_the_gap_is_written(desk):
    desk.ingest(Shelf({"A": series(20)}))
    before = desk.lake.snapshot()
    done = desk.ingest(Shelf({"A": series(30)}))
    assert (rows(done)["A"].added, rows(done)["A"].changed) == (10, 0)
    again = desk.ingest(Shelf({"A": series(30)}))
    assert rows(again)["A"].outcome == "unchanged"
    assert again.snapshot == done.snapshot == before + 1


def test_a_revised_bar_takes_the_old_ones_place(desk):
    desk.ingest(Shelf({"A": series()}))
    before = desk.lake.snapshot()
    revised = series().with_columns(
        close=pl.when(pl.int_range(pl.len()) == 3).then(103.5).otherwise("close"), high=110.0
    )
    done = desk.ingest(Shelf({"A": revised}))
    assert rows(done)["A"].changed == 30
    assert desk.bars("A").close["A"].iloc[3] == 103.5
    assert desk.bars("A", asof=before).close["A"].iloc[3] == 103.0


def test_one_symbol_that_fails_does_not_keep_the_others_out(desk):
    done = desk.ingest(Shelf({"A": series(), "B": BadInput("B is torn"), "C": series().clear()}))
    assert [row.outcome for row in done.rows] == ["ok", "failed", "failed"]
    assert rows(done)["B"].reason == "B is torn"
    assert "no bars in this span" in rows(done)["C"].reason
    assert [row.symbol for row in done.failed] == ["B", "C"]
    assert "B: B is torn" in str(done)
    assert list(desk.symbols()["symbol"]) == ["A"]


def broken(n):
    return [Problem("a.csv", i + 2, "close", "abc", "expected a number", f"line {i}") for i in range(n)]


def test_broken_rows_keep_the_symbol_out_or_are_put_aside(desk, tmp_path):
    shelf = Shelf({"A": series(), "B": series()}, {"A": broken(5)})
    done = desk.ingest(shelf)
    assert rows(done)["A"].outcome == "failed"
    assert "5 broken rows" in rows(done)["A"].reason
    assert "a.csv, line 2, column close: 'abc': expected a number" in rows(done)["A"].reason
    assert "and 2 more" in rows(done)["A"].reason
    assert list(desk.symbols()["symbol"]) == ["B"]
    done = desk.ingest(shelf, quarantine=True)
    row = rows(done)["A"]
    assert (row.outcome, row.fetched, row.added, row.quarantined) == ("ok", 35, 30, 5)
    (file,) = (tmp_path / "data" / "quarantine").iterdir()
    with file.open(newline="") as opened:
        kept = list(csv.DictReader(opened))
    assert [r["line"] for r in kept] == ["2", "3", "4", "5", "6"]
    assert kept[0]["text"] == "line 0"


def test_severe_findings_block_until_forced(desk):
    spoilt = series().with_columns(low=pl.when(pl.int_range(pl.len()) == 4).then(-1.0).otherwise("low"))
    done = desk.ingest(Shelf({"A": spoilt, "B": series()}))
    row = rows(done)["A"]
    assert row.outcome == "blocked"
    assert "2020-01-08 not_positive: low is -1" in row.reason
    assert "--force" in row.reason
    assert list(desk.symbols()["symbol"]) == ["B"]
    done = desk.ingest(Shelf({"A": spoilt}), force=True)
    assert rows(done)["A"].added == 30
    listed = desk.symbols().set_index("symbol")["quality"]
    assert listed["A"] == "severe"
    more = desk.ingest(Shelf({"A": series(40)[30:]}))
    assert rows(more)["A"].outcome == "ok", "old sins do not block new bars"
    assert "not_positive" in set(desk.quality("A")["check_name"])


def test_findings_are_of_the_whole_history(desk):
    desk.ingest(Shelf({"A": series(10)}))
    done = desk.ingest(Shelf({"A": series(30)[15:]}))
    (gap,) = desk.quality("A").to_dict("records")
    assert (gap["check_name"], gap["value"]) == ("gap", 5.0)
    assert rows(done)["A"].findings == 1


def test_a_dry_run_writes_nothing(desk, tmp_path):
    done = desk.ingest(Shelf({"A": series()}), dry_run=True)
    assert (rows(done)["A"].outcome, rows(done)["A"].added) == ("dry run", 30)
    assert done.snapshot is None
    assert not list(tmp_path.iterdir())


def test_a_span_and_some_symbols(desk):
    done = desk.ingest(Shelf({"A": series(), "B": series()}), "B", start="2020-02")
    assert [row.symbol for row in done.rows] == ["B"]
    assert str(rows(done)["B"].first.date()) == "2020-02-03"
    with pytest.raises(UnknownName, match="Did you mean 'BB'"):
        desk.ingest(Shelf({"A": series(), "BB": series()}), "BBB")
    with pytest.raises(NoData, match="nothing to load"):
        desk.ingest(Shelf({}))


def test_many_symbols_are_few_snapshots_and_progress_is_told(desk):
    from tapebook.integration.ingest import ingest

    told = []
    shelf = Shelf({f"S{i:03d}": series() for i in range(120)})
    ingest(desk.lake, shelf, progress=lambda *step: told.append(step))
    assert len(desk.symbols()) == 120
    assert len(desk.lake.snapshots()) <= 3
    assert told[0] == (0, 120, "S000")
    assert told[-1][:2] == (120, 120)
