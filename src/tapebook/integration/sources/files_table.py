"""One file as a table of cells with the line that each row stands on; what is no row is told apart."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from tapebook.errors import BadInput, BadParameter, TapebookError
from tapebook.integration.sources.files_headerless import guess, looks_like_rows
from tapebook.integration.sources.files_headers import Layout, listed, missing, recognise
from tapebook.integration.sources.files_text import PARQUET, decode, read_bytes

DELIMITERS = (",", ";", "\t", "|")
_SEARCHED = 30  # lines from the top among which the headers are looked for
_DIRECTIVE = re.compile(r"^\ufeff?sep=(.)$", re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """Where a text file's rows begin and how they are written. `after` counts lines before the first row."""

    layout: Layout
    delimiter: str
    after: int


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


BROKEN = {"line": pl.Int64, "why": pl.String, "symbol": pl.String}


def is_parquet(file: Path) -> bool:
    """Whether the file's content is Parquet."""
    return read_bytes(file, head=True).startswith(PARQUET)


def head_of(file: Path, columns: Mapping[str, str], delimiter: str | None) -> Layout:
    """Read a file's headers only."""
    raw = read_bytes(file, head=True)
    if raw.startswith(PARQUET):
        return _parquet_layout(file, _parquet(file, rows=0).columns, columns)
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


def split_line(line: str, delimiter: str) -> list[str] | None:
    """Return one line's cells, None if its quotes do not pair up."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    try:
        rows = list(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return [cell.strip() for cell in rows[0]] if len(rows) == 1 else None


def find_head(lines: list[str], file: Path, columns: Mapping[str, str], delimiter: str | None) -> Head:
    """Find the line with the headers, and the delimiter, in a text file's first lines."""
    numbered = [(i, line.strip("\ufeff")) for i, line in enumerate(lines) if line.strip()]
    numbered = [(i, line) for i, line in numbered if not _DIRECTIVE.match(line)][:_SEARCHED]
    for i, line in numbered:
        found = _recognised(line, columns, delimiter)
        if found:
            return _below(Head(found[0], found[1], i + 1), lines, file)
        if looks_like_rows(line, (delimiter,) if delimiter else DELIMITERS):
            break
    return _unheaded(numbered, file, columns, delimiter)


def _recognised(line: str, columns: Mapping[str, str], delimiter: str | None) -> tuple[Layout, str] | None:
    """Return the layout of a line that names a date and a close, by the delimiter that finds most."""
    best: tuple[Layout, str] | None = None
    for mark in (delimiter,) if delimiter else DELIMITERS:
        cells = split_line(line.lstrip().removeprefix("#"), mark)
        if mark not in line or not cells:
            continue
        try:
            layout = recognise(_trimmed(cells), columns)
        except TapebookError:
            continue
        if missing(layout, "") is None and (best is None or len(layout.at) > len(best[0].at)):
            best = layout, mark
    return best


def _trimmed(cells: list[str]) -> list[str]:
    """Drop the empty header that a trailing delimiter makes."""
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells


def _below(head: Head, lines: list[str], file: Path) -> Head:
    """Step over the second and third header line that yfinance writes (Ticker,… and Date,,,)."""
    cells = [split_line(line, head.delimiter) or [""] for line in lines[head.after : head.after + 2]]
    if (
        len(cells) == 2
        and cells[0][0] == "Ticker"
        and cells[1][0] in ("Date", "Datetime")
        and not any(cells[1][1:])
    ):
        names = {cell for cell in cells[0][1:] if cell}
        if len(names) > 1:
            raise BadInput(
                f"{file}: holds {len(names)} tickers side by side ({listed(sorted(names))}); one file a symbol, or one row "
                "a symbol and day, is expected. With pandas: frame.stack(level='Ticker') before to_csv."
            )
        return Head(head.layout, head.delimiter, head.after + 2)
    return head


def _unheaded(
    numbered: list[tuple[int, str]], file: Path, columns: Mapping[str, str], delimiter: str | None
) -> Head:
    """There are no headers: read the rows by position if that is certain, or say what is missing."""
    rows = [(i, line) for i, line in numbered if not line.lstrip().startswith("#")] or numbered
    if not rows:
        raise BadInput(f"{file}: has no rows, only blank lines or comments.")
    mark = delimiter or max(DELIMITERS, key=lambda mark: rows[0][1].count(mark))
    first = split_line(rows[0][1], mark)
    if first is None:
        raise BadInput(f"{file}, line {rows[0][0] + 1}: its quotes do not pair up: {rows[0][1][:80]!r}.")
    if looks_like_rows(rows[0][1], (mark,)):
        cells = [split_line(line, mark) or [] for _, line in rows]
        return Head(guess(cells, columns, f"{file}, line {rows[0][0] + 1}"), mark, rows[0][0])
    where = f"{file}, line {rows[0][0] + 1}"
    try:
        layout = recognise(_trimmed(first), columns)
    except BadParameter as error:
        raise BadParameter(error.name, error.value, f"{error.expected} of {where}") from error
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    raise missing(layout, where) or BadInput(f"{where}: cannot be split into columns; pass delimiter=.")


def _text_table(text: str, head: Head, file: Path) -> Table:
    """Cut the lines into cells, all at once where no quotes are in the way."""
    mark, width = head.delimiter, len(head.layout.headers)
    lines = pl.Series("text", [text]).str.split("\n").explode()
    frame = pl.DataFrame({"text": lines}).with_row_index("line", 1).slice(head.after)
    frame = frame.with_columns(pl.col("line").cast(pl.Int64))
    bare = pl.col("text").str.strip_chars(" \t\r\x0b\x0c\x1a\ufeff" + mark + ",;")
    no_row = (
        (bare == "")
        | bare.str.starts_with("#")
        | pl.lit(head.after > 0) & (pl.col("text") == lines[head.after - 1])
    )
    frame = frame.filter(~no_row)
    quoted = pl.col("text").str.contains('"', literal=True)
    cut, broken = _cut(frame.filter(~quoted), head, width)
    if len(cut) + len(broken) < len(frame):
        more, more_broken = _cut_quoted(frame.filter(quoted), head, width)
        cut, broken = pl.concat([cut, more]).sort("line"), pl.concat([broken, more_broken]).sort("line")
    cut, broken = _without_footer(cut, broken, lines, head)
    if not len(cut) and not len(broken):
        raise BadInput(f"{file}: has headers ({listed(head.layout.headers)}) but no rows below them.")
    return Table(head.layout, cut, broken, lines, mark)


def _cut(frame: pl.DataFrame, head: Head, width: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    text, mark = pl.col("text"), head.delimiter
    frame = frame.with_columns((text.str.count_matches(mark, literal=True) + 1).alias("n"))
    trailing = (pl.col("n") == width + 1) & text.str.strip_chars_end(" ").str.ends_with(mark)
    fits = (pl.col("n") == width) | trailing
    cells = frame.filter(fits)["text"].str.split_exact(mark, width).struct.unnest()
    cut = cells.select(
        pl.col(f"field_{position}").str.strip_chars().alias(role) for role, position in head.layout.at.items()
    )
    cut = cut.insert_column(0, frame.filter(fits)["line"])
    at = head.layout.at.get("symbol")
    symbol = (
        pl.lit(None, dtype=pl.String) if at is None else text.str.split(mark).list.get(at, null_on_oob=True)
    )
    broken = frame.filter(~fits).select(
        "line", _ragged(pl.col("n"), width).alias("why"), symbol.str.strip_chars().alias("symbol")
    )
    return cut, broken.cast(BROKEN)


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


def _parquet(file: Path, rows: int | None = None) -> pl.DataFrame:
    import io

    try:
        return pl.read_parquet(io.BytesIO(read_bytes(file)), n_rows=rows, use_pyarrow=False)
    except TapebookError:
        raise
    except Exception as error:  # whatever a broken file does to the reader, the user must learn which file
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
    if kind.is_numeric() or kind in (pl.Date, pl.Datetime, pl.Time):
        return cells
    if kind == pl.String:
        return cells.str.strip_chars()
    if kind == pl.Binary or kind.is_nested() or kind == pl.Object:
        return pl.Series(
            cells.name, [None if value is None else str(value) for value in cells.to_list()], dtype=pl.String
        )
    return cells.cast(pl.String)
