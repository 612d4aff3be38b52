"""The key of the vault: from the environment, a file, the system's keyring, or a file beside the desk."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from abc import ABC, abstractmethod
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import ConfigError

if TYPE_CHECKING:
    from tapebook.config import Config

KEY, FILE, NEW = "TAPEBOOK_KEY", "TAPEBOOK_KEY_FILE", "TAPEBOOK_NEW_KEY"
VARIABLES = (KEY, FILE, NEW)
"""What a run's kernel must see besides the desk's settings."""
BESIDE = "data/secrets.key"
"""Where a desk makes its own key file, under its home."""


def generate() -> str:
    """Return a new key of 256 random bits, as text."""
    return urlsafe_b64encode(os.urandom(32)).decode()


def identity(key: bytes) -> str:
    """Return the short name of a key; it tells nothing of it."""
    return hashlib.sha256(b"tapebook key\0" + key).hexdigest()[:12]


def parsed(text: str, where: str) -> bytes:
    """Read a key: 32 bytes as base64 or as 64 hexadecimal digits.

    Raises
    ------
    ConfigError
        Saying where it stood; never what it was.
    """
    word = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", word):
        return bytes.fromhex(word)
    try:
        key = urlsafe_b64decode(word.replace("+", "-").replace("/", "_") + "=" * (-len(word) % 4))
    except ValueError:
        key = b""
    if len(key) != 32 or not re.fullmatch(r"[\w+/=-]{43,44}", word):
        raise ConfigError(
            f"{where} holds no key: expected 32 bytes as base64 or 64 hexadecimal digits "
            "(`tapebook secrets key` makes one)"
        )
    return key


class Place(ABC):
    """Where the key is. A new one is staged first and settled after the secrets were encrypted with it."""

    where: str

    @abstractmethod
    def keys(self) -> list[bytes]:
        """Return the key, then one that was staged, if any; nothing where there is none."""

    def make(self) -> bytes:
        """Make the first key."""
        raise ConfigError(f"there is no key in {self.where}")

    @abstractmethod
    def stage(self) -> bytes:
        """Return the next key, put down beside the present one."""

    @abstractmethod
    def settle(self) -> None:
        """Let the staged key take the present one's place."""

    def alone(self) -> AbstractContextManager[Any]:
        """Keep other processes from changing the key meanwhile."""
        return nullcontext()


class InEnvironment(Place):
    """TAPEBOOK_KEY; whoever sets it changes it, and shows the next one as TAPEBOOK_NEW_KEY."""

    where = KEY

    def keys(self) -> list[bytes]:
        """Return the key of the environment, and the next one if it is said."""
        return [parsed(said, name) for name in (KEY, NEW) if (said := os.environ.get(name))]

    def stage(self) -> bytes:
        """Return TAPEBOOK_NEW_KEY."""
        said = os.environ.get(NEW)
        if not said:
            raise ConfigError(
                f"the key comes from {KEY}, which only you can change: put a new one (`tapebook secrets key` "
                f"makes it) into {NEW}, rotate, and then let {KEY} be the new one"
            )
        return parsed(said, NEW)

    def settle(self) -> None:
        """Leave it to whoever sets the environment."""


class InFile(Place):
    """A file that only its owner can read. The staged key lies beside it until all is encrypted with it."""

    def __init__(self, path: Path, *, may_make: bool) -> None:
        self.path, self.where, self._may_make = path, str(path), may_make
        self._staged = path.with_name(path.name + ".new")

    def keys(self) -> list[bytes]:
        """Read the file, and the staged one."""
        return [_read(path) for path in (self.path, self._staged) if path.exists()]

    def make(self) -> bytes:
        """Write the file, if it is the desk's own."""
        if not self._may_make:
            raise ConfigError(
                f"{FILE} names {self.path}, which is not there (`tapebook secrets key` makes a key)"
            )
        return _write(self.path, generate())

    def stage(self) -> bytes:
        """Write the next key beside the present one; TAPEBOOK_NEW_KEY can say which."""
        said = os.environ.get(NEW)
        if said:
            parsed(said, NEW)
        return _write(self._staged, said or generate())

    def settle(self) -> None:
        """Rename the staged file onto the present one."""
        if self._staged.exists():
            self._staged.replace(self.path)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold a lock file beside the key."""
        from filelock import FileLock

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_name(self.path.name + ".lock")):
            yield


class InKeyring(Place):
    """The system's keyring (TAPEBOOK_KEY=keyring), an entry for each desk."""

    where = "the system's keyring"

    def __init__(self, desk: str) -> None:
        try:
            import keyring
        except ImportError as error:
            raise ConfigError(f"{KEY}=keyring needs the package: pip install 'tapebook[keyring]'") from error
        self._ring, self._desk = keyring, desk

    def keys(self) -> list[bytes]:
        """Read both entries."""
        said = (self._ring.get_password("tapebook", name) for name in (self._desk, self._desk + " new"))
        return [parsed(text, self.where) for text in said if text]

    def make(self) -> bytes:
        """Write the first entry."""
        return self._put(self._desk)

    def stage(self) -> bytes:
        """Write the second entry."""
        return self._put(self._desk + " new")

    def settle(self) -> None:
        """Write the second entry's key into the first."""
        if staged := self._ring.get_password("tapebook", self._desk + " new"):
            self._ring.set_password("tapebook", self._desk, staged)
            self._ring.delete_password("tapebook", self._desk + " new")

    def _put(self, entry: str) -> bytes:
        made = generate()
        self._ring.set_password("tapebook", entry, made)
        return parsed(made, self.where)


def place(config: Config) -> Place:
    """Return where this desk's key is, by the environment, or the file beside the desk."""
    if os.environ.get(KEY, "").lower() == "keyring":
        return InKeyring(str(config.home))
    if os.environ.get(KEY):
        return InEnvironment()
    if named := os.environ.get(FILE):
        return InFile(Path(named).expanduser().absolute(), may_make=False)
    return InFile(config.home / BESIDE, may_make=True)


def _read(path: Path) -> bytes:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            raise ConfigError(f"others may read the key file {path} (mode {mode:o}): chmod 600 {path}")
        return parsed(path.read_text(encoding="ascii", errors="replace"), str(path))
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read: {error.strerror}") from error


def _write(path: Path, text: str) -> bytes:
    """Write a key file that only its owner reads, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text + "\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be written: {error.strerror}") from error
    return parsed(text, str(path))
