"""Runs as they lie on disk, read so that a broken one is shown with its reason instead of a traceback."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FIRST = ("tearsheet", "equity", "weights", "board", "heatmap")
"""Figures that a page opens with, if they are there."""


@dataclass(frozen=True)
class Record:
    """One run: its manifest and metrics, or in `trouble` why they cannot be read."""

    id: str
    folder: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    trouble: str = ""

    @property
    def title(self) -> str:
        """Its title, or its id."""
        return str(self.manifest.get("title") or self.id)

    @property
    def outcome(self) -> str:
        """How it ended; "unreadable" where the record is broken."""
        return "unreadable" if self.trouble else str(self.manifest.get("outcome") or "unknown")

    @property
    def template(self) -> str:
        """The template that was run."""
        return str(self.manifest.get("template") or "")

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        found = self.manifest.get("parameters")
        return found if isinstance(found, dict) else {}

    @property
    def strategy(self) -> str:
        """The strategy it was about, "" for none."""
        return str(self.parameters.get("strategy") or "")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols it was about."""
        said = self.parameters.get("symbols") or ()
        names = said if isinstance(said, (list, tuple)) else str(said).split(",")
        return tuple(str(name).strip() for name in names if str(name).strip())

    @property
    def started(self) -> str:
        """When it started, UTC, to the minute."""
        return str(self.manifest.get("started") or "")[:16].replace("T", " ")

    @property
    def verdict(self) -> tuple[str, list[str]]:
        """Whether it could be luck, in words, and the reasons; ("", []) of a run that does not say."""
        said = self.manifest.get("verdict")
        if not isinstance(said, dict) or not isinstance(said.get("reasons"), list):
            return "", []
        return str(said.get("verdict") or ""), [str(reason) for reason in said["reasons"]]

    @property
    def headline(self) -> list[str]:
        """Names of the figures to show first."""
        said = self.manifest.get("headline")
        wanted = said if isinstance(said, list) and said else list(self.metrics)[:6]
        return [name for name in wanted if isinstance(name, str) and name in self.metrics]

    def names(self, kind: str) -> list[str]:
        """Names of its "figures" or "tables"."""
        ending = {"figures": "json", "tables": "parquet"}[kind]
        found = (self.folder / kind).glob(f"*.{ending}")
        there = [path.stem for path in found if not path.name.startswith(".")]
        return sorted(there, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def records(reports: Path) -> list[Record]:
    """Every run in the folder, newest first; a folder without a manifest is no run."""
    found = [read(folder) for folder in reports.glob("*/") if (folder / "manifest.json").is_file()]
    return sorted(found, key=lambda record: (record.started, record.id), reverse=True)


def read(folder: Path) -> Record:
    """Read one run."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        if not isinstance(manifest, dict):
            raise ValueError("the manifest is no table of names and values")
    except FileNotFoundError:
        return Record(folder.name, folder, trouble="there is no manifest: this is no run, or it was deleted")
    except (OSError, ValueError) as error:
        return Record(folder.name, folder, trouble=f"manifest.json cannot be read: {error}")
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        metrics = {}
    except (OSError, ValueError):
        return Record(
            folder.name, folder, manifest, trouble="metrics.json cannot be read: the run may be half-written"
        )
    good = {str(k): v for k, v in metrics.items() if isinstance(v, dict)} if isinstance(metrics, dict) else {}
    return Record(folder.name, folder, manifest, good)


def find(reports: Path, id: str) -> Record | None:
    """Return the run of this id; None when there is none (an id never leads out of the folder)."""
    if not id or Path(id).name != id or not (reports / id / "manifest.json").is_file():
        return None
    return read(reports / id)
