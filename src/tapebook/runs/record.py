"""Run: what is on disk of one run."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import UnknownName
from tapebook.runs.files import read_json

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MANIFEST, NOTEBOOK, PAGE, TEMPLATE = "manifest.json", "notebook.ipynb", "report.html", "template.ipynb"


@dataclass(frozen=True)
class Run:
    """One run, finished or not. `folder` holds notebook, page, tables, figures, metrics and manifest."""

    id: str
    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Read a run's folder.

        Raises
        ------
        UnknownName
            If the folder holds no run; it says the near ones beside it.
        """
        manifest = read_json(folder / MANIFEST)
        if not manifest:
            known = [path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}")]
            raise UnknownName("run", folder.name, known, "See `tapebook runs list`.")
        return cls(manifest["run_id"], folder, manifest)

    @property
    def outcome(self) -> str:
        """running, succeeded, failed, timed_out, out_of_memory, killed, cancelled or lost."""
        return str(self.manifest["outcome"])

    @property
    def html(self) -> Path:
        """The page; it opens offline."""
        return self.folder / PAGE

    @property
    def notebook(self) -> Path:
        """The executed notebook, partial if the run did not succeed."""
        return self.folder / NOTEBOOK

    @cached_property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """What was recorded: {name: {value, unit, convention}}; value None is not defined."""
        return read_json(self.folder / "metrics.json")

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Recorded tables by name."""
        import pandas as pd

        return {path.stem: pd.read_parquet(path) for path in self._kept("tables", "parquet")}

    @cached_property
    def figures(self) -> dict[str, go.Figure]:
        """Recorded figures by name."""
        import plotly.graph_objects as go

        kept = self._kept("figures", "json")
        return {path.stem: go.Figure(arrays(read_json(path)), skip_invalid=True) for path in kept}

    def _kept(self, kind: str, suffix: str) -> list[Path]:
        return sorted((self.folder / kind).glob(f"*.{suffix}"), key=lambda path: path.stat().st_mtime_ns)

    def __repr__(self) -> str:
        seconds = self.manifest.get("seconds")
        took = "" if seconds is None else f" in {seconds:.1f} s"
        return f"Run({self.id}: {self.outcome}{took}, {len(self.metrics)} metrics, page {self.html})"

    def _repr_html_(self) -> str:
        title = html.escape(str(self.manifest.get("title") or self.id))
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td>{html.escape(shown(self.metrics[name]))}</td></tr>"
            for name in self.manifest.get("headline") or ()
            if name in self.metrics
        )
        return (
            f"<p><strong>{title}</strong> · {html.escape(self.id)} · {self.outcome}<br>"
            f"<a href='{html.escape(self.html.as_uri())}' target='_blank'>page</a> · "
            f"<a href='{html.escape(self.notebook.as_uri())}' target='_blank'>notebook</a></p>"
            f"<table>{rows}</table>"
        )


def arrays(said: Any) -> Any:
    """Turn plotly's coded arrays, {"dtype", "bdata"}, back into NumPy arrays, however deep they lie."""
    if isinstance(said, list):
        plain = not any(kind in (dict, list) for kind in set(map(type, said)))  # thousands of dates
        return said if plain else [arrays(part) for part in said]
    if not isinstance(said, dict):
        return said
    if "bdata" not in said:
        return {name: arrays(part) for name, part in said.items()}
    from base64 import b64decode

    import numpy as np

    flat = np.frombuffer(b64decode(said["bdata"]), dtype=said["dtype"])
    shape = [int(n) for n in str(said.get("shape", flat.size)).split(",")]
    return flat.reshape(shape)


def shown(metric: dict[str, Any]) -> str:
    """Write a metric's value for a reader.

    >>> shown({"value": 0.1234, "unit": "share", "convention": ""})
    '12.34%'
    """
    value, unit = metric.get("value"), str(metric.get("unit") or "")
    if value is None:
        return "–"
    if unit == "share":
        return f"{value:.2%}".replace("-", "−")
    places = 0 if value == int(value) and abs(value) < 1e15 else 2 if abs(value) >= 0.1 else 4
    said = f"{value:,.{places}f}".replace("-", "−")
    return said if unit in ("", "ratio", "money", "count", "bars") else f"{said} {unit}"
