"""The lake's table of changes by hand: `edits`, made with the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tapebook.data.store import NAME, Store, among, newest
from tapebook.errors import BadInput, Changed
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection

_SQL = {
    "number": "BIGINT",
    "time": "TIMESTAMPTZ",
    "who": "VARCHAR",
    "what": "VARCHAR",
    "reason": "VARCHAR",
    "seen": "BIGINT",
    "undoes": "BIGINT",
    "symbol": "VARCHAR",
    "freq": "VARCHAR",
    "ts": "TIMESTAMPTZ",
    **{f"was_{name}": "DOUBLE" for name in FIELDS},
    **dict.fromkeys(FIELDS, "DOUBLE"),
}
COLUMNS = tuple(_SQL)
"""One row a bar: the edit's number, when, who, what (edited, added, deleted, restored), why; the snapshot
before it; the edit that it undoes; the bar, and its fields before (`was_`) and after. What is a "conflict"
changed nothing: a source, who, has other values (the fields) than the correction that stands (`was_`)."""
CONFLICT = "conflict"
_CORRECTS = "(what IN ('edited', 'added') OR (what = 'deleted' AND reason <> '' AND undoes IS NULL))"


class Log:
    """The table as one cursor sees it; without the table it is empty."""

    def __init__(self, store: Store, cursor: DuckDBPyConnection) -> None:
        self.cursor = cursor
        table = f"{store.metadata}.ducklake_table"
        query = f"SELECT 1 FROM {table} WHERE table_name = 'edits' AND end_snapshot IS NULL"
        self.exists = cursor.execute(query).fetchone() is not None

    def snapshot(self) -> int:
        """Number of the snapshot that the transaction began from."""
        return newest(self.cursor)

    def rows(self, condition: str = "true", parameters: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows that meet a condition, in order."""
        if not self.exists:
            return empty()
        query = f"SELECT * FROM {NAME}.edits WHERE {condition} ORDER BY number, symbol, freq, ts"
        return frame(self.cursor, query, parameters)

    def numbers(self) -> list[int]:
        """Every edit's number."""
        if not self.exists:
            return []
        rows = self.cursor.execute(f"SELECT DISTINCT number FROM {NAME}.edits ORDER BY ALL").fetchall()
        return [int(number) for (number,) in rows]

    def next(self) -> int:
        """Return the next edit's number; writers wait for each other, so nobody else has it."""
        return max(self.numbers(), default=0) + 1

    def create(self) -> None:
        """Make the table, in the transaction of its first rows."""
        if not self.exists:
            columns = ", ".join(f"{name} {sql}" for name, sql in _SQL.items())
            self.cursor.execute(f"CREATE TABLE {NAME}.edits ({columns})")
            self.exists = True

    def operations(self, symbols: Sequence[str] | None, limit: int | None) -> pl.DataFrame:
        """One row an edit, symbol and bar length, newest first."""
        if not self.exists:
            return empty()
        where = "true" if symbols is None else among("symbol", symbols)
        same = ("time", "who", "reason", "seen", "undoes")
        one = ", ".join(f"any_value({name}) AS {name}" for name in same)
        groups = "number, what, symbol, freq"
        return frame(
            self.cursor,
            f"SELECT {groups}, {one}, count(*) AS bars, min(ts) AS first, max(ts) AS last FROM {NAME}.edits "
            f"WHERE {where} GROUP BY {groups} ORDER BY number DESC, symbol, freq, what "
            f"{'' if limit is None else f'LIMIT {int(limit)}'}",
        )

    def standing(self, symbols: Sequence[str], freq: str) -> pl.DataFrame:
        """The bars that a correction stands for: the last word on each, if it is one."""

        if not self.exists:
            return empty()
        query = (
            f"SELECT * FROM (SELECT * FROM {NAME}.edits WHERE freq = ? AND {among('symbol', list(symbols))} "
            f"AND what <> '{CONFLICT}' "
            "QUALIFY row_number() OVER (PARTITION BY symbol, ts ORDER BY number DESC) = 1) "
            f"WHERE {_CORRECTS} ORDER BY symbol, ts"
        )
        return frame(self.cursor, query, [freq])

    def conflicts(self, found: pl.DataFrame) -> pl.DataFrame:
        """What sources were heard to say of bars since each was corrected last: rows as `rows` has."""
        if not self.exists:
            return empty()
        mine = f"{among('symbol', found['symbol'].unique().to_list())} AND freq = ?"
        query = (
            f"SELECT * FROM (SELECT *, max(number) FILTER (what <> '{CONFLICT}') "
            f"OVER (PARTITION BY symbol, freq, ts) AS last FROM {NAME}.edits WHERE {mine}) "
            f"WHERE what = '{CONFLICT}' AND number > last"
        )
        return frame(self.cursor, query, [found["freq"][0]]).drop("last")

    def kept(self, days: float) -> set[int]:
        """Snapshots from before corrections, and from before other deletions of the last days."""
        if not self.exists:
            return set()
        rows = self.cursor.execute(
            f"SELECT DISTINCT seen FROM {NAME}.edits WHERE what <> '{CONFLICT}' "
            f"AND ({_CORRECTS} OR time > now() - to_seconds(?))",
            [days * 86_400],
        ).fetchall()
        return {int(number) for (number,) in rows}


def frame(cursor: DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()) -> pl.DataFrame:
    """Ask, and give times the zone "UTC": DuckDB names it by the machine's own word."""
    from polars import selectors

    return (
        cursor.execute(query, list(parameters))
        .pl()
        .with_columns(selectors.datetime().dt.convert_time_zone("UTC"))
    )


def empty() -> pl.DataFrame:
    """Return the table without a row."""
    import polars as pl

    kinds: dict[str, Any] = {"BIGINT": pl.Int64(), "DOUBLE": pl.Float64(), "VARCHAR": pl.String()}
    return pl.DataFrame(schema={name: kinds.get(sql, pl.Datetime("us", "UTC")) for name, sql in _SQL.items()})


def last_of(log: Log, row: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last row of a bar's history."""
    mine = f"symbol = ? AND freq = ? AND ts = ? AND what <> '{CONFLICT}'"
    rows = log.rows(mine, [row["symbol"], row["freq"], row["ts"]])
    return rows.row(-1, named=True) if len(rows) else None


def refuse_changed(log: Log, wrong: pl.DataFrame, field: str, seen: str, where: str) -> None:
    """Raise `Changed` if there are bars that are others by now; it says who changed the first, if by hand."""
    if not len(wrong):
        return
    row = wrong.row(0, named=True)
    last = last_of(log, row)
    by = (
        "a later write"
        if last is None
        else f"{last['who']} on {moment(last['time'])} (edit {last['number']}{_because(last)})"
    )
    more = f", and so were {len(wrong) - 1} more" if len(wrong) > 1 else ""
    raise Changed(
        f"the bar {row['symbol']} {moment(row['ts'])} was changed by {by}: {field} is "
        f"{values(row[f'was_{field}'])} now and was {values(row[seen])} {where}{more}. Nothing was "
        "overwritten: look again, then say the newest snapshot (seen=, --seen)"
    )


def refuse_conflict(rows: pl.DataFrame) -> None:
    """Raise BadInput if rows of an edit say what a source has, which nobody took."""
    if rows["what"][0] == CONFLICT:
        row = rows.row(0, named=True)
        raise BadInput(
            f"edit {row['number']} changed nothing: it says what {row['who']} has for {row['symbol']} "
            f"{moment(row['ts'])}. To take that, edit the bar, or put the correction back"
        )


def refuse_undone(log: Log, number: int) -> None:
    """Raise BadInput if an edit was undone before; it says by whom."""
    later = log.rows(f"undoes = {number}")
    if len(later):
        by = later.row(0, named=True)
        raise BadInput(
            f"edit {number} was undone already, by {by['who']} on {moment(by['time'])} (edit {by['number']})"
        )


def refuse_others(log: Log, found: pl.DataFrame, who: str) -> None:
    """Raise `Changed` if somebody else has corrected one of the bars, and nothing says that it was seen."""
    if not log.exists:
        return
    for (freq,), part in found.partition_by("freq", as_dict=True).items():
        standing = log.standing(part["symbol"].unique().to_list(), str(freq))
        others = standing.join(part.select("symbol", "ts"), on=["symbol", "ts"], how="semi")
        others = others.filter(others["who"] != who)
        if len(others):
            row = others.row(0, named=True)
            raise Changed(
                f"the bar {row['symbol']} {moment(row['ts'])} was {row['what']} by {row['who']} on "
                f"{moment(row['time'])} (edit {row['number']}{_because(row)}): to change it, say the "
                "snapshot that you have seen it in (seen=, --seen; `tapebook data snapshots`)"
            )


def _because(row: dict[str, Any]) -> str:
    return f", {row['reason']}" if row["reason"] else ""


def moment(at: datetime) -> str:
    """Write a time for a person: a day, or a day and a time."""
    return f"{at:%Y-%m-%d}" if f"{at:%H:%M:%S}" == "00:00:00" else f"{at:%Y-%m-%d %H:%M}"


def values(value: float | None) -> str:
    """Write a field for a person."""
    return "none" if value is None else f"{value:g}"
