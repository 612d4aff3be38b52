"""What a chart shows, in a sentence, for those who cannot see it."""

from __future__ import annotations

import re
from typing import Any


def describe(figure: dict[str, Any]) -> str:
    """Say what a plotly figure shows.

    >>> describe({"data": [{"type": "scatter", "name": "equity"}], "layout": {"title": {"text": "AAPL"}}})
    'Chart: AAPL. Shows equity.'
    """
    layout = figure.get("layout")
    layout = layout if isinstance(layout, dict) else {}
    title = layout.get("title")
    text = _plain(title.get("text") or "" if isinstance(title, dict) else title or "")
    traces = [t for t in figure.get("data") or () if isinstance(t, dict)]
    told = [t for t in traces if t.get("name") and t.get("showlegend") is not False]
    names = list(dict.fromkeys(_plain(t["name"]) for t in told))
    axes = [axis.get("title") for name, axis in layout.items() if _is_axis(name, axis)]
    titles = dict.fromkeys(_plain(t["text"]) for t in axes if isinstance(t, dict) and t.get("text"))
    said = [f"Chart: {text}." if text else "Chart."]
    said += [f"Shows {', '.join(names[:8])}."] if names else []
    said += [f"Axes: {', '.join(titles)}."] if titles else []
    return " ".join(said)


def _is_axis(name: str, axis: Any) -> bool:
    return name.startswith(("xaxis", "yaxis")) and isinstance(axis, dict)


def _plain(text: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", str(text))).strip()
