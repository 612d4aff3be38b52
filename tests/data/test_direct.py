"""What is read without DuckDB is what DuckDB says; what cannot be is left to it."""

import numpy as np
import pandas as pd
import pytest

from tapebook import Desk
from tapebook.data import direct
from tapebook.data.lake import Lake
from tapebook.schema import Frequency

DAY = Frequency.parse("1d")


def rows(days, symbols, scale=1.0, split=None):
    ts = pd.date_range("2020-01-01", periods=days, tz="UTC")
    frame = pd.concat(
        [
            pd.DataFrame({"symbol": name, "freq": "1d", "ts": ts, "close": scale * np.arange(1.0, days + 1)})
            for name in symbols
        ]
    )
    return frame.assign(open=frame["close"], high=frame["close"], low=frame["close"], volume=1.0)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    home = tmp_path_factory.mktemp("direct")
    with Desk.open(home) as desk:
        desk.ingest("sample")
        return desk.config


@pytest.fixture
def fresh(monkeypatch):
    """As a process that has not opened DuckDB."""
    monkeypatch.setattr(direct, "opened", set())


def both(config, symbols, *, start=None, end=None, adjust="splits", asof=None):
    """DuckDB's answer and the one without it."""
    direct.opened.clear()
    ours = direct.bars(config, asof, symbols, DAY, start, end, adjust)
    with Lake.open(config) as lake:
        lake.snapshot()
        theirs = lake.bars(symbols, start=start, end=end, adjust=adjust, asof=asof)
    return ours, theirs


@pytest.mark.parametrize("adjust", ["splits", False])
@pytest.mark.parametrize(
    ("symbols", "start", "end"),
    [(["AAPL"], None, None), (["MSFT", "AAPL"], "2005", "2005-06"), (["FB"], "2013-01-02 00:00", None)],
)
def test_bars_are_duckdbs(config, fresh, symbols, start, end, adjust):
    ours, theirs = both(config, symbols, start=start, end=end, adjust=adjust)
    assert ours is not None
    assert ours.fingerprint() == theirs.fingerprint()
    assert (ours.snapshot, ours.calendars, ours.adjust) == (theirs.snapshot, theirs.calendars, theirs.adjust)
    pd.testing.assert_index_equal(ours.index, theirs.index)
    for name, values in theirs.values.items():
        np.testing.assert_array_equal(ours.values[name], values)


@pytest.mark.parametrize("symbols", [None, ["AAPL"], ["MSFT", "IBM"]])
def test_findings_are_duckdbs(config, fresh, symbols):
    ours = direct.quality(config, None, symbols)
    direct.opened.add(direct.os.getpid())
    with Lake.open(config) as lake:
        theirs = lake.quality(symbols)
    assert ours is not None
    assert len(ours) or symbols
    order = ["symbol", "freq", "ts", "check_name", "detail"]
    pd.testing.assert_frame_equal(
        ours.sort_values(order, ignore_index=True), theirs.sort_values(order, ignore_index=True)
    )


def test_what_it_cannot_answer_is_left_to_duckdb(config, fresh):
    assert direct.bars(config, None, ["AAPL"], DAY, None, None, "splits") is not None
    assert direct.bars(config, None, ["AAPL"], DAY, None, None, "total") is None
    assert direct.bars(config, None, ["APPL"], DAY, None, None, "splits") is None
    assert direct.bars(config, None, ["AAPL"], DAY, "2030", None, "splits") is None
    assert direct.bars(config, 99, ["AAPL"], DAY, None, None, "splits") is None
    assert direct.bars(config, "2030", ["AAPL"], DAY, None, None, "splits") is None
    assert direct.bars(config, None, None, DAY, None, None, "splits") is None
    with Lake.open(config) as lake:
        lake.snapshot()  # DuckDB's own SQLite has the catalogue open now
    assert direct.bars(config, None, ["AAPL"], DAY, None, None, "splits") is None


def test_each_snapshot_is_read_as_it_was(tmp_path, fresh):
    with Desk.open(tmp_path) as desk:
        lake, config = desk.lake, desk.config
        first = lake.write(rows(30, ["A", "B"])).snapshot
        second = lake.write(rows(40, ["A", "B"])).snapshot  # ten more days, nothing deleted
        third = lake.write(rows(40, ["A"], scale=2.0)).snapshot  # revised: rows are deleted from files
        fourth = lake.write(rows(40, ["C"])).snapshot
    for snapshot, days in ((first, 30), (second, 40)):
        ours, theirs = both(config, ["B", "A"], asof=snapshot)
        assert len(ours) == days
        assert ours.fingerprint() == theirs.fingerprint()
    for snapshot in (third, fourth, None):
        ours, theirs = both(config, ["A"], asof=snapshot)
        assert ours is None
        assert theirs.close["A"].iloc[0] == 2.0
    with Lake.open(config) as lake:
        lake.compact(keep=[second])
    for snapshot in (first, second, None):
        direct.opened.clear()
        ours = direct.bars(config, snapshot, ["A"], DAY, None, None, "splits")
        if ours is not None:
            with Lake.open(config) as lake:
                lake.snapshot()
                assert lake.bars(["A"], asof=snapshot).fingerprint() == ours.fingerprint()
    assert direct.bars(config, first, ["A"], DAY, None, None, "splits") is None  # it was dropped
