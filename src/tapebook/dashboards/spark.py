"""A small picture of a run's equity, drawn from its recorded figure."""

from __future__ import annotations

from typing import Any

from tapebook.dashboards import figures
from tapebook.dashboards.records import Record

SOURCES = ("equity", "tearsheet")
WIDTH, HEIGHT, POINTS = 120, 32, 60


def spark(record: Record) -> str:
    """Return the picture as HTML (SVG); "" where no equity was recorded or it cannot be read."""
    for name in SOURCES:
        path = record.folder / "figures" / f"{name}.json"
        try:
            values = _equity(figures.load(path))
        except (OSError, ValueError):
            continue
        if len(values) > 1:
            return _svg(values)
    return ""


def _equity(figure: dict[str, Any]) -> list[float]:
    """Heights of the first solid line: the benchmark's is dotted."""
    for trace in figure["data"]:
        line, y = trace.get("line"), trace.get("y")
        dotted = isinstance(line, dict) and line.get("dash") not in (None, "solid")
        if trace.get("mode") == "lines" and isinstance(y, list) and not dotted:
            step = max(1, len(y) // POINTS)
            thin = [*y[:-1:step], *y[-1:]]
            return [float(v) for v in thin if isinstance(v, (int, float)) and v - v == 0]
    return []


def _svg(values: list[float]) -> str:
    low, high = min(values), max(values)
    across, up = (WIDTH - 2) / (len(values) - 1), (HEIGHT - 4) / ((high - low) or 1.0)
    points = " ".join(f"{1 + i * across:.1f},{HEIGHT - 2 - (v - low) * up:.1f}" for i, v in enumerate(values))
    return (
        f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
        f' aria-label="equity"><polyline points="{points}" fill="none"/></svg>'
    )
