"""Report runs: a notebook template, run with parameters, and everything that came of it on disk."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook.runs.book import delete, listing, load, same_run
    from tapebook.runs.compare import diff
    from tapebook.runs.record import Run
    from tapebook.runs.recorder import Recorder
    from tapebook.runs.start import rerun, run

__all__ = ["Recorder", "Run", "delete", "diff", "listing", "load", "rerun", "run", "same_run"]

_HOME = {
    "Recorder": "recorder",
    "Run": "record",
    "delete": "book",
    "diff": "compare",
    "listing": "book",
    "load": "book",
    "rerun": "start",
    "run": "start",
    "same_run": "book",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tapebook.runs' has no attribute {name!r}")
    return getattr(import_module(f"tapebook.runs.{_HOME[name]}"), name)
