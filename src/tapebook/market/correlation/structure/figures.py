"""Figures of the structure: the matrix through time, the spanning tree, the eigenvalues."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter
from tapebook.market.correlation.rolling import matrices
from tapebook.market.correlation.structure.eigen import marchenko_pastur
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlation.structure.structure import Structure

WIDTHS = {"above 0.6": 3.5, "0.3 to 0.6": 2.0, "below 0.3": 1.0}
CELL_TEXT = 60
"""Symbols above which cells hold no number and not every label is drawn."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon", "pentagon", "bowtie")


def heatmap(told: Structure, window: int = 250, frames: int = 24) -> go.Figure:
    """The matrix of all rows, and by the slider those of windows; see `Structure.heatmap`."""
    import plotly.graph_objects as go

    if frames < 1:
        raise BadParameter("frames", frames, "at least 1")
    order, N = list(told.order), len(told.order)
    steps = [("all rows", _rounded(told.sample.loc[order, order].to_numpy()))]
    T = len(told.used)
    frames = min(frames, max(3, 250_000 // (N * N)))  # a page holds so many numbers
    if window < T:
        step = max(1, -(-(T - window) // frames))
        for stamp, R in matrices(told.used[order], window, step):
            steps.append((f"{stamp:%Y-%m-%d}", _rounded(R)))
    text = N <= CELL_TEXT // 3
    first = go.Heatmap(
        z=steps[0][1], x=order, y=order, zmin=-1, zmax=1,
        colorscale=[list(step) for step in LIGHT.scale], xgap=1 if text else 0, ygap=1 if text else 0,
        texttemplate="%{z:.2f}" if text else None, textfont={"size": 10, "color": LIGHT.ink},
        colorbar={"title": {"text": "correlation", "side": "top"}, "tickvals": [-1, -0.5, 0, 0.5, 1]},
        hovertemplate="%{y} and %{x}: %{z:.2f}<extra></extra>",
    )  # fmt: skip
    figure = go.Figure(first, frames=[go.Frame(data=[{"type": "heatmap", "z": z}], name=n) for n, z in steps])
    size = int(np.clip(160 + 22 * N, 480, 900))
    every = 1 if N <= CELL_TEXT else -(-N // CELL_TEXT)
    ticks = {"tickvals": order[::every], "ticktext": order[::every], "showline": False, "automargin": True}
    ticks["tickfont"] = {"size": 10 if N > 25 else 11}
    figure.update_layout(
        template=template(), title=f"Correlation of returns in {told.clusters['cluster'].max()} clusters",
        height=size + 130, xaxis=ticks | {"tickangle": -90, "side": "bottom", "type": "category"},
        yaxis=ticks | {"autorange": "reversed", "scaleanchor": "x", "type": "category"},
        xaxis_constrain="domain", yaxis_constrain="domain", shapes=_outlines(told),
    )  # fmt: skip
    if len(steps) > 1:
        figure.update_layout(sliders=[_slider([name for name, _ in steps], window)])
    return figure


def _rounded(R: np.ndarray) -> list[list[float]]:
    rows: list[list[float]] = np.round(R, 2).tolist()
    return rows


def _outlines(told: Structure) -> list[dict[str, object]]:
    label, shapes = told.clusters["cluster"].to_numpy(), []
    for one in np.unique(label):
        at = np.flatnonzero(label == one)
        low, high = at[0] - 0.5, at[-1] + 0.5
        line = {"color": LIGHT.ink, "width": 2}
        shapes.append({"type": "rect", "x0": low, "x1": high, "y0": low, "y1": high, "line": line})
    return shapes


def _slider(names: list[str], window: int) -> dict[str, object]:
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    steps = [{"label": name, "method": "animate", "args": [[name], now]} for name in names]
    return {
        "steps": steps, "active": 0, "pad": {"t": 70}, "font": {"size": 10, "color": LIGHT.muted},
        "currentvalue": {"prefix": f"{window} bars up to: ", "font": {"size": 13, "color": LIGHT.ink}},
    }  # fmt: skip


def network(told: Structure) -> go.Figure:
    """The minimum spanning tree; see `Structure.network`."""
    import plotly.graph_objects as go

    at = positions(told.tree, told.symbols)
    figure = go.Figure()
    for kind, edges in told.tree.groupby(_strength(told.tree["correlation"]), observed=True, sort=False):
        line: list[np.ndarray] = []
        for row in edges.itertuples():
            line += [at[str(row.a)], at[str(row.b)], np.array([np.nan, np.nan])]
        xy = np.array(line)
        figure.add_scatter(
            x=xy[:, 0], y=xy[:, 1], mode="lines", hoverinfo="skip", name=f"correlation {kind}",
            line={"color": LIGHT.muted, "width": WIDTHS[str(kind)],
                  "dash": "dot" if kind == "below 0.3" else "solid"},
        )  # fmt: skip
    for one, members in told.clusters.groupby("cluster"):
        number = int(str(one)) - 1
        names = members["symbol"].tolist()
        xy = np.array([at[name] for name in names])
        figure.add_scatter(
            x=xy[:, 0], y=xy[:, 1], text=names, textposition="top center", cliponaxis=False,
            mode="markers+text" if len(told.symbols) <= 150 else "markers",
            textfont={"size": 11 if len(told.symbols) <= 60 else 9},
            name=f"cluster {one}", customdata=members["inside"],
            marker={"size": 11, "symbol": SHAPES[number % len(SHAPES)], "line_width": 1,
                    "line_color": LIGHT.surface, "color": LIGHT.series[number % len(LIGHT.series)]},
            hovertemplate="%{text}, mean correlation in its cluster %{customdata:.2f}<extra></extra>",
        )  # fmt: skip
    hidden = {"visible": False}
    figure.update_layout(
        template=template(), title="Minimum spanning tree of correlations", height=680, xaxis=hidden,
        yaxis=hidden, legend={"y": -0.02, "yanchor": "top"},
    )  # fmt: skip
    span = np.array(list(at.values()))
    low, high = span.min(axis=0), span.max(axis=0)
    pad = 0.08 * np.maximum(high - low, 1e-9)
    figure.update_xaxes(range=[low[0] - pad[0], high[0] + pad[0]])
    figure.update_yaxes(range=[low[1] - pad[1], high[1] + pad[1]])
    return figure


def _strength(r: pd.Series) -> pd.Series:
    return pd.cut(r, [-1.01, 0.3, 0.6, 1.01], labels=["below 0.3", "0.3 to 0.6", "above 0.6"])


def positions(tree: pd.DataFrame, symbols: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Place symbols on a plane: the tree's centre in the middle, each branch in a wedge by its leaves."""
    near: dict[str, list[str]] = {name: [] for name in symbols}
    for row in tree.itertuples():
        near[str(row.a)].append(str(row.b))
        near[str(row.b)].append(str(row.a))
    root = _centre(near)
    walk, parent = [root], {root: ""}
    for name in walk:
        for other in near[name]:
            if other != parent[name]:
                parent[other] = name
                walk.append(other)
    leaves = dict.fromkeys(walk, 0)
    for name in reversed(walk):
        leaves[name] = leaves[name] or 1
        if parent[name]:
            leaves[parent[name]] += leaves[name]
    at, wedge, depth = {root: np.zeros(2)}, {root: (0.0, 2.0 * np.pi)}, {root: 0}
    for name in walk:
        start, stop = wedge[name]
        branches = [other for other in near[name] if other != parent[name]]
        total = sum(leaves[other] for other in branches) or 1
        for other in sorted(branches, key=lambda x: leaves[x]):
            end = start + (stop - start) * leaves[other] / total if len(branches) > 1 else stop
            wedge[other], depth[other] = (start, end), depth[name] + 1
            angle = (start + end) / 2.0
            at[other] = depth[other] * np.array([np.cos(angle), np.sin(angle)])
            total, start = total - leaves[other], end
            branches.remove(other)
    return at


def _centre(near: dict[str, list[str]]) -> str:
    """The node left when leaves are taken off the tree, ring after ring."""
    degree = {name: len(others) for name, others in near.items()}
    ring = [name for name, d in degree.items() if d <= 1]
    left = len(degree)
    while left > 2:
        left -= len(ring)
        inner = []
        for name in ring:
            for other in near[name]:
                degree[other] -= 1
                if degree[other] == 1:
                    inner.append(other)
        ring = inner
    return max(ring, key=lambda name: len(near[name]))


def eigenvalue_figure(told: Structure) -> go.Figure:
    """Eigenvalues and the density of noise; see `Structure.eigenvalue_figure`."""
    from plotly.subplots import make_subplots

    T, N = told.used.shape
    values, noise = told.noise.values, told.noise
    figure = make_subplots(
        rows=2, cols=1, vertical_spacing=0.16, row_heights=[0.5, 0.5],
        subplot_titles=("each eigenvalue, from the largest", "how many: the bars, and noise alone: the line"),
    )  # fmt: skip
    kinds = ((True, "stands out", LIGHT.gain, "diamond"), (False, "noise", LIGHT.muted, "circle"))
    for out, name, colour, shape in kinds:
        at = np.flatnonzero(told.eigenvalues["stands_out"].to_numpy() == out)
        figure.add_scatter(
            x=at + 1, y=values[at], mode="markers", name=name, row=1, col=1,
            marker={"color": colour, "symbol": shape, "size": 9 if out else 6},
            hovertemplate="number %{x}: %{y:.2f}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=np.arange(N) + 1, y=noise.limit, mode="lines+markers", name="limit of chance", row=1, col=1,
        line={"color": LIGHT.loss, "dash": "dot"}, marker={"symbol": "line-ew-open", "size": 9},
    )  # fmt: skip
    rest = values[noise.count :]
    figure.add_histogram(
        x=rest, histnorm="probability density", nbinsx=min(60, max(8, len(rest) // 3)), name="the rest",
        marker_color=LIGHT.line, showlegend=False, row=2, col=1,
    )  # fmt: skip
    x = np.linspace(max(noise.low, 1e-6), noise.high, 300)
    figure.add_scatter(
        x=x, y=marchenko_pastur(x, noise.variance, N / T), name=f"noise of variance {noise.variance:.2f}",
        mode="lines", line={"color": LIGHT.loss, "width": 2}, row=2, col=1,
    )  # fmt: skip
    figure.update_layout(
        template=template(), height=720, legend={"y": -0.1, "yanchor": "top"}, margin_b=80,
        title=f"{noise.count} of {N} eigenvalues stand out of noise",
    )  # fmt: skip
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure.update_xaxes(title_text="number", row=1, col=1)
    figure.update_yaxes(
        title_text="eigenvalue", **price_axis(float(values.min()), float(values.max())), row=1, col=1
    )
    figure.update_xaxes(title_text="eigenvalue", row=2, col=1)
    figure.update_yaxes(title_text="density", row=2, col=1)
    return figure
