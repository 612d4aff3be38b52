"""A file's cells read as values: wall times, numbers, actions, and a complaint where one cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from tapebook.integration.sources.base import Problem
from tapebook.integration.sources.files.dates import joined, read_stamps
from tapebook.integration.sources.files.headers import plain
from tapebook.integration.sources.files.numbers import read_numbers
from tapebook.integration.sources.files.table import Table
from tapebook.schema import FIELDS

ACTIONS = {"split": 1.0, "dividend": 0.0}
"""What a bar without an action says."""
VALUES = (*FIELDS, *ACTIONS)
COLUMNS = ("line", "symbol", "wall", "offset", "timeless", *VALUES, "why", "about")


@dataclass(frozen=True)
class Rows:
    """Every row of one file, good or bad.

    `frame`: line, symbol (null in a file of one symbol), wall, offset, timeless (whether the cell of a
    column of times is empty), the fields of a bar, split,
    dividend, and, for a row that is no bar, why and about, the role of the cell complained of.
    """

    file: str
    table: Table
    frame: pl.DataFrame

    @property
    def symbols(self) -> list[str]:
        """Symbols in the order of the alphabet."""
        return sorted(self.frame["symbol"].drop_nulls().unique().to_list())

    def problems(self, complaints: Sequence[tuple[int, str, str]]) -> list[Problem]:
        """Return complaints, each a line, a role ("" for the whole row) and why, with what the row holds."""
        lines = [line for line, _, _ in complaints]
        found = self.table.cells.filter(pl.col("line").is_in(lines))
        cells = {row["line"]: row for row in found.iter_rows(named=True)}
        told = []
        for line, role, why in complaints:
            text = self.table.text(line, cells.get(line, {}))
            header = self.table.layout.header(role) if role else ""
            value = _written(cells[line], role) if role else text[:200]
            told.append(Problem(self.file, line, header, value, why, text))
        return told


def _written(row: dict[str, Any], role: str) -> str:
    """Return the cell that a complaint is about; for "when" the date and the time beside it."""
    names = [name for name in ("stamp", "date", "time") if name in row] if role == "when" else [role]
    return " ".join(str(row[name]) for name in names if row[name] is not None)


def read_rows(table: Table, file: Path, dayfirst: bool | None) -> Rows:
    """Read every cell of a table; nothing is left out.

    Raises
    ------
    BadInput
        If the file does not show whether 03/04/2013 is a day of March or April.
    """
    table = _without_company_name(table)
    cells, at = table.cells, table.layout.at
    when = cells["stamp"] if "stamp" in at else cells["date"]
    stamps = read_stamps(
        joined(when, cells["time"]) if "time" in at else when, dayfirst, f"{file}, column {table.layout.when}"
    )
    columns: dict[str, pl.Series] = {
        "line": cells["line"],
        "wall": stamps["wall"],
        "offset": stamps["offset"],
    }
    complaints: list[tuple[str, pl.Series | None]] = [("when", stamps["why"])]
    if "symbol" in at:
        columns["symbol"], blank = _symbols(cells["symbol"])
        complaints.append(("symbol", blank))
    numbers = read_numbers({name: cells[name] for name in FIELDS if name in at}, table.delimiter)
    columns |= {name: read.values for name, read in numbers.items()}
    complaints += [(name, read.why) for name, read in numbers.items()]
    complaints.append(("close", _unpriced(*numbers["close"])))
    for name in ACTIONS:
        if name in at:
            columns[name], why = _actions(cells[name], name)
            complaints.append((name, why))
    absent = [pl.lit(none, dtype=pl.Float64).alias(name) for name, none in ACTIONS.items() if name not in at]
    absent += [pl.lit(None, dtype=pl.Float64).alias(name) for name in FIELDS if name not in at]
    absent += [] if "symbol" in at else [pl.lit(None, dtype=pl.String).alias("symbol")]
    timeless = (cells["time"].cast(pl.String).fill_null("") == "") if "time" in at else False
    absent.append(pl.lit(timeless).alias("timeless"))
    frame = pl.DataFrame(columns).with_columns(*absent, *_first_complaint(complaints)).select(COLUMNS)
    return Rows(str(file), table, _with_broken(frame, table))


def _without_company_name(table: Table) -> Table:
    """A column "Name" holds symbols if it has several, otherwise it is the company's."""
    layout = table.layout
    if (
        "symbol" not in layout.at
        or plain(layout.header("symbol")) != "name"
        or table.cells["symbol"].n_unique() > 1
    ):
        return table
    at = {role: position for role, position in layout.at.items() if role != "symbol"}
    return replace(table, layout=replace(layout, at=at))


def _symbols(cells: pl.Series) -> tuple[pl.Series, pl.Series]:
    text = cells.cast(pl.String).str.strip_chars()
    frame = pl.DataFrame({"symbol": text})
    blank = pl.col("symbol").is_null() | (pl.col("symbol") == "")
    read = frame.select(
        pl.when(~blank).then("symbol").alias("symbol"),
        pl.when(blank).then(pl.lit("the symbol is missing")).cast(pl.String).alias("why"),
    )
    return read["symbol"], read["why"]


def _unpriced(close: pl.Series, why: pl.Series | None) -> pl.Series | None:
    if not close.null_count():
        return None
    frame = pl.DataFrame({"close": close, "why": [None] * len(close) if why is None else why})
    absent = pl.col("close").is_null() & pl.col("why").is_null()
    return frame.select(pl.when(absent).then(pl.lit("the close is missing")).cast(pl.String)).to_series()


def _first_complaint(complaints: list[tuple[str, pl.Series | None]]) -> tuple[pl.Expr, pl.Expr]:
    """One complaint a row: about its date first, then its cells in the order of a bar's fields."""
    told = [(role, why) for role, why in complaints if why is not None and why.null_count() < len(why)]
    if not told:
        return pl.lit(None, dtype=pl.String).alias("why"), pl.lit(None, dtype=pl.String).alias("about")
    why = pl.coalesce(*(pl.lit(series) for _, series in told))
    about = pl.coalesce(*(pl.when(pl.lit(series).is_not_null()).then(pl.lit(role)) for role, series in told))
    return why.alias("why"), about.alias("about")


def _actions(cells: pl.Series, name: str) -> tuple[pl.Series, pl.Series | None]:
    """Read splits (2.0, 2:1, 2/1, 3-for-2) or dividends; 0 and blank are none."""
    ratio = r"^(\d+(?:\.\d+)?)\s*(?::|/|-?\s*for\s*-?)\s*(\d+(?:\.\d+)?)$"
    if name == "split" and cells.dtype == pl.String:
        new, old = (
            cells.str.to_lowercase().str.extract(ratio, i).cast(pl.Float64, strict=False) for i in (1, 2)
        )
        frame = pl.DataFrame({"cell": cells, "ratio": new / old})
        plain = frame.select(
            pl.when(pl.col("ratio").is_not_null()).then(pl.lit("1")).otherwise("cell")
        ).to_series()
        values, why = read_numbers({name: plain})[name]
        values = pl.DataFrame({"v": values, "r": frame["ratio"]}).select(pl.coalesce("r", "v")).to_series()
    else:
        values, why = read_numbers({name: cells})[name]
    none = ACTIONS[name]
    frame = pl.DataFrame({"v": values, "why": [None] * len(values) if why is None else why})
    impossible = (pl.col("v") < 0) | pl.col("v").is_infinite() | pl.col("v").is_nan()
    frame = frame.select(
        pl.when(pl.col("v").is_null() | impossible | (pl.col("v") == 0)).then(none).otherwise("v").alias("v"),
        pl.when(impossible).then(pl.lit(f"is no {name}")).otherwise("why").cast(pl.String).alias("why"),
    )
    return frame["v"], frame["why"]


def _with_broken(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Add the rows that could not be cut into cells; a row of no known symbol counts to the file's first."""
    if len(table.broken):
        broken = table.broken.with_columns(pl.lit("").alias("about"))
        frame = pl.concat([frame, broken], how="diagonal").sort("line")
    if "symbol" not in table.layout.at:
        return frame
    known = table.cells["symbol"].cast(pl.String).drop_nulls().unique()
    first = min((symbol for symbol in known if symbol), default=None)
    lost = ~pl.col("symbol").is_in(known.implode()) | pl.col("symbol").is_null()
    return frame.with_columns(
        pl.when(lost).then(pl.lit(first, dtype=pl.String)).otherwise("symbol").alias("symbol")
    )
