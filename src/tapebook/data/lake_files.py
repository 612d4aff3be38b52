"""The files of a lake: those that some snapshot names, and those that none does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tapebook.data import s3
from tapebook.data.store import Store
from tapebook.errors import TapebookError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AGE = 86_400.0
"""Seconds after which a file that no snapshot names is no write's that goes on."""
_GONE = "ducklake_files_scheduled_for_deletion"


def paths(store: Store, cursor: DuckDBPyConnection) -> list[tuple[str, int]]:
    """Return path under the root and bytes of each file that some snapshot has.

    Raises
    ------
    TapebookError
        If the lake names a file outside its root.
    """
    at, found = store.metadata, []
    for kind in ("data", "delete"):
        query = (
            f"SELECT s.path, t.path, f.path, f.file_size_bytes, "
            f"f.path_is_relative::INT + t.path_is_relative::INT + s.path_is_relative::INT "
            f"FROM {at}.ducklake_{kind}_file f JOIN {at}.ducklake_table t USING (table_id) "
            f"JOIN {at}.ducklake_schema s ON s.schema_id = t.schema_id"
        )
        for schema, table, file, size, relative in cursor.execute(query).fetchall():
            if relative != 3:  # noqa: PLR2004 - file, table and schema
                raise TapebookError(f"the lake has a file outside its root, {file}: it cannot be copied")
            found.append((f"{schema}{table}{file}", int(size)))
    return sorted(set(found))


def strays(store: Store, cursor: DuckDBPyConnection, *, remove: bool = False) -> list[tuple[str, int]]:
    """Return path under the root and bytes of each Parquet file that no snapshot has, older than a day.

    A write that failed or was killed leaves them; or they are those of another catalogue.

    Parameters
    ----------
    remove : bool
        Delete them. The writers' lock must be held.
    """
    from pyarrow.fs import FileSelector

    known = {path for path, _ in paths(store, cursor)}
    known |= {path for (path,) in cursor.execute(f"SELECT path FROM {store.metadata}.{_GONE}").fetchall()}
    filesystem, root = s3.files(store.files)
    with s3.told(store.files):
        there = filesystem.get_file_info(FileSelector(f"{root}/main", recursive=True, allow_not_found=True))
        found = []
        for file in there:
            path = file.path.removeprefix(f"{root}/")
            old = file.mtime is not None and file.mtime.timestamp() <= time.time() - AGE
            if file.is_file and path.endswith(".parquet") and path not in known and old:
                found.append((path, int(file.size)))
        for path, _ in found if remove else ():
            filesystem.delete_file(f"{root}/{path}")
    return sorted(found)
