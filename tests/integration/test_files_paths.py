"""A file, a folder, a pattern; one file a symbol or many symbols in one; CSV and Parquet alike."""

import datetime as dt

import polars as pl
import pytest

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.integration.sources.base import Source
from tapebook.integration.sources.files import Files
from tapebook.schema import Frequency

DAY = Frequency.parse("1d")
ROWS = "Date,Close\n2013-01-02,5\n2013-01-03,6\n"


def fetch(source, symbol, freq=DAY):
    return source.fetch(symbol, freq=freq, start=None, end=None)


@pytest.fixture
def folder(tmp_path):
    """Two good files, one broken, and things that are no prices."""
    (tmp_path / "AAPL.csv").write_text(ROWS)
    pl.DataFrame({"Date": [dt.date(2013, 1, 2)], "Close": [7.0]}).write_parquet(tmp_path / "MSFT.parquet")
    (tmp_path / "BAD.csv").write_bytes(b"\x00\x01\x02" * 50)
    (tmp_path / "README.md").write_text("prices")
    (tmp_path / "._AAPL.csv").write_bytes(b"\x00")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "AAPL.csv").write_text(ROWS)
    return tmp_path


def test_it_is_a_source():
    assert isinstance(Files(path="x"), Source)
    assert Files.name == "files"
    assert Files.__doc__.startswith("CSV and Parquet files: ")


def test_a_folders_own_files_are_symbols_and_a_bad_one_fails_when_fetched(folder):
    source = Files(path=folder, calendar="XNYS")
    assert source.symbols(DAY) == ["AAPL", "BAD", "MSFT"]
    assert fetch(source, "AAPL").bars["close"].to_list() == [5, 6]
    assert fetch(source, "MSFT").bars["close"].to_list() == [7]
    assert fetch(source, "MSFT").instrument.calendar == "XNYS"
    with pytest.raises(BadInput, match=r"BAD\.csv: is binary data"):
        fetch(source, "BAD")
    with pytest.raises(UnknownName, match=r"no symbol named 'APPL'. Did you mean 'AAPL'"):
        fetch(source, "APPL")


def test_a_pattern_reaches_deeper_and_two_files_of_one_symbol_are_refused(folder):
    source = Files(path=f"{folder}/**/AAPL.csv")
    assert source.symbols(DAY) == ["AAPL"]
    with pytest.raises(BadInput, match=r"'AAPL' is in 2 files: .*AAPL\.csv, .*deeper/AAPL\.csv"):
        fetch(source, "AAPL")
    assert Files(path=f"{folder}/M*").symbols(DAY) == ["MSFT"]
    assert Files(path=f"{folder}/deeper").symbols(DAY) == ["AAPL"]


def test_csv_and_parquet_of_one_symbol_are_refused(folder):
    (folder / "MSFT.csv.gz").write_text(ROWS)
    with pytest.raises(BadInput, match=r"MSFT\.csv\.gz, .*MSFT\.parquet\. Remove one"):
        fetch(Files(path=folder), "MSFT")


def test_no_files_at_all(tmp_path):
    with pytest.raises(BadInput, match=r"prices: there is no such file or folder"):
        Files(path=tmp_path / "prices").symbols(DAY)
    (tmp_path / "notes.md").write_text("")
    with pytest.raises(BadInput, match=r"holds no CSV or Parquet file .*notes\.md"):
        Files(path=tmp_path).symbols(DAY)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    from pathlib import Path

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "X.csv").write_text(ROWS)
    monkeypatch.setattr(Path, "open", refuse)
    source = Files(path=tmp_path / "X.csv")
    assert source.symbols(DAY) == ["X"]
    with pytest.raises(BadInput, match=r"X\.csv: may not be read"):
        fetch(source, "X")


def test_another_symbol_for_one_file(folder):
    source = Files(path=folder / "AAPL.csv", symbol="APPLE")
    assert source.symbols(DAY) == ["APPLE"]
    assert fetch(source, "APPLE").instrument.symbol == "APPLE"
    with pytest.raises(BadParameter, match="holds 3 files"):
        Files(path=folder, symbol="X").symbols(DAY)


def test_many_symbols_in_one_file(tmp_path):
    file = tmp_path / "all.csv"
    file.write_text(
        "Date,Ticker,Close\n2013-01-02,A,1\n2013-01-02,B,2\n2013-01-03,B,x\n2013-01-03,A,3\n2013-01-03,,4\n"
    )
    source = Files(path=file)
    assert source.symbols(DAY) == ["A", "B"]
    assert fetch(source, "A").bars["close"].to_list() == [1, 3]
    assert fetch(source, "B").bars["close"].to_list() == [2]
    assert [(p.line, p.column) for p in fetch(source, "A").problems] == [(6, "Ticker")]
    assert [(p.line, p.value) for p in fetch(source, "B").problems] == [(4, "x")]
    with pytest.raises(BadParameter, match="holds 2 of them"):
        Files(path=file, symbol="X").symbols(DAY)


def test_a_file_a_day_of_many_symbols(tmp_path):
    for day in (2, 3, 4):
        (tmp_path / f"2013010{day}.csv").write_text(
            f"Symbol,Date,Close\nA,2013-01-0{day},{day}\nB,2013-01-0{day},{day}0\n"
        )
    (tmp_path / "20130105.csv").write_text("Symbol,Date,Close\nA,2013-01-04,9\nA,2013-01-07,oops\n")
    source = Files(path=tmp_path)
    assert source.symbols(DAY) == ["A", "B"]
    assert fetch(source, "B").bars["close"].to_list() == [20, 30, 40]
    first, second = fetch(source, "A").problems
    assert first.file.endswith("20130105.csv")
    assert "line 2 of" in first.message
    assert "20130104.csv" in first.message
    assert (second.line, second.value) == (3, "oops")


def test_a_name_is_a_symbol_only_if_there_are_several(tmp_path):
    (tmp_path / "AAPL.csv").write_text("date,close,Name\n2013-01-02,1,Apple Inc.\n2013-01-03,1,Apple Inc.\n")
    assert Files(path=tmp_path).symbols(DAY) == ["AAPL"]
    assert len(fetch(Files(path=tmp_path), "AAPL").bars) == 2
    (tmp_path / "AAPL.csv").write_text("date,close,Name\n2013-01-02,1,AAL\n2013-01-02,1,AAPL\n")
    assert Files(path=tmp_path).symbols(DAY) == ["AAL", "AAPL"]


PARQUET = {
    "dates": [dt.date(2013, 1, 2), dt.date(2013, 1, 3)],
    "datetimes": [dt.datetime(2013, 1, 2), dt.datetime(2013, 1, 3)],
    "texts": ["2013-01-02", "2013-01-03"],
    "whole numbers": [20130102, 20130103],
    "floating numbers": [20130102.0, 20130103.0],
    "epochs": [1357084800, 1357171200],
    "nanoseconds": pl.Series([dt.datetime(2013, 1, 2), dt.datetime(2013, 1, 3)]).cast(pl.Datetime("ns")),
    "zones": pl.Series([dt.datetime(2013, 1, 2), dt.datetime(2013, 1, 3)]).dt.replace_time_zone(
        "America/New_York"
    ),
}


@pytest.mark.parametrize("kind", PARQUET)
def test_parquet_times(tmp_path, kind):
    file = tmp_path / "X.parquet"
    closes = pl.Series([1.5, 2.5], dtype=pl.Float32)
    pl.DataFrame({"Date": PARQUET[kind], "Close": closes, "Volume": [1, 2]}).write_parquet(file)
    fetched = fetch(Files(path=file), "X")
    assert fetched.problems == ()
    assert [ts.day for ts in fetched.bars["ts"]] == [2, 3]
    assert fetched.bars["close"].to_list() == [1.5, 2.5]
    assert fetched.bars["volume"].to_list() == [1.0, 2.0]


def test_parquet_written_by_pandas_with_its_index(tmp_path):
    import pandas as pd

    index = pd.date_range("2013-01-02 09:30", periods=3, freq="min", tz="America/New_York")
    pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=index).to_parquet(tmp_path / "X.parquet")
    fetched = fetch(Files(path=tmp_path), "X", Frequency.parse("1m"))
    assert fetched.bars["ts"][0] == dt.datetime(2013, 1, 2, 14, 30, tzinfo=dt.UTC)


def test_parquet_problems_name_the_row_and_its_cells(tmp_path):
    file = tmp_path / "X.parquet"
    dates = [dt.date(2013, 1, 2), dt.date(2013, 1, 3), None, dt.date(2013, 1, 7), dt.date(2013, 1, 8)]
    pl.DataFrame({"Date": dates, "Close": [1.0, None, 3.0, float("inf"), float("nan")]}).write_parquet(file)
    fetched = fetch(Files(path=file), "X")
    assert len(fetched.bars) == 1
    assert [(p.line, p.column, p.value) for p in fetched.problems] == [
        (2, "Close", ""),
        (3, "Date", ""),
        (4, "Close", "inf"),
        (5, "Close", "nan"),
    ]
    assert fetched.problems[2].text == "Date=2013-01-07, Close=inf"


@pytest.mark.parametrize("kind", [pl.Datetime("us"), pl.Datetime("ms", "America/New_York"), pl.Date])
def test_parquet_times_out_of_any_range_are_problems(tmp_path, kind):
    file = tmp_path / "X.parquet"
    numbers = pl.Series([2**31 - 1 if kind == pl.Date else 2**62, None, 0], dtype=pl.Int64)
    numbers = numbers.cast(pl.Int32) if kind == pl.Date else numbers
    pl.DataFrame({"Date": numbers.cast(kind), "Close": [1.0, 2.0, 3.0]}).write_parquet(file)
    fetched = fetch(Files(path=file), "X")
    assert len(fetched.bars) == 1
    assert [problem.line for problem in fetched.problems] == [1, 2]
    assert "out of range" in fetched.problems[0].value


def test_parquet_of_other_types_is_read_as_text_or_refused(tmp_path):
    file = tmp_path / "X.parquet"
    symbols = pl.Series(["A"], dtype=pl.Categorical)
    frame = pl.DataFrame({"Date": ["2013-01-02"], "Close": [[1.0]], "Symbol": symbols})
    frame.write_parquet(file)
    source = Files(path=file)
    assert source.symbols(DAY) == ["A"]
    assert [p.value for p in fetch(source, "A").problems] == ["[1.0]"]
    pl.DataFrame({"a": [1]}).write_parquet(file)
    with pytest.raises(BadInput, match=r"X\.parquet: no column holds the close. Headers found: 'a'"):
        fetch(Files(path=file), "X")
    pl.DataFrame({"Date": [1.0], "Close": [1.0]}).clear().write_parquet(file)
    with pytest.raises(BadInput, match="no rows"):
        fetch(Files(path=file), "X")


def test_a_thousand_files_are_listed_without_reading_them_whole(tmp_path, monkeypatch):
    from tapebook.integration.sources.files import table as files_table

    for number in range(50):
        (tmp_path / f"S{number:02d}.csv").write_text(ROWS)
    whole = []
    read = files_table.read_bytes

    def watched(file, head=False):
        whole.extend([] if head else [file])
        return read(file, head)

    monkeypatch.setattr(files_table, "read_bytes", watched)
    source = Files(path=tmp_path)
    assert len(source.symbols(DAY)) == 50
    assert whole == []
    fetch(source, "S07")
    assert [file.name for file in whole] == ["S07.csv"]
