"""A GitHub wiki, which is a git repository: a commit that replaces the page and its figures."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tapebook.errors import BadInput, ConfigError
from tapebook.integration.documents.base import Gone, Keeper, Remote
from tapebook.integration.documents.markdown import markdown
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from tapebook.integration.documents.document import Document

_LATER = re.compile(
    r"rejected|fetch first|non-fast-forward|could not resolve|timed out|connection|hung up|early eof|"
    r"returned error: (?:5\d\d|429)|cannot lock ref|failed to push",
    re.I,
)


class Wiki(Keeper):
    """A page of a GitHub wiki, with its figures; the wiki must have a first page.

    Parameters
    ----------
    to : str
        owner/repository, or the address of the wiki's git repository.
    token : str, optional
        secret:NAME of a token that may write to the repository.
    """

    kind, rate = "github-wiki", 1.0

    def __init__(self, to: str, token: str = "") -> None:
        plain = re.fullmatch(r"[\w.-]+/[\w.-]+", to)
        self.url = f"https://github.com/{to}.wiki.git" if plain else to
        self.token = token

    def exists(self, id: str) -> bool:
        """Say whether the page is there."""
        with self._checkout() as folder:
            return (folder / id).is_file()

    def find(self, document: Document) -> str | None:
        """Look through the pages."""
        with self._checkout() as folder:
            return self._found(folder, document)

    def create(self, document: Document) -> Remote:
        """Commit a page named after the document's title, or its key where another page has that name."""
        with self._checkout() as folder:
            name = re.sub(r"[^\w.-]+", "-", document.key).strip(".-") or "run"
            if (folder / f"{name}.md").exists():
                name = f"{name}-{document.marker[-6:]}"
            return self._write(folder, f"{name}.md", document)

    def update(self, id: str, document: Document) -> Remote:
        """Commit it anew."""
        with self._checkout() as folder:
            if not (folder / id).is_file():
                raise Gone(f"{id} is not in the wiki")
            return self._write(folder, id, document)

    def delete(self, id: str) -> None:
        """Commit its absence."""
        with self._checkout() as folder:
            (folder / id).unlink(missing_ok=True)
            shutil.rmtree(folder / "figures" / Path(id).stem, ignore_errors=True)
            self._push(folder, f"{id} taken away")

    @staticmethod
    def _found(folder: Path, document: Document) -> str | None:
        for file in sorted(folder.glob("*.md")):
            if document.marker in file.read_text(encoding="utf-8", errors="replace"):
                return file.name
        return None

    def _write(self, folder: Path, id: str, document: Document) -> Remote:
        images = folder / "figures" / Path(id).stem
        shutil.rmtree(images, ignore_errors=True)
        for picture in document.pictures:
            images.mkdir(parents=True, exist_ok=True)
            (images / picture.file).write_bytes(picture.data)
        text = markdown(document, lambda picture: f"figures/{images.name}/{picture.file}", title=False)
        (folder / id).write_text(f"# {document.title}\n\n{text}", encoding="utf-8")
        self._push(folder, document.title)
        address = self.url.removesuffix(".wiki.git")
        return Remote(id, f"{address}/wiki/{Path(id).stem}" if address != self.url else "")

    def _push(self, folder: Path, what: str) -> None:
        """Commit and push; a push that somebody else was quicker than is tried again from the start."""
        self._git(folder, "add", "--all")
        if not self._git(folder, "status", "--porcelain"):
            return
        self._git(folder, "commit", "--quiet", "--message", what)
        self._git(folder, "push", "--quiet", "origin", "HEAD")

    @contextmanager
    def _checkout(self) -> Iterator[Path]:
        with TemporaryDirectory(prefix="tapebook-wiki-") as place:
            folder = Path(place) / "wiki"
            self._git(Path(place), "clone", "--quiet", "--depth", "1", self.url, str(folder))
            yield folder

    def _git(self, folder: Path, *command: str) -> str:
        try:
            git = subprocess.Popen(
                ["git", *command], cwd=folder, env=self._environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise ConfigError("a wiki needs git, which is not installed") from error
        with git:
            try:
                out, wrong = self.within(git.communicate, f"git {command[0]} of the wiki")
            except BaseException:
                with suppress(ProcessLookupError):  # its helpers, which speak to the server, too
                    os.killpg(git.pid, signal.SIGKILL)
                raise
        if git.returncode:
            told = f"git {command[0]} of the wiki failed: {' '.join(wrong.split())[:300]}"
            raise Unavailable(told) if _LATER.search(wrong) else BadInput(told)
        return out

    def _environment(self) -> dict[str, str]:
        """Let git ask nobody, sign as tapebook, and send the token, on no command line."""
        said = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        for who in ("AUTHOR", "COMMITTER"):
            said |= {f"GIT_{who}_NAME": "tapebook", f"GIT_{who}_EMAIL": "tapebook@localhost"}
        settings = {"commit.gpgsign": "false"}
        if self.token:
            code = b64encode(f"x-access-token:{self.outside.credential(self.token)}".encode()).decode()
            settings["http.extraHeader"] = f"Authorization: Basic {code}"
            from tapebook import redact

            redact.hide(code)
        said["GIT_CONFIG_COUNT"] = str(len(settings))
        for at, (name, value) in enumerate(settings.items()):
            said |= {f"GIT_CONFIG_KEY_{at}": name, f"GIT_CONFIG_VALUE_{at}": value}
        return os.environ | said
