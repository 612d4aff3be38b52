"""Bars changed by hand: edited, added, struck out, put back; each with who, when, why, before and after.

The record of a change lies in the lake itself, in a table `edits` that is written in the transaction of the
bars: no edit is without its row, no row without its edit, whatever is killed when. An edit says what it saw,
a snapshot or the values themselves; a bar that is another by now is not overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tapebook.data.edit_log import COLUMNS, Log, empty, frame, moment, refuse_changed, refuse_others
from tapebook.data.store import NAME, Store, Transaction
from tapebook.errors import BadInput, NoData, UnknownName
from tapebook.schema import FIELDS

if TYPE_CHECKING:
    import polars as pl
    from duckdb import DuckDBPyConnection

KEY = ("symbol", "freq", "ts")
SHOWN = 3
"""Bars that an error names."""
MENDED = "outside_range"
"""A finding that is a warning in what a vendor sends, and a slip in what somebody types."""


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
    with store.writing() as work:
        log = Log(store, work.cursor)
        found = _beside(work.cursor, bars)
        _refuse_missing(work.cursor, found, add)
        _refuse_unseen(work.cursor, log, found, bars, seen, who)
        after = _merged(found)
        after = after.filter(_differs())
        if not len(after):
            return Edited(None, log.snapshot(), _told(after))
        _refuse_wrong(work.cursor, after, force)
        number = log.next()
        if dry_run:
            return Edited(number, log.snapshot(), _told(after))
        _replace(work, after)
        _judge(work.cursor, after)
        _record(work, log, after, number, reason, who)
        work.note = f"edit {number} by {who}: {reason}"
    return Edited(number, work.snapshot, _told(after))


def undo(store: Store, number: int, *, reason: str, who: str) -> Edited:
    """Put back what a change by hand changed; see `Lake.undo`."""
    if not store.exists():
        raise _no_edit(number, ())
    with store.writing() as work:
        log = Log(store, work.cursor)
        rows = log.rows(f"number = {number}")
        if not len(rows):
            raise _no_edit(number, [str(n) for n in log.numbers()])
        later = log.rows(f"undoes = {number}")
        if len(later):
            by = later.row(0, named=True)
            raise BadInput(
                f"edit {number} was undone already, by {by['who']} on {moment(by['time'])} "
                f"(edit {by['number']})"
            )
        back = _backwards(work.cursor, log, rows)
        _replace(work, back)
        _bring_back(work, rows)
        _judge(work.cursor, back)
        fresh = log.next()
        _record(work, log, back, fresh, reason, who, undoes=number)
        work.note = f"edit {fresh} by {who}: undoes edit {number}{f', {reason}' if reason else ''}"
    return Edited(fresh, work.snapshot, _told(back))


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


def refuse_keys(bars: pl.DataFrame) -> None:
    """Refuse a bar that is named twice, or none."""
    if not len(bars):
        raise BadInput("no bar to edit was given")
    twice = bars.filter(bars.select(KEY).is_duplicated())
    if len(twice):
        raise BadInput(f"the bar {_named(twice.row(0, named=True))} is given twice")


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


def _refuse_missing(cursor: DuckDBPyConnection, found: pl.DataFrame, add: bool) -> None:
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


def _refuse_unseen(
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


def _refuse_wrong(cursor: DuckDBPyConnection, after: pl.DataFrame, force: bool) -> None:
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


def _judge(cursor: DuckDBPyConnection, after: pl.DataFrame) -> None:
    """Store the findings of each symbol's history, which the transaction has changed, in place of the old."""
    for part in after.partition_by("symbol", "freq"):
        symbol, freq = part["symbol"][0], part["freq"][0]
        cursor.execute(f"DELETE FROM {NAME}.quality WHERE symbol = ? AND freq = ?", [symbol, freq])
        found = _findings(cursor, part)
        if len(found):
            cursor.register("findings", found.to_arrow())
            cursor.execute(f"INSERT INTO {NAME}.quality SELECT * FROM findings ORDER BY symbol, ts")
            cursor.unregister("findings")


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


# ---- words


def _told(after: pl.DataFrame) -> pl.DataFrame:
    return after.select(*KEY, "what", *[f"was_{name}" for name in FIELDS], *FIELDS)


def _stamp() -> pl.Expr:
    import polars as pl

    return pl.col("ts").cast(pl.Datetime("us", "UTC"))


def _named(row: dict[str, Any]) -> str:
    return f"{row['symbol']} {moment(row['ts'])}"


def _listed(rows: pl.DataFrame) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return ", ".join(_named(row) for row in rows.head(SHOWN).iter_rows(named=True)) + more


def _no_edit(number: int, known: Sequence[str]) -> UnknownName:
    return UnknownName("edit", str(number), known, "See `tapebook data audit`.")
