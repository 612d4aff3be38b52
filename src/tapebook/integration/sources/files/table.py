"""One file as a table of cells with the line that each row stands on; what is no row is told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tapebook.errors import BadInput
from tapebook.integration.sources.files.head import Head, find_head, split_line
from tapebook.integration.sources.files.headers import Layout, listed, missing, recognise
from tapebook.integration.sources.files.text import PARQUET, decode, read_bytes


@dataclass(frozen=True)
class Table:
    """Cells of the columns that matter, named by role, and `line`; `broken` has line, message and cells.

    `lines` holds the raw text by line (number 1 first), empty for Parquet.
    """

    layout: Layout
    cells: pl.DataFrame
    broken: pl.DataFrame
    lines: pl.Series
    delimiter: str

    def text(self, line: int, row: Mapping[str, object]) -> str:
        """Return the row as written, or as header=value where there is no text."""
        if len(self.lines):
            return str(self.lines[line - 1])
        return ", ".join(
            f"{self.layout.header(role)}={value}" for role, value in row.items() if role != "line"
        )


_DAYS = (-135_140, 84_005)  # 1600 to 2199, counted from 1970
BROKEN = pl.Schema({"line": pl.Int64(), "why": pl.String(), "symbol": pl.String()})


def head_of(file: Path, columns: Mapping[str, str], delimiter: str | None) -> Layout:
    """Read a file's headers only."""
    raw = read_bytes(file, head=True)
    if raw.startswith(PARQUET):
        return _parquet_layout(file, _parquet(file, rows=False).columns, columns)
    return find_head(decode(raw, file).split("\n")[:200], file, columns, delimiter).layout


def read_table(file: Path, columns: Mapping[str, str], delimiter: str | None) -> Table:
    """Read a whole file.

    Raises
    ------
    BadInput
        If it is neither CSV nor Parquet, or lacks a date or a close.
    """
    raw = read_bytes(file)
    if raw.startswith(PARQUET):
        return _parquet_table(file, columns)
    text = decode(raw, file)
    head = find_head(text.split("\n", 200)[:200], file, columns, delimiter)
    return _text_table(text, head, file)


def _text_table(text: str, head: Head, file: Path) -> Table:
    """Cut the lines into cells, all at once where no quotes are in the way."""
    mark, width = head.delimiter, len(head.layout.headers)
    lines = pl.Series("text", [text]).str.split("\n").explode()
    rows = pl.LazyFrame({"text": lines}).with_row_index("line", 1).slice(head.after)
    bare = pl.col("text").str.strip_chars(" \t\x0b\x0c\x1a\ufeff" + mark + ",;")
    no_row = (bare == "") | bare.str.starts_with("#")
    if head.after:
        no_row = no_row | (pl.col("text") == lines[head.after - 1])
    quoted = pl.col("text").str.contains('"', literal=True)
    frame = rows.filter(~no_row).select(pl.col("line").cast(pl.Int64), "text", quoted=quoted).collect()
    some = bool(frame["quoted"].any())
    cut, broken = _cut(frame.filter(~pl.col("quoted")) if some else frame, head, width)
    if some:
        more, more_broken = _cut_quoted(frame.filter("quoted").select("line", "text"), head, width)
        cut, broken = pl.concat([cut, more]).sort("line"), pl.concat([broken, more_broken]).sort("line")
    cut, broken = _without_footer(cut, broken, lines, head)
    if not len(cut) and not len(broken):
        raise BadInput(f"{file}: has headers ({listed(head.layout.headers)}) but no rows below them.")
    return Table(head.layout, cut, broken, lines, mark)


def _cut(frame: pl.DataFrame, head: Head, width: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    text, mark, at = pl.col("text"), head.delimiter, head.layout.at
    count = text.str.count_matches(mark, literal=True) + 1
    trailing = (pl.col("n") == width + 1) & text.str.strip_chars_end(" ").str.ends_with(mark)
    counted = (
        frame.lazy().with_columns(n=count).with_columns(fits=(pl.col("n") == width) | trailing).collect()
    )
    good = counted if counted["fits"].all() else counted.filter("fits")
    fields = [
        pl.col("fields").struct.field(f"field_{place}").str.strip_chars().alias(role)
        for role, place in at.items()
    ]
    cut = good.lazy().with_columns(fields=text.str.split_exact(mark, width)).select("line", *fields).collect()
    if len(good) == len(counted):
        return cut, pl.DataFrame(schema=BROKEN)
    symbol = pl.lit(None, dtype=pl.String)
    if "symbol" in at:
        symbol = text.str.split(mark).list.get(at["symbol"], null_on_oob=True).str.strip_chars()
    bad = counted.filter(~pl.col("fits"))
    return cut, bad.select("line", _ragged(pl.col("n"), width).alias("why"), symbol.alias("symbol")).cast(
        BROKEN
    )


def _ragged(count: pl.Expr, width: int) -> pl.Expr:
    return pl.format(f"{{}} fields where the headers have {width}", count)


def _cut_quoted(frame: pl.DataFrame, head: Head, width: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cut line by line with the csv module: a line is a row, so a lost quote costs one row only."""
    roles, at = list(head.layout.at), list(head.layout.at.values())
    rows: list[tuple[object, ...]] = []
    broken: list[tuple[int, str, str | None]] = []
    name = head.layout.at.get("symbol")
    for line, text in frame.iter_rows():
        cells = split_line(text, head.delimiter)
        if cells is None:
            broken.append((line, "the quotes of this row do not pair up", None))
        elif len(cells) == width or (len(cells) == width + 1 and not cells[-1]):
            rows.append((line, *(cells[i] for i in at)))
        else:
            symbol = cells[name] if name is not None and name < len(cells) else None
            broken.append((line, f"{len(cells)} fields where the headers have {width}", symbol))
    schema = {"line": pl.Int64, **dict.fromkeys(roles, pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.DataFrame(broken, schema=BROKEN, orient="row")


def _without_footer(
    cut: pl.DataFrame, broken: pl.DataFrame, lines: pl.Series, head: Head
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Drop the remark that some vendors put below the rows: text without a date or any number."""
    last = int(max(cut["line"].max() or 0, 0))  # type: ignore[arg-type]
    below = broken.filter(pl.col("line") > last)
    if "symbol" in head.layout.at or not len(below) or not len(cut):
        return cut, broken
    remarks = [line for line in below["line"] if _is_remark(str(lines[line - 1]), head.delimiter)]
    return cut, broken.filter(~pl.col("line").is_in(remarks))


def _is_remark(text: str, delimiter: str) -> bool:
    """Whether a line is prose: it starts with a letter, and no cell is a number or a date."""
    cells = [cell.strip(' "') for cell in text.split(delimiter)]
    wordy = cells[0][:1].isalpha() and (len(cells[0].split()) > 1 or ":" in cells[0])
    return wordy and not any(re.match(r"[-+$€£]?\d", cell) for cell in cells)


def _parquet(file: Path, rows: bool = True) -> pl.DataFrame:
    """Read through pyarrow: polars' own reader panics on some broken files."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    raw = read_bytes(file)
    try:
        content = pq.ParquetFile(pa.BufferReader(raw))
        table = content.read() if rows else content.schema_arrow.empty_table()
        table.validate(full=True)  # broken text would otherwise pass, and crash later
        return pl.DataFrame(table)
    except (
        Exception,
        pl.exceptions.PanicException,
    ) as error:  # whatever breaks, the user must learn which file
        raise BadInput(
            f"{file}: is not a readable Parquet file ({str(error)[:200]}). Write or download it again."
        ) from error


def _parquet_layout(file: Path, headers: list[str], columns: Mapping[str, str]) -> Layout:
    try:
        layout = recognise(headers, columns)
    except BadInput as error:
        raise BadInput(f"{file}: {error}") from error
    lacks = missing(layout, str(file))
    if lacks:
        raise lacks
    return layout


def _parquet_table(file: Path, columns: Mapping[str, str]) -> Table:
    frame = _parquet(file)
    layout = _parquet_layout(file, frame.columns, columns)
    if not len(frame):
        raise BadInput(f"{file}: has columns ({listed(layout.headers)}) but no rows.")
    cells = frame.select(_typed(frame[layout.headers[i]]).alias(role) for role, i in layout.at.items())
    cells.insert_column(0, pl.int_range(1, len(cells) + 1, dtype=pl.Int64, eager=True).alias("line"))
    return Table(layout, cells, pl.DataFrame(schema=BROKEN), pl.Series("text", [], dtype=pl.String), ",")


def _typed(cells: pl.Series) -> pl.Series:
    """Numbers and times stay what they are; everything else becomes text that is read as in CSV."""
    kind = cells.dtype
    if kind in (pl.Date, pl.Datetime):
        return _within_reason(cells)
    if kind.is_numeric() or kind == pl.Time:
        return cells
    if kind == pl.String:
        return cells.str.strip_chars()
    if kind == pl.Binary or kind.is_nested() or kind == pl.Object:
        return pl.Series(
            cells.name, [None if value is None else str(value) for value in cells.to_list()], dtype=pl.String
        )
    return cells.cast(pl.String)


def _within_reason(cells: pl.Series) -> pl.Series:
    """Dates that no calendar library can handle, as a damaged file holds them, become text."""
    a_day = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
    number = cells.to_physical().cast(pl.Int64)
    days = number // a_day.get(getattr(cells.dtype, "time_unit", ""), 1)
    frame = pl.DataFrame({"cell": cells, "number": number, "sane": days.is_between(*_DAYS)})
    if frame["sane"].all():
        return cells
    read = frame.with_columns(pl.when("sane").then("cell").alias("cell")).with_columns(
        pl.col("cell").cast(pl.String)
    )
    return read.select(pl.coalesce("cell", pl.format("out of range ({})", "number"))).to_series()
