"""Files through the desk into the lake: the whole of a symbol, or nothing of it."""

import time

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tapebook import Desk
from tapebook.errors import TapebookError

GOOD = "Date,Open,High,Low,Close,Volume\n2013-01-02,5,6,4,5,100\n2013-01-03,5,6,4,5.5,100\n"


@pytest.fixture
def desk(tmp_path):
    home = tmp_path / "desk"
    home.mkdir()
    (home / "tapebook.toml").touch()
    with Desk.open(home) as opened:
        yield opened


def stored(desk):
    """How many bars the lake has of each symbol."""
    try:
        frame = pl.DataFrame(desk.lake.read())
    except TapebookError:
        return {}
    return dict(frame.group_by("symbol").len().rows())


def test_good_files_land_and_a_broken_one_leaves_nothing(desk, tmp_path):
    prices = tmp_path / "prices"
    prices.mkdir()
    (prices / "AAPL.csv").write_text(GOOD)
    (prices / "BAD.csv").write_text(GOOD + "2013-01-04,5,6,4,oops,100\n")
    (prices / "WORSE.csv").write_bytes(b"\x00\x01" * 99)
    told = desk.ingest("files", path=str(prices))
    assert {row.symbol: row.outcome for row in told.rows} == {
        "AAPL": "ok",
        "BAD": "failed",
        "WORSE": "failed",
    }
    assert stored(desk) == {"AAPL": 2}
    reasons = {row.symbol: row.reason for row in told.rows}
    assert "BAD.csv, line 4, column Close: 'oops': is not a number" in reasons["BAD"]
    assert "WORSE.csv: is binary data" in reasons["WORSE"]


def test_with_quarantine_the_good_rows_land(desk, tmp_path):
    (tmp_path / "BAD.csv").write_text(GOOD + "2013-01-04,5,6,4,oops,100\n")
    (row,) = desk.ingest("files", path=str(tmp_path / "BAD.csv"), quarantine=True).rows
    assert (row.outcome, row.added, row.quarantined) == ("ok", 2, 1)
    assert stored(desk) == {"BAD": 2}


def test_loading_again_changes_nothing(desk, tmp_path):
    (tmp_path / "AAPL.csv").write_text(GOOD)
    desk.ingest("files", path=str(tmp_path / "AAPL.csv"))
    (row,) = desk.ingest("files", path=str(tmp_path / "AAPL.csv")).rows
    assert (row.outcome, row.added, row.changed) == ("unchanged", 0, 0)


CELL = st.sampled_from(["2013-01-02", "2013-01-03", "2013-01-04", "5", "6", "1,5", "x", "", "inf", '"', "-1"])


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_symbol_lands_whole_or_not_at_all(desk, tmp_path, rows):
    before = stored(desk)
    name = f"S{time.monotonic_ns()}"
    file = tmp_path / f"{name}.csv"
    file.write_text("Date,Open,Close\n" + "\n".join(",".join(row) for row in rows))
    (row,) = desk.ingest("files", path=str(file)).rows
    landed = stored(desk).get(name, 0)
    assert landed == (row.added if row.outcome == "ok" else 0)
    assert {key: count for key, count in stored(desk).items() if key != name} == before


@pytest.mark.slow
def test_a_thousand_files_land_in_seconds(desk, tmp_path):
    prices = tmp_path / "prices"
    prices.mkdir()
    days = pl.date_range(pl.date(2012, 1, 2), pl.date(2012, 12, 31), interval="1d", eager=True)[:250]
    frame = pl.DataFrame({"Date": days}).with_columns(
        **dict.fromkeys(("Open", "High", "Low", "Close"), pl.lit(5.25)), Volume=pl.lit(100)
    )
    for number in range(1000):
        frame.write_csv(prices / f"S{number:04d}.csv")
    began = time.process_time()
    told = desk.ingest("files", path=str(prices))
    took = time.process_time() - began
    assert sum(row.added for row in told.rows) == 250_000
    assert took < 30, f"{took:.1f} s of processor time"
