"""A folder of Markdown files: an Obsidian vault, the docs of MkDocs, or any other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from tapebook.errors import BadInput
from tapebook.integration.documents.base import Gone, Keeper, Remote
from tapebook.integration.documents.markdown import front_matter, markdown

if TYPE_CHECKING:
    from tapebook.integration.documents.document import Document

HEAD = 4000
"""Characters of a file in which its marker is looked for."""


class Folder(Keeper):
    """Markdown files with front matter and their figures in a folder each: Obsidian, MkDocs.

    Parameters
    ----------
    to : str
        The folder; it must be there. A file that a person renamed or moved inside it is found again.
    """

    kind, rate = "folder", 1000.0

    def __init__(self, to: str) -> None:
        self.root = Path(to).expanduser().resolve()

    def exists(self, id: str) -> bool:
        """Say whether the file is there."""
        return self._file(id).is_file()

    def find(self, document: Document) -> str | None:
        """Look through the heads of the Markdown files."""
        wanted = f"\ntapebook: {document.marker}\n"
        for file in sorted(self._root().rglob("*.md")):
            if any(part.startswith(".") for part in file.relative_to(self.root).parts):
                continue
            with file.open(encoding="utf-8", errors="replace") as opened:
                if wanted in opened.read(HEAD):
                    return file.relative_to(self.root).as_posix()
        return None

    def create(self, document: Document) -> Remote:
        """Write a file named after the document's key; one of somebody else's keeps its name."""
        name = re.sub(r"[^\w.-]+", "-", document.key).strip(".-")[:80] or "run"
        if (self._root() / f"{name}.md").exists():
            name = f"{name}-{document.marker[-6:]}"
        return self._write(f"{name}.md", document)

    def update(self, id: str, document: Document) -> Remote:
        """Replace file and figures."""
        if not self.exists(id):
            raise Gone(f"{id} is not in {self.root}")
        return self._write(id, document)

    def delete(self, id: str) -> None:
        """Delete file and figures."""
        file = self._file(id)
        file.unlink(missing_ok=True)
        shutil.rmtree(self._images(file), ignore_errors=True)

    def _root(self) -> Path:
        if not self.root.is_dir():
            raise BadInput(f"there is no folder {self.root}: make it, or say another one with --to")
        return self.root

    def _file(self, id: str) -> Path:
        file = (self._root() / id).resolve()
        if not file.is_relative_to(self.root):
            raise BadInput(f"{id} is outside {self.root}")
        return file

    @staticmethod
    def _images(file: Path) -> Path:
        return file.with_name(f"{file.stem}.figures")

    def _write(self, id: str, document: Document) -> Remote:
        """Figures first, each whole or not at all; the file last; then what it no longer shows goes."""
        file = self._file(id)
        images = self._images(file)
        try:
            for picture in document.pictures:
                images.mkdir(exist_ok=True)
                _whole(images / picture.file, picture.data)
            text = markdown(document, lambda picture: f"{images.name}/{picture.file}")
            _whole(file, (front_matter(document) + text).encode())
            shown = {picture.file for picture in document.pictures}
            for old in images.glob("*") if images.is_dir() else ():
                if old.name not in shown:
                    old.unlink()
            if not shown and images.is_dir():
                images.rmdir()
        except OSError as error:
            raise BadInput(f"{file} cannot be written: {error}") from error
        return Remote(id, file.as_uri())


def _whole(file: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one; an equal one is left alone."""
    if file.is_file() and file.read_bytes() == data:
        return
    part = file.with_name(f".{file.name}.{token_hex(4)}.part")
    try:
        part.write_bytes(data)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
