"""The rows of one symbol as a source answers: bars, actions and problems."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from tapebook.integration.sources.base import Problem
from tapebook.integration.sources.files.bars import actions_of, check_length, stamped, without_repeats
from tapebook.integration.sources.files.rows import Rows
from tapebook.schema import FIELDS, Frequency

_REPEATED = "another bar of the same time, {where}, has other values; that one is kept"


def together(files: Sequence[Rows]) -> pl.DataFrame:
    """Return the rows of several files; `file` is the position of each row's file."""
    return pl.concat(
        [
            rows.frame.with_columns(pl.lit(number, dtype=pl.Int32).alias("file"))
            for number, rows in enumerate(files)
        ]
    )


def answer(
    frame: pl.DataFrame,
    files: Sequence[Rows],
    freq: Frequency,
    tz: str | None,
    calendar: str,
    start: datetime | None,
    end: datetime | None,
) -> tuple[pl.DataFrame, pl.DataFrame | None, tuple[Problem, ...]]:
    """Return bars, actions and problems of one symbol's rows, as `Fetched` takes them.

    A problem whose time can be read counts only if it lies from `start` to `end`.
    """
    where = ", ".join(files[number].file for number in frame["file"].unique().sort()[:3])
    rows = stamped(frame, freq, tz, calendar, where)
    check_length(rows, freq, where)
    if start is not None or end is not None:
        rows = rows.filter(_between(start, end) | pl.col("ts").is_null())
    sound = rows["why"].null_count() == len(rows)
    bars, contrary = without_repeats(rows if sound else rows.filter(pl.col("why").is_null()))
    problems: tuple[Problem, ...] = ()
    if not sound or len(contrary):
        broken = rows.filter(pl.col("why").is_not_null()).select("file", "line", "about", "why")
        problems = _problems(pl.concat([broken, _contradicting(contrary, files)]), files)
    return bars.select("ts", *FIELDS), actions_of(bars), problems


def _between(start: datetime | None, end: datetime | None) -> pl.Expr:
    first = pl.lit(True) if start is None else pl.col("ts") >= pl.lit(start, dtype=pl.Datetime("us", "UTC"))
    return first if end is None else first & (pl.col("ts") <= pl.lit(end, dtype=pl.Datetime("us", "UTC")))


def _contradicting(contrary: pl.DataFrame, files: Sequence[Rows]) -> pl.DataFrame:
    """Complaints about rows that repeat a time with other values."""
    told = []
    for row in contrary.select("file", "line", "kept", "kept_file").iter_rows(named=True):
        place = "" if row["file"] == row["kept_file"] else f" of {files[row['kept_file']].file}"
        told.append((row["file"], row["line"], "when", _REPEATED.format(where=f"line {row['kept']}{place}")))
    return pl.DataFrame(
        told, schema={"file": pl.Int32, "line": pl.Int64, "about": pl.String, "why": pl.String}, orient="row"
    )


def _problems(told: pl.DataFrame, files: Sequence[Rows]) -> tuple[Problem, ...]:
    problems: list[Problem] = []
    for (number,), rows in (
        told.sort("file", "line").partition_by("file", as_dict=True, maintain_order=True).items()
    ):
        problems += files[int(number)].problems(rows.select("line", "about", "why").rows())
    return tuple(problems)
