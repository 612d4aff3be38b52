"""Figures of the correlation scan: the page of one pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter, UnknownName
from tapebook.market.correlation_products import products, standardised
from tapebook.market.correlation_rolling import rolling_pair
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlations import Correlations

WINDOW = 60


def profile(scan: Correlations, a: str, b: str, lags: int = 20) -> pd.DataFrame:
    """Correlation of one pair at every lag, and the band of no bond; see `Correlations.lead_lag`."""
    for name in (a, b):
        if name not in scan.returns.columns:
            raise UnknownName("symbol", name, scan.returns.columns, "The scan used these.")
    if a == b:
        raise BadParameter("b", b, f"another symbol than {a}")
    Z = standardised(scan.returns[[a, b]].to_numpy(dtype=float))
    lags = min(lags, len(Z) - 3)
    told = []
    for lag in range(lags + 1):
        made = products(Z, lag)
        told.append((lag, made.r[0, 1], made.error[0, 1]))
        if lag:
            told.append((-lag, made.r[1, 0], made.error[1, 0]))
    frame = pd.DataFrame(told, columns=["lag", "correlation", "error"]).sort_values("lag")
    frame["low"], frame["high"] = -1.96 * frame["error"], 1.96 * frame["error"]
    return frame.drop(columns="error").reset_index(drop=True)


def pair_figure(scan: Correlations, a: str, b: str) -> go.Figure:
    """Prices from 100, rolling correlation and lead–lag profile of one pair, one above the other."""
    from plotly.subplots import make_subplots

    figure = make_subplots(
        rows=3,
        cols=1,
        vertical_spacing=0.13,
        row_heights=[0.42, 0.25, 0.33],
        subplot_titles=(
            "price, first shared bar = 100",
            f"correlation of returns over the last {min(WINDOW, len(scan.returns))} bars",
            f"correlation at each lag; above 0 {a} leads {b}",
        ),
    )
    _prices(figure, scan, (a, b))
    window = min(WINDOW, len(scan.returns))
    line = rolling_pair(scan.returns, a, b, window)
    figure.add_scatter(
        x=line.index, y=line, line={"color": LIGHT.series[2], "width": 1.5}, showlegend=False, row=2, col=1,
        name="rolling correlation", hovertemplate="%{x|%Y-%m-%d}: %{y:.2f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(matches="x", row=2, col=1)
    _profile(figure, profile(scan, a, b))
    figure.update_layout(
        template=template(), title=f"{a} and {b}", height=760, legend={"x": 1, "xanchor": "right", "y": 1.06}
    )
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    return figure


def _prices(figure: go.Figure, scan: Correlations, names: tuple[str, str]) -> None:
    close = scan.bars.close[list(names)].dropna()
    for number, name in enumerate(names):
        figure.add_scatter(
            x=close.index, y=100.0 * close[name] / close[name].iloc[0], name=name,
            line={"color": LIGHT.series[number], "width": 1.5, "dash": ("solid", "dot")[number]},
            hovertemplate=f"{name} %{{x|%Y-%m-%d}}: %{{y:,.1f}}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    based = 100.0 * close / close.iloc[0]
    figure.update_yaxes(title_text="price", **price_axis(based.min().min(), based.max().max()), row=1, col=1)
    figure.update_yaxes(title_text="correlation", range=[-1.05, 1.05], row=2, col=1, zeroline=True)


def _profile(figure: go.Figure, told: pd.DataFrame) -> None:
    for edge, fill in (("high", None), ("low", "tonexty")):
        figure.add_scatter(
            x=told["lag"], y=told[edge], mode="lines", line={"width": 0}, fill=fill, row=3, col=1,
            fillcolor="rgba(120,130,140,0.25)", hoverinfo="skip", name="95 % of chance",
            showlegend=fill is not None,
        )  # fmt: skip
    out = (told["correlation"] < told["low"]) | (told["correlation"] > told["high"])
    figure.add_bar(
        x=told["lag"], y=told["correlation"], row=3, col=1, showlegend=False, name="correlation",
        marker_color=np.where(out, LIGHT.gain, LIGHT.line), width=0.6,
        hovertemplate="lag %{x}: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="lag, bars", row=3, col=1)
    figure.update_yaxes(title_text="correlation", row=3, col=1)
