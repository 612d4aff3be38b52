"""What every lake must do, whatever its catalogue is kept in: subclass and give `config`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from pyarrow.fs import FileSelector, copy_files

from tapebook.data import s3
from tapebook.data.lake import Lake
from tapebook.errors import BadInput, BadParameter, NoData, TapebookError, UnknownName

DAYS = pd.date_range("2020-01-01", periods=10, tz="UTC")


def rows(symbol="A", days=DAYS, freq="1d", price=100.0):
    """Bars whose close rises by one a day from `price`."""
    close = price + np.arange(len(days))
    prices = {"open": close - 0.5, "high": close + 1, "low": close - 1, "close": close, "volume": 10.0}
    return pd.DataFrame({"symbol": symbol, "freq": freq, "ts": days, **prices})


def action(symbol="A", day=DAYS[5], split=None, dividend=None):
    given = {"symbol": [symbol], "ts": [day], "split": [split], "dividend": [dividend]}
    return pd.DataFrame(given).astype({"split": float, "dividend": float})


def finding(symbol="A", severity="warning", freq="1d", check="gap"):
    told = {"symbol": symbol, "freq": freq, "check_name": check, "severity": severity, "ts": DAYS[2]}
    return pd.DataFrame([{**told, "value": 1.0, "detail": "told"}])


def instrument(symbol="A", calendar="XNYS"):
    rest = {"currency": "USD", "name": "Company", "source": "test", "asset": "stock"}
    return pd.DataFrame([{"symbol": symbol, "calendar": calendar, **rest}])


def stored(config):
    """Every file below the lake's root, folder or bucket."""
    filesystem, path = s3.files(config.lake)
    found = filesystem.get_file_info(FileSelector(path, allow_not_found=True, recursive=True))
    return [file for file in found if file.is_file]


BAD_FRAMES = [
    (rows().drop(columns="open"), "bars lacks open: expected exactly the columns symbol, freq"),
    (rows().assign(bid=1.0), "bars has the unknown bid"),
    (rows().assign(close="x"), "bars.close holds .*expected double"),
    (rows().assign(close=np.inf), "bars.close is inf in row 0"),
    (rows().assign(symbol=None), "bars.symbol is missing in row 0"),
    (pd.concat([rows(), rows()[4:5]]), "bars has A 1d 2020-01-05 .* 2 times"),
    (rows(days=DAYS.tz_localize(None)), "bars.ts has no time zone: expected UTC"),
    (rows(days=DAYS + pd.Timedelta("9h")), "expected the session's date at 00:00 UTC"),
    ([1, 2], "got a list: expected a pandas, polars or pyarrow table"),
]

SPOKEN = """
WITH a AS (FROM bars), b AS (FROM a JOIN instruments USING (symbol)) SELECT count(*) FROM b
SELECT * FROM bars ASOF JOIN actions ON bars.symbol = actions.symbol AND bars.ts >= actions.ts
SELECT * FROM bars QUALIFY row_number() OVER (PARTITION BY symbol ORDER BY ts DESC) = 1
PIVOT bars ON symbol IN ('A') USING first(close) GROUP BY ts
DESCRIBE bars
SUMMARIZE SELECT * FROM quality
SELECT * FROM (VALUES (1)) v(x), range(3) r, unnest([1, 2])
SELECT close FROM Bars WHERE ts > (SELECT min(ts) FROM adjusted) UNION ALL SELECT 1
WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT * FROM n
"""

WRITING = """
INSERT INTO bars SELECT * FROM bars
DELETE FROM bars
UPDATE bars SET close = 1
DROP TABLE bars
CREATE TABLE x AS FROM bars
COPY bars TO 'x.parquet'
ATTACH 'x.db'
CALL ducklake_snapshots('lake')
SET threads = 1
PRAGMA database_list
EXPLAIN SELECT 1
INSTALL httpfs
EXPORT DATABASE 'x'
"""

MISTAKES = [
    ("SELCT 1", "the query does not work: syntax error at or near"),
    ("SELECT nix FROM bars", '"nix" not found'),
    ("FROM nix", "no table nix: there are bars, adjusted, actions, instruments, quality"),
    ("SELECT 1; SELECT 2", "got 2 statements: expected one SELECT"),
    ("", "got 0 statements"),
    ("FROM '/etc/passwd'", "no table /etc/passwd"),
    ("FROM 'x.parquet'", "no table x.parquet"),
    ('WITH "x.csv" AS (SELECT 1) FROM "x.csv"', "no table x.csv"),
    ("FROM read_csv('/etc/passwd')", r"read_csv\(…\) is not offered"),
    ("SELECT (SELECT count(*) FROM read_text('/etc/passwd'))", r"read_text\(…\) is not offered"),
    ("SELECT * FROM bars WHERE symbol IN (FROM glob('/*'))", r"glob\(…\) is not offered"),
    ("FROM sqlite_scan('desk.sqlite', 'runs')", "is not offered"),
    ("FROM ducklake_expire_snapshots('lake')", "is not offered"),
    ("FROM query('SELECT 1')", "is not offered"),
    ("FROM lake.main.bars", "no table lake.main.bars"),
    ("FROM __ducklake_metadata_lake.ducklake_snapshot", "no table __ducklake_metadata_lake"),
    ("FROM information_schema.tables", "no table information_schema.tables"),
    ("PIVOT bars ON symbol USING first(close)", "has to list its columns"),
    ("SELECT ? AS x", "the query does not work"),
]


class LakeContract:
    """Subclasses have a fixture `config`: settings of a lake that does not exist yet."""

    @pytest.fixture
    def lake(self, config):
        with Lake.open(config) as lake:
            yield lake

    # ---- an empty lake

    def test_empty_lake_answers_with_empty_frames_and_creates_nothing(self, lake, config):
        spans = ["symbol", "freq", "calendar", "first", "last", "bars", "quality"]
        assert list(lake.listing().columns) == spans
        assert list(lake.snapshots().columns) == ["id", "time", "note", "changes"]
        assert list(lake.quality().columns)[2:4] == ["check_name", "severity"]
        assert lake.sql("SELECT * FROM adjusted").empty
        assert lake.read().num_rows == 0
        assert lake.last(["A"], "1d") == {}
        assert str(lake.compact()).startswith("0 files")
        assert stored(config) == []

    def test_empty_lake_frames_have_the_columns_and_types_of_full_ones(self, lake):
        frames = [lambda: lake.listing(), lambda: lake.snapshots(), lambda: lake.quality()]
        empty = [make().dtypes.to_dict() for make in frames]
        lake.write(rows(), quality=finding())
        assert empty == [make().dtypes.to_dict() for make in frames]

    def test_empty_lake_says_what_to_do(self, lake):
        with pytest.raises(UnknownName, match=r"no symbol named 'A'.*tapebook ingest"):
            lake.bars(["A"])
        for ask in (lake.bars, lake.snapshot, lambda: lake.listing(asof=3)):
            with pytest.raises(NoData, match="the lake is empty.*tapebook ingest sample"):
                ask()
        with pytest.raises(UnknownName, match="no symbol named 'A'"):
            lake.delete("A")

    # ---- writing

    def test_write_then_read_from_pandas_polars_and_arrow(self, lake):
        frame = rows()
        for symbol, convert in {
            "A": lambda f: f,
            "B": pl.from_pandas,
            "C": lambda f: pl.from_pandas(f).to_arrow(),
        }.items():
            written = lake.write(convert(frame.assign(symbol=symbol)), note="first")
            assert (written.added, written.changed, written.symbols) == (10, 0, (symbol,))
        for symbol in "ABC":
            back = lake.read([symbol]).to_pandas()
            pd.testing.assert_frame_equal(
                back, frame.assign(symbol=symbol).drop(columns="freq"), check_dtype=False
            )

    def test_missing_values_stay_missing(self, lake):
        lake.write(rows().assign(volume=np.nan))
        assert lake.read().column("volume").null_count == 10
        assert lake.bars("A").volume.isna().all(axis=None)

    def test_same_bars_again_make_no_snapshot(self, lake):
        first = lake.write(rows(), actions=action(split=2), quality=finding(), instruments=instrument())
        again = lake.write(rows(), actions=action(split=2), quality=finding(), instruments=instrument())
        assert again.snapshot == first.snapshot == lake.snapshot()
        assert (again.added, again.changed, again.unchanged) == (0, 0, 10)
        assert str(again) == f"nothing changed (10 as before) in snapshot {first.snapshot}"

    def test_a_known_key_is_replaced(self, lake):
        first = lake.write(rows())
        revised = rows().iloc[[3]].assign(close=999.0)
        written = lake.write(pd.concat([revised, rows(days=DAYS[-1:] + pd.Timedelta("1D"))]))
        assert (written.added, written.changed, written.unchanged) == (1, 1, 0)
        assert lake.bars("A").close["A"].iloc[3] == 999
        assert lake.bars("A", asof=first.snapshot).close["A"].iloc[3] == 103
        assert len(lake.bars("A")) == 11

    def test_actions_and_findings_alone(self, lake):
        lake.write(rows())
        lake.write(rows()[:0], actions=action(split=2))
        lake.write(actions=action(day=DAYS[6], dividend=1), quality=finding())
        assert lake.sql("SELECT count(*) AS n FROM actions").n[0] == 2
        assert lake.listing().quality.tolist() == ["warning"]

    def test_findings_replace_those_of_the_bars_judged(self, lake):
        lake.write(rows("A"), quality=finding("A", "severe"))
        lake.write(
            rows("B"), quality=pd.concat([finding("B", "info"), finding("B", "warning", check="stale")])
        )
        assert lake.listing().quality.tolist() == ["severe", "warning"]
        lake.write(rows("A"), quality=finding("A")[:0])
        assert lake.listing().quality.tolist() == ["", "warning"]
        assert lake.quality(["B"]).check_name.tolist() == ["gap", "stale"]
        assert lake.quality(["A"]).empty

    def test_instruments_give_the_calendar(self, lake):
        lake.write(pd.concat([rows("A"), rows("B")]), instruments=instrument("A"))
        assert lake.bars(["B", "A"]).calendars == {"B": "24/7", "A": "XNYS"}
        assert lake.listing().calendar.tolist() == ["XNYS", "24/7"]

    def test_a_bad_frame_is_refused_whole(self, lake):
        lake.write(rows("Z"))
        for frame, told in BAD_FRAMES:
            with pytest.raises(BadInput, match=told):
                lake.write(frame)
        assert lake.listing().symbol.tolist() == ["Z"]

    def test_a_bad_part_keeps_the_rest_out(self, lake):
        lake.write(rows("Z"))
        with pytest.raises(BadInput, match="actions.split is -2.0 for A on 2020-01-06"):
            lake.write(rows("A"), actions=action(split=-2))
        with pytest.raises(BadParameter, match="freq"):
            lake.write(rows("A", freq="2 fortnights"))
        assert lake.listing().symbol.tolist() == ["Z"]

    def test_an_error_in_the_middle_undoes_all(self, lake, monkeypatch):
        import tapebook.data.write as write

        before = lake.write(rows("A")).snapshot
        monkeypatch.setattr(write, "_replace_quality", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            lake.write(rows("B"), actions=action("B", split=2), quality=finding("B"))
        monkeypatch.undo()
        assert lake.snapshot() == before
        assert lake.listing().symbol.tolist() == ["A"]
        assert lake.write(rows("B")).added == 10

    def test_read_only_lake_refuses_to_write(self, lake, config):
        with Lake.open(config, read_only=True) as reader:
            assert reader.listing().empty
            lake.write(rows())
            for act in (lambda: reader.write(rows()), reader.compact, lambda: reader.delete("A")):
                with pytest.raises(TapebookError, match="opened read-only"):
                    act()
            assert len(reader.bars("A")) == 10

    # ---- reading

    def test_bars_keep_the_order_asked_and_their_snapshot(self, lake):
        lake.write(pd.concat([rows("A"), rows("B", DAYS[3:]), rows("C")]))
        bars = lake.bars(["C", "A", "B"], adjust=False)
        assert list(bars.close.columns) == ["C", "A", "B"]
        assert bars.close["B"].isna().sum() == 3
        assert bars.snapshot == lake.snapshot()
        assert lake.bars().symbols == ("A", "B", "C")
        assert lake.bars("B").shape == (7, 1)
        assert not bars.values["close"].flags.writeable

    def test_span_and_length(self, lake):
        hours = pd.date_range("2020-01-01", periods=48, freq="h", tz="UTC")
        lake.write(pd.concat([rows(), rows(freq="hourly", days=hours)]))
        assert len(lake.bars("A", start="2020-01-03", end="2020-01-05")) == 3
        assert len(lake.bars("A", freq="1h", end="2020-01-01")) == 24
        assert lake.read("A", freq="60min").num_rows == 48
        assert lake.last(["A", "Z"], "1h") == {"A": datetime(2020, 1, 2, 23, tzinfo=UTC)}
        assert lake.listing()[["freq", "bars"]].to_numpy().tolist() == [["1d", 10], ["1h", 48]]

    def test_what_cannot_be_answered_says_what_there_is(self, lake):
        lake.write(rows("AAPL"))
        with pytest.raises(UnknownName, match="no symbol named 'APL'. Did you mean 'AAPL'"):
            lake.bars(["AAPL", "APL"])
        with pytest.raises(UnknownName, match="no symbol named 'X'"):
            lake.read("X")
        with pytest.raises(UnknownName, match="no symbol named 'X'"):
            lake.quality("X")
        with pytest.raises(
            NoData, match="no bars of AAPL of length 1d from 2031 to the last. There are: 10 of 1d"
        ):
            lake.bars("AAPL", start="2031")
        with pytest.raises(
            NoData, match=r"no bars of AAPL of length 1h\. There are: 10 of 1d from 2020-01-01 to"
        ):
            lake.bars("AAPL", freq="1h")
        with pytest.raises(BadParameter, match="'symbols' is 'AAPL, AAPL': expected each symbol once"):
            lake.bars(["AAPL", "AAPL"])
        with pytest.raises(BadParameter, match="'adjust' is 'all'"):
            lake.bars("AAPL", adjust="all")

    def test_many_symbols_or_few_of_them(self, lake):
        names = [f"S{number:04}" for number in range(1200)]
        lake.write(pd.concat([rows(name, DAYS[:2]) for name in names]))
        few, most = names[5:9], names[:1100][::-1]
        assert lake.bars(few).symbols == tuple(few)
        assert lake.bars(most).symbols == tuple(most)
        assert lake.read(most).num_rows == 2200
        assert lake.write(pd.concat([rows(name, DAYS[:2]) for name in names])).unchanged == 2400

    # ---- snapshots

    def test_snapshots_are_listed_and_found_by_number_and_time(self, lake):
        first = lake.write(rows("A"), note="one").snapshot
        second = lake.write(rows("B"), note="two").snapshot
        listed = lake.snapshots()
        assert listed.id.tolist() == [first, second]
        assert listed.note.tolist() == ["one", "two"]
        assert listed.changes[0] == "bars: rows added; instruments: rows added"
        between = listed.time[0] + (listed.time[1] - listed.time[0]) / 2
        for asof in (
            first,
            str(first),
            between,
            between.isoformat(),
            between.to_pydatetime(),
            np.int64(first),
        ):
            assert lake.snapshot(asof) == first
            assert lake.listing(asof=asof).symbol.tolist() == ["A"]
        assert lake.snapshot() == lake.snapshot(datetime.now(UTC).date()) == second
        with pytest.raises(UnknownName, match="no symbol named 'B'"):
            lake.bars("B", asof=first)

    def test_no_such_snapshot(self, lake):
        lake.write(rows())
        asks = [
            lake.snapshot,
            lambda asof: lake.bars("A", asof=asof),
            lambda asof: lake.sql("FROM bars", asof=asof),
        ]
        for asof in (0, 1, 77, "77", "1999", datetime(2001, 2, 3)):
            for ask in asks:
                with pytest.raises(NoData, match=f"no snapshot .*{str(asof)[:4]}.*`tapebook data snapshots`"):
                    ask(asof)

    # ---- deleting and compacting

    def test_delete_a_span_a_length_and_all(self, lake):
        hours = pd.date_range("2020-01-01", periods=5, freq="h", tz="UTC")
        everything = pd.concat([rows("A"), rows("A", hours, "1h"), rows("B")])
        both = pd.concat([finding("A"), finding("A", freq="1h")])
        before = lake.write(everything, actions=action("A", split=2), quality=both).snapshot
        assert lake.delete("A", freq="1d", start="2020-01-09").removed == 2
        assert lake.delete("A", freq="1h").removed == 5
        assert lake.quality().freq.tolist() == ["1d"]
        assert "8 removed" in str(lake.delete(["A"], note="away"))
        assert lake.listing().symbol.tolist() == ["B"]
        assert lake.sql("SELECT * FROM actions").empty
        assert lake.listing(asof=before).bars.tolist() == [10, 5, 10]
        with pytest.raises(UnknownName, match="no symbol named 'A'"):
            lake.delete("A")
        assert lake.delete("B", start="2031").snapshot == lake.snapshot()

    def test_compact_keeps_answers_and_what_it_was_told_to_keep(self, lake, config):
        numbers = [lake.write(rows(symbol, price=price)).snapshot for price in (1, 2, 3) for symbol in "ABC"]
        lake.delete("C", start="2020-01-05")
        kept = numbers[4]
        states = [lake.bars(asof=asof).fingerprint() for asof in (kept, None)]
        told = lake.compact(keep=[kept, 10_000])
        assert 0 < told.files_after < told.files_before
        assert 0 < told.bytes_after < told.bytes_before
        assert told.dropped >= len(numbers)
        assert [lake.bars(asof=asof).fingerprint() for asof in (kept, None)] == states
        assert lake.snapshots().id.tolist() == [kept, lake.snapshot()]
        with pytest.raises(NoData, match="no snapshot"):
            lake.bars(asof=numbers[0])
        lake.compact()
        assert len(lake.snapshots()) == 1
        assert lake.bars().fingerprint() == states[1]
        files = stored(config)
        again = lake.compact()
        assert again.files_after == len(files)
        assert again.bytes_after == sum(file.size for file in files)
        assert str(again).startswith(f"{len(files)} files, now {len(files)}; ")

    def test_compact_leaves_other_files_alone(self, lake, config):
        lake.write(rows())
        filesystem, path = s3.files(config.lake)
        with filesystem.open_output_stream(f"{path}/main/bars/mine.parquet") as other:
            other.write(b"mine")
        lake.compact()
        with filesystem.open_input_stream(f"{path}/main/bars/mine.parquet") as other:
            assert other.read() == b"mine"

    def test_two_lakes_on_one_place_see_each_other(self, lake, config):
        with Lake.open(config) as other:
            assert other.listing().empty
            lake.write(rows("A"))
            assert other.write(rows("A")).unchanged == 10
            other.write(rows("B"))
        assert lake.listing().symbol.tolist() == ["A", "B"]

    def test_a_moved_folder_still_opens(self, lake, config):
        lake.write(rows(), actions=action(split=2))
        state = lake.bars("A").fingerprint()
        lake.close()
        moved = config.lake + "-elsewhere"
        (filesystem, here), (_, there) = s3.files(config.lake), s3.files(moved)
        filesystem.create_dir(there)
        copy_files(here, there, filesystem, filesystem)
        filesystem.delete_dir(here)
        with Lake.open(replace(config, lake=moved)) as again:
            assert again.bars("A").fingerprint() == state
            again.write(rows("B"))
            assert again.bars().symbols == ("A", "B")

    def test_threads_share_a_lake(self, lake):
        from concurrent.futures import ThreadPoolExecutor

        lake.write(rows("A"))
        with ThreadPoolExecutor(4) as pool:
            writes = [pool.submit(lake.write, rows(f"T{number}")) for number in range(4)]
            reads = [pool.submit(lake.bars, "A") for _ in range(8)]
            assert all(len(read.result()) == 10 for read in reads)
            assert {write.result().added for write in writes} == {10}
        assert len(lake.listing()) == 5

    # ---- SQL

    def test_sql_gives_pandas_polars_or_arrow(self, lake):
        first = lake.write(rows()).snapshot
        lake.write(rows("B"))
        query = "SELECT symbol, count(*) AS n, sum(n) OVER () AS all_ FROM bars WHERE close > ? GROUP BY ALL"
        found = lake.sql(query, parameters=[105])
        assert found.n.tolist() == [4, 4]
        assert found.dtypes["all_"] == "int64"
        assert lake.sql(query, out="polars", parameters=[105])["n"].to_list() == [4, 4]
        assert lake.sql(query, out="arrow", asof=first, parameters=[105]).num_rows == 1
        assert lake.sql("SELECT max(ts) AS t, 1.5 AS half FROM bars").t[0] == DAYS[-1]
        assert lake.sql("SELECT 1.5 AS half").half.dtype == "float64"
        assert lake.sql("SELECT $low AS low", parameters={"low": 3}).low[0] == 3
        with pytest.raises(BadParameter, match="'out' is 'csv'"):
            lake.sql("SELECT 1", out="csv")

    def test_sql_offers_what_analysts_write(self, lake):
        lake.write(rows(), actions=action(split=2), quality=finding(), instruments=instrument())
        for query in SPOKEN.strip().splitlines():
            assert len(lake.sql(query)), query

    def test_sql_is_read_only(self, lake):
        for _ in range(2):  # of an empty lake, then of a full one
            for query in WRITING.strip().splitlines():
                with pytest.raises(TapebookError, match="read-only"):
                    lake.sql(query)
            lake.write(rows())
        assert len(lake.bars("A")) == 10

    def test_sql_mistakes_are_told(self, lake):
        lake.write(rows())
        for query, told in MISTAKES:
            with pytest.raises(BadInput, match=told):
                lake.sql(query)
        here = pd.DataFrame({"x": [1]})  # noqa: F841 - a query must not see Python's variables
        with pytest.raises(BadInput, match="no table here"):
            lake.sql("FROM here")

    def test_old_states_stay_as_they_were(self, lake):
        first = lake.write(rows(), actions=action(split=2)).snapshot
        state = lake.bars("A", asof=first).fingerprint()
        lake.write(rows(price=7), actions=action(day=DAYS[8], split=3))
        lake.delete("A", end="2020-01-02")
        assert lake.bars("A", asof=first).fingerprint() == state
        assert lake.sql("SELECT sum(close) AS s FROM adjusted", asof=first).s[0] == pytest.approx(
            lake.bars("A", asof=first).close.sum().sum()
        )
        assert lake.bars("A").fingerprint() != state
        assert lake.snapshot(lake.snapshots().time[0] + timedelta(0)) == first
