"""What is read from the lake's files as they are is what DuckLake says of every snapshot."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tapebook.config import Config
from tapebook.data import parts, read
from tapebook.data.lake import Lake
from tapebook.schema import Frequency

DAY = Frequency.parse("1d")
START = pd.Timestamp("2020-01-01", tz="UTC")


def rows(symbols, days, scale=1.0, freq="1d", first=0):
    ts = START + pd.to_timedelta(np.arange(first, first + days), "D" if freq == "1d" else "min")
    frames = [
        pd.DataFrame({"symbol": name, "freq": freq, "ts": ts, "close": scale * np.arange(1.0, days + 1)})
        for name in symbols
    ]
    frame = pd.concat(frames)
    return frame.assign(open=np.nan, high=frame["close"], low=frame["close"], volume=1.0)


def paid(symbol, split):
    return pd.DataFrame({"symbol": [symbol], "ts": [START], "split": [split], "dividend": [0.5]})


ASKED = [
    parts.Where(),
    parts.Where(symbols=["B"]),
    parts.Where(symbols=["C", "A"], freq="1d"),
    read.among_rows(["A"], Frequency.parse("1m"), "2020-01-01 00:05", "2020-01-01 00:10"),
    read.among_rows(None, DAY, "2020-01-05", None),
    read.among_rows(["Z"], DAY, None, "2019"),
]


def condition(where):
    told = ["true"]
    told += [f"symbol IN ({', '.join(f'{name!r}' for name in where.symbols)})"] if where.symbols else []
    told += [f"freq = '{where.freq}'"] if where.freq else []
    told += [f"ts >= make_timestamptz({where.first})"] if where.first is not None else []
    told += [f"ts <= make_timestamptz({where.last})"] if where.last is not None else []
    return " AND ".join(told)


def compared(view):
    """Hold every question equal to DuckLake's answer; give the files, None where only DuckLake can tell."""
    if view.parts("bars") is None:
        return None
    for where in ASKED:
        ours = view.plainly("bars", where, lambda found: found)
        theirs = pl.DataFrame(
            view.arrow(
                f"SELECT * FROM {view.table('bars')} WHERE {condition(where)} ORDER BY symbol, freq, ts"
            )
        )
        assert ours is not None
        assert_frame_equal(ours.select(theirs.columns).sort("symbol", "freq", "ts"), theirs)
    for table in ("actions", "instruments", "quality"):
        ours = view.plainly(table, parts.Where(), lambda found: found)
        theirs = pl.DataFrame(view.arrow(f"SELECT * FROM {view.table(table)}"))
        assert_frame_equal(ours.select(theirs.columns), theirs, check_row_order=False)
    return view.parts("bars")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    with Lake.open(Config.load(tmp_path_factory.mktemp("parts"))) as lake:
        yield lake


@pytest.fixture(scope="module")
def snapshots(lake):
    """New bars, revised ones, deleted ones, of two lengths; then the first of it merged."""
    done = [lake.write(rows(["A", "B"], 30), actions=paid("A", 2.0)).snapshot]
    done.append(lake.write(rows(["A", "C"], 40, freq="1m")).snapshot)
    done.append(lake.write(rows(["A"], 5, scale=3.0, first=10), actions=paid("A", 3.0)).snapshot)
    done.append(lake.write(rows(["B", "C"], 10, first=25)).snapshot)
    done.append(lake.delete("B", start="2020-01-03", end="2020-01-06").snapshot)
    done.append(lake.write(rows(["A"], 1, scale=7.0, first=12)).snapshot)
    return done


def test_each_snapshot_is_read_as_ducklake_does(lake, snapshots):
    seen = [read.seeing(lake._store, at, compared) for at in snapshots]
    assert None in seen, "a second deletion in a file is written together with the first"
    assert any(part.gone for part in seen[-1]), "rows were deleted from files"
    lake.compact(keep=snapshots[2:4])
    for at in (*snapshots[2:4], None):
        read.seeing(lake._store, at, compared)
    assert len(read.seeing(lake._store, None, compared)) < len(seen[-1])


def test_files_that_are_known_and_went_away_are_ducklakes_to_explain(lake, snapshots, monkeypatch):
    def lost(view):
        broken = {"bars": (parts.Part("/nowhere/at-all.parquet"),)}
        monkeypatch.setitem(parts._found, view.store, (view.store.connection, view.snapshot, broken))
        return view.plainly("bars", parts.Where(), lambda found: found), parts._found.get(view.store)

    assert read.seeing(lake._store, None, lost) == (None, None)
    assert len(lake.read("A")) == 30


def test_what_stands_in_the_catalogue_itself_is_ducklakes(tmp_path):
    """Another program may keep small writes there: DuckLake's own default."""
    with Lake.open(Config.load(tmp_path)) as lake:
        lake.write(rows(["A", "B"], 20))
        assert read.seeing(lake._store, None, lambda view: view.parts("bars"))
        with lake._store.writing() as work:
            work.cursor.execute("SET ducklake_default_data_inlining_row_limit = 100")
            work.cursor.execute(
                "INSERT INTO lake.bars SELECT * REPLACE ('C' AS symbol) FROM lake.bars LIMIT 3"
            )
            work.cursor.execute("INSERT INTO lake.instruments (symbol) VALUES ('C')")
            work.changed = True
        assert read.seeing(lake._store, None, lambda view: view.parts("bars")) is None
        assert len(lake.read("C")) == 3
        assert lake.bars(["C", "A"], adjust=False).close["C"].count() == 3
