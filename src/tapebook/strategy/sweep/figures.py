"""A sweep in pictures: a heatmap over two settings, and every combination as a line across all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook import theme
from tapebook.errors import BadParameter, NoData
from tapebook.strategy.sweep.grid import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go

SCALE = [[0.0, theme.VERMILION], [0.25, "#DFA27A"], [0.5, "#C8C8C8"], [0.75, "#7FB2D2"], [1.0, theme.BLUE]]
"""Losses, nothing, gains: seen on a light ground and on a dark one, where a combination left out is empty."""
UNSEEN = {"size": 1, "color": "rgba(0,0,0,0)"}
"""The ends of an axis, which plotly writes beside its labels."""
LINES = 2000
"""Combinations in the picture of lines, the best ones: more are a grey block, and a page of megabytes."""


def heatmap(
    ranked: pd.DataFrame,
    varied: Sequence[str],
    x: str | None,
    y: str | None,
    metric: str,
    *,
    fixed: Mapping[str, Any],
    warning: str = "",
) -> go.Figure:
    """Do what `Sweep.heatmap` says."""
    import plotly.graph_objects as go

    across, up = _axes(varied, x, y, fixed)
    shown = _sliced(ranked, varied, fixed)
    wide = shown.pivot_table(index=up, columns=across, values=metric, aggfunc="mean", dropna=False)
    values = wide.round(5).to_numpy(dtype=float)
    figure = go.Figure(
        go.Heatmap(
            x=[_label(v) for v in wide.columns], y=[_label(v) for v in wide.index], z=values,
            **_colours(values),
            colorbar={"title": {"text": _words(metric)}, "thickness": 12},
            hovertemplate=f"{_words(across)} %{{x}}, {_words(up)} %{{y}}: %{{z:.3f}}<extra></extra>",
        )
    )  # fmt: skip
    rest = [_words(name) for name in varied if name not in (across, up, *fixed)]
    notes = [f"{_words(name)} {_label(plain(value))}" for name, value in fixed.items()]
    notes += [f"mean over {', '.join(rest)}"] if rest else []
    title = f"{_words(metric)} by {_words(across)} and {_words(up)}"
    return _dressed(figure, title, warning, "; ".join(notes), across=across, up=up)


def parallel(ranked: pd.DataFrame, varied: Sequence[str], metric: str, *, warning: str = "") -> go.Figure:
    """Do what `Sweep.parallel` says."""
    import plotly.graph_objects as go

    every = ranked.dropna(subset=[metric])
    shown = every.head(LINES).iloc[::-1]  # the best are drawn last, on top
    values = shown[metric].to_numpy(dtype=float)
    colours = {name.replace("z", "c"): value for name, value in _colours(values).items()}
    line = {"color": values} | colours  # the last axis is the scale
    dimensions = [_dimension(name, shown[name]) for name in (*varied, metric)]
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line, rangefont=UNSEEN))
    note = f"the best {LINES:,} of {len(every):,}" if len(every) > LINES else ""
    figure = _dressed(figure, f"combinations by {_words(metric)}", warning, note)
    return figure.update_layout(
        margin={"t": 100 + 20 * bool(note) + 44 * bool(warning), "l": 70, "r": 50, "b": 30}
    )


def _axes(varied: Sequence[str], x: str | None, y: str | None, fixed: Mapping[str, Any]) -> tuple[str, str]:
    free = [name for name in varied if name not in fixed]
    if len(free) < 2:
        raise BadParameter("y", y, "a second setting that varied: a heatmap needs two")
    across = x or next(name for name in free if name != y)
    up = y or next(name for name in free if name != across)
    for axis, name in (("x", across), ("y", up)):
        if name not in free:
            raise BadParameter(axis, name, "one of " + ", ".join(free))
    if across == up:
        raise BadParameter("y", up, "another setting than x")
    return across, up


def _sliced(ranked: pd.DataFrame, varied: Sequence[str], fixed: Mapping[str, Any]) -> pd.DataFrame:
    for name, value in fixed.items():
        if name not in varied:
            raise BadParameter("fixed", name, "settings that varied: " + ", ".join(varied))
        found = ranked[[plain(v) == plain(value) for v in ranked[name]]]
        if found.empty:
            tried = dict.fromkeys(_label(plain(v)) for v in ranked[name])
            raise NoData(f"no combination has {name}={value!r}: {name} was one of {', '.join(tried)}")
        ranked = found
    return ranked


def _colours(values: np.ndarray) -> dict[str, Any]:
    """Losses in one colour, gains in the other; where there are only either, all of that side's shades."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (-1.0, 1.0)
    if low < 0 < high:
        return {"colorscale": SCALE, "zmin": -max(-low, high), "zmax": max(-low, high)}
    half = SCALE[2:] if low >= 0 else SCALE[:3]
    return {"colorscale": [[i / 2, colour] for i, (_, colour) in enumerate(half)], "zmin": low, "zmax": high}


def _dimension(name: str, column: pd.Series) -> dict[str, Any]:
    """One axis: numbers as they are; words, and numbers with a none among them, as steps."""
    number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    if number and column.notna().all():
        return {"label": _words(name), "values": column.to_numpy(dtype=float)}
    values = list(dict.fromkeys(plain(v) for v in column))
    values.sort(key=lambda v: (v is not None, v if isinstance(v, (int, float)) else 0, str(v)))
    places = {value: i for i, value in enumerate(values)}
    codes = np.array([places[plain(v)] for v in column], dtype=float)
    shown = {"tickvals": list(places.values()), "ticktext": [_label(v) for v in values]}
    return {"label": _words(name), "values": codes, "range": [-0.3, len(values) - 0.7], **shown}


def _dressed(
    figure: go.Figure, said: str, warning: str, note: str, *, across: str = "", up: str = ""
) -> go.Figure:
    import plotly.graph_objects as go

    marked = warning.replace(": ", ":<br>")  # one line would be cut off on a phone
    title = said + (f"<br><span style='font-size:12px'>{note}</span>" if note else "")
    title += f"<br><span style='font-size:13px'><b>⚠ {marked}</b></span>" if warning else ""
    top = 60 + 20 * bool(note) + 44 * bool(warning)
    height = 400 + top
    figure.update_layout(
        template=go.layout.Template(theme.template()),
        title={"text": title, "y": 1 - 26 / height, "yref": "container", "yanchor": "top"},
        height=height,
        margin={"t": top},
    )
    if across:
        figure.update_xaxes(title=_words(across), type="category")
        figure.update_yaxes(title=_words(up), type="category", showgrid=False)
    return figure


def _label(value: Any) -> str:
    found = plain(value)
    if found is None:
        return "none"
    return f"{found:g}" if isinstance(found, float) else str(found)


def _words(name: str) -> str:
    return name.replace("_", " ")
