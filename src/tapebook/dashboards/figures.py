"""Recorded figures: read, and cut to a span of time so that the axes fit what is left."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

_ALONG = ("x", "y", "text", "customdata", "ids", "open", "high", "low", "close")
"""Properties of a trace that go along with its x."""


def load(path: Path) -> dict[str, Any]:
    """Read a figure's JSON; typed arrays become lists. ValueError if it is none."""
    figure = _plain(json.loads(path.read_text(encoding="utf-8")))
    if not isinstance(figure, dict) or not isinstance(figure.get("data"), list):
        raise ValueError("expected a plotly figure with data and layout")
    return figure


def span(figure: dict[str, Any]) -> tuple[str, str] | None:
    """First and last date in the figure's lines, as "YYYY-MM-DD"; None where time is not an axis."""
    stamps = [
        str(x)[:10]
        for trace in figure.get("data", [])
        if _timed(trace)
        for x in (trace["x"][0], trace["x"][-1])
    ]
    return (min(stamps), max(stamps)) if stamps else None


def cut(figure: dict[str, Any], first: str, last: str) -> dict[str, Any]:
    """Return the figure with only what lies between two dates, both included."""
    data = [_cut(trace, first, last) if _timed(trace) else trace for trace in figure.get("data", [])]
    layout = dict(figure.get("layout", {}))
    for name, axis in layout.items():
        if name.startswith("xaxis") and isinstance(axis, dict) and axis.get("type") == "date":
            layout[name] = axis | {"range": [first, last], "autorange": False}
    return figure | {"data": data, "layout": layout}


def widget(figure: dict[str, Any]) -> go.FigureWidget:
    """Make a live chart of a complete figure (one that is filled afterwards stays empty in a box)."""
    import plotly.graph_objects as go

    made = go.FigureWidget(go.Figure(figure, skip_invalid=True))
    made.update_layout(autosize=True)
    return made


def _timed(trace: dict[str, Any]) -> bool:
    x = trace.get("x")
    return isinstance(x, list) and bool(x) and isinstance(x[0], str) and len(x[0]) >= 10 and x[0][4:5] == "-"


def _cut(trace: dict[str, Any], first: str, last: str) -> dict[str, Any]:
    kept = [first <= str(x)[:10] <= last for x in trace["x"]]
    cut = dict(trace)
    for name in _ALONG:
        values = trace.get(name)
        if isinstance(values, list) and len(values) == len(kept):
            cut[name] = [v for v, keep in zip(values, kept, strict=True) if keep]
    return cut


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) >= {"dtype", "bdata"}:
            return _numbers(value)
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _numbers(packed: dict[str, Any]) -> list[Any]:
    import numpy as np

    array = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])
    shape = [int(n) for n in str(packed.get("shape", array.size)).split(",")]
    values = array.reshape(shape).tolist()
    return _holes(values)


def _holes(values: list[Any]) -> list[Any]:
    """NaN is no JSON: a hole in a line is None."""
    return [
        _holes(v) if isinstance(v, list) else None if isinstance(v, float) and v != v else v for v in values
    ]
