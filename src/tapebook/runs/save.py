"""Write a notebook while it is executed: after every cell, and cheaply."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tapebook.runs.files import write_text


class Saver:
    """Saves the notebook whenever papermill says so; of a cell that is the same the text is kept.

    papermill's own way copies and encodes the whole notebook twice a cell, charts and all. An output that
    a later cell changes (a display that is updated) is written at the end.
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
        cells = ",\n".join(self._text(n, cell) for n, cell in enumerate(self.notebook["cells"]))
        text = f'{{"cells": [\n{cells}\n],\n{_json(about)[1:]}\n'
        write_text(self.path, text, lasting=done)

    def _text(self, n: int, cell: Any) -> str:
        state = (
            cell["metadata"].get("papermill", {}).get("status"),
            cell.get("execution_count"),
            len(cell.get("outputs", ())),
        )
        known = self._texts.get(n)
        if known is None or known[0] != state:
            self._texts[n] = known = (state, _json(cell))
        return known[1]


def _json(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False)
