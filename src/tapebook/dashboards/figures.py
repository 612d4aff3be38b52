"""Recorded figures: read, and cut to a span of time so that the axes fit what is left."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook.dashboards.chart import Chart

_ALONG = ("x", "y", "text", "customdata", "ids", "open", "high", "low", "close")
"""Properties of a trace that go along with its x."""
_MARKED = ("symbol", "color", "size", "opacity")


def load(path: Path) -> dict[str, Any]:
    """Read a figure's JSON; typed arrays become lists. ValueError if it is none."""
    figure = _plain(json.loads(path.read_text(encoding="utf-8")))
    data, layout = (figure.get("data"), figure.get("layout", {})) if isinstance(figure, dict) else (None, {})
    if not isinstance(data, list) or not all(isinstance(trace, dict) for trace in data):
        raise ValueError("expected a plotly figure with data and layout")
    if not isinstance(layout, dict):
        raise ValueError("expected the layout to be a table of names and values")
    return {**figure, "layout": layout}


def span(figure: dict[str, Any]) -> tuple[str, str] | None:
    """First and last date in the figure's lines, as "YYYY-MM-DD"; None where time is not an axis."""
    stamps = [
        str(x)[:10]
        for trace in figure.get("data", [])
        if _timed(trace)
        for x in (trace["x"][0], trace["x"][-1])
    ]
    return (min(stamps), max(stamps)) if stamps else None


def stops(first: str, last: str) -> list[str]:
    """Stops of the slider: the ends, and the months (of a long span, the quarters) between them."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    step = 1 if (end - start).days < 3_700 else 3
    months = range(start.year * 12 + start.month, end.year * 12 + end.month, step)
    stops = [date(m // 12, m % 12 + 1, 1).isoformat() for m in months]
    return [first, *(stop for stop in stops if first < stop < last), last] if first != last else [first, last]


def cut(figure: dict[str, Any], first: str, last: str) -> dict[str, Any]:
    """Return the figure with only what lies between two dates, both included."""
    data = [_cut(trace, first, last) if _timed(trace) else trace for trace in figure.get("data", [])]
    ends = _ends(data, first, last)
    layout = dict(figure.get("layout", {}))
    for name, axis in layout.items():
        if name.startswith("xaxis") and isinstance(axis, dict) and axis.get("type") == "date":
            layout[name] = axis | {"range": ends, "autorange": False}
    return figure | {"data": data, "layout": layout}


def _ends(data: list[dict[str, Any]], first: str, last: str) -> list[str]:
    """Ends of the axis: with times of day, the whole last day is inside."""
    intraday = any(len(str(trace["x"][-1])) > 10 for trace in data if _timed(trace))
    return [first, f"{date.fromisoformat(last) + timedelta(days=intraday)}"]


def widget(figure: dict[str, Any]) -> Chart:
    """Make a live chart of a figure."""
    from tapebook.dashboards.chart import Chart

    return Chart(figure)


def steps(figure: dict[str, Any]) -> list[str]:
    """Names of the figure's frames, in order; none of a figure that does not move."""
    return [str(frame.get("name", number)) for number, frame in enumerate(figure.get("frames") or [])]


def step(chart: Chart, figure: dict[str, Any], number: int) -> None:
    """Show one frame of `figure` in a live chart of it."""
    frame = figure["frames"][number]
    data = list(figure["data"])
    for place, trace in zip(frame.get("traces", range(len(frame["data"]))), frame["data"], strict=False):
        data[place] = data[place] | trace
    chart.show(figure | {"data": data})


def narrow(chart: Chart, figure: dict[str, Any], first: str, last: str) -> None:
    """Cut a live chart of `figure` to a span of time, in the chart that is there."""
    chart.show(cut(figure, first, last))


def _timed(trace: dict[str, Any]) -> bool:
    x = trace.get("x")
    return isinstance(x, list) and bool(x) and _is_date(x[0]) and _is_date(x[-1])


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(str(value)[:10])
    except ValueError:
        return False
    return isinstance(value, str) and len(value) >= 10


def _cut(trace: dict[str, Any], first: str, last: str) -> dict[str, Any]:
    kept = [first <= str(x)[:10] <= last for x in trace["x"]]
    cut = dict(trace)
    for name in _ALONG:
        values = trace.get(name)
        if isinstance(values, list) and len(values) == len(kept):
            cut[name] = _picked(values, kept)
    marker = trace.get("marker")
    if isinstance(marker, dict):  # a shape and a colour for each point
        cut["marker"] = {
            key: _picked(v, kept) if key in _MARKED and isinstance(v, list) and len(v) == len(kept) else v
            for key, v in marker.items()
        }
    return cut


def _picked(values: list[Any], kept: list[bool]) -> list[Any]:
    return [value for value, keep in zip(values, kept, strict=True) if keep]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) >= {"dtype", "bdata"}:
            return _numbers(value)
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _numbers(packed: dict[str, Any]) -> list[Any]:
    import numpy as np

    try:
        array = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])
        shape = [int(n) for n in str(packed.get("shape", array.size)).split(",")]
        return _holes(array.reshape(shape).tolist())
    except TypeError as error:
        raise ValueError(f"an array of it is damaged: {error}") from error


def _holes(values: list[Any]) -> list[Any]:
    """NaN is no JSON: a hole in a line is None."""
    return [
        _holes(v) if isinstance(v, list) else None if isinstance(v, float) and v != v else v for v in values
    ]
