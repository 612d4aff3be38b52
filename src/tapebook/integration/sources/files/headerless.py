"""Files whose first line is a row already: read by position only where that is certain."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tapebook.errors import BadInput
from tapebook.integration.sources.files.headers import Layout, listed, missing, recognise
from tapebook.integration.sources.files.numbers import all_numbers

_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([T ].*)?$|(19|20)\d{6}([ T]\d.*)?$|\d{10}$|\d{13}$|\d{16}$|\d{19}$"
)
_TIME = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?$")
_BINANCE = 12  # columns of its klines: open time, open, high, low, close, volume, close time …
_PASS = (
    "put a line of headers on top (Date,Open,High,Low,Close,Volume), or pass the columns' numbers, such as "
    "columns={'date': '1', 'open': '2', 'high': '3', 'low': '4', 'close': '5', 'volume': '6'}"
)


def looks_like_rows(line: str, delimiters: Sequence[str]) -> bool:
    """Whether a line holds values rather than headers: at least two cells, mostly beginning with digits."""
    for mark in delimiters:
        cells = [cell.strip(' "') for cell in line.split(mark)]
        values = sum(bool(re.match(r"[-+$€£]?[\d.]*\d", cell)) for cell in cells)
        if len(cells) >= 2 and values >= 2 and values * 2 > len(cells):
            return True
    return False


def guess(rows: list[list[str]], columns: Mapping[str, str], where: str) -> Layout:
    """Return the layout of rows without headers; columns are then called "1", "2" …

    Read without being told: an ISO, YYYYMMDD or epoch date, perhaps a time, then open, high, low
    and close such that no high is below and no low above the others, perhaps volume; or Binance's
    twelve columns.

    Raises
    ------
    BadInput
        In every other case, with what to pass.
    """
    headers = [str(number) for number in range(1, len(rows[0]) + 1)]
    if columns:
        layout = recognise(headers, columns)
        lacks = missing(layout, f"{where}: there are no headers, columns are numbered from 1")
        if lacks:
            raise lacks
        return layout
    timed = len(rows[0]) > 1 and bool(_TIME.match(rows[0][1]))
    prices = 2 if timed else 1
    values = len(rows[0]) - prices
    certain = values in (4, 5) or len(rows[0]) == _BINANCE
    sound = [row for row in rows if len(row) == len(rows[0])]
    if certain and _DATE.match(rows[0][0]) and _are_bars([row[prices : prices + 4] for row in sound]):
        at = {"date" if timed else "stamp": 0, **({"time": 1} if timed else {})}
        names = ("open", "high", "low", "close", "volume")[: min(values, 5)]
        return Layout(tuple(headers), at | {name: prices + i for i, name in enumerate(names)})
    raise BadInput(
        f"{where}: there are no headers, the first line holds values: {listed(rows[0])}. Which column is "
        f"which cannot be "
        f"told with certainty: {_PASS}."
    )


def _are_bars(rows: list[list[str]]) -> bool:
    """Whether the columns are open, high, low, close in this order."""
    read = [[float(cell) for cell in row] for row in rows if all_numbers(row)]
    return len(read) * 2 > len(rows) and all(row[1] >= max(row) and row[2] <= min(row) for row in read)
