"""Dates and times as vendors write them, read into wall time and, where written, the offset from UTC."""

from __future__ import annotations

import re

import polars as pl

from tapebook.errors import BadInput

SHAPE = pl.Schema({"wall": pl.Datetime("us"), "offset": pl.Int32(), "why": pl.String()})
"""`wall` is the time as written, `offset` minutes east of UTC, null if none is written, `why` a complaint."""

_T = (
    r"(?:(?:[Tt_,;]|\s)\s*(?P<h>\d{1,2}):?(?P<mi>\d{2})(?::?(?P<s>\d{2})(?:[.,:](?P<f>\d{1,9}))?)?"
    r"\s*(?P<ap>[AaPp]\.?[Mm]\.?)?)?"
    r"\s*(?P<z>[Zz]|UTC|GMT)?\s*(?P<o>[+-]\d{2}(?::?\d{2})?)?(?:\[[A-Za-z_/+-]+\])?$"
)
_DAY_NAME = r"(?:(?:[Mm]on|[Tt]ue|[Ww]ed|[Tt]hu|[Ff]ri|[Ss]at|[Ss]un)[a-z]*\.?,?\s+)?"
_MONTH = r"(?P<mon>[A-Za-z]{3,9})\.?"
_CENTURIES = r"(?:1[6-9]|2[01])\d{2}"
_YEAR = rf"(?P<y>{_CENTURIES})"
_SHORT_YEAR = rf"(?P<y>{_CENTURIES}|\d{{2}})"
_SHAPES = (
    rf"^{_YEAR}[-/.](?P<mo>\d{{1,2}})[-/.](?P<d>\d{{1,2}}){_T}",
    rf"^{_YEAR}(?P<mo>\d{{2}})(?P<d>\d{{2}}){_T}",
    rf"^{_YEAR}(?P<mo>\d{{2}})(?P<d>\d{{2}})(?P<h>\d{{2}})(?P<mi>\d{{2}})(?P<s>\d{{2}})?$",
    rf"^(?P<a>\d{{1,2}})(?:[-/.]|\s)(?P<b>\d{{1,2}})(?:[-/.]|\s){_YEAR}{_T}",
    rf"^(?P<a>\d{{1,2}})[/.](?P<b>\d{{1,2}})[/.](?P<y>\d{{2}}){_T}",
    rf"^{_YEAR}[-/. ]?{_MONTH}[-/. ]?(?P<d>\d{{1,2}}){_T}",
    rf"^{_DAY_NAME}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-/. ]?\s*{_MONTH}[-/., ]?\s*{_SHORT_YEAR}{_T}",
    rf"^{_DAY_NAME}{_MONTH}[-/. ]?\s*(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:[-/.,]|\s)\s*{_YEAR}{_T}",
    rf"^{_YEAR}[-/.](?P<mo>\d{{1,2}})$",
    rf"^{_MONTH}[-/. ]\s*{_YEAR}$",
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_PARTS = ("y", "mo", "mon", "d", "a", "b", "h", "mi", "s", "f", "ap", "z", "o")
_YEARS = (1600, 2199)
_USUAL = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M")
_EPOCH = r"^-?\d{9,19}(?:\.\d+)?$"
_EXAMPLES = "such as 2013-01-31, 2013-01-31T09:30:00Z, 31.01.2013, 31-Jan-2013 or seconds since 1970"
_FEW = 0.1  # up to this share of rows that contradict the others are taken for typing errors


def read_stamps(cells: pl.Series, dayfirst: bool | None, where: str) -> pl.DataFrame:
    """Read one file's stamps; columns as in `SHAPE`, one row a cell.

    Whether 03/04/2013 is March or April holds for the whole file: `dayfirst`, or what the cells
    themselves show.

    Raises
    ------
    BadInput
        If neither says it.
    """
    if cells.dtype.is_temporal():
        return _temporal(cells)
    if cells.dtype.is_numeric():
        cells = _as_digits(cells)
    wall = _uniform(cells)
    if wall is not None:
        return _frame(wall, None, None)
    return _shaped(cells.str.strip_chars(), dayfirst, where)


def _uniform(cells: pl.Series) -> pl.Series | None:
    """Read cells that are all written in the same one of the usual ways, at once."""
    for form in _USUAL:
        if cells.head(1).str.to_datetime(form, time_unit="us", strict=False).null_count():
            continue
        wall = cells.str.to_datetime(form, time_unit="us", strict=False)
        years = wall.dt.year()
        plausible = bool(years.is_between(*_YEARS).all())
        return wall if plausible and not wall.null_count() else None
    return None


def joined(dates: pl.Series, times: pl.Series) -> pl.Series:
    """Return "date time" from two columns; a missing time is left out.

    >>> joined(pl.Series(["20130102"]), pl.Series(["93000"])).to_list()
    ['20130102 093000']
    """
    dates, times = (cells if cells.dtype == pl.String else _as_text(cells) for cells in (dates, times))
    frame = pl.DataFrame({"date": dates, "time": times})
    frame = frame.with_columns(pl.col("date").str.replace(r"[T ]0{1,2}:00(:00(\.0+)?)?$", ""))
    digits = pl.col("time").str.contains(r"^\d{1,6}$")
    width = 6 if frame.select(pl.col("time").filter(digits).str.len_chars().max()).item() in (5, 6, 1) else 4
    time = pl.when(digits).then(pl.col("time").str.zfill(width)).otherwise(pl.col("time")).fill_null("")
    both = pl.when(time == "").then(pl.col("date")).otherwise(pl.concat_str("date", pl.lit(" "), time))
    return frame.select(both.alias("stamp")).to_series()


def _as_text(cells: pl.Series) -> pl.Series:
    if cells.dtype == pl.Datetime:
        return cells.dt.strftime("%Y-%m-%d")
    return cells.cast(pl.String, strict=False)


def _as_digits(cells: pl.Series) -> pl.Series:
    whole = cells.cast(pl.Int64, strict=False)
    return whole.cast(pl.String)


def _frame(wall: pl.Series, offset: pl.Series | None, why: pl.Series | None) -> pl.DataFrame:
    frame = pl.DataFrame({"wall": wall})
    given = {"offset": offset, "why": why}
    columns = [
        pl.lit(None if given[name] is None else given[name], dtype=SHAPE[name]).alias(name) for name in given
    ]
    return frame.with_columns(columns)


def _temporal(cells: pl.Series) -> pl.DataFrame:
    """A Parquet column that is a date or time already."""
    zone = getattr(cells.dtype, "time_zone", None)
    offset = None
    if cells.dtype not in (pl.Date, pl.Datetime):
        return _frame(
            pl.repeat(None, len(cells), dtype=pl.Datetime("us"), eager=True), None, _complaints(cells)
        )
    wall = cells.cast(pl.Datetime("us", zone)) if zone else cells.cast(pl.Datetime("us"))
    if zone:
        utc, wall = (
            wall.dt.convert_time_zone("UTC").dt.replace_time_zone(None),
            wall.dt.replace_time_zone(None),
        )
        offset = ((wall - utc).dt.total_seconds() // 60).cast(pl.Int32)
    plausible = wall.dt.year().is_between(*_YEARS)
    wall = pl.DataFrame({"w": wall, "ok": plausible}).select(pl.when("ok").then("w")).to_series()
    return _frame(wall, offset, _complaints(cells, wall))


def _complaints(cells: pl.Series, wall: pl.Series | None = None) -> pl.Series:
    unread = pl.Series([True] * len(cells)) if wall is None else wall.is_null()
    frame = pl.DataFrame({"missing": cells.is_null(), "unread": unread})
    told = pl.when("missing").then(pl.lit("the date is missing")).when("unread").then(pl.lit(_unlike()))
    return frame.select(told.cast(pl.String)).to_series()


def _unlike() -> str:
    return f"is not a date or time that can be read; expected one {_EXAMPLES}"


def _shaped(cells: pl.Series, dayfirst: bool | None, where: str) -> pl.DataFrame:
    """Try one shape after the other on the rows that none has fitted yet."""
    left = pl.DataFrame({"row": pl.int_range(len(cells), eager=True), "text": cells})
    done = []
    for shape in _SHAPES:
        if not len(left):
            break
        fits = left["text"].str.contains(shape).fill_null(False)
        if fits.any():
            done.append(_parts(left.filter(fits), shape))
            left = left.filter(~fits)
    parts = (
        pl.concat(done, how="diagonal") if done else pl.DataFrame(schema={"row": pl.Int64, "text": pl.String})
    )
    known = _calendar_days(parts, dayfirst, where)
    compact = known["wall"].is_null() & known["text"].str.contains(_EPOCH)
    left = pl.concat([left, known.filter(compact).select("row", "text")])
    rest = _epochs(left)
    answer = pl.concat([known.filter(~compact).drop("text"), rest]).sort("row")
    return answer.select(*SHAPE)


def _parts(rows: pl.DataFrame, shape: str) -> pl.DataFrame:
    groups = rows.select("row", "text", pl.col("text").str.extract_groups(shape).alias("g")).unnest("g")
    absent = [pl.lit(None, dtype=pl.String).alias(name) for name in _PARTS if name not in groups.columns]
    return groups.with_columns(absent).select("row", "text", *_PARTS)


def _calendar_days(parts: pl.DataFrame, dayfirst: bool | None, where: str) -> pl.DataFrame:
    """From the parts of a date to its wall time and offset; columns row, text and `SHAPE`."""
    if not len(parts):
        return pl.DataFrame(schema={"row": pl.Int64, "text": pl.String, **SHAPE})
    parts = _ordered(parts, dayfirst, where)
    hour = pl.col("h").fill_null("0").cast(pl.Int32)
    afternoon = pl.col("ap").str.to_lowercase().str.starts_with("p")
    twelve = pl.when(hour.is_between(1, 12)).then(hour % 12 + pl.when(afternoon).then(12).otherwise(0))
    year = pl.col("y").cast(pl.Int32)
    century = pl.when(pl.col("y").str.len_chars() > 2).then(0).when(year < 70).then(2000).otherwise(1900)
    named = (
        pl.col("mon")
        .str.slice(0, 3)
        .str.to_lowercase()
        .replace_strict(_MONTHS, default=None, return_dtype=pl.Int32)
    )
    second = pl.col("s").fill_null("0").cast(pl.Int32)
    text = pl.concat_str(
        (year + century).cast(pl.String),
        pl.lit("-"),
        pl.coalesce(pl.col("mo").cast(pl.Int32), named).cast(pl.String),
        pl.lit("-"),
        pl.col("d").fill_null("1"),
        pl.lit(" "),
        pl.when(pl.col("ap").is_not_null()).then(twelve).otherwise(hour).cast(pl.String),
        pl.lit(":"),
        pl.col("mi").fill_null("0"),
        pl.lit(":"),
        pl.when(second < 60).then(second).cast(pl.String),
        pl.lit("."),
        pl.col("f").fill_null("0").str.slice(0, 6).str.pad_end(6, "0"),
    )
    sign = pl.when(pl.col("o").str.starts_with("-")).then(-1).otherwise(1)
    digits = pl.col("o").str.replace_all(r"\D", "").str.pad_end(4, "0")
    minutes = sign * (digits.str.slice(0, 2).cast(pl.Int32) * 60 + digits.str.slice(2, 2).cast(pl.Int32))
    wall = text.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", time_unit="us", strict=False)
    no_such = pl.when(wall.is_null()).then(pl.coalesce("why", pl.lit("is no day or time of the calendar")))
    return parts.select(
        "row",
        "text",
        wall.alias("wall"),
        pl.coalesce(minutes, pl.when(pl.col("z").is_not_null()).then(0)).cast(pl.Int32).alias("offset"),
        no_such.alias("why"),
    )


def _ordered(parts: pl.DataFrame, dayfirst: bool | None, where: str) -> pl.DataFrame:
    """Decide for the whole file which of 03/04 is the day; adds `why` to rows that it leaves open."""
    either = pl.col("a").is_not_null()
    numbers = parts.filter(either).select("text", a=pl.col("a").cast(pl.Int32), b=pl.col("b").cast(pl.Int32))
    no_complaint = pl.lit(None, dtype=pl.String).alias("why")
    if not len(numbers):
        return parts.with_columns(no_complaint)
    day_first = int(((numbers["a"] > 12) & (numbers["b"] <= 12)).sum())
    month_first = int(((numbers["b"] > 12) & (numbers["a"] <= 12)).sum())
    first = _first(numbers["text"], dayfirst, day_first, month_first, where)
    day, month = ("a", "b") if first else ("b", "a")
    doubtful = dayfirst is None and min(day_first, month_first) > _FEW * max(day_first, month_first)
    why = no_complaint
    if doubtful:
        told = "may be day/month or month/day, as rows of this file show both; pass dayfirst=True or False"
        why = pl.when(either).then(pl.lit(told)).alias("why")
    parts = parts.with_columns(pl.coalesce("mo", month).alias("mo"), pl.coalesce("d", day).alias("d"), why)
    return parts.with_columns(pl.when(pl.col("why").is_null()).then("d").otherwise(pl.lit("0")).alias("d"))


def _first(texts: pl.Series, dayfirst: bool | None, day_first: int, month_first: int, where: str) -> bool:
    if dayfirst is not None:
        return dayfirst
    if day_first or month_first:
        return day_first > month_first
    if texts.str.contains(
        r"^\d{1,2}\.\d{1,2}\."
    ).all():  # with points the day is first, wherever it is written
        return True
    differ = texts.filter(texts.str.extract(r"^0?(\d+)", 1) != texts.str.extract(r"^\d+\D0?(\d+)", 1))
    if not len(differ):
        return True
    raise BadInput(
        f"{where}: {differ[0]!r} may be day/month or month/day, and no row of the file shows which. Pass "
        f"dayfirst=True if it is {_read_as(differ[0], True)}, dayfirst=False if it is "
        f"{_read_as(differ[0], False)} "
        "(command line: --dayfirst or --monthfirst)."
    )


def _read_as(text: str, dayfirst: bool) -> str:
    found = re.findall(r"\d+", text)[:2]
    day, month = (int(found[0]), int(found[1])) if dayfirst else (int(found[1]), int(found[0]))
    return f"{day} {list(_MONTHS)[month - 1].title()}" if 1 <= month <= 12 else "the other"


def _epochs(rows: pl.DataFrame) -> pl.DataFrame:
    """Seconds, milli-, micro- or nanoseconds since 1970, told apart by their size."""
    schema = pl.Schema({"row": pl.Int64(), **SHAPE})
    if not len(rows):
        return pl.DataFrame(schema=schema)
    text = pl.col("text")
    number = pl.when(text.str.contains(_EPOCH)).then(text)
    whole = number.str.extract(r"^(-?\d+)").cast(pl.Int64, strict=False)
    fraction = number.str.extract(r"\.(\d+)$").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    size = whole.abs()
    micro = (
        pl.when(size < 10**11)
        .then(whole * 1_000_000 + fraction)
        .when(size < 10**14)
        .then(whole * 1_000)
        .when(size < 10**17)
        .then(whole)
        .otherwise(whole // 1_000)
    )
    wall = micro.cast(pl.Datetime("us"))
    wall = pl.when(wall.dt.year().is_between(*_YEARS)).then(wall)
    absent = text.is_null() | text.str.to_lowercase().is_in(
        ["", "nan", "nat", "null", "none", "na", "n/a", "-"]
    )
    why = pl.when(absent).then(pl.lit("the date is missing")).when(wall.is_null()).then(pl.lit(_unlike()))
    read = rows.select("row", wall.alias("wall"), offset=pl.when(wall.is_not_null()).then(0), why=why)
    return read.cast(schema)
