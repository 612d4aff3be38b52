"""Numbers as vendors write them: 1,234.56, 1.234,56, 1 234,56, $12.50, (3.2), 1.2M, N/A."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import polars as pl

MISSING = (
    "", "nan", "null", "none", "na", "n/a", "n.a.", "nil", "-", "--", "---", "—", "–", ".", "#n/a", "#n/a n/a", "<na>", "nat", "?",
)  # fmt: skip
_GROUPS = r"[ \u00a0\u202f\u2009'’]"
_CURRENCY = r"^([+-]?)\s*(?:\p{Sc}|[A-Z]{1,2}\$|[A-Z]{3}\b|kr\.?)\s*|\s*(?:\p{Sc}|\b[A-Z]{3}|kr\.?)$"
_DOT = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{2,3})*,\d{3})?(?:\.\d*)?(?:[eE][+-]?\d+)?$"
_COMMA = r"^[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+)?(?:,\d*)?(?:[eE][+-]?\d+)?$"
_SIZES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


class Numbers(NamedTuple):
    """Values (Float64, null where missing or unreadable) and, where unreadable, why (String)."""

    values: pl.Series
    why: pl.Series


def read_numbers(columns: dict[str, pl.Series], delimiter: str = ",") -> dict[str, Numbers]:
    """Read the columns of one file, which writes its decimal mark in one way throughout.

    A sole mark that could be either ("1,234") is thousands, unless the file's delimiter is a
    semicolon or a tab, where it is the decimal mark. Volumes may carry K, M, B or T.
    """
    texts = {name: cells for name, cells in columns.items() if cells.dtype == pl.String}
    read = {name: _cast(cells) for name, cells in texts.items()}
    odd = {name: _odd(texts[name], values) for name, values in read.items()}
    decimal = _decimal(texts, odd, delimiter)
    answer = {}
    for name, cells in columns.items():
        if name not in texts:
            values = cells.cast(pl.Float64, strict=False).fill_nan(None)
        elif odd[name].any() or (decimal == "," and cells.str.contains(".", literal=True).any()):
            values = _slow(cells, decimal, magnitudes=name == "volume")
        else:
            values = read[name]
        answer[name] = _judged(cells, values)
    return answer


def _cast(cells: pl.Series) -> pl.Series:
    return cells.cast(pl.Float64, strict=False).fill_nan(None)


def _absent(cells: pl.Series) -> pl.Series:
    if cells.dtype != pl.String:
        return cells.is_null() | cells.cast(pl.Float64).is_nan()
    return cells.is_null() | cells.str.to_lowercase().is_in(MISSING)


def _odd(cells: pl.Series, values: pl.Series) -> pl.Series:
    """Cells that hold something that is not a plain number."""
    unread = values.is_null()
    return (unread & ~_absent(cells)) if unread.any() else unread


def _judged(cells: pl.Series, values: pl.Series) -> Numbers:
    finite = values.is_finite()
    if finite.all() and not values.null_count():
        return Numbers(values, pl.repeat(None, len(values), dtype=pl.String, eager=True))
    frame = pl.DataFrame({"value": values, "absent": _absent(cells)})
    why = frame.select(
        pl.when(pl.col("absent"))
        .then(None)
        .when(pl.col("value").is_null())
        .then(pl.lit("is not a number"))
        .when(pl.col("value").is_infinite())
        .then(pl.lit("is not a finite number"))
        .otherwise(None)
        .cast(pl.String)
    ).to_series()
    return Numbers(frame.select(pl.when(pl.col("value").is_finite()).then("value")).to_series(), why)


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
