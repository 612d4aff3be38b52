"""Files as vendors write them, read row for row."""

import datetime as dt
import gzip

import polars as pl
import pytest

from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName
from tapebook.integration.sources.files import Files
from tapebook.schema import Frequency


@pytest.fixture
def read(tmp_path):
    """Write a file, fetch its only symbol."""

    def fetch(content, freq="1d", name="X.csv", start=None, end=None, **options):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        source = Files(path=file, **options)
        length = Frequency.parse(freq)
        (symbol,) = source.symbols(length)
        return source.fetch(symbol, freq=length, start=start, end=end)

    return fetch


def closes(fetched):
    return fetched.bars["close"].to_list()


def stamps(fetched):
    return [f"{ts:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00") for ts in fetched.bars["ts"]]


VENDORS = {
    "yahoo": "Date,Open,High,Low,Close,Adj Close,Volume\n2013-01-02,1,3,0.5,2,1.9,100\n",
    "stooq": "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    "X,D,20130102,000000,1,3,0.5,2,100,0\n",
    "metatrader": "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<SPREAD>\n"
    "2013.01.02\t1\t3\t0.5\t2\t100\t1\n",
    "metastock": "<DTYYYYMMDD>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n20130102,1,3,.5,2,100\n",
    "investing": '"Date","Price","Open","High","Low","Vol.","Change %"\n'
    '"Jan 02, 2013","2","1","3","0.5","0.1K","1%"\n',
    "nasdaq": "Date,Close/Last,Volume,Open,High,Low\n01/13/2013,$2,100,$1,$3,$0.50\n",
    "alpha vantage": "timestamp,1. open,2. high,3. low,4. close,5. volume\n2013-01-02,1,3,0.5,2,100\n",
    "binance": "Open time,Open,High,Low,Close,Volume,Close time\n1357084800000,1,3,0.5,2,100,1357171199999\n",
    "cryptodatadownload": "https://www.CryptoDataDownload.com\n"
    "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT\n"
    "1357084800,2013-01-02 00:00:00,X,1,3,0.5,2,100,9\n",
    "tiingo": "date,close,high,low,open,volume,adjClose,divCash,splitFactor\n"
    "2013-01-02 00:00:00+00:00,2,3,0.5,1,100,1,0.0,1.0\n",
    "yfinance": "Price,Close,High,Low,Open,Volume\nTicker,X,X,X,X,X\nDate,,,,,\n2013-01-02,2,3,0.5,1,100\n",
    "bloomberg": "Dates;PX_OPEN;PX_HIGH;PX_LOW;PX_LAST;PX_VOLUME\n13/01/2013;1;3;0,5;2;100\n",
    "ariva": "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen\n2013-01-02;1;3;0,5;2;100;7\n",
    "excel": "sep=;\nDate;Open;High;Low;Close;Volume;\n2013-01-02;1;3;0,5;2;100;\n",
    "short": "t,o,h,l,c,v\n".replace("t,", "time,") + "2013-01-02,1,3,0.5,2,100\n",
    "bars": "Date | Open | High | Low | Close | Volume\n2-Jan-2013 | 1 | 3 | 0.5 | 2 | 100\n",
    "without headers": "2013-01-02,1,3,0.5,2,100\n2013-01-03,1,3,0.5,2,100\n",
    "comments": "# from somewhere\n\n#Date,Open,High,Low,Close,Volume\n2013-01-02,1,3,0.5,2,100\n# end\n",
    "footer": "Date,Open,High,Low,Close,Volume\n2013-01-02,1,3,0.5,2,100\nData provided by: Somebody, Inc.\n",
}


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendors_file_is_read_as_it_is(read, vendor):
    fetched = read(VENDORS[vendor])
    assert fetched.problems == ()
    assert stamps(fetched)[0] in ("2013-01-02", "2013-01-13")
    assert fetched.bars.row(0)[1:] == (1.0, 3.0, 0.5, 2.0, 100.0)


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", ""), ("utf-16-le", ""), ("cp1252", "€ü"), ("latin-1", "é")],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(read, encoding, mark, line_end):
    text = line_end.join(["Date;Close;Währung" + mark, "2013-01-02;5;EUR", "", "2013-01-03;x;EUR", ""])
    fetched = read(text.encode(encoding))
    assert closes(fetched) == [5.0]
    assert [problem.line for problem in fetched.problems] == [4]


@pytest.mark.parametrize("suffix", ["csv.gz", "csv.bz2", "csv.xz", "csv.zst", "parquet", "pq", "parquet.gz"])
def test_compressions(read, suffix):
    import bz2
    import io
    import lzma

    import pyarrow as pa

    frame = pl.DataFrame({"Date": ["2013-01-02"], "Close": [5.0]})
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    raw = buffer.getvalue() if suffix.startswith("p") else frame.write_csv().encode()
    pack = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "xz": lzma.compress,
        "zst": lambda b: pa.compress(b, "zstd", asbytes=True),
    }
    fetched = read(pack.get(suffix.rpartition(".")[2], bytes)(raw), name=f"BRK.B.{suffix}")
    assert fetched.instrument.symbol == "BRK.B"
    assert closes(fetched) == [5.0]


NUMBERS = {
    "1,234.56": (["1,234.56", "999.5"], [1234.56, 999.5]),
    "1.234,56": (["1.234,56", "999,5", "1.234"], [1234.56, 999.5, 1234.0]),
    "1 234,56": (["1 234,56", "12\u00a0345,6", "99,5"], [1234.56, 12345.6, 99.5]),
    "1'234.56": (["1'234.56", "99.5"], [1234.56, 99.5]),
    "12,34,567.8": (["12,34,567.8"], [1234567.8]),
    "currency": (
        ["$1,234.50", "$ 2.5", "USD 3.5", "4.5 EUR", "€5.5", "-$6.5"],
        [1234.5, 2.5, 3.5, 4.5, 5.5, -6.5],
    ),
    "brackets": (["(1.5)", "2.5"], [-1.5, 2.5]),
    "powers": (["1e3", "+2.5", ".5"], [1000.0, 2.5, 0.5]),
    "millions": (["1.234.567,5", "1.234"], [1234567.5, 1234.0]),
    "thousands only": (["1,234", "2,345"], [1234.0, 2345.0]),
}


@pytest.mark.parametrize("style", NUMBERS)
def test_numbers(read, style):
    texts, values = NUMBERS[style]
    fetched = read(
        "Date,Close\n" + "".join(f'2013-01-{day:02d},"{text}"\n' for day, text in enumerate(texts, 1))
    )
    assert fetched.problems == ()
    assert closes(fetched) == values


def test_a_decimal_comma_in_a_file_of_semicolons(read):
    assert closes(read("Date;Close\n2013-01-02;1,234\n2013-01-03;2,345\n")) == [1.234, 2.345]


def test_a_number_of_another_style_than_the_files_is_a_problem(read):
    (problem,) = read("Date;Close\n2013-01-02;1.234,5\n2013-01-03;12.50\n2013-01-04;7,25\n").problems
    assert (problem.line, problem.value) == (3, "12.50")
    assert "decimal mark is the comma" in problem.message


def test_volumes_with_magnitudes(read):
    fetched = read(
        "Date,Close,Vol.\n2013-01-01,1,1.2M\n2013-01-02,1,350.5K\n2013-01-03,1,-\n2013-01-04,1,2B\n"
    )
    assert fetched.bars["volume"].to_list() == [1.2e6, 350_500.0, None, 2e9]


@pytest.mark.parametrize("missing", ["", "NaN", "null", "-", "N/A", "#N/A", "None"])
def test_what_is_missing_is_null_but_a_close_must_be_there(read, missing):
    fetched = read(f"Date,Open,Close\n2013-01-02,{missing},5\n2013-01-03,4,{missing}\n")
    assert fetched.bars.row(0)[1:] == (None, None, None, 5.0, None)
    (problem,) = fetched.problems
    assert (problem.line, problem.column, problem.value) == (3, "Close", missing)
    assert problem.message == "the close is missing"
    assert problem.text == f"2013-01-03,4,{missing}"


@pytest.mark.parametrize("value", ["inf", "-inf", "1e999", "abc", "12.5.3", "1,2,3", "5%"])
def test_what_is_no_number_is_a_problem(read, value):
    fetched = read(f'Date,Close\n2013-01-02,"{value}"\n2013-01-03,4.5\n')
    assert [(p.line, p.column, p.value) for p in fetched.problems] == [(2, "Close", value)]
    assert "number" in fetched.problems[0].message


DAYS = [
    "2013-01-14", "2013/01/14", "2013.1.14", "20130114", "14.01.2013", "14/01/2013", "01/14/2013",
     "1/14/13", "14-Jan-2013",
    "14 January 2013", "Jan 14, 2013", "Mon, Jan 14 2013", "2013-Jan-14", "14-Jan-13", "2013-01-14T00:00:00Z",
    "2013-01-14 00:00:00-05:00", "2013-01-14T00:00:00.000+0100", "1358121600", "1358121600000",
     "1358121600000000",
    "1358121600000000000", "20130114000000", "14.01.2013 00:00:00.000 GMT+0100", "2013-01-14 16:00",
]  # fmt: skip


@pytest.mark.parametrize("day", DAYS)
def test_days(read, day):
    assert stamps(read(f'Date,Close\n"{day}",5\n')) == ["2013-01-14"]


TIMES = [
    "2013-01-14T14:30:00Z", "2013-01-14 14:30:00+00:00", "2013-01-14T15:30+01:00", "2013-01-14 09:30",
     "20130114 0930",
    "20130114 093000", "01/14/2013 9:30 AM", "2013-01-14 09:30:00.000", "1358173800", "1358173800000",
     "14.01.2013 09:30:00",
    "201301140930", "2013-01-14 09:30:00-0500", "2013-01-14 09:30:00-05:00[America/New_York]",
]  # fmt: skip


@pytest.mark.parametrize("time", TIMES)
def test_times_in_the_files_zone(read, time):
    assert stamps(read(f"Date,Close\n{time},5\n", "1m", tz="America/New_York")) == ["2013-01-14 14:30:00"]


@pytest.mark.parametrize(
    ("date", "time"), [("20130114", "93000"), ("2013-01-14", "09:30"), ("14.01.2013", "0930")]
)
def test_date_and_time_in_two_columns(read, date, time):
    assert stamps(read(f"Date,Time,Close\n{date},{time},5\n", "1m", tz="UTC")) == ["2013-01-14 09:30:00"]


def test_a_missing_time_is_a_problem_of_intraday_bars_only(read):
    text = "Date,Time,Close\n2013-01-14,09:30,5\n2013-01-15,,6\n"
    assert [p.line for p in read(text, "1m", tz="UTC").problems] == [3]
    assert closes(read(text)) == [5, 6]


def test_fractions_of_seconds_are_microseconds(read):
    fetched = read("Date,Close\n2013-01-14T09:30:00.123456789Z,5\n", "1m")
    assert fetched.bars["ts"][0] == dt.datetime(2013, 1, 14, 9, 30, 0, 123456, dt.UTC)


def test_one_row_shows_the_order_of_day_and_month_for_all(read):
    assert stamps(read("Date,Close\n03/04/2013,1\n13/04/2013,2\n")) == ["2013-04-03", "2013-04-13"]
    assert stamps(read("Date,Close\n03/04/2013,1\n03/13/2013,2\n")) == ["2013-03-04", "2013-03-13"]
    assert stamps(read("Date,Close\n03/04/2013,1\n", dayfirst=True)) == ["2013-04-03"]
    assert stamps(read("Date,Close\n03/03/2013,1\n")) == ["2013-03-03"]


def test_an_open_order_is_asked_for(read):
    with pytest.raises(
        BadInput, match=r"X\.csv.*'03/04/2013'.*dayfirst=True if it is 3 Apr, dayfirst=False if it is 4 Mar"
    ):
        read("Date,Close\n03/04/2013,1\n05/06/2013,2\n")


def test_a_file_that_shows_both_orders_trusts_neither(read):
    fetched = read("Date,Close\n03/04/2013,1\n13/04/2013,2\n04/14/2013,2\n")
    assert stamps(fetched) == []
    assert [problem.line for problem in fetched.problems] == [2, 3, 4]
    assert "dayfirst" in fetched.problems[0].message


def test_a_single_typing_error_does_not_change_the_order(read):
    fetched = read(
        "Date,Close\n" + "".join(f"{day:02d}/01/2013,1\n" for day in range(2, 26)) + "01/30/2013,1\n"
    )
    assert stamps(fetched)[0] == "2013-01-02"
    assert [problem.value for problem in fetched.problems] == ["01/30/2013"]


def test_an_impossible_day_is_a_problem(read):
    fetched = read("Date,Close\n2013-02-28,1\n2013-02-30,2\nsoon,3\n,4\n")
    assert [(p.line, p.column, p.value) for p in fetched.problems] == [
        (3, "Date", "2013-02-30"),
        (4, "Date", "soon"),
        (5, "Date", ""),
    ]
    assert "no day" in fetched.problems[0].message
    assert "2013-01-31" in fetched.problems[1].message


def test_daily_instants_take_the_date_of_the_zone(read):
    text = "timestamp,close\n1357102800000,1\n1357189200000,2\n"  # midnights of New York
    assert stamps(read(text, tz="America/New_York")) == ["2013-01-02", "2013-01-03"]
    text = "Date,Close\n2013-01-01T15:00:00Z,1\n2013-01-02T15:00:00Z,2\n"  # midnights of Tokyo
    assert stamps(read(text, tz="Asia/Tokyo")) == ["2013-01-02", "2013-01-03"]


def test_intraday_times_without_a_zone(read):
    text = "Date,Close\n2013-01-02 09:30,1\n"
    assert stamps(read(text, "1m")) == ["2013-01-02 09:30:00"]
    with pytest.raises(BadInput, match="Pass tz= .*America/New_York.*--tz"):
        read(text, "1m", calendar="XNYS")


NIGHT = [("00:30", 1), ("01:00", 2), ("01:30", 3), ("01:00", 4), ("01:30", 5), ("02:00", 6)]


@pytest.mark.parametrize("falling", [False, True])
def test_the_hour_that_occurs_twice_is_told_by_the_order(read, falling):
    rows = [f"2013-11-03 {time},{close}\n" for time, close in NIGHT]
    fetched = read("Date,Close\n" + "".join(rows[::-1] if falling else rows), "30m", tz="America/New_York")
    assert fetched.problems == ()
    assert closes(fetched) == [1, 2, 3, 4, 5, 6]
    assert [s[11:16] for s in stamps(fetched)] == ["04:30", "05:00", "05:30", "06:00", "06:30", "07:00"]


def test_an_hour_that_cannot_be_told_or_does_not_exist_is_a_problem(read):
    fetched = read(
        "Date,Close\n2013-03-10 01:00,1\n2013-03-10 02:30,1\n2013-03-10 03:00,1\n"
        "2013-11-03 00:00,1\n2013-11-03 01:00,2\n"
        "2013-11-03 02:00,3\n",
        "1h",
        tz="America/New_York",
    )
    assert [problem.line for problem in fetched.problems] == [3, 6]
    assert "does not exist in America/New_York" in fetched.problems[0].message
    assert "occurs twice in America/New_York" in fetched.problems[1].message
    assert fetched.problems[1].value == "2013-11-03 01:00"


def test_rows_are_sorted_and_repeated_ones_told_apart(read):
    fetched = read(
        "Date,Close,Volume\n2013-01-04,4,\n2013-01-02,2,\n2013-01-03,3,\n2013-01-02,2.0,\n2013-01-03,3,7\n"
    )
    assert closes(fetched) == [2, 3, 4]
    (problem,) = fetched.problems
    assert problem.line == 6
    assert "line 4" in problem.message


def test_ragged_rows_and_lost_quotes_are_problems_of_one_line_each(read):
    fetched = read(
        "Date,Open,Close\n2013-01-02,1,5\n2013-01-03,1\n2013-01-04,1,5,6\n"
        '"2013-01-05,1,5\n2013-01-06,1,5,\n\n,,\n'
    )
    assert stamps(fetched) == ["2013-01-02", "2013-01-06"]
    assert [problem.line for problem in fetched.problems] == [3, 4, 5]
    assert "2 fields where the headers have 3" in str(fetched.problems[0])
    assert "quotes" in str(fetched.problems[2])


def test_a_row_cut_short_at_the_end_is_no_footer(read):
    assert [p.line for p in read("Date,Open,Close\n2013-01-02,1,5\n2013-0").problems] == [3]


def test_splits_and_dividends_become_actions(read):
    fetched = read(
        "Date,Close,Dividends,Stock Splits\n2013-01-02,5,0,0\n2013-01-03,5,0.5,1\n"
        "2013-01-04,2,,2:1\n2013-01-07,2,0,-3\n"
    )
    assert fetched.actions.rows() == [
        (dt.datetime(2013, 1, 3, tzinfo=dt.UTC), 1.0, 0.5),
        (dt.datetime(2013, 1, 4, tzinfo=dt.UTC), 2.0, 0.0),
    ]
    assert [(p.line, p.message) for p in fetched.problems] == [(5, "is no split")]


def test_start_and_end_are_included_and_bound_the_problems_too(read):
    text = "Date,Close\n2013-01-02,x\n2013-01-03,3\n2013-01-04,4\n2013-01-07,7\n2013-01-08,x\n"
    fetched = read(
        text, start=dt.datetime(2013, 1, 3, tzinfo=dt.UTC), end=dt.datetime(2013, 1, 4, tzinfo=dt.UTC)
    )
    assert closes(fetched) == [3, 4]
    assert fetched.problems == ()


@pytest.mark.parametrize(
    ("step", "rows", "freq", "seen"),
    [
        (dt.timedelta(minutes=1), 30, "1d", "1m"),
        (dt.timedelta(minutes=1), 2, "1d", "1m"),
        (dt.timedelta(minutes=1), 30, "5m", "1m"),
        (dt.timedelta(minutes=5), 30, "1m", "5m"),
        (dt.timedelta(hours=1), 30, "1d", "1h"),
        (dt.timedelta(days=1), 30, "1h", "1d"),
        (dt.timedelta(days=1), 30, "1w", "1d"),
        (dt.timedelta(days=7), 30, "1d", "1w"),
        (dt.timedelta(days=30), 30, "1d", "1mo"),
        (dt.timedelta(days=30), 30, "1w", "1mo"),
        (dt.timedelta(days=7), 30, "1mo", "1w"),
        (dt.timedelta(seconds=10), 30, "1m", "10 second"),
    ],
)
def test_a_wrong_bar_length_is_refused_and_the_right_one_taken(read, step, rows, freq, seen):
    first = dt.datetime(2013, 1, 2)
    text = "Date,Close\n" + "".join(f"{first + step * i},5\n" for i in range(rows))
    with pytest.raises(BadInput, match=f"X.csv: looks like {seen} bars, not {freq}"):
        read(text, freq)
    if " " not in seen:
        assert len(read(text, seen).bars) == rows


@pytest.mark.parametrize(
    ("days", "freq"),
    [([2, 3, 4, 7, 8, 14], "1d"), ([2], "1h"), ([2, 9, 16], "1w"), ([2, 20], "1d"), ([2, 12, 30], "1d")],
)
def test_gaps_are_no_other_bar_length(read, days, freq):
    assert len(read("Date,Close\n" + "".join(f"2013-01-{day:02d},5\n" for day in days), freq).bars) == len(
        days
    )


def test_a_mapped_header_is_used_and_a_wrong_one_named(read):
    text = "when,Settle EOD,Last\n2013-01-02,5,6\n"
    assert closes(read(text, columns={"close": "settle eod", "date": "when"})) == [5]
    with pytest.raises(BadParameter, match=r"'Lst'.*'when', 'Settle EOD', 'Last'.*did you mean 'Last'"):
        read(text, columns={"close": "Lst", "date": "when"})
    with pytest.raises(BadParameter, match="turn it round"):
        read(text, columns={"Settle EOD": "close"})
    assert closes(read("Date,Adj Close\n2013-01-02,5\n", columns={"close": "Adj Close"})) == [5]


def test_columns_without_headers_are_mapped_by_number(read):
    text = "2013-01-02,5,6\n2013-01-03,5,6\n"
    with pytest.raises(BadInput, match=r"line 1: there are no headers.*columns=\{'date': '1'"):
        read(text)
    assert closes(read(text, columns={"date": "1", "close": "3"})) == [6, 6]


UNREADABLE = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "comment": (b"# nothing\n", "only blank lines or comments"),
    "binary": (bytes(range(256)) * 4, "binary data"),
    "no rows": (b"Date,Close\n", "no rows below"),
    "no close": (b"Date,Foo\n2013-01-02,5\n", "no column holds the close. Headers found: 'Date', 'Foo'"),
    "no date": (b"Foo,Close\nbar,5\n", "no column holds the date. Headers found: 'Foo', 'Close'"),
    "adjusted": (b"Date,Adj Close\n2013-01-02,5\n", "the only close is 'Adj Close'"),
    "prose": (b"Hello, this is a letter.\n", "no column holds the close"),
    "gzip": (gzip.compress(b"Date,Close\n2013-01-02,5\n" * 50)[:40], "cannot be read or decompressed"),
    "parquet": (b"PAR1 and nothing else PAR1", "not a readable Parquet file"),
    "excel": (b"PK\x03\x04rest", "Excel workbook"),
    "page": (b"<!DOCTYPE html><html>Not found</html>", "is a web page"),
    "json": (b'{"Date": 1, "Close": 2}', "is JSON"),
    "spaces": (b"Date Close\n2013-01-02 5\n", "or delimiter="),
    "twice": (b"Date,Close,close\n2013-01-02,5,6\n", "two columns"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_with_what_was_expected(read, kind):
    content, message = UNREADABLE[kind]
    with pytest.raises(BadInput) as caught:
        read(content)
    assert "X.csv" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tz": "New_York"}, BadParameter, "America/New_York"),
        ({"tz": "america/new_york"}, BadParameter, "did you mean 'America/New_York'"),
        ({"calendar": "NYSEE"}, UnknownName, "Did you mean"),
        ({"delimiter": ",,"}, BadParameter, "one character"),
        ({"columns": {"closing": "Last"}}, BadParameter, "open, high, low, close"),
    ],
)
def test_options_are_checked_at_once(options, error, message):
    with pytest.raises(error, match=message):
        Files(path="nowhere", **options)


def test_every_error_is_ours():
    for error in (BadInput, BadParameter, UnknownName):
        assert issubclass(error, TapebookError)
