"""Market data in plain PostgreSQL tables, for tools that read only those; kept in step by the lake's changes.

The target keeps the number of the snapshot that it shows, and moves it in the transaction that writes the
rows: a mirror that is ended at any moment goes on where it was. Of the snapshots since, the lake's feed says
which keys were touched; their rows as they are now are written, and keys that have none are deleted. Where
the feed has a gap (a compaction dropped snapshots) everything is compared, symbols by symbols, and only what
differs is written; the first copy is the same on empty tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tapebook.data import read
from tapebook.data.duck import closing
from tapebook.data.mirror_tables import KEYS, STATE, TABLES, alone, connected, prepare, shown, there
from tapebook.data.snapshots import SETTING_UP
from tapebook.data.store import NAME, Store, among, newest
from tapebook.errors import BadParameter, TapebookError

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection
    from psycopg import Connection

BLOCK = 500_000
"""Bars that are copied in one transaction, if no single symbol has more."""
SCHEMA = "market"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Mirrored:
    """What one pass wrote: rows that came or changed, rows that went, and the snapshot that is shown now.

    `whole` says why everything was compared, "" where the changes alone were written.
    """

    snapshot: int
    written: int = 0
    removed: int = 0
    whole: str = ""

    def __str__(self) -> str:
        told = (
            f"{self.written:,} rows written, {self.removed:,} removed" if self.written or self.removed else ""
        )
        return f"{told or 'nothing new'}: the mirror shows snapshot {self.snapshot}" + (
            f" (everything was compared: {self.whole})" if self.whole else ""
        )


@dataclass(frozen=True)
class Status:
    """How far a mirror is: `behind` counts snapshots that it lacks, `copying` is a copy broken off."""

    url: str
    schema: str
    snapshot: int | None
    newest: int
    behind: int
    updated: datetime | None
    symbols: tuple[str, ...] | None
    copying: int | None
    bars: int


class Mirror:
    """The tables of one schema at one PostgreSQL URL, filled from a lake. See `Desk.mirror`."""

    def __init__(self, store: Store, url: str, schema: str = SCHEMA) -> None:
        if not schema.isidentifier() or schema in ("tapebook", "tapebook_lake", "public"):
            raise BadParameter("schema", schema, "a schema of the mirror's own, such as market")
        self._store, self.url, self.schema = store, url, schema

    def sync(self, symbols: Sequence[str] | None = None, say: Say = lambda _: None) -> Mirrored:
        """Bring the tables up to the lake's newest snapshot; see `Desk.mirror`."""
        with (
            connected(self.url) as target,
            closing(self._store.reading()) as cursor,
            alone(target, self.schema),
        ):
            prepare(target, self.schema, self.url)
            return _Pass(self._store, cursor, target, self.schema, say).run(symbols)

    def status(self) -> Status:
        """Say how far it is."""
        with connected(self.url) as target, closing(self._store.reading()) as cursor:
            last = newest(cursor)
            if not there(target, self.schema, STATE):
                return Status(
                    shown(self.url), self.schema, None, last, _count(cursor, -1), None, None, None, 0
                )
            row = _state(target, self.schema)
            found = target.execute(f'SELECT count(*) FROM "{self.schema}".bars').fetchone()
            snapshot = row["snapshot"] if row else None
            return Status(
                shown(self.url),
                self.schema,
                snapshot,
                last,
                _count(cursor, -1 if snapshot is None else snapshot),
                row["updated"] if row else None,
                tuple(row["symbols"]) if row and row["symbols"] is not None else None,
                row["copying"] if row else None,
                int(found[0]) if found else 0,
            )


def _state(target: Connection[Any], schema: str) -> dict[str, Any] | None:
    from psycopg.rows import dict_row

    with target.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(f'SELECT * FROM "{schema}".{STATE}').fetchone()


def _count(cursor: DuckDBPyConnection, after: int) -> int:
    query = f"SELECT count(*) FROM {NAME}.snapshots() WHERE snapshot_id > {after} AND NOT ({SETTING_UP})"
    row = cursor.execute(query).fetchone()
    return int(row[0]) if row else 0


class _Pass:
    """One pass of a mirror."""

    def __init__(
        self, store: Store, cursor: DuckDBPyConnection, target: Connection[Any], schema: str, say: Say
    ) -> None:
        self._store, self._cursor, self._target = store, cursor, target
        self._schema, self._say = f'"{schema}"', say
        self._plain_schema = schema
        self._written = self._removed = 0

    def run(self, symbols: Sequence[str] | None) -> Mirrored:
        row = self._cursor.execute(
            f"SELECT table_uuid FROM {self._store.metadata}.ducklake_table WHERE table_name = 'bars'"
        ).fetchone()
        lake, last = str(row[0]) if row else "", newest(self._cursor)
        state = _state(self._target, self._plain_schema)
        if state is None:
            state = {"lake": lake, "symbols": None, "snapshot": None, "copying": None, "copied": None}
            self._target.execute(f"INSERT INTO {self._schema}.{STATE} (lake) VALUES (%s)", (lake,))
            self._target.commit()
        chosen = sorted(set(symbols)) if symbols is not None else state["symbols"]
        why = self._why_whole(state, lake, chosen, last)
        if why:
            self._whole(state, lake, chosen, last, why)
        elif last != state["snapshot"]:
            self._changes(state["snapshot"], last, chosen)
        return Mirrored(last, self._written, self._removed, why)

    def _why_whole(self, state: dict[str, Any], lake: str, chosen: list[str] | None, last: int) -> str:
        """Say why the changes alone do not do; "" where they do."""
        since = state["snapshot"]
        if state["lake"] != lake:
            return "the tables were those of another lake"
        if state["copying"] is not None:
            return "a copy was broken off"
        if since is None:
            return "it is the first copy"
        if state["symbols"] != chosen:
            return "other symbols were asked for"
        if since > last:
            return "the lake was made anew"
        query = f"SELECT count(*) FROM {NAME}.snapshots() WHERE snapshot_id > {since}"
        row = self._cursor.execute(query).fetchone()
        return "" if row and row[0] == last - since else "snapshots in between were compacted away"

    # ---- everything

    def _whole(self, state: dict[str, Any], lake: str, chosen: list[str] | None, last: int, why: str) -> None:
        same = state["lake"] == lake and state["symbols"] == chosen and state["copying"] == last
        done = (state["copied"] if same else None) or ""
        self._set("lake = %s, symbols = %s, copying = %s, copied = %s", (lake, chosen, last, done or None))
        self._target.commit()
        for block, rows in self._blocks(last, chosen, done):
            self._say(f"{block[0]} … {block[-1]}: {rows:,} bars ({why})")
            where = f"{self._among(block)}"
            self._put("bars", self._rows("bars", last, where), where)
            self._set("copied = %s", (block[-1],))
            self._target.commit()
        for table in ("actions", "instruments"):
            self._put(table, self._rows(table, last, self._among(chosen)), "true")
        known = self._cursor.execute(
            f"SELECT DISTINCT symbol FROM {NAME}.bars AT (VERSION => {last}) WHERE {self._among(chosen)}"
        ).fetchall()
        gone = self._target.execute(
            f"DELETE FROM {self._schema}.bars WHERE symbol <> ALL(%s)", ([name for (name,) in known],)
        )
        self._removed += gone.rowcount
        self._set("snapshot = %s, copying = NULL, copied = NULL", (last,))
        self._target.commit()

    def _blocks(self, at: int, chosen: list[str] | None, done: str) -> list[tuple[list[str], int]]:
        counts = self._cursor.execute(
            f"SELECT symbol, count(*) FROM {NAME}.bars AT (VERSION => {at}) WHERE {self._among(chosen)} "
            "GROUP BY symbol ORDER BY symbol"
        ).fetchall()
        blocks: list[tuple[list[str], int]] = []
        for name, count in counts:
            if name <= done:
                continue
            if not blocks or blocks[-1][1] + count > BLOCK:
                blocks.append(([], 0))
            blocks[-1] = ([*blocks[-1][0], name], blocks[-1][1] + count)
        return blocks

    # ---- what changed

    def _changes(self, since: int, last: int, chosen: list[str] | None) -> None:
        """Write what the snapshots after `since` touched, in one transaction with the cursor."""
        for table in TABLES:
            keys = ", ".join(KEYS[table])
            touched = " UNION ".join(
                f"SELECT {keys} FROM ducklake_table_{kind}('{NAME}', 'main', '{table}', {since + 1}, {last}) "
                f"WHERE {self._among(chosen)}"
                for kind in ("insertions", "deletions")
            )
            self._cursor.execute(f"CREATE OR REPLACE TEMP TABLE touched AS {touched}")
            some = self._cursor.execute("SELECT count(*), min(symbol), max(symbol) FROM touched").fetchone()
            if not some or not some[0]:
                continue
            self._say(f"{table}: {some[0]:,} rows were touched")
            found = read.in_utc(self._cursor.execute(self._now(table, last)).to_arrow_table())
            self._put(table, found, None)
        self._set("snapshot = %s", (last,))
        self._target.commit()

    def _now(self, table: str, last: int) -> str:
        keys, fields = KEYS[table], [name for name in self._columns(table) if name not in KEYS[table]]
        near = "symbol BETWEEN (SELECT min(symbol) FROM touched) AND (SELECT max(symbol) FROM touched)"
        if "ts" in keys:
            near += " AND ts BETWEEN (SELECT min(ts) FROM touched) AND (SELECT max(ts) FROM touched)"
        same = " AND ".join(f"k.{key} = r.{key}" for key in keys)
        given = ", ".join([*[f"k.{key}" for key in keys], *[f"r.{name}" for name in fields]])
        return (
            f"SELECT {given}, r.symbol IS NULL AS gone FROM touched k LEFT JOIN "
            f"(SELECT * FROM {NAME}.{table} AT (VERSION => {last}) WHERE {near}) r ON {same}"
        )

    # ---- to PostgreSQL

    def _put(self, table: str, rows: pa.Table, whole_of: str | None) -> None:
        """Write rows: those marked `gone` are deleted; with `whole_of` all others that fulfil it are too."""
        columns, keys = self._columns(table), KEYS[table]
        goal, names = f"{self._schema}.{table}", ", ".join(columns)
        fields = [name for name in columns if name not in keys]
        self._stage(table, rows)
        same = " AND ".join(f"t.{key} = s.{key}" for key in keys)
        if whole_of is None:
            gone = f"DELETE FROM {goal} t USING staged s WHERE s.gone AND {same}"
        else:
            gone = f"DELETE FROM {goal} t WHERE {whole_of} AND NOT EXISTS (SELECT FROM staged s WHERE {same})"
        self._removed += self._target.execute(gone.encode()).rowcount
        values = ", ".join(f"{name} = excluded.{name}" for name in fields)
        ours, theirs = (", ".join(f"{side}.{name}" for name in fields) for side in ("t", "excluded"))
        self._written += self._target.execute(
            f"INSERT INTO {goal} AS t ({names}) SELECT {names} FROM staged WHERE NOT gone "
            f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {values} "
            f"WHERE ({ours}) IS DISTINCT FROM ({theirs})".encode()
        ).rowcount
        self._target.execute("DROP TABLE staged")

    def _stage(self, table: str, rows: pa.Table) -> None:
        """COPY rows into a table that ends with the transaction."""
        import polars as pl

        frame = pl.DataFrame(rows)
        if "gone" not in frame.columns:
            frame = frame.with_columns(pl.lit(False).alias("gone"))
        self._target.execute(
            f"CREATE TEMP TABLE staged ({TABLES[table]}, gone boolean) ON COMMIT DROP".encode()
        )
        names = ", ".join(frame.columns)
        with self._target.cursor().copy(f"COPY staged ({names}) FROM STDIN (FORMAT csv)".encode()) as copy:
            for part in frame.iter_slices(100_000):
                told = part.write_csv(
                    include_header=False, quote_style="non_numeric", datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ"
                )
                copy.write(told)
        self._target.execute("ANALYZE staged")

    def _rows(self, table: str, at: int, where: str) -> pa.Table:
        query = (
            f"SELECT {', '.join(self._columns(table))} FROM {NAME}.{table} AT (VERSION => {at}) WHERE {where}"
        )
        return read.in_utc(self._cursor.execute(query).to_arrow_table())

    def _set(self, what: str, values: Sequence[Any]) -> None:
        self._target.execute(f"UPDATE {self._schema}.{STATE} SET {what}, updated = now()".encode(), values)

    def _columns(self, table: str) -> list[str]:
        return [part.split()[0] for part in TABLES[table].split(", ")]

    def _among(self, symbols: Sequence[str] | None) -> str:
        return "true" if symbols is None else among("symbol", symbols)


def follow(mirror: Mirror, wait: Callable[[], object], symbols: Sequence[str] | None, say: Say) -> None:
    """Mirror again and again until Ctrl-C: after `wait`, which sleeps until something happens."""
    import duckdb
    import psycopg

    while True:
        try:
            done = mirror.sync(symbols)
            if done.written or done.removed or done.whole:
                say(str(done))
            symbols = None  # the target keeps them
        except (TapebookError, psycopg.Error, duckdb.Error) as error:
            say(f"{str(error).strip()} (it is tried again)")
        wait()
