"""Write a notebook while it is executed: before every cell of code, and cheaply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tapebook.runs.files import write_text


class Saver:
    """Saves the notebook before each cell of code and at the end; a cell that is the same keeps its text.

    papermill's own way copies and encodes the whole notebook twice a cell, charts and all. What it asks to
    be saved after a cell is written an instant later, when the next one begins. An output that a later
    cell changes (a display that is updated) is written at the end.
    """

    def __init__(self, notebook: Any, path: Path) -> None:
        self.notebook, self.path = notebook, path
        self._texts: dict[int, tuple[Any, str]] = {}

    def __call__(self, **_: Any) -> None:
        """Write the notebook, one cell a line."""
        about = {name: value for name, value in self.notebook.items() if name != "cells"}
        done = bool(about["metadata"].get("papermill", {}).get("end_time"))
        if done:
            self._texts.clear()
        elif not any(
            cell["cell_type"] == "code" and _status(cell) == "running" for cell in self.notebook["cells"]
        ):
            return
        cells = ",\n".join(self._text(n, cell) for n, cell in enumerate(self.notebook["cells"]))
        text = f'{{"cells": [\n{cells}\n],\n{_json(about)[1:]}\n'
        write_text(self.path, text, lasting=done)

    def _text(self, n: int, cell: Any) -> str:
        state = (
            _status(cell),
            cell.get("execution_count"),
            len(cell.get("outputs", ())),
        )
        known = self._texts.get(n)
        if known is None or known[0] != state:
            self._texts[n] = known = (state, _json(cell))
        return known[1]


def _status(cell: Any) -> Any:
    return cell["metadata"].get("papermill", {}).get("status")


def _json(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False)
