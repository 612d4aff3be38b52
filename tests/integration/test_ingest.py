"""Ingestion: only what is new lands, whole or not at all, and every row's fate is told."""

import csv
from dataclasses import dataclass, field

import polars as pl
import pytest

from tapebook import Desk
from tapebook.data.calendar import expected_bars
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName
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
    actions: pl.DataFrame | None = None
    calendar: str = "XNYS"
    name: str = "shelf"

    def symbols(self, freq):
        return list(self.holds)

    def fetch(self, symbol, *, freq, start, end):
        bars = self.holds[symbol]
        if isinstance(bars, Exception):
            raise bars
        if start is not None:
            bars = bars.filter(pl.col("ts") >= start)
        return Fetched(
            bars, Instrument(symbol, self.calendar), self.actions, tuple(self.problems.get(symbol, ()))
        )


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


def at(row, **values):
    """The series with other values in one row."""
    there = pl.int_range(pl.len()) == row
    return series().with_columns(
        pl.when(there).then(pl.lit(v)).otherwise(n).alias(n) for n, v in values.items()
    )


WRONG = {
    "an error of its own": (ValueError("boom"), "the source shelf failed: ValueError: boom"),
    "no file": (FileNotFoundError("gone"), "cannot be read: gone"),
    "a column missing": (series().drop("open"), "the source gave bars without open: expected the columns"),
    "no stamp": (at(3, ts=None), "bars.ts is missing in row"),
    "infinite": (at(3, close=float("inf")), "bars.close is inf in row 3: expected a finite number"),
    "a time of day": (series().with_columns(pl.col("ts").dt.offset_by("5h")), "05:00"),
    "text": (series().with_columns(close=pl.lit("abc")), "the source shelf failed: InvalidOperationError"),
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_with_one_symbol_is_its_own_affair(desk, name):
    wrong, reason = WRONG[name]
    done = desk.ingest(Shelf({"A": series(), "B": wrong, "C": series()}))
    assert [row.outcome for row in done.rows] == ["ok", "failed", "ok"]
    assert reason in rows(done)["B"].reason
    assert list(desk.symbols()["symbol"]) == ["A", "C"]


def test_a_calendar_that_is_none_is_said(desk):
    (row,) = desk.ingest(Shelf({"A": series()}, calendar="XNYSE")).rows
    assert row.outcome == "failed"
    assert "no calendar named 'XNYSE'. Did you mean 'XNYS'?" in row.reason


def test_ctrl_c_is_not_swallowed(desk):
    with pytest.raises(KeyboardInterrupt):
        desk.ingest(Shelf({"A": series(), "B": _Stop()}))


class _Stop:
    def filter(self, *_):
        raise KeyboardInterrupt

    def __len__(self):
        raise KeyboardInterrupt


def test_actions_alone_are_news(desk):
    desk.ingest(Shelf({"A": series()}))
    paid = pl.DataFrame({"ts": [series()["ts"][5]], "split": [None], "dividend": [1.0]})
    shelf = Shelf({"A": series()}, actions=paid)
    (row,) = desk.ingest(shelf, dry_run=True).rows
    assert (row.outcome, row.reason) == (
        "dry run",
        "the bars were there; 1 of its splits and dividends are new",
    )
    first = desk.ingest(shelf)
    assert (first.rows[0].outcome, first.rows[0].added) == ("ok", 0)
    again = desk.ingest(shelf)
    assert (again.rows[0].outcome, again.snapshot) == ("unchanged", first.snapshot)


def test_a_part_is_judged_with_the_splits_on_record(desk):
    """A span or a source without the old splits must not call them unrecorded."""
    desk.ingest("sample", "AAPL")
    whole = desk.quality("AAPL")
    done = desk.ingest("sample", "AAPL", start="2010")
    assert (done.rows[0].outcome, done.rows[0].findings) == ("unchanged", len(whole))
    assert desk.quality("AAPL").equals(whole)


def test_an_end_before_the_start_is_said(desk):
    with pytest.raises(BadParameter, match="expected a time after the start 2010"):
        desk.ingest("sample", "AAPL", start="2010", end="2005")


class TornLake:
    """A lake on which the second write fails."""

    def __init__(self, lake):
        self.lake, self.writes = lake, 0

    def __getattr__(self, name):
        return getattr(self.lake, name)

    def write(self, *args, **options):
        self.writes += 1
        if self.writes == 2:
            raise OSError("no space left")
        return self.lake.write(*args, **options)


def test_a_batch_that_fails_leaves_whole_symbols_and_their_broken_rows_aside(desk, tmp_path, monkeypatch):
    from tapebook.integration import ingest as module

    monkeypatch.setattr(module, "BATCH", 50)
    shelf = Shelf({"A": series(), "B": series()}, {"A": broken(2), "B": broken(3)})
    with pytest.raises(OSError, match="no space left"):
        module.ingest(TornLake(desk.lake), shelf, quarantine=tmp_path / "aside")
    assert list(desk.symbols()["symbol"]) == ["A"]
    (file,) = (tmp_path / "aside").iterdir()
    assert file.suffix == ".csv"
    with file.open(newline="") as opened:
        assert [row["symbol"] for row in csv.DictReader(opened)] == ["A", "A"], "B is as before, whole"


def test_a_blocked_symbol_has_nothing_put_aside(desk, tmp_path):
    shelf = Shelf({"A": at(4, low=-1.0)}, {"A": broken(2)})
    (row,) = desk.ingest(shelf, quarantine=True).rows
    assert (row.outcome, row.fetched, row.quarantined) == ("blocked", 32, 0)
    assert not (tmp_path / "data" / "quarantine").exists()


def test_only_broken_rows_are_put_aside_and_quoted(desk, tmp_path):
    (row,) = desk.ingest(Shelf({"A": series().clear()}, {"A": broken(2)}), quarantine=True).rows
    assert (row.outcome, row.fetched, row.quarantined) == ("failed", 2, 2)
    assert row.reason.startswith("the source has only broken rows: a.csv, line 2, column close")
    assert len(list((tmp_path / "data" / "quarantine").iterdir())) == 1


def test_a_stamp_twice_is_severe_only_when_the_bars_differ(desk):
    alike, other = series()[5:6], at(5, close=101.0)[5:6]
    done = desk.ingest(Shelf({"A": pl.concat([series(), alike]), "B": pl.concat([series(), other])}))
    assert [(row.outcome, row.fetched, row.added) for row in done.rows] == [
        ("ok", 31, 30),
        ("blocked", 31, 0),
    ]
    done = desk.ingest(Shelf({"B": pl.concat([series(), other])}), force=True)
    assert done.rows[0].added == 30
    assert desk.bars("B").close["B"].iloc[5] == 101.0, "the last one counts"


def test_the_table_is_aligned_and_reasons_stand_below(desk):
    shelf = Shelf({"A": series(), "A_VERY_LONG_NAME": series(), "B": BadInput("B is torn")}, {"A": broken(1)})
    lines = str(desk.ingest(shelf, quarantine=True)).splitlines()
    head, *told = lines[:4]
    assert head.split() == [
        "symbol", "freq", "outcome", "fetched", "added", "changed", "quarantined", "findings", "span",
    ]  # fmt: skip
    assert {line.index("1d") for line in told} == {head.index("freq")}
    assert {line.index("2020-01-02 to") for line in told[:2]} == {head.index("span")}
    assert lines[4:] == ["B: B is torn"]
    assert "quarantined" not in str(desk.ingest(Shelf({"A": series()})))
