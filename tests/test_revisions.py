"""What a vendor revises is told; the stored results that it touches are stale until made again."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from tapebook import Desk
from tapebook.cli import main
from tapebook.integration.sources import Fetched, get


class Revising:
    """The sample, as a vendor who changes his mind: `changes` are factors of closes by date."""

    name = "sample"

    def __init__(self, changes):
        self.changes, self.sample = changes, get("sample")

    def symbols(self, freq):
        return self.sample.symbols(freq)

    def fetch(self, symbol, **asked):
        found = self.sample.fetch(symbol, **asked)
        factor = pl.lit(1.0)
        for day, by in self.changes.items():
            factor = pl.when(pl.col("ts").dt.date().cast(pl.String) == day).then(by).otherwise(factor)
        return Fetched(found.bars.with_columns(pl.col("close") * factor), found.instrument, found.actions)


@pytest.fixture
def desk(tmp_path):
    with Desk.open(tmp_path) as desk:
        desk.ingest("sample", "AAPL,IBM")
        yield desk


def test_a_revision_marks_what_it_touches_and_what_is_stale_is_made_again(desk):
    early = desk.backtest("momentum", desk.bars("IBM", end="2004"))
    late = desk.backtest("sma_cross", desk.bars("IBM", start="2005"), fast=10, slow=50)
    other = desk.backtest("sma_cross", desk.bars("AAPL"), fast=10, slow=50)
    assert desk.revisions().empty
    assert set(desk.results()["stale"]) == {""}
    before = desk.lake.snapshot()
    done = desk.ingest(Revising({"2006-03-01": 1.001, "2006-03-02": 0.999}), "IBM")
    assert done.rows[0].changed == 2
    (row,) = desk.revisions("IBM").to_dict("records")
    assert (row["symbol"], row["freq"], row["changed"], row["removed"]) == ("IBM", "1d", 2, 0)
    assert row["snapshot"] > before
    assert row["largest"] == pytest.approx(0.001)
    assert row["first"][:10] == "2006-03-01"
    assert row["last"][:10] == "2006-03-02"
    stale = desk.results().set_index("id")["stale"]
    assert stale[early.id] == stale[other.id] == ""
    assert stale[late.id] == f"2 bars of IBM revised by snapshot {row['snapshot']}"
    earlier = desk.bars("IBM", asof=before).close["IBM"].loc["2006-03-01"]
    assert desk.bars("IBM").close["IBM"].loc["2006-03-01"] == pytest.approx(earlier * 1.001)
    (old,) = [row for row in desk.results().to_dict("records") if row["stale"]]
    done = CliRunner().invoke(main, ["--home", str(desk.config.home), "results", "rerun", "--stale"])
    assert done.exit_code == 0, done.output
    rows = json.loads(
        CliRunner().invoke(main, ["--home", str(desk.config.home), "results", "list", "--json"]).output
    )
    new = rows[0]
    assert new["note"] == f"again: {old['id']}"
    assert new["stale"] == ""
    assert (new["params"], new["start"], new["symbols"]) == (old["params"], rows[-2]["start"], old["symbols"])
    assert new["snapshot"] > old["snapshot"]


def test_deleted_bars_are_told_too_and_nothing_is_told_twice(desk):
    desk.ingest(Revising({"2007-03-01": 1.01}), "IBM")
    known = len(desk.revisions())
    desk.delete("AAPL", start="2010-01-04", end="2010-01-08")
    desk.ingest("sample", "IBM")  # back to what it was: a revision again
    first = desk.revisions()
    assert len(first) == known + 2
    assert first.iloc[1]["removed"] == 5
    assert desk.revisions().equals(first)


def test_bars_that_come_late_make_stale_what_read_the_gap(tmp_path):
    """Backfilled, and filled in: told of what read that time; bars that are new for all are no revision."""
    with Desk.open(tmp_path) as desk:

        def load(symbol, start=None, end=None):
            return desk.ingest("sample", symbol, start=start, end=end)

        load("IBM", "2005-01-01", "2006-12-31")
        load("IBM", "2008-01-01", "2009-12-31")
        load("AAPL", "2005-01-01", "2009-06-30")
        assert desk.revisions().empty  # a new symbol, and bars behind the others, are news
        bars = desk.bars("AAPL,IBM")
        both = desk.backtest("momentum", bars)  # reads all of it
        gone = desk.backtest("momentum", desk.bars("AAPL,IBM", end="2006-06"))
        later = desk.backtest("momentum", desk.bars("IBM", start="2008"))
        scan = desk.trends(desk.bars("IBM", start="2005", end="2008-06"))
        load("AAPL", "2009-07-01", "2009-12-31")  # IBM had these days: `both` read none of AAPL
        load("IBM", "2007-01-01", "2007-12-31")
        load("IBM", "2002-01-01", "2004-12-31")
        load("IBM", "2010-01-01", "2010-12-31")  # the next days: no revision
        told = desk.revisions().query("added > 0")
        assert told[["symbol", "added", "changed"]].to_numpy().tolist() == [
            ["IBM", 756, 0],
            ["IBM", 251, 0],
            ["AAPL", 128, 0],
        ]
        stale = desk.results().set_index("id")["stale"]
        number = told["snapshot"].iloc[1]
        assert "379 late bars of AAPL, IBM" in stale[both.id]
        assert stale[both.id].endswith(f" by snapshot {number}")
        assert stale[gone.id] == stale[later.id] == ""
        (row,) = desk.scans().to_dict("records")
        assert row["id"] == scan.id
        assert "251 late bars of IBM" in row["stale"]
