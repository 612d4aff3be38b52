"""The page of a break: the rolling correlation, and its level between breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.market.correlation.rolling import rolling, rolling_pair
from tapebook.theme import LIGHT, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlation.breaks import CorrelationBreaks


def break_figure(told: CorrelationBreaks, finding: int | None, window: int) -> go.Figure:
    """Rolling correlation with a step line of the levels; breaks dashed, when they were known dotted."""
    import plotly.graph_objects as go

    returns = told.returns
    window = min(window, len(returns))
    if finding is None:
        title, breaks = "Mean correlation of all pairs", told.mean
        line = rolling(returns, window).through_time["mean"]
    else:
        a, b = (str(told.findings.at[finding, name]) for name in ("a", "b"))
        title, line = f"Correlation of {a} and {b}", rolling_pair(returns, a, b, window)
        breaks = told.findings[(told.findings["a"] == a) & (told.findings["b"] == b)].sort_values("at")
    held = breaks[breaks["holds"].astype(bool)]
    figure = go.Figure()
    figure.add_scatter(
        x=line.index, y=line, name=f"over the last {window} bars",
        line={"color": LIGHT.series[0], "width": 1.5},
        hovertemplate="%{x|%Y-%m-%d}: %{y:.2f}<extra></extra>",
    )  # fmt: skip
    if len(held):
        x, y = _steps(held, returns.index)
        step = {"color": LIGHT.series[1], "width": 3}
        figure.add_scatter(x=x, y=y, name="between breaks", mode="lines", line=step)
    for row in held.itertuples():
        figure.add_vline(x=row.at, line={"color": LIGHT.ink, "width": 1.5, "dash": "dash"})
        figure.add_vline(x=row.known, line={"color": LIGHT.muted, "width": 1, "dash": "dot"})
    many = f"{len(held)} break{'s' * (len(held) != 1)}"
    many += " (dashed; known by the dotted line)" if len(held) else ""
    figure.update_layout(
        template=template(),
        title=f"{title}: {many}",
        height=420,
        legend={"y": -0.12, "yanchor": "top"},
        margin_b=64,
    )
    figure.update_yaxes(title_text="correlation", range=[-1.05, 1.05], zeroline=True)
    return figure


def _steps(held: pd.DataFrame, index: pd.Index) -> tuple[list[object], list[float]]:
    x: list[object] = [index[0]]
    y: list[float] = [float(held["before"].iloc[0])]
    for row in held.itertuples():
        x += [row.at, row.at]
        y += [y[-1], float(np.asarray(row.after))]
    return [*x, index[-1]], [*y, y[-1]]
