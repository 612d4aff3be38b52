"""Broken rows put aside in a file: where each stood, what it held, what was expected."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tapebook.integration.sources import Problem

COLUMNS = ("symbol", "file", "line", "column", "value", "message", "text")


def put_aside(folder: Path, source: str, problems: Mapping[str, Sequence[Problem]]) -> Path | None:
    """Write the broken rows of all symbols to one new file in `folder`; None when there are none."""
    if not problems:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source}-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}.csv"
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for symbol, broken in problems.items():
            rows.writerows([symbol, *(getattr(problem, name) for name in COLUMNS[1:])] for problem in broken)
    return part.replace(path)
