"""Whether the code that a fork server was warmed with is still the code on disk."""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tapebook.runs import provenance


@dataclass
class Code:
    """The package, the warm-up script and the installed packages as they were at one time."""

    warm_up: Path
    stamp: tuple[Any, ...]
    hashes: tuple[str, ...]

    @classmethod
    def now(cls, warm_up: Path) -> Code:
        """Read them as they are now."""
        return cls(warm_up, _stamp(warm_up), _hashes(warm_up))

    def changed(self) -> str:
        """Say what is different on disk now; "" if nothing is. Costs some milliseconds."""
        stamp = _stamp(self.warm_up)
        if stamp == self.stamp:
            return ""
        if stamp[0] != self.stamp[0]:
            return "packages were installed since the fork server started"
        if _hashes(self.warm_up) != self.hashes:
            return "the code was changed since the fork server started"
        self.stamp = stamp  # touched, not changed
        return ""


def _stamp(warm_up: Path) -> tuple[Any, ...]:
    """When what was changed: soon asked, while reading what is in the files takes longer."""
    installed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    return installed, provenance.sources(), warm_up.stat().st_mtime_ns


def _hashes(warm_up: Path) -> tuple[str, ...]:
    return provenance.code_hash(), hashlib.sha256(warm_up.read_bytes()).hexdigest()
