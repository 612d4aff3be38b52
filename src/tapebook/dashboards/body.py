"""Bodies of answers: compressed once, kept in memory, named by what is in them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MOST = 128_000_000
"""Bytes that a shelf holds."""
_PLAIN = ("image/", "font/", "application/pdf", "application/vnd.apache.parquet")
"""Kinds that compression does not make smaller."""


@dataclass(frozen=True)
class Body:
    """What is sent: bytes, and their kind."""

    raw: bytes
    kind: str = "text/html; charset=utf-8"

    @cached_property
    def etag(self) -> str:
        """The name that a browser asks with whether it still holds."""
        return f'"{hashlib.sha256(self.raw).hexdigest()[:24]}"'

    @cached_property
    def packed(self) -> bytes | None:
        """Compressed, where that pays."""
        if len(self.raw) < 600 or (self.kind.startswith(_PLAIN) and "svg" not in self.kind):
            return None
        return gzip.compress(self.raw, 9 if len(self.raw) < 2_000_000 else 6, mtime=0)

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.raw) + len(self.__dict__.get("packed") or b"")


class Shelf:
    """Bodies by key, the longest unused thrown out when there are too many bytes."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._kept = most, OrderedDict[Hashable, Body]()

    def find(self, key: Hashable) -> Body | None:
        """Return the body of this key, if it is there."""
        return self._kept.get(key)

    def get(self, key: Hashable, make: Callable[[], Body]) -> Body:
        """Return the body of this key, made if it is not there."""
        if key not in self._kept:
            self._kept[key] = make()
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(body.size for body in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
        return self._kept[key]


def inside(root: Path, path: str) -> Path | None:
    """Return the file of this relative path below `root`; None if it is none, or leads out of it.

    Neither `..` nor a symbolic link leads out.
    """
    if "\0" in path or "\\" in path:
        return None
    try:
        found, home = (root / path).resolve(strict=True), root.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # absent, a loop of links, or no name for a file
        return None
    return found if found.is_relative_to(home) and found != home and found.is_file() else None


def kind_of(path: Path) -> str:
    """Return the kind of a file, from its ending."""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") or kind.endswith("javascript") else kind
