"""Where a text file's headers stand, and what separates its cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tapebook.errors import BadInput, BadParameter, TapebookError
from tapebook.integration.sources.files.headerless import guess, looks_like_rows
from tapebook.integration.sources.files.headers import Layout, listed, missing, recognise

DELIMITERS = (",", ";", "\t", "|")
_SEARCHED = 30  # lines from the top among which the headers are looked for
_DIRECTIVE = re.compile(r"^\ufeff?sep=(.)$", re.IGNORECASE)


@dataclass(frozen=True)
class Head:
    """Where a text file's rows begin and how they are written. `after` counts lines before the first row."""

    layout: Layout
    delimiter: str
    after: int


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
    numbered = list(islice(_spoken(lines), _SEARCHED))
    if len(numbered) > 1 and numbered[0][1].startswith("Price") and numbered[1][1].startswith("Ticker"):
        numbered[0] = (numbered[0][0], "Date" + numbered[0][1][5:])  # yfinance names the date two lines below
    for i, line in numbered:
        found = _recognised(line, columns, delimiter)
        if found:
            return _below(Head(found[0], found[1], i + 1), lines, file)
        if looks_like_rows(line, (delimiter,) if delimiter else DELIMITERS):
            break
    return _unheaded(numbered, file, columns, delimiter)


def _spoken(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines that say something, with their position."""
    for i, line in enumerate(lines):
        bare = line.strip("\ufeff")
        if bare.strip() and not _DIRECTIVE.match(bare):
            yield i, bare


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
                f"{file}: holds {len(names)} tickers side by side ({listed(sorted(names))}); one file a "
                f"symbol, or one row "
                "a symbol and day, is expected. With pandas: frame.stack(level='Ticker') before to_csv."
            )
        return Head(head.layout, head.delimiter, head.after + 2)
    return head


def _unheaded(
    numbered: list[tuple[int, str]], file: Path, columns: Mapping[str, str], delimiter: str | None
) -> Head:
    """There are no headers: read the rows by position if that is certain, or say what is missing."""
    rows = [(i, line) for i, line in numbered if not line.lstrip().startswith("#")]
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
