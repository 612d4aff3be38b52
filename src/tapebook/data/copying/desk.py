"""Copy a whole desk: lake, catalogue, and what results and runs are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.config import Config, database_url, lake_place
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.tables import metadata
from tapebook.data.copying import bars, records
from tapebook.data.copying.place import Place
from tapebook.data.copying.rows import Tally, copy_rows, count_rows
from tapebook.data.lake_files import paths
from tapebook.data.store import TABLES, Store
from tapebook.errors import BadParameter

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from tapebook.progress import Report


@dataclass
class Copied:
    """What was copied and compared, or with a dry run what would be."""

    database: str
    lake: str
    tables: dict[str, Tally] = field(default_factory=dict)
    symbols: dict[str, dict[tuple[str, ...], Tally]] = field(default_factory=dict)
    files: int = 0
    bytes: int = 0
    records: Mapping[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def frame(self) -> list[dict[str, Any]]:
        """One row a table of the catalogue and a symbol of the lake: what, rows, checksum."""
        rows = [
            {"part": "catalogue", "what": name, "rows": tally.rows, "checksum": tally.checksum}
            for name, tally in self.tables.items()
        ]
        return rows + [
            {"part": table, "what": " ".join(key), "rows": tally.rows, "checksum": tally.checksum}
            for table, found in self.symbols.items()
            for key, tally in sorted(found.items())
        ]

    def __str__(self) -> str:
        held = ", ".join(
            f"{tally.rows:,} {name.replace('_', ' ')}" for name, tally in self.tables.items() if tally.rows
        )
        bars = sum(tally.rows for tally in self.symbols.get("bars", {}).values())
        lines = [
            f"catalogue  {held or 'empty'}",
            f"lake       {bars:,} bars of {len(self.symbols.get('bars', {})):,} series, {self.files:,} files "
            f"({self.bytes:,} bytes), every snapshot under its number",
            f"files      of {self.records.get('results', 0):,} results and scans, "
            f"{self.records.get('reports', 0):,} runs",
        ]
        if self.missing:
            more = " …" * (len(self.missing) > 5)  # noqa: PLR2004
            lines.append(f"           missing at the source too: {', '.join(self.missing[:5])}{more}")
        return "\n".join(lines)


def target_of(config: Config, to: str, lake: str | None) -> Config:
    """Read where a copy goes: a folder to be a desk of its own, or a database's URL and a place for files.

    Raises
    ------
    BadParameter
        If the place for files is missing, or is the source's own.
    """
    if "://" not in to:
        home = Path(to).expanduser().resolve()
        at, data = home / "data" / "desk.sqlite", home / "data"
        target = replace(
            config,
            home=home,
            database=f"sqlite:///{at}",
            lake=lake_place(lake, home) if lake else str(data / "lake"),
            results=data / "results",
            reports=home / "reports",
        )
    else:
        database = database_url(to, config.home)
        if lake is None and not database.startswith("sqlite"):
            raise BadParameter("lake", None, "a folder that the whole team sees, or s3://bucket/prefix")
        beside = Path(database.removeprefix("sqlite:///")).parent / "lake"
        target = replace(config, database=database, lake=lake_place(lake or str(beside), config.home))
    for name in ("database", "lake"):
        if getattr(target, name) == getattr(config, name):
            raise BadParameter(
                "to" if name == "database" else name, to, f"another {name} than the source's own"
            )
    return replace(target, snapshot=None, trials=None, universes=None)


def copy(
    source: Config,
    target: Config,
    *,
    again: bool = False,
    dry_run: bool = False,
    report: Report | None = None,
) -> Copied:
    """Copy the desk of `source` into the empty place `target`; see `Desk.copy`."""
    place, store = Place(target), Store(source, read_only=False)
    place.check(again=again)
    done = Copied(place.name, target.lake)
    with ExitStack() as held:
        if not dry_run:
            held.enter_context(place.alone())
        rows, cursor = held.enter_context(closing(Rows(source.database))), held.enter_context(_alone(store))
        files = [] if cursor is None else paths(store, cursor)
        done.files, done.bytes = len(files), sum(size for _, size in files)
        if dry_run:
            done.tables, done.records = count_rows(rows), Counter(kind for kind, _ in records.named(rows))
            done.symbols = {table: bars.by_symbol(cursor, table) for table in TABLES} if cursor else {}
            return done
        with place.store.lock():
            place.check(again=again, alone=True)  # whoever was here a moment ago is done
            _fill(source, place, rows, store, cursor, files, done, report)
    return done


def _fill(
    source: Config,
    place: Place,
    rows: Rows,
    store: Store,
    cursor: DuckDBPyConnection | None,
    files: list[tuple[str, int]],
    done: Copied,
    report: Report | None,
) -> None:
    """Copy and compare, part by part; `done` is filled in. What ends this leaves the target unfinished."""
    wanted = records.named(rows)
    step = _steps(report, len(files) + len(metadata.tables) + len(wanted))
    place.begin()
    if cursor is not None:
        bars.copy_files(store, place.store, files, step)
        bars.copy_metadata(store, place.store, cursor)
        done.symbols = bars.compare_bars(cursor, place.store)
    with place.rows() as taken:
        done.tables = copy_rows(rows, taken, step)
    done.records, done.missing = records.copy_records(source, place.config, wanted, step)
    place.end()


@contextmanager
def _alone(store: Store) -> Iterator[DuckDBPyConnection | None]:
    """Hold off the source's writers, so that all that is copied belongs together; None if it has no lake."""
    if not store.exists():
        yield None
        return
    try:
        with store.alone() as cursor:
            yield cursor
    finally:
        store.close()


def _steps(report: Report | None, total: int) -> Callable[[str], None]:
    done = count(1)

    def step(what: str) -> None:
        if report is not None:
            report(next(done), total, what)

    return step
