"""Whatever a file holds: an answer or an error of ours, and every row accounted for."""

import csv
import gzip
import io

import polars as pl
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tapebook.errors import TapebookError
from tapebook.integration.sources.base import Fetched
from tapebook.integration.sources.files import Files
from tapebook.schema import FIELDS, Frequency

FUZZ = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DATES = st.sampled_from(
    ["2013-01-02", "2013-01-03", "2013-01-04T09:30:00Z", "20130107", "08/01/2013", "01/13/2013",
     "13.01.2013", "1357084800",
     "2013-02-30", "9-Jan-2013", "Jan 10, 2013", "", "now", "2013-11-03 01:30", "2013-03-10 02:30",
     "99999999999999999999",
     "-1357084800", "0", "2013-01-02 25:00", "1/2/3"]
)  # fmt: skip
NUMBERS = st.sampled_from(
    ["1", "2.5", "1,234.56", "1.234,56", "1 234,56", "$12.50", "(3)", "", "NaN", "null", "-", "inf",
     "-inf", "1e999", "abc", "1.2M",
     "1,5", "12,34,567.8", "€", "0x1", "1e5", "--", "1_000", "1,234", "1.234", "²", "\u0663", "5 EUR", "True"]
)  # fmt: skip
ANY_CELL = st.one_of(
    NUMBERS,
    DATES,
    st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), max_size=6),
)
HEADERS = [
    "Date",
    "Open",
    "High",
    "Low",
    "Close",
    "Volume",
    "Symbol",
    "Time",
    "Stock Splits",
    "Dividends",
    "Adj Close",
    "",
]
FREQS = st.sampled_from(["1m", "1h", "1d", "1w", "1mo"])


def everything(file, freq="1d", **options):
    """All that the files hold by symbol, or the error that a user would see."""
    length = Frequency.parse(freq)
    found = {}
    try:
        source = Files(path=file, **options)
        for symbol in source.symbols(length):
            found[symbol] = source.fetch(symbol, freq=length, start=None, end=None)
    except TapebookError as error:
        return error
    return found


def sound(fetched):
    """What every answer must be."""
    assert isinstance(fetched, Fetched)
    bars = fetched.bars
    assert bars.schema == {"ts": pl.Datetime("us", "UTC"), **dict.fromkeys(FIELDS, pl.Float64)}
    assert bars["ts"].is_sorted()
    assert bars["ts"].n_unique() == len(bars)
    assert bars["ts"].null_count() == bars["close"].null_count() == 0
    for name in FIELDS:
        assert bars[name].is_finite().fill_null(True).all()
    for problem in fetched.problems:
        assert problem.line >= 1
        assert problem.message
    return fetched


@FUZZ
@given(
    st.binary(max_size=300),
    st.sampled_from([".csv", ".parquet", ".csv.gz", ".txt", ".pq.zst"]),
    st.booleans(),
)
@example(b"\xff\xfe", ".csv", False)
@example(b"PAR1", ".parquet", False)
@example(b"\x1f\x8b", ".csv", False)
@example(b"\x28\xb5\x2f\xfd", ".csv", False)
@example(b"BZh9", ".csv", False)
@example(b"\xfd7zXZ\x00", ".csv", False)
def test_any_bytes_are_an_answer_or_an_error_of_ours(tmp_path, raw, suffix, below_headers):
    file = tmp_path / f"x{suffix}"
    raw = b"Date,Close\n2013-01-02,5\n" + raw if below_headers else raw
    file.write_bytes(gzip.compress(raw) if suffix.endswith("gz") else raw)
    found = everything(file)
    if not isinstance(found, TapebookError):
        assert all(sound(one) for one in found.values())


@FUZZ
@given(st.data())
def test_a_cut_or_changed_parquet_or_gzip_is_an_error_of_ours(tmp_path, data):
    frame = pl.DataFrame({"date": ["2013-01-02", "2013-01-03"], "close": [1.0, 2.0]})
    packed = data.draw(st.booleans())
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    raw = bytearray(gzip.compress(frame.write_csv().encode()) if packed else buffer.getvalue())
    place = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw = raw[:place]
    else:
        raw[place] ^= data.draw(st.integers(1, 255))
    file = tmp_path / ("x.csv.gz" if packed else "x.parquet")
    file.write_bytes(bytes(raw))
    found = everything(file)
    if not isinstance(found, TapebookError):
        assert all(sound(one) for one in found.values())


@FUZZ
@given(
    headers=st.lists(st.sampled_from(HEADERS), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    freq=FREQS,
    data=st.data(),
)
def test_random_columns_and_cells(tmp_path, headers, delimiter, freq, data):
    rows = data.draw(st.lists(st.lists(ANY_CELL, min_size=1, max_size=9), max_size=8))
    file = tmp_path / "x.csv"
    lines = [delimiter.join(headers), *(delimiter.join(row) for row in rows)]
    file.write_text("\n".join(lines), encoding=data.draw(st.sampled_from(["utf-8", "utf-16", "utf-8-sig"])))
    tz = data.draw(st.sampled_from([None, "America/New_York"]))
    found = everything(file, freq, tz=tz, dayfirst=data.draw(st.sampled_from([None, True, False])))
    if not isinstance(found, TapebookError):
        assert all(sound(one) for one in found.values())


def written(rows, delimiter, quoting):
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    return buffer.getvalue()


@FUZZ
@given(
    rows=st.lists(st.tuples(DATES, NUMBERS, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=12, unique=True),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    freq=FREQS,
    tz=st.sampled_from([None, "America/New_York"]),
)
def test_every_row_is_a_bar_a_problem_or_a_repetition(tmp_path, rows, delimiter, quoting, freq, tz):
    file = tmp_path / "X.csv"
    file.write_text(written([("Date", "Open", "High", "Close", "Volume"), *rows], delimiter, quoting))
    found = everything(file, freq, tz=tz, dayfirst=True)
    if isinstance(found, TapebookError):
        assert "X.csv" in str(found)
        return
    fetched = sound(found["X"])
    lines = [problem.line for problem in fetched.problems]
    assert len(lines) == len(set(lines))
    physical = file.read_text().split("\n")
    for problem in fetched.problems:
        assert 2 <= problem.line <= len(rows) + 1
        assert problem.text == physical[problem.line - 1]
        assert problem.column in ("Date", "Open", "High", "Close", "Volume")
    left = len(rows) - len(fetched.bars) - len(lines)  # rows that say the same in other words
    assert 0 <= left <= sum(line not in lines for line in range(2, len(rows) + 2)) - len(fetched.bars)


@FUZZ
@given(
    cells=st.lists(
        st.tuples(st.sampled_from(["A", "B", "C"]), st.integers(1, 28), st.sampled_from(["1", "2", "x", ""])),
        max_size=30,
    )
)
def test_rows_of_many_symbols_are_counted_once(tmp_path, cells):
    file = tmp_path / "all.csv"
    lines = ["Symbol,Date,Close", *(f"{symbol},2013-01-{day:02d},{close}" for symbol, day, close in cells)]
    file.write_text("\n".join(lines))
    found = everything(file)
    if isinstance(found, TapebookError):
        assert not cells or "looks like" in str(found)
        return
    bars = sum(len(sound(one).bars) for one in found.values())
    problems = sum(len(one.problems) for one in found.values())
    good = {(symbol, day): [] for symbol, day, close in cells if close.isdigit()}
    for symbol, day, close in cells:
        if close.isdigit():
            good[symbol, day].append(close)
    repeated = sum(len([close for close in values[1:] if close == values[0]]) for values in good.values())
    assert bars == len(good)
    assert bars + problems + repeated == len(cells)
