"""A small picture of a figure, as SVG in the page's own colours: a line, a heat map, bars or points.

Moves are marked on their line, as the figure marks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import log
from typing import Any

WIDTH, HEIGHT = 240, 84
POINTS, CELLS, BARS, MARKS = 120, 24, 40, 60
SECOND = 19  # a time to the second, as text; what follows is written in several ways


def picture(figure: dict[str, Any]) -> str:
    """Return the picture, or "" of a figure that has nothing to draw."""
    traces = [t for t in figure.get("data", ()) if isinstance(t, dict)]
    layout = figure.get("layout")
    axis = layout.get("yaxis") if isinstance(layout, dict) else None
    logarithmic = isinstance(axis, dict) and axis.get("type") == "log"
    for draw in (partial(_moves, logarithmic=logarithmic), _lines, _heat, _bars, _points):
        try:
            made = draw(traces)
        except (TypeError, ValueError, AttributeError, LookupError, ZeroDivisionError):
            continue
        if made:
            return (
                f'<svg class="picture" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
                f' aria-label="small picture of its main chart">{made}</svg>'
            )
    return ""


def _moves(traces: list[dict[str, Any]], logarithmic: bool) -> str:
    """A line of prices with a triangle at each move, up or down."""
    marks = {t["name"]: t for t in traces if t.get("name") in ("up", "down") and t.get("mode") == "markers"}
    line = next((t for t in traces if t.get("mode") == "lines"), None)
    if len(marks) != 2 or line is None:
        return ""
    days = [str(day)[:SECOND] for day in line["x"]]
    prices = [log(v) if logarithmic else float(v) for v in line["y"]]
    low, high = min(prices), max(prices)
    across, up = (WIDTH - 8) / (len(days) - 1), (HEIGHT - 16) / (high - low)
    places = [(4 + n * across, HEIGHT - 8 - (v - low) * up) for n, v in enumerate(prices)]
    at = dict(zip(days, places, strict=True))
    line_points = " ".join(f"{x:.1f},{y:.1f}" for x, y in _thin(places, 2 * POINTS))
    made = f'<polyline class="quiet" points="{line_points}"/>'
    for name, kind, way in (("up", "gain", -1), ("down", "loss", 1)):
        for day in _largest(marks[name]):
            x, y = at[str(day)[:SECOND]]
            made += f'<path class="{kind}" d="M{x - 3.5:.1f},{y - 3 * way:.1f} h7 l-3.5,{6 * way} z"/>'
    return made


def _largest(trace: dict[str, Any]) -> list[Any]:
    """Days of the largest moves, by the size of their marks."""
    size: Any = (trace.get("marker") or {}).get("size")
    sizes = list(size) if hasattr(size, "__len__") else [1.0] * len(trace["x"])
    ranked = sorted(zip(sizes, trace["x"], strict=True), key=lambda pair: -float(pair[0]))
    return [day for _, day in ranked[:MARKS]]


def _lines(traces: list[dict[str, Any]]) -> str:
    """The first solid line with a name; a benchmark's is dotted, an interval's edge has none."""
    for trace in traces:
        said = trace.get("line")
        line = said if isinstance(said, dict) else {}
        solid = line.get("dash") in (None, "solid") and line.get("width") != 0 and not trace.get("fill")
        of_lines = trace.get("type") in (None, "scatter", "scattergl") and trace.get("mode") in (
            None,
            "lines",
        )
        if of_lines and solid:
            values = _thin(_numbers(trace.get("y")), POINTS)
            if len(values) > 1 and max(values) > min(values):
                return f'<polyline points="{_path(values)}"/>'
    return ""


def _path(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    across, up = (WIDTH - 4) / (len(values) - 1), (HEIGHT - 8) / (high - low)
    return " ".join(f"{2 + i * across:.1f},{HEIGHT - 4 - (v - low) * up:.1f}" for i, v in enumerate(values))


def _heat(traces: list[dict[str, Any]]) -> str:
    for trace in traces:
        rows = trace.get("z") if trace.get("type") == "heatmap" else None
        if rows is None or not len(rows):
            continue
        grid = [_thin([_number(v) for v in row], CELLS) for row in _thin(list(rows), CELLS)]
        known = [v for row in grid for v in row if v is not None]
        if not known:
            continue
        most = max(map(abs, known)) or 1.0
        high, wide = HEIGHT / len(grid), WIDTH / max(map(len, grid))
        return "".join(
            _box(j * wide, HEIGHT - (i + 1) * high, wide, high, v, 0.1 + 0.9 * abs(v) / most)
            for i, row in enumerate(grid)
            for j, v in enumerate(row)
            if v is not None
        )
    return ""


def _bars(traces: list[dict[str, Any]]) -> str:
    for trace in traces:
        across = trace.get("orientation") == "h"
        values = (
            _thin(_numbers(trace.get("x" if across else "y")), BARS) if trace.get("type") == "bar" else []
        )
        if values and any(values):
            low, high = min(0.0, *values), max(0.0, *values)
            up, wide = (HEIGHT - 8) / (high - low), WIDTH / len(values)
            return "".join(
                _box(i * wide + 1, HEIGHT - 4 - (max(v, 0) - low) * up, max(wide - 2, 1), abs(v) * up, v)
                for i, v in enumerate(values)
            )
    return ""


def _box(x: float, y: float, wide: float, high: float, value: float, opacity: float = 1.0) -> str:
    """A rectangle in the colour of its sign."""
    kind = "gain" if value >= 0 else "loss"
    where = f'x="{x:.1f}" y="{y:.1f}" width="{wide:.1f}" height="{high:.1f}"'
    return f'<rect {where} class="{kind}" opacity="{opacity:.2f}"/>'


def _points(traces: list[dict[str, Any]]) -> str:
    for trace in traces:
        if "markers" not in str(trace.get("mode")):
            continue
        x, y = ([_number(v) for v in _thin(list(trace.get(k, ())), POINTS)] for k in "xy")
        pairs = [(a, b) for a, b in zip(x, y, strict=False) if a is not None and b is not None]
        if len(pairs) > 1:
            left, low = min(a for a, _ in pairs), min(b for _, b in pairs)
            across = (WIDTH - 12) / ((max(a for a, _ in pairs) - left) or 1.0)
            up = (HEIGHT - 12) / ((max(b for _, b in pairs) - low) or 1.0)
            return "".join(
                f'<circle cx="{6 + (a - left) * across:.1f}" cy="{HEIGHT - 6 - (b - low) * up:.1f}" r="2.5"/>'
                for a, b in pairs
            )
    return ""


def _thin(values: list[Any], most: int) -> list[Any]:
    step = -(-len(values) // most)
    return values if step <= 1 else [*values[:-1:step], values[-1]]


def _numbers(values: Any) -> list[float]:
    if (
        getattr(getattr(values, "dtype", None), "kind", "x") in "fiu" and values.ndim == 1
    ):  # thousands of them
        floats = values.astype(float)
        kept: list[float] = floats[(floats - floats) == 0].tolist()
        return kept
    return (
        []
        if values is None or isinstance(values, str)
        else [n for v in values if (n := _number(v)) is not None]
    )


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, (str, bool)) or not hasattr(value, "__float__"):
        return None
    number = float(value)
    return number if number - number == 0 else None
