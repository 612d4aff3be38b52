"""Bars changed by hand: edited, added, struck out, put back; each with who, when, why, before and after.

The record of a change lies in the lake itself, in a table `edits` that is written in the transaction of the
bars: no edit is without its row, no row without its edit, whatever is killed when. An edit says what it saw,
a snapshot or the values themselves; a bar that is another by now is not overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapebook.data.duck import closing
from tapebook.data.edit_checks import KEY, judge, refuse_keys, refuse_missing, refuse_unseen, refuse_wrong
from tapebook.data.edit_log import (
    COLUMNS,
    CONFLICT,
    Log,
    empty,
    frame,
    refuse_changed,
    refuse_conflict,
    refuse_undone,
)
from tapebook.data.store import NAME, Store, Transaction
from tapebook.errors import NoData, UnknownName
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Edited:
    """What a change by hand did: its number (None if nothing was to be done), the snapshot, and the bars.

    `bars` has one row a bar: symbol, freq, ts, what, and each field before (`was_close`) and after (`close`).
    """

    number: int | None
    snapshot: int
    bars: pl.DataFrame

    def __str__(self) -> str:
        if self.number is None:
            return "nothing changed"
        counts = self.bars.group_by("what", maintain_order=True).len().rows()
        told = ", ".join(f"{n:,} {what}" for what, n in counts)
        return f"edit {self.number}: {told} in snapshot {self.snapshot}"


def edit(
    store: Store,
    bars: pl.DataFrame,
    *,
    reason: str,
    who: str,
    seen: int | None = None,
    add: bool = False,
    force: bool = False,
    dry_run: bool = False,
) -> Edited:
    """Change fields of bars; see `Lake.edit`. `bars`: symbol, freq, ts, fields (null stays), was_ fields."""
    refuse_keys(bars)
    if not store.exists():
        raise UnknownName("symbol", str(bars["symbol"][0]), (), "The lake is empty.")
    sent: list[int] = []

    def act() -> Edited:
        with store.writing() as work:
            log = Log(store, work.cursor)
            if (landed := _landed(log, sent, who, reason)) is not None:
                return landed
            found = _beside(work.cursor, bars)
            refuse_missing(work.cursor, found, add)
            refuse_unseen(work.cursor, log, found, bars, seen, who)
            after = _merged(found)
            after = after.filter(_differs())
            if not len(after):
                return Edited(None, log.snapshot(), _told(after))
            refuse_wrong(work.cursor, after, force)
            number = log.next()
            if dry_run:
                return Edited(number, log.snapshot(), _told(after))
            _replace(work, after)
            judge(work.cursor, after)
            _record(work, log, after, number, reason, who)
            work.note = f"edit {number} by {who}: {reason}"
            sent.append(number)
        return Edited(number, work.snapshot, _told(after))

    return store.again(act)


def undo(store: Store, number: int, *, reason: str, who: str) -> Edited:
    """Put back what a change by hand changed; see `Lake.undo`."""
    if not store.exists():
        raise _no_edit(number, ())
    sent: list[int] = []

    def act() -> Edited:
        with store.writing() as work:
            log = Log(store, work.cursor)
            if (landed := _landed(log, sent, who, reason)) is not None:
                return landed
            rows = log.rows(f"number = {number}")
            if not len(rows):
                raise _no_edit(number, [str(n) for n in log.numbers()])
            refuse_conflict(rows)
            refuse_undone(log, number)
            back = _backwards(work.cursor, log, rows)
            _replace(work, back)
            _bring_back(work, rows)
            judge(work.cursor, back)
            fresh = log.next()
            _record(work, log, back, fresh, reason, who, undoes=number)
            work.note = f"edit {fresh} by {who}: undoes edit {number}{f', {reason}' if reason else ''}"
            sent.append(fresh)
        return Edited(fresh, work.snapshot, _told(back))

    return store.again(act)


def _landed(log: Log, sent: Sequence[int], who: str, reason: str) -> Edited | None:
    """What an earlier try stored whose answer was lost with the connection, if it did."""
    import polars as pl

    if not sent:
        return None
    rows = log.rows(f"number = {sent[-1]}")
    mine = rows.filter((pl.col("who") == who) & (pl.col("reason") == reason))
    return Edited(sent[-1], log.snapshot(), _told(mine)) if len(mine) else None


def strike(work: Transaction, condition: str, *, store: Store, reason: str, who: str) -> int:
    """Record the bars that a deletion is about to take, in its own transaction; return the edit's number."""
    log = Log(store, work.cursor)
    log.create()
    number = log.next()
    was, gone = ", ".join(FIELDS), ", ".join("NULL" for _ in FIELDS)
    work.cursor.execute(
        f"INSERT INTO {NAME}.edits ({', '.join(COLUMNS)}) "
        f"SELECT ?, now(), ?, 'deleted', ?, ?, NULL, symbol, freq, ts, {was}, {gone} FROM {NAME}.bars "
        f"WHERE {condition} ORDER BY symbol, freq, ts",
        [number, who, reason, log.snapshot()],
    )
    work.note = f"edit {number} by {who}: deleted{f', {reason}' if reason else ''}"
    return number


def corrections(store: Store, symbols: Sequence[str], freq: str) -> pl.DataFrame:
    """Return the bars that a correction stands for now: symbol, ts, what, was_ fields, fields.

    A correction is a bar that was edited or added by hand, or deleted with a reason, and not undone since.
    """
    try:
        with closing(store.reading()) as cursor:
            return Log(store, cursor).standing(symbols, freq)
    except NoData:
        return empty()


def conflicting(store: Store, found: pl.DataFrame, source: str) -> int | None:
    """Record that a source has third values for corrected bars, once for the same values; see `CONFLICT`.

    Parameters
    ----------
    found : polars frame
        symbol, freq, ts, was_ fields (as they are kept, null where the bar is struck out) and fields (as the
        source has them).

    Returns
    -------
    int or None
        The number that `Lake.edits` has them under; None if all of it was known.
    """
    import polars as pl

    def act() -> int | None:
        with store.writing() as work:
            log = Log(store, work.cursor)
            fresh = found.join(log.conflicts(found), on=[*KEY, *FIELDS], how="anti", nulls_equal=True)
            if not len(fresh):
                return None
            number, bars = log.next(), f"{len(fresh)} bars" if len(fresh) > 1 else "a bar"
            why = "a source has other values than the correction that stands"
            _record(work, log, fresh.with_columns(pl.lit(CONFLICT).alias("what")), number, why, source)
            work.changed, work.note = True, f"edit {number}: {source} contradicts the correction of {bars}"
        return number

    return store.again(act)


def edits(store: Store, symbols: Sequence[str] | None, number: int | None, limit: int | None) -> pl.DataFrame:
    """List changes by hand; see `Lake.edits`."""
    try:
        with closing(store.reading()) as cursor:
            log = Log(store, cursor)
            if number is None:
                return log.operations(symbols, limit)
            rows = log.rows(f"number = {int(number)}")
            if not len(rows):
                raise _no_edit(number, [str(n) for n in log.numbers()])
            return rows
    except NoData:
        return empty()


def kept(store: Store, days: float) -> set[int]:
    """Return the snapshots from before corrections, and from before other deletions of the last days."""
    try:
        with closing(store.reading()) as cursor:
            return Log(store, cursor).kept(days)
    except NoData:
        return set()


# ---- what is there, and what is to be


def _beside(cursor: DuckDBPyConnection, bars: pl.DataFrame) -> pl.DataFrame:
    """Each bar asked for with what the lake has: fields (new), was_ fields (now), met."""
    new = ", ".join(f"i.{name}" for name in FIELDS)
    now = ", ".join(f"e.{name} AS was_{name}" for name in FIELDS)
    cursor.register("asked", bars.select(*KEY, *FIELDS).to_arrow())
    symbols = ", ".join("?" for _ in bars["symbol"].unique())
    found = frame(
        cursor,
        f"SELECT i.symbol, i.freq, i.ts, {new}, {now}, e.symbol IS NOT NULL AS met FROM asked i "
        f"LEFT JOIN (SELECT * FROM {NAME}.bars WHERE symbol IN ({symbols})) e USING (symbol, freq, ts) "
        f"ORDER BY ALL",
        bars["symbol"].unique().to_list(),
    )
    cursor.unregister("asked")
    return found


def _merged(found: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    kept = [pl.coalesce(name, f"was_{name}").alias(name) for name in FIELDS]
    what = pl.when("met").then(pl.lit("edited")).otherwise(pl.lit("added")).alias("what")
    return found.with_columns(*kept, what)


def _differs() -> pl.Expr:
    import polars as pl

    return pl.col("met").not_() | pl.any_horizontal(
        *[pl.col(name).ne_missing(pl.col(f"was_{name}")) for name in FIELDS]
    )


# ---- writing


def _replace(work: Transaction, after: pl.DataFrame) -> None:
    """Put bars in the place of those with their keys; a bar without prices is only taken away."""
    import polars as pl

    cursor, fields = work.cursor, ", ".join((*KEY, *FIELDS))
    cursor.register("fresh", after.select(*KEY, *FIELDS, "what").to_arrow())
    span = after.select(pl.col("ts").min().alias("first"), pl.col("ts").max().alias("last")).row(0)
    cursor.execute(
        f"DELETE FROM {NAME}.bars b USING fresh f WHERE b.symbol = f.symbol AND b.freq = f.freq "
        "AND b.ts = f.ts AND b.ts BETWEEN ? AND ?",
        list(span),
    )
    cursor.execute(
        f"INSERT INTO {NAME}.bars ({fields}) SELECT {fields} FROM fresh WHERE what <> 'deleted' "
        "ORDER BY symbol, ts"
    )
    cursor.unregister("fresh")
    work.changed = True


def _record(
    work: Transaction,
    log: Log,
    after: pl.DataFrame,
    number: int,
    reason: str,
    who: str,
    undoes: int | None = None,
) -> None:
    log.create()
    cursor = work.cursor
    fields = ", ".join([*(f"was_{name}" for name in FIELDS), *FIELDS])
    cursor.register("fresh", after.select("what", *KEY, *[f"was_{n}" for n in FIELDS], *FIELDS).to_arrow())
    cursor.execute(
        f"INSERT INTO {NAME}.edits ({', '.join(COLUMNS)}) "
        f"SELECT ?, now(), ?, what, ?, ?, ?, symbol, freq, ts, {fields} FROM fresh ORDER BY symbol, freq, ts",
        [number, who, reason, log.snapshot(), undoes],
    )
    cursor.unregister("fresh")


# ---- putting back


def _backwards(cursor: DuckDBPyConnection, log: Log, rows: pl.DataFrame) -> pl.DataFrame:
    """The bars as they were before an edit; refused where they are others than it left them."""
    import polars as pl

    asked = rows.select(*KEY, *FIELDS)
    found = _beside(cursor, asked)
    for name in FIELDS:
        wrong = found.filter(pl.col(name).ne_missing(pl.col(f"was_{name}")))
        refuse_changed(log, wrong, name, name, "as the edit left it")
    before = rows.select(*KEY, *[pl.col(f"was_{n}").alias(f"back_{n}") for n in FIELDS])
    joined = found.join(before, on=KEY)
    none = pl.all_horizontal(*[pl.col(f"back_{name}").is_null() for name in FIELDS])
    what = pl.when(none).then(pl.lit("deleted")).otherwise(pl.lit("restored"))
    return joined.with_columns(*[pl.col(f"back_{n}").alias(n) for n in FIELDS], what.alias("what"))


def _bring_back(work: Transaction, rows: pl.DataFrame) -> None:
    """Bring back instruments, splits and dividends that went with a symbol's last bar."""
    gone = [row["symbol"] for row in rows.filter(rows["what"] == "deleted").iter_rows(named=True)]
    if not gone:
        return
    from tapebook.data.snapshots import resolve

    cursor = work.cursor
    known = {name for (name,) in cursor.execute(f"SELECT symbol FROM {NAME}.instruments").fetchall()}
    lost = sorted(set(gone) - known)
    if not lost:
        return
    number = resolve(cursor, int(rows["seen"][0]))
    places = ", ".join("?" for _ in lost)
    for table in ("instruments", "actions"):
        cursor.execute(
            f"INSERT INTO {NAME}.{table} SELECT * FROM {NAME}.{table} AT (VERSION => {number}) "
            f"WHERE symbol IN ({places})",
            lost,
        )


def _told(after: pl.DataFrame) -> pl.DataFrame:
    return after.select(*KEY, "what", *[f"was_{name}" for name in FIELDS], *FIELDS)


def _no_edit(number: int, known: Sequence[str]) -> UnknownName:
    return UnknownName("edit", str(number), known, "See `tapebook data audit`.")
