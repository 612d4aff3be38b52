"""What an edit of bars must be before it is written: seen as they are, and right as they will be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tapebook.data.edit_log import Log, frame, moment, refuse_changed, refuse_others
from tapebook.data.store import NAME
from tapebook.errors import BadInput, UnknownName
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection

KEY = ("symbol", "freq", "ts")
SHOWN = 3
"""Bars that an error names."""
MENDED = "outside_range"
"""A finding that is a warning in what a vendor sends, and a slip in what somebody types."""


def refuse_keys(bars: pl.DataFrame) -> None:
    """Refuse a bar that is named twice, or none."""
    if not len(bars):
        raise BadInput("no bar to edit was given")
    twice = bars.filter(bars.select(KEY).is_duplicated())
    if len(twice):
        raise BadInput(f"the bar {_named(twice.row(0, named=True))} is given twice")


def refuse_missing(cursor: DuckDBPyConnection, found: pl.DataFrame, add: bool) -> None:
    """Refuse a symbol that the lake does not hold, and a bar that is not there unless it is to be made."""
    import polars as pl

    known = [name for (name,) in cursor.execute(f"SELECT symbol FROM {NAME}.instruments").fetchall()]
    for symbol in found["symbol"].unique(maintain_order=True):
        if symbol not in known:
            raise UnknownName("symbol", symbol, known)
    missing = found.filter(~pl.col("met"))
    if len(missing) and not add:
        raise BadInput(f"the lake has no bar {_listed(missing)}: to make a new one, say so (add=True, --add)")
    empty = missing.filter(pl.any_horizontal(*[pl.col(n).is_null() for n in FIELDS[:4]]))
    if len(empty):
        raise BadInput(f"the new bar {_listed(empty)} needs open, high, low and close")


def refuse_unseen(
    cursor: DuckDBPyConnection, log: Log, found: pl.DataFrame, bars: pl.DataFrame, seen: int | None, who: str
) -> None:
    """Refuse bars that are others than their editor saw."""
    import polars as pl

    told = [name for name in FIELDS if f"was_{name}" in bars.columns]
    if told:
        said = bars.select(*KEY, *[pl.col(f"was_{name}").alias(f"seen_{name}") for name in told])
        both = found.join(said, on=KEY, how="left")
        for name in told:  # a value that is not said was not looked at
            wrong = both.filter(
                pl.col(f"seen_{name}").is_not_null()
                & pl.col(f"seen_{name}").ne_missing(pl.col(f"was_{name}"))
            )
            refuse_changed(log, wrong, name, f"seen_{name}", "as it was seen")
    if seen is not None:
        then = _at(cursor, found, seen)
        both = found.join(then, on=KEY, how="left")
        for name in FIELDS:
            wrong = both.filter(pl.col(f"then_{name}").ne_missing(pl.col(f"was_{name}")))
            refuse_changed(log, wrong, name, f"then_{name}", f"in snapshot {seen}")
    elif not told:
        refuse_others(log, found, who)


def _at(cursor: DuckDBPyConnection, found: pl.DataFrame, snapshot: int) -> pl.DataFrame:
    """The same bars as a snapshot has them."""
    from tapebook.data.snapshots import resolve

    number = resolve(cursor, snapshot)
    then = ", ".join(f"{name} AS then_{name}" for name in FIELDS)
    cursor.register("asked", found.select(KEY).to_arrow())
    rows = frame(
        cursor,
        f"SELECT symbol, freq, ts, {then} FROM {NAME}.bars AT (VERSION => {number}) SEMI JOIN asked "
        "USING (symbol, freq, ts)",
    )
    cursor.unregister("asked")
    return rows


def refuse_wrong(cursor: DuckDBPyConnection, after: pl.DataFrame, force: bool) -> None:
    """Judge each symbol's history as it will be; refuse what is severely wrong with the edited bars."""
    import polars as pl

    if force:
        return
    wrong = pl.concat([_findings(cursor, part) for part in after.partition_by("symbol", "freq")])
    wrong = wrong.filter((pl.col("severity") == "severe") | (pl.col("check_name") == MENDED))
    wrong = wrong.join(after.select(KEY), on=KEY, how="semi")
    if len(wrong):
        said = "; ".join(f"{_named(row)}: {row['detail']}" for row in wrong.head(SHOWN).iter_rows(named=True))
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise BadInput(
            f"wrong, so nothing was changed: {said}{more}. Mend it, or insist (force=True, --force): "
            "then the finding stays with the bar"
        )


def _findings(cursor: DuckDBPyConnection, part: pl.DataFrame) -> pl.DataFrame:
    """What the quality checks say of one symbol's history, `part` in the place of what is stored."""
    import polars as pl

    from tapebook.data import quality

    symbol, freq = part["symbol"][0], part["freq"][0]
    where = [symbol, freq]
    query = f"SELECT ts, {', '.join(FIELDS)} FROM {NAME}.bars WHERE symbol = ? AND freq = ?"
    stored = frame(cursor, query, where)
    fresh = part.filter(pl.col("what") != "deleted").select("ts", *FIELDS).with_columns(_stamp())
    bars = pl.concat([stored.join(part.select(_stamp()), on="ts", how="anti"), fresh]).sort("ts")
    query = f"SELECT ts, split, dividend FROM {NAME}.actions WHERE symbol = ? ORDER BY ts"
    actions = frame(cursor, query, [symbol])
    query = f"SELECT calendar FROM {NAME}.instruments WHERE symbol = ?"
    calendar = cursor.execute(query, [symbol]).fetchone() or ("24/7",)
    if not len(bars):
        return pl.DataFrame(schema={name: pl.String() for name in quality.COLUMNS})
    found = quality.check(bars, symbol=symbol, freq=freq, calendar=str(calendar[0]), actions=actions)
    return found.with_columns(_stamp())


def judge(cursor: DuckDBPyConnection, after: pl.DataFrame) -> None:
    """Store the findings of each symbol's history, which the transaction has changed, in place of the old."""
    for part in after.partition_by("symbol", "freq"):
        symbol, freq = part["symbol"][0], part["freq"][0]
        cursor.execute(f"DELETE FROM {NAME}.quality WHERE symbol = ? AND freq = ?", [symbol, freq])
        found = _findings(cursor, part)
        if len(found):
            cursor.register("findings", found.to_arrow())
            cursor.execute(f"INSERT INTO {NAME}.quality SELECT * FROM findings ORDER BY symbol, ts")
            cursor.unregister("findings")


def _stamp() -> pl.Expr:
    import polars as pl

    return pl.col("ts").cast(pl.Datetime("us", "UTC"))


def _named(row: dict[str, Any]) -> str:
    return f"{row['symbol']} {moment(row['ts'])}"


def _listed(rows: pl.DataFrame) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(_named(row) for row in rows.head(SHOWN).iter_rows(named=True)) + more
