"""A folder that is there whole or not at all: written beside its place, then moved."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tapebook.errors import TapebookError


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Yield where to write what becomes `folder` at the end of the block; after an error nothing is left.

    Raises
    ------
    TapebookError
        If the disk refuses: it is full, or the folder may not be written.
    """
    part = folder.with_name(folder.name + ".part")
    try:
        yield part
        part.rename(folder)
    except BaseException as error:
        shutil.rmtree(part, ignore_errors=True)
        if not isinstance(error, OSError):
            raise
        raise TapebookError(
            f"{folder.name} cannot be kept in {folder.parent}: {error.strerror or error}. "
            "Make room there, let it be written, or name another place in tapebook.toml"
        ) from error
