"""Report runs: a notebook template, run with parameters, and everything that came of it on disk."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook.runs.batch import Batch, run_many
    from tapebook.runs.book import delete, listing, load, same_run
    from tapebook.runs.compare import diff
    from tapebook.runs.record import Run
    from tapebook.runs.recorder import Recorder
    from tapebook.runs.start import rerun, run

__all__ = [
    "Batch",
    "Recorder",
    "Run",
    "delete",
    "diff",
    "listing",
    "load",
    "rerun",
    "run",
    "run_many",
    "same_run",
]

_HOME = {
    "Batch": "batch",
    "Recorder": "recorder",
    "Run": "record",
    "delete": "book",
    "diff": "compare",
    "listing": "book",
    "load": "book",
    "rerun": "start",
    "run": "start",
    "run_many": "batch",
    "same_run": "book",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tapebook.runs' has no attribute {name!r}")
    return getattr(import_module(f"tapebook.runs.{_HOME[name]}"), name)
