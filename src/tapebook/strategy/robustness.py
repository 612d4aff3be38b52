"""Whether the best of a sweep stands on a plateau or on a spike, in a table and in pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook import theme
from tapebook.errors import BadParameter
from tapebook.strategy.grid import plain

if TYPE_CHECKING:
    import plotly.graph_objects as go


def robustness(ranked: pd.DataFrame, tried: Mapping[str, Sequence[Any]], metric: str) -> pd.DataFrame:
    """Do what `Sweep.robustness` says, for combinations ranked by `metric`."""
    varied = list(tried)
    steps = [_steps(ranked[name], tried[name]) for name in varied]
    place = {tuple(row): i for i, row in enumerate(np.column_stack(steps))}
    values = ranked[metric].to_numpy(dtype=float)
    rows = []
    for key, i in place.items():
        near = [
            place.get((*key[:d], key[d] + step, *key[d + 1 :])) for d in range(len(key)) for step in (-1, 1)
        ]
        around = values[[n for n in near if n is not None]]
        around = around[~np.isnan(around)]
        mean = float(around.mean()) if len(around) else np.nan
        own = values[i]
        rows.append(
            (len(around), mean, float(around.min()) if len(around) else np.nan, mean / own if own else np.nan)
        )
    found = pd.DataFrame(rows, columns=["neighbours", "mean", "worst", "ratio"])
    return pd.concat([ranked[[*varied, metric]].reset_index(drop=True), found], axis=1)


def heatmap(
    ranked: pd.DataFrame,
    varied: Sequence[str],
    x: str | None,
    y: str | None,
    metric: str,
    *,
    warning: str = "",
) -> go.Figure:
    """Do what `Sweep.heatmap` says."""
    import plotly.graph_objects as go

    if len(varied) < 2:
        raise BadParameter("y", y, "a second setting that varied: a heatmap needs two")
    across, up = x or varied[0], y or next(name for name in varied if name != (x or varied[0]))
    for name in (across, up):
        if name not in varied:
            raise BadParameter("x" if name == x else "y", name, "one of " + ", ".join(varied))
    wide = ranked.pivot_table(index=up, columns=across, values=metric, aggfunc="mean", dropna=False)
    colours = theme.palette()
    top = float(np.nanmax(np.abs(wide.to_numpy()))) if wide.notna().any().any() else 1.0
    figure = go.Figure(
        go.Heatmap(
            x=[str(v) for v in wide.columns], y=[str(v) for v in wide.index], z=wide.round(5).to_numpy(),
            zmid=0, zmin=-top, zmax=top, colorscale=[list(step) for step in colours.scale],
            colorbar={"title": {"text": _words(metric)}, "thickness": 12},
            hovertemplate=f"{across} %{{x}}, {up} %{{y}}: %{{z:.3f}}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(
        template=go.layout.Template(theme.template()),
        title=_title(f"{_words(metric)} by {_words(across)} and {_words(up)}", warning),
        height=460,
    )
    figure.update_xaxes(title=across, type="category")
    figure.update_yaxes(title=up, type="category")
    return figure


def parallel(ranked: pd.DataFrame, varied: Sequence[str], metric: str, *, warning: str = "") -> go.Figure:
    """Do what `Sweep.parallel` says."""
    import plotly.graph_objects as go

    shown = ranked.dropna(subset=[metric])
    dimensions = []
    for name in (*varied, metric):
        column = shown[name]
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
            dimensions.append({"label": _words(name), "values": column.to_numpy(dtype=float)})
            continue
        words = list(dict.fromkeys(column.astype(str)))
        places = {word: i for i, word in enumerate(words)}
        codes = column.astype(str).map(places).to_numpy(dtype=float)
        dimensions.append(
            {"label": _words(name), "values": codes, "tickvals": list(places.values()), "ticktext": words}
        )
    line = {
        "color": shown[metric].to_numpy(dtype=float),
        "colorscale": [[0, theme.VERMILION], [0.5, "#BBBBBB"], [1, theme.BLUE]],
    }
    figure = go.Figure(go.Parcoords(dimensions=dimensions, line=line | {"showscale": True}))
    figure.update_layout(
        template=go.layout.Template(theme.template()),
        title=_title(f"combinations by {_words(metric)}", warning),
        height=460,
        margin={"t": 110, "l": 80, "r": 40},
    )
    return figure


def _steps(column: pd.Series, tried: Sequence[Any]) -> np.ndarray:
    """Each value's place among the values that were given, in order where they are numbers."""
    values = [plain(v) for v in tried]
    if all(isinstance(v, (int, float)) for v in values):
        values.sort()
    where = {value: i for i, value in enumerate(values)}
    return np.array([where[plain(v)] for v in column.tolist()])


def _title(said: str, warning: str) -> str:
    marked = warning.replace(": ", ":<br>")  # one line would be cut off on a phone
    return said + (f"<br><span style='font-size:13px'><b>⚠ {marked}</b></span>" if warning else "")


def _words(name: str) -> str:
    return name.replace("_", " ")
