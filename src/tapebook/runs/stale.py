"""Which runs have read bars that were revised since, or universes that have other members by now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.data.stale import Reading, moved, read_by, span, told
from tapebook.errors import TapebookError
from tapebook.runs.files import read_json
from tapebook.runs.record import MANIFEST

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog

NAMES = ("symbols", "symbol", "benchmark", "series")
"""Parameters of templates that name symbols."""


def stale(catalog: Catalog, rows: Sequence[Mapping[str, Any]], reports: Path) -> list[str]:
    """Say of each run (rows of the catalogue) what was revised under it since; "" for nothing.

    A run has read what its stored results and scans have; one without any, what its parameters name. What
    the lake revised must have been told (`Desk.revisions`, and each ingestion, tell it). A universe whose
    members of that time are others by now counts too; the run's folder in `reports` says its version.
    """
    known = [row["snapshot"] for row in rows if row["snapshot"] is not None]
    found = catalog.revisions.list(after=min(known)) if known else []
    universes = catalog.universes.versions()
    if not found and not universes:
        return [""] * len(rows)
    kept, changed = catalog.revisions.read_by([row["id"] for row in rows]), cache(catalog.universes.changed)
    why = []
    for row in rows:
        made = kept.get(row["id"], ())
        revised = told(found, [read_by(one) for one in made] or [_asked(catalog, row)]) if found else ""
        others = [moved(changed, one, one["start"], one["end"]) for one in made] if universes else []
        if universes and not made:
            first, last = span(_asked(catalog, row))
            others = [moved(changed, _pinned(row, reports), first, "" if last == "9999" else last)]
        why.append("; ".join(dict.fromkeys(one for one in (revised, *others) if one)))
    return why


def _pinned(row: Mapping[str, Any], reports: Path) -> dict[str, Any]:
    """The versions of the universes that a run's parameters name, as a result has them."""
    said = row["parameters"] or {}
    names = [name for key in NAMES for name in _parts(said.get(key)) if name.startswith("@")]
    if not names:
        return {}
    versions = read_json(reports / row["id"] / MANIFEST).get("universes") or {}
    plain = [name.removeprefix("@").partition("@")[0] for name in names]
    return {"extra": {"universe": [f"@{name}@{versions[name]}" for name in plain if name in versions]}}


def made_again(rows: Sequence[Mapping[str, Any]], why: Sequence[str]) -> list[str]:
    """Of runs and what is stale about each: those that are, and that no run since has made again."""
    fresh = {row["rerun_of"] for row, stale in zip(rows, why, strict=True) if not stale}
    return [row["id"] for row, stale in zip(rows, why, strict=True) if stale and row["id"] not in fresh]


def _asked(catalog: Catalog, row: Mapping[str, Any]) -> Reading:
    """What the parameters name; all symbols where they name none."""
    said = row["parameters"] or {}
    symbols = [name for key in NAMES for name in _named(catalog, said.get(key))]
    mine = any(said.get(key) for key in NAMES[:2])
    reach = {name: str(said[name]) if said.get(name) else None for name in ("start", "end", "freq")}
    return {"snapshot": row["snapshot"], "symbols": symbols if mine else None} | reach


def _named(catalog: Catalog, said: Any) -> list[str]:
    told: list[str] = []
    for name in _parts(said):
        try:
            told += catalog.universes.named(name).symbols if name.startswith("@") else [name]
        except TapebookError:  # the universe is gone
            continue
    return told


def _parts(said: Any) -> list[str]:
    """The names that a parameter holds: "AAPL, @pair"."""
    names = said.split(",") if isinstance(said, str) else said if isinstance(said, list) else []
    return [str(name).strip() for name in names]
