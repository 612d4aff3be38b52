"""Which runs have read bars that were revised since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapebook.data.stale import Reading, read_by, told
from tapebook.errors import TapebookError

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog

NAMES = ("symbols", "symbol", "benchmark", "series")
"""Parameters of templates that name symbols."""


def stale(catalog: Catalog, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say of each run (rows of the catalogue) what was revised under it since; "" for nothing.

    A run has read what its stored results and scans have; one without any, what its parameters name. What
    the lake revised must have been told (`Desk.revisions`, and each ingestion, tell it).
    """
    known = [row["snapshot"] for row in rows if row["snapshot"] is not None]
    if not known:
        return [""] * len(rows)
    found = catalog.revisions.list(after=min(known))
    if not found:
        return [""] * len(rows)
    kept = catalog.revisions.read_by([row["id"] for row in rows])
    return [
        told(found, [read_by(one) for one in kept.get(row["id"], ())] or [_asked(catalog, row)])
        for row in rows
    ]


def made_again(rows: Sequence[Mapping[str, Any]], why: Sequence[str]) -> list[str]:
    """Of runs and what is stale about each: those that are, and that no run since has made again."""
    fresh = {row["rerun_of"] for row, stale in zip(rows, why, strict=True) if not stale}
    return [row["id"] for row, stale in zip(rows, why, strict=True) if stale and row["id"] not in fresh]


def _asked(catalog: Catalog, row: Mapping[str, Any]) -> Reading:
    """What the parameters name; all symbols where they name none."""
    said = row["parameters"] or {}
    symbols = [name for key in NAMES for name in _named(catalog, said.get(key))]
    mine = any(said.get(key) for key in NAMES[:2])
    span = {name: str(said[name]) if said.get(name) else None for name in ("start", "end", "freq")}
    return {"snapshot": row["snapshot"], "symbols": symbols if mine else None} | span


def _named(catalog: Catalog, said: Any) -> list[str]:
    names = said.split(",") if isinstance(said, str) else said if isinstance(said, list) else []
    told: list[str] = []
    for name in (str(name).strip() for name in names):
        try:
            told += catalog.universes.named(name).symbols if name.startswith("@") else [name]
        except TapebookError:  # the universe is gone
            continue
    return told
