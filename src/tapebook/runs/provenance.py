"""What a run was made with: code, packages, machine, and the files that its parameters name."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.config import Config
from tapebook.errors import NoData

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog

PACKAGE = Path(__file__).parents[1]


def code_hash() -> str:
    """SHA-256 of the package's own source files as they are now."""
    return _hash(sources())


def sources() -> tuple[tuple[str, int, int], ...]:
    """Give the package's source files by name, with when they were changed and how long they are."""
    found, folders = [], [str(PACKAGE)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    found.append((entry.path, entry.stat().st_mtime_ns, entry.stat().st_size))
                elif entry.name != "__pycache__" and entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    return tuple(sorted(found))


@lru_cache(maxsize=2)
def _hash(files: tuple[tuple[str, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for name, *_ in files:
        path = Path(name)
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def packages() -> dict[str, str]:
    """Name and version of every installed distribution."""
    folders = tuple((path, Path(path).stat().st_mtime_ns) for path in sys.path if Path(path).is_dir())
    return dict(_packages(folders))


@lru_cache(maxsize=2)
def _packages(folders: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str], ...]:
    """Read them again only when something was installed into one of the folders of sys.path."""
    found = {}
    for path, _ in folders[::-1]:  # the first folder has the last word, as for an import
        for distribution in distributions(path=[path]):
            head = (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or "")[:4000]
            said = dict(re.findall(r"^(Name|Version): *(.+?)\r?$", head, re.M)[:2])
            if len(said) == 2:
                found[said["Name"]] = said["Version"]
    return tuple(sorted(found.items(), key=lambda item: item[0].lower()))


def git(folder: Path) -> dict[str, Any] | None:
    """Commit of the repository around `folder` and whether files differ from it; None outside one."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *command], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def inputs(config: Config, parameters: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each file that a parameter names, as `strategy="mine.py:fade"` does."""
    found = {}
    for name, value in parameters.items():
        stem = value.rsplit(":", 1)[0] if isinstance(value, str) and ".py" in value else None
        if stem and (path := config.home / Path(stem).expanduser()).is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def snapshot(config: Config) -> int | None:
    """Return the lake's snapshot that a run reads: the pinned one, or the newest; None if it is empty."""
    if config.snapshot is not None:
        return config.snapshot
    from tapebook.data.lake import Lake

    lake = Lake.open(config)
    try:
        return lake.snapshot()
    except NoData:
        return None
    finally:
        lake.close()


def trials(config: Config, catalog: Catalog) -> int:
    """Return the last batch of trials that a run's odds count: the pinned one, or the newest."""
    return catalog.trials.newest() if config.trials is None else config.trials


def universes(config: Config, catalog: Catalog) -> dict[str, int]:
    """Return the version of each universe that a run reads: the pinned ones, or those of now."""
    from tapebook.data.universe import pinned

    return catalog.universes.versions() | pinned(config.universes)


def machine() -> dict[str, str]:
    """Versions of Python and of the platform."""
    return {"python": platform.python_version(), "platform": platform.platform()}
