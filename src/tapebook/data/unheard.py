"""Files of a commit whose answer was lost with the connection to PostgreSQL.

DuckLake takes such a commit for failed and removes the files that it wrote, though the catalogue may name
them. So each gets a second name before the commit, which is taken away once its end was heard; what the
catalogue names and lacks is given back. For files in a folder: a bucket can be told to keep versions.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PLACE = ".unheard"
"""Folder of the second names, in the lake's."""


def written(folder: str) -> set[Path]:
    """Every file of the lake, relative to its folder."""
    root = Path(folder)
    found = (Path(at) / name for at, _, names in os.walk(root) for name in names if name.endswith(".parquet"))
    return {file for path in found if (file := path.relative_to(root)).parts[0] != PLACE}


@contextmanager
def guarded(folder: str, before: set[Path]) -> Iterator[None]:
    """Keep the files that came since `before` until the block ends; if it fails, for the next writer."""
    names = [_named_again(Path(folder), file) for file in written(folder) - before]
    yield
    _forget(names)


def give_back(folder: str, cursor: DuckDBPyConnection, metadata: str, *, forget: bool) -> None:
    """Give every file back that the catalogue names and that is gone.

    `forget` takes the second names away: for who holds the writers' lock, as nobody is committing then.
    """
    root = Path(folder)
    names = list((root / PLACE).rglob("*.parquet")) if (root / PLACE).is_dir() else []
    if not names:
        return
    tables = (f"{metadata}.ducklake_{kind}_file" for kind in ("data", "delete"))
    rows = cursor.execute(" UNION ALL ".join(f"SELECT path FROM {table}" for table in tables)).fetchall()
    known = {Path(path).name for (path,) in rows}
    for name in names:
        file = root / name.relative_to(root / PLACE)
        if name.name in known and not file.exists():
            _linked(name, file)
    if forget:
        _forget(names)


def _named_again(root: Path, file: Path) -> Path:
    name = root / PLACE / file
    name.parent.mkdir(parents=True, exist_ok=True)
    _linked(root / file, name)
    return name


def _linked(old: Path, new: Path) -> None:
    with suppress(FileExistsError):
        try:
            os.link(old, new)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            shutil.copy2(old, new)


def _forget(names: list[Path]) -> None:
    for name in names:
        name.unlink(missing_ok=True)
