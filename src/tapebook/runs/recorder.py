"""Recorder: what a template's cells hand to the run that executes them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.data.plain import file_name, plain
from tapebook.errors import BadParameter
from tapebook.runs.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

RECORDED = "recorded.json"
PLOTLY = "application/vnd.plotly.v1+json"


class Recorder:
    """Shows tables and figures in the notebook, and inside a run keeps them in the run's folder.

    >>> record = Recorder.current()
    >>> record.title("Two averages on one share")
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    @classmethod
    def current(cls) -> Recorder:
        """Return the recorder of this process's run; outside a run it shows and keeps nothing."""
        folder = os.environ.get("TAPEBOOK_RUN")
        return cls(Path(folder) if folder else None)

    @property
    def seed(self) -> int:
        """The run's seed, for `numpy.random.default_rng`; 0 outside a run."""
        return int(os.environ.get("TAPEBOOK_SEED", "0"))

    @staticmethod
    def named(words: str) -> str:
        """Make a name for a table or a figure of any words, such as those of a symbol."""
        return file_name(words)

    def table(self, name: str, frame: pd.DataFrame) -> None:
        """Show a table and keep it as tables/<name>.parquet, every row and digit of it."""
        from tapebook.runs.tables import drawn

        markup, text = drawn(frame)
        _display({"text/html": markup, "text/plain": text}, raw=True)
        if self.folder:
            path = self._file("tables", name, "parquet")
            kept = frame.rename(columns=str) if not all(isinstance(c, str) for c in frame.columns) else frame
            redact.frame(kept).to_parquet(path)

    def figure(self, name: str, figure: go.Figure) -> None:
        """Show a plotly figure and keep it as figures/<name>.json."""
        text = redact.scrub(encoded(figure))
        if self.folder:
            self._file("figures", name, "json").write_text(text, encoding="utf-8")
        _display({PLOTLY: json.loads(text)}, raw=True)

    def metrics(self, metrics: Mapping[str, Any] | Any) -> None:
        """Keep metrics in metrics.json: a backtest's `metrics`, or numbers by name.

        A value is a number, a (value, unit) or (value, unit, convention), or an object with these
        three as attributes. Names said again replace what was said before.
        """
        if self.folder:
            said = metrics.to_json() if hasattr(metrics, "to_json") else metrics
            file = self.folder / "metrics.json"
            kept = read_json(file) | {str(name): _metric(str(name), value) for name, value in said.items()}
            write_json(file, kept)

    def result(self, bt: Any) -> None:
        """Say that this stored backtest is part of the run."""
        if self.folder:
            said = read_json(self.folder / RECORDED)
            for name, value in (("results", bt.id), ("fingerprints", bt.fingerprint)):
                if value is not None and value not in said.setdefault(name, []):
                    said[name].append(value)
            write_json(self.folder / RECORDED, said, lasting=False)  # the manifest is, which takes it over

    def verdict(self, luck: Any) -> None:
        """Keep what a backtest's `luck()` says: its figures as metrics, its verdict on top of the page."""
        self.metrics(luck)
        self._say("verdict", {"verdict": luck.verdict, "reasons": list(luck.reasons)})

    def title(self, text: str) -> None:
        """Give the run's page its title."""
        self._say("title", text)

    def headline(self, *names: str) -> None:
        """Name the metrics that stand at the top of the page."""
        self._say("headline", list(names))

    def _say(self, name: str, value: Any) -> None:
        if self.folder:
            said = read_json(self.folder / RECORDED) | {name: value}
            write_json(self.folder / RECORDED, said, lasting=False)

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        if self.folder is None or not re.fullmatch(r"[\w .-]{1,100}", name) or name.startswith("."):
            raise BadParameter("name", name, "letters, digits, spaces, '-', '_' or '.', at most 100")
        folder = self.folder / kind
        folder.mkdir(exist_ok=True)
        return folder / f"{name}.{suffix}"


def encoded(figure: go.Figure) -> str:
    """Encode a figure as its `to_json` does, in a third of the time.

    That looks at every value one by one as soon as the figure holds an array of texts.
    """
    from plotly.io.json import to_json_plotly

    said = figure.to_dict()
    for trace in said["data"]:
        trace.pop("uid", None)
    text: str = to_json_plotly(_listed(said))
    return text


def _listed(said: Any) -> Any:
    """Give what a figure says with its arrays of anything but numbers as lists."""
    if isinstance(said, dict):
        return {name: _listed(part) for name, part in said.items()}
    if isinstance(said, (list, tuple)) and any(isinstance(part, (dict, list, tuple)) for part in said):
        return [_listed(part) for part in said]
    return said.tolist() if getattr(getattr(said, "dtype", None), "kind", "") == "O" else said


def _metric(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        parts = {"value": None, "unit": "", "convention": ""} | dict(value)
    elif isinstance(value, (tuple, list)):
        parts = dict(zip(("value", "unit", "convention"), [*value, "", ""][:3], strict=True))
    else:
        parts = {
            "value": getattr(value, "value", value),
            "unit": getattr(value, "unit", ""),
            "convention": getattr(value, "convention", ""),
        }
    parts = {part: plain(kept) for part, kept in parts.items()}
    if parts["value"] is not None and not isinstance(parts["value"], (int, float)):
        raise BadParameter(name, parts["value"], "a number as the value of a metric")
    return parts


def _display(thing: Any, *, raw: bool = False) -> None:
    """Show in a notebook; a plain Python process has nowhere to show it."""
    import sys

    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        from IPython import display as shown

        shown.display(thing, raw=raw)  # type: ignore[no-untyped-call]
