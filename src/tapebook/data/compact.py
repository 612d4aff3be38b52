"""Fewer, larger files: what many small writes leave behind is merged, and old snapshots go."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapebook.data.lake_files import strays
from tapebook.data.store import NAME, TABLES, Store, newest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORTH = 0.05
"""Share of a file's rows deleted from which on it is written anew."""


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: Parquet files and their bytes before and after, snapshots dropped.

    `strays` are files older than a day that no snapshot names; they were `removed`, or lie there still.
    """

    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    dropped: int = 0
    strays: int = 0
    stray_bytes: int = 0
    removed: bool = False

    def __str__(self) -> str:
        told = (
            f"{self.files_before:,} files, now {self.files_after:,}; {self.bytes_before:,} bytes, now "
            f"{self.bytes_after:,}; {self.dropped:,} snapshots dropped"
        )
        if not self.strays:
            return told
        what = f"{self.strays:,} files ({self.stray_bytes:,} bytes) that no snapshot names"
        if self.removed:
            return f"{told}; {what} removed"
        how = "left by writes that failed: `tapebook data compact --strays` removes them"
        return f"{told}\n{what} lie there, {how}"


def compact(
    store: Store, keep: Collection[int], until: int | None = None, *, remove: bool = False
) -> Compacted:
    """Merge files, drop snapshots, remove files; see `Lake.compact`.

    A reader whose file goes away asks again (`read.seeing`). Of files that this catalogue has not had those
    are removed that `remove` asks for: what a killed writer left may be another catalogue's.
    """
    if not store.exists():
        return Compacted()
    with store.alone() as cursor:
        before = _size(store, cursor)
        dropped = _expire(cursor, keep, until)
        rewrite = [
            f"rewrite_data_files('{NAME}', '{table}', delete_threshold => {WORTH})" for table in TABLES
        ]
        for call in (*rewrite, f"merge_adjacent_files('{NAME}')"):
            with store.transaction(cursor) as work:
                cursor.execute(f"CALL ducklake_{call}")
                work.changed = True
        dropped += _expire(cursor, {*keep, newest(cursor)}, until)
        cursor.execute(f"CALL ducklake_cleanup_old_files('{NAME}', cleanup_all => true)")
        after = _size(store, cursor)
        left = strays(store, cursor, remove=remove)
    size = sum(size for _, size in left)
    return Compacted(before[0], after[0], before[1], after[1], dropped, len(left), size, remove)


def _expire(cursor: DuckDBPyConnection, keep: Collection[int], until: int | None) -> int:
    """Drop all snapshots up to `until` but the newest and `keep`; return how many."""
    numbers = [
        number for (number,) in cursor.execute(f"SELECT snapshot_id FROM {NAME}.snapshots()").fetchall()
    ]
    old = sorted(set(numbers) - set(keep) - {max(numbers)})
    old = [number for number in old if until is None or number <= until]
    if old:
        cursor.execute(f"CALL ducklake_expire_snapshots('{NAME}', versions => {old})")
    return len(old)


def _size(store: Store, cursor: DuckDBPyConnection) -> tuple[int, int]:
    """Number and bytes of the files of all snapshots, as the catalogue has them."""
    tables = [f"{store.metadata}.ducklake_{kind}_file" for kind in ("data", "delete")]
    files = " UNION ALL ".join(f"SELECT file_size_bytes AS size FROM {table}" for table in tables)
    row = cursor.execute(f"SELECT count(*), sum(size) FROM ({files})").fetchone()
    return (int(row[0]), int(row[1] or 0)) if row else (0, 0)
