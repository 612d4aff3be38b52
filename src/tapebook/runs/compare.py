"""Compare two runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tapebook.runs.book import load

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.config import Config
    from tapebook.runs.record import Run

_DATA, _CODE = (
    ("snapshot", "universes", "trials", "seed", "fingerprints"),
    ("template", "template_hash", "code_hash"),
)
_PLACE = ("python", "platform")


def diff(config: Config, a: str, b: str) -> pd.DataFrame:
    """Compare two runs, one row a thing: section, name, a, b, same.

    Sections are parameters, data, code, packages, metrics, outcome. What only one has is None in the other.
    """
    import pandas as pd

    one, other = _sections(load(config, a)), _sections(load(config, b))
    rows = []
    for section in one:
        for name in dict.fromkeys([*one[section], *other[section]]):
            x, y = one[section].get(name), other[section].get(name)
            rows.append((section, name, x, y, x == y))
    frame = pd.DataFrame(rows, columns=["section", "name", "a", "b", "same"])
    return frame.astype({"a": object, "b": object, "same": bool})


def _sections(run: Run) -> dict[str, dict[str, Any]]:
    said = run.manifest
    code = {name: said.get(name) for name in _CODE}
    code |= {f"git {name}": value for name, value in (said.get("git") or {}).items()}
    code |= {f"file of {name}": mark for name, mark in (said.get("inputs") or {}).items()}
    return {
        "parameters": {name: _plain(value) for name, value in said["parameters"].items()},
        "data": {name: _plain(said.get(name)) for name in _DATA},
        "code": code,
        "packages": {name: said.get(name) for name in _PLACE} | (said.get("packages") or {}),
        "metrics": {name: metric["value"] for name, metric in run.metrics.items()},
        "outcome": {"outcome": said["outcome"]},
    }


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
