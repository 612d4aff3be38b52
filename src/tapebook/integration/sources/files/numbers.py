"""Numbers as vendors write them: 1,234.56, 1.234,56, 1 234,56, $12.50, (3.2), 1.2M, N/A."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import polars as pl

MISSING = (
    "", "nan", "null", "none", "na", "n/a", "n.a.", "nil", "-", "--", "---", "—", "–", ".", "#n/a", "#n/a "
    "n/a", "<na>", "nat", "?",
)  # fmt: skip
_GROUPS = r"[ \u00a0\u202f\u2009'’]"
_CURRENCY = r"^([+-]?)\s*(?:\p{Sc}|[A-Z]{1,2}\$|[A-Z]{3}\b|kr\.?)\s*|\s*(?:\p{Sc}|\b[A-Z]{3}|kr\.?)$"
_DOT = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})?(?:\.\d*)?(?:[eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?(?:[eE][+-]?\d+)?$"
_SIZES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


class Numbers(NamedTuple):
    """Values (Float64, null where missing or unreadable) and why they are unreadable (String), or None."""

    values: pl.Series
    why: pl.Series | None


def read_numbers(columns: dict[str, pl.Series], delimiter: str = ",") -> dict[str, Numbers]:
    """Read the columns of one file, which writes its decimal mark in one way throughout.

    A sole mark that could be either ("1,234") is thousands, unless the file's delimiter is a
    semicolon or a tab, where it is the decimal mark. Volumes may carry K, M, B or T.
    """
    plain = pl.DataFrame(columns).select(pl.all().cast(pl.Float64, strict=False))
    sound = plain.select(pl.all().is_finite().all(ignore_nulls=False)).row(0, named=True)
    if all(sound.values()):
        return {name: Numbers(plain[name], None) for name in columns}
    read = {name: plain[name].fill_nan(None) for name in columns}
    odd = {name: _odd(cells, read[name]) for name, cells in columns.items() if cells.dtype == pl.String}
    decimal = _decimal({name: columns[name] for name in odd}, odd, delimiter)
    for name, strange in odd.items():
        if strange.any() or (decimal == "," and columns[name].str.contains(".", literal=True).any()):
            read[name] = _slow(columns[name], decimal, magnitudes=name == "volume")
    return {
        name: Numbers(read[name], None)
        if sound[name] and name not in odd
        else _judged(columns[name], read[name], decimal)
        for name in columns
    }


def _absent(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String:
        return cells.is_null() | cells.cast(pl.Float64).is_nan()
    return cells.is_null() | cells.str.to_lowercase().is_in(MISSING)


def _odd(cells: pl.Series, values: pl.Series) -> pl.Series:
    """Cells that hold something that is not a plain number."""
    unread = values.is_null()
    return (unread & ~_absent(cells)) if unread.any() else unread


def _judged(cells: pl.Series, values: pl.Series, decimal: str) -> Numbers:
    unread = "is not a number" + "; this file's decimal mark is the comma" * (decimal == ",")
    frame = pl.DataFrame({"value": values, "absent": _absent(cells)})
    why = frame.select(
        pl.when(pl.col("absent"))
        .then(None)
        .when(pl.col("value").is_null())
        .then(pl.lit(unread))
        .when(pl.col("value").is_infinite())
        .then(pl.lit("is not a finite number"))
        .otherwise(None)
        .cast(pl.String)
    ).to_series()
    finite = frame.select(pl.when(pl.col("value").is_finite()).then("value")).to_series()
    return Numbers(finite, why if why.null_count() < len(why) else None)


def _decimal(texts: dict[str, pl.Series], odd: dict[str, pl.Series], delimiter: str) -> str:
    """Return the mark that the prices vote for; volumes vote only where no price does."""
    prices = [name for name in texts if name != "volume"]
    if not any(mask.any() for mask in odd.values()):
        return "."
    undecided = "." if delimiter == "," else ","
    for names in (prices, [name for name in texts if name == "volume"]):
        dot, comma, either = (
            (sum(counts) for counts in zip(*(_votes(texts[n]) for n in names), strict=True))
            if names
            else (0, 0, 0)
        )
        if dot or comma:
            return "," if comma > dot else "."
        if either and names == prices:
            return undecided
    return "."


def _votes(cells: pl.Series) -> tuple[int, int, int]:
    """Return how many cells write a decimal dot, a decimal comma, and a comma that may be either."""
    marks = cells.drop_nulls().str.replace_all(r"[^0-9.,]", "").str.strip_chars_end(".,")
    comma_last = marks.str.contains(
        r"\..*,|^\d*,(?:\d{0,2}|\d{4,})$|^0,\d+$|^\d{4,},\d+$|^\d{1,3}(?:\.\d{3}){2,}$"
    )
    dot_last = marks.str.contains(
        r",.*\.|^\d*\.(?:\d{0,2}|\d{4,})$|^0\.\d+$|^\d{4,}\.\d+$|^\d{1,3}(?:,\d{3}){2,}$"
    )
    either = marks.str.contains(r"^[1-9]\d{0,2},\d{3}$")
    return int(dot_last.sum()), int(comma_last.sum()), int(either.sum())


def _slow(cells: pl.Series, decimal: str, magnitudes: bool) -> pl.Series:
    """Read cells one convention strips away after the other, all rows at once."""
    text = pl.col("text")
    frame = pl.DataFrame({"text": cells.str.strip_chars()}).with_columns(
        text.str.replace(r"^\((.*)\)$", "-$1").str.replace_all(_CURRENCY, "${1}").str.replace(r"^−", "-")
    )
    size = pl.lit(1.0)
    if magnitudes:
        letter = text.str.extract(r"\d\s*([KkMmBbTt])[Nn]?$", 1).str.to_uppercase()
        frame = frame.with_columns(
            letter.replace_strict(_SIZES, default=1.0, return_dtype=pl.Float64).alias("size")
        )
        frame = frame.with_columns(text.str.replace(r"(\d)\s*[KkMmBbTt][Nn]?$", "$1"))
        size = pl.col("size")
    spaced = r"^([+-]?\d{1,3})(?:" + _GROUPS + r"\d{3})+(?:\D|$)"
    ungrouped = pl.when(text.str.contains(spaced)).then(text.str.replace_all(_GROUPS, "")).otherwise(text)
    shape, other = (_DOT, ",") if decimal == "." else (_COMMA, ".")
    number = text.str.replace_all(other, "", literal=True).str.replace(",", ".", literal=True)
    return (
        frame.with_columns(ungrouped.alias("text"))
        .select(pl.when(text.str.contains(shape)).then(number.cast(pl.Float64, strict=False) * size))
        .to_series()
    )


def all_numbers(texts: Sequence[str]) -> bool:
    """Whether every text is a plain finite number."""
    try:
        return all(isfinite(float(text)) for text in texts)
    except ValueError:
        return False
