"""What results and runs are made of, shared by a team: one zip each, under the lake's root beside the bars.

A desk whose catalogue is in PostgreSQL puts each finished folder on the shelf, and fetches what it has not.
Its own folders are then copies to work with. An embedded desk has no shelf: its folders are the only ones.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, TYPE_CHECKING, Any, Literal

from tapebook.data import s3
from tapebook.errors import ConfigError, TapebookError

if TYPE_CHECKING:
    from tapebook.config import Config

Kind = Literal["results", "reports"]
KINDS: tuple[Kind, ...] = ("results", "reports")
PENDING = ".to-share"
"""Folder beside those that could not be put on the shelf; it holds a file with the name of each."""
SHARED = ".shared"
"""Folder beside those that lie on the shelf as well: a file with the name of each, which says what shelf."""
ASIDE = ".trash"
"""Folder of `reports/` that deleted runs lie in: no page and no list looks there."""
_said = logging.getLogger("tapebook.shelf")


class Shelf:
    """Folders as zips, in a folder or a bucket; each is seen whole or not at all."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._opened: tuple[Any, str] | None = None

    def put(self, kind: Kind, folder: Path) -> None:
        """Put a folder there under its own name; one of that name is replaced."""
        with tempfile.TemporaryFile() as packed:
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as parts:
                for file in sorted(folder.rglob("*")):
                    if file.is_file() and not file.is_symlink():
                        parts.write(file, file.relative_to(folder))
            packed.seek(0)
            self.put_packed(kind, folder.name, packed)

    def put_packed(self, kind: Kind, id: str, packed: IO[bytes]) -> None:
        """Put a zip there."""
        filesystem, place = self._place(kind, id)
        part = place if s3.is_s3(self.root) else f"{place}.{token_hex(4)}.part"  # S3 shows no half object
        with s3.told(self.root):
            filesystem.create_dir(place.rpartition("/")[0])
            with filesystem.open_output_stream(part) as out:
                shutil.copyfileobj(packed, out)
            if part != place:
                filesystem.move(part, place)

    def open(self, kind: Kind, id: str) -> IO[bytes] | None:
        """Return the zip of this name to read from; None if there is none."""
        filesystem, place = self._place(kind, id)
        with s3.told(self.root):
            if not filesystem.get_file_info(place).is_file:
                return None
            found: IO[bytes] = filesystem.open_input_file(place)
            return found

    def fetch(self, kind: Kind, id: str, folder: Path) -> bool:
        """Unpack the zip of this name as `folder`; say whether there is one.

        Raises
        ------
        TapebookError
            If it is damaged.
        """
        packed = self.open(kind, id)
        if packed is None:
            return False
        part = folder.with_name(f".{folder.name}.{token_hex(4)}.part")
        try:
            with packed, s3.told(self.root), zipfile.ZipFile(packed) as parts:
                parts.extractall(part)
            with suppress(FileExistsError, OSError):  # another process was faster
                part.rename(folder)
        except (zipfile.BadZipFile, zlib.error, ValueError) as error:  # pyarrow's own is a ValueError
            raise TapebookError(f"{id} at {self.root}/{kind} is damaged: {error}") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder.is_dir()

    def drop(self, kind: Kind, id: str) -> None:
        """Take it away, if it is there."""
        filesystem, place = self._place(kind, id)
        with s3.told(self.root), suppress(FileNotFoundError):
            if filesystem.get_file_info(place).is_file:
                filesystem.delete_file(place)

    def exchange(self, kind: Kind, folder: Path) -> None:
        """Copy files that never change, such as a version of a script, both ways; none is replaced."""
        from pyarrow.fs import FileSelector

        filesystem, place = self._place(kind, folder.name)
        place = place.removesuffix(".zip")
        with s3.told(self.root):
            found = filesystem.get_file_info(FileSelector(place, allow_not_found=True))
            there = {file.base_name for file in found if file.is_file and not file.base_name.startswith(".")}
            here = {f.name for f in folder.glob("*") if f.is_file() and not f.name.startswith(".")}
            for name in here - there:
                filesystem.create_dir(place)
                with filesystem.open_output_stream(f"{place}/{name}") as out:
                    out.write((folder / name).read_bytes())
            for name in there - here:
                folder.mkdir(parents=True, exist_ok=True)
                with filesystem.open_input_stream(f"{place}/{name}") as given:
                    part = folder / f".{name}.{token_hex(4)}.part"
                    part.write_bytes(given.read())
                    part.replace(folder / name)

    def names(self, kind: Kind) -> list[str]:
        """Name everything of a kind that lies there, sorted."""
        from pyarrow.fs import FileSelector

        filesystem, place = self._place(kind, "")
        with s3.told(self.root):
            found = filesystem.get_file_info(FileSelector(place.rpartition("/")[0], allow_not_found=True))
        return sorted(
            file.base_name.removesuffix(".zip") for file in found if file.base_name.endswith(".zip")
        )

    def _place(self, kind: Kind, id: str) -> tuple[Any, str]:
        if self._opened is None:
            self._opened = s3.files(self.root)
        filesystem, root = self._opened
        return filesystem, f"{root}/{kind}/{id}.zip"


def shelf(config: Config) -> Shelf | None:
    """Return the team's shelf; None if the desk is embedded."""
    return None if config.embedded else Shelf(config.lake)


def local(config: Config, kind: Kind) -> Path:
    """Return the folder of this machine that things of a kind lie in."""
    return config.results if kind == "results" else config.reports


def bring(config: Config, kind: Kind, id: str) -> Path:
    """Return the folder of a result, a scan or a run on this machine, fetched if it was not there.

    If it is nowhere the folder does not exist: whoever reads it says so.
    """
    folder = local(config, kind) / id
    shared = shelf(config)
    if shared is not None and not folder.exists() and id and Path(id).name == id and not id.startswith("."):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if shared.fetch(kind, id, folder):
            _mark(config, kind, id)
    return folder


def share(config: Config, kind: Kind, folder: Path) -> None:
    """Put a finished folder on the team's shelf, and those that could not be put there before.

    What S3 refuses now is told in the log and put there when the next one is shared: the work is done, and
    lies on this machine.
    """
    shared = shelf(config)
    if shared is None:
        return
    waiting = local(config, kind) / PENDING
    waiting.mkdir(parents=True, exist_ok=True)
    (waiting / folder.name).touch()
    for mark in sorted(waiting.iterdir()):
        one = waiting.parent / mark.name
        try:
            if one.is_dir():
                shared.put(kind, one)
                _mark(config, kind, one.name)
        except (ConfigError, OSError) as error:
            _said.warning("%s is on this machine only until the next one is shared: %s", folder.name, error)
            return
        mark.unlink(missing_ok=True)


def drop(config: Config, kind: Kind, id: str) -> None:
    """Take a folder off the team's shelf; it has been removed here."""
    shared = shelf(config)
    if shared is not None:
        shared.drop(kind, id)
        for marks in (PENDING, SHARED):
            (local(config, kind) / marks / id).unlink(missing_ok=True)


def copies(config: Config, kind: Kind, older_than: float = 0.0) -> list[str]:
    """Name what lies both here and on the team's shelf, for at least so many seconds."""
    edge = time.time() - older_than
    marks = (local(config, kind) / SHARED).glob("*")
    return sorted(m.name for m in marks if m.stat().st_mtime <= edge and m.read_text() == config.lake)


def forget(config: Config, kind: Kind, id: str) -> None:
    """Remove this machine's copy of what has left the team's shelf."""
    for folder in (local(config, kind), local(config, kind) / ASIDE):
        shutil.rmtree(folder / id, ignore_errors=True)
    (local(config, kind) / SHARED / id).unlink(missing_ok=True)


def _mark(config: Config, kind: Kind, id: str) -> None:
    marks = local(config, kind) / SHARED
    marks.mkdir(parents=True, exist_ok=True)
    (marks / id).write_text(config.lake)
