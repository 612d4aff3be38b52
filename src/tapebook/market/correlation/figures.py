"""Figures of the correlation scan: the page of one pair."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter, UnknownName
from tapebook.market.correlation.checks import whole
from tapebook.market.correlation.products import products, standardised
from tapebook.market.correlation.rolling import rolling_pair
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.correlation.correlations import Correlations

WINDOW = 60


def profile(scan: Correlations, a: str, b: str, lags: int = 20) -> pd.DataFrame:
    """Correlation of one pair at every lag, and the band of no bond; see `Correlations.lead_lag`."""
    for name in (a, b):
        if name not in scan.returns.columns:
            raise UnknownName("symbol", name, scan.returns.columns, "The scan used these.")
    if a == b:
        raise BadParameter("b", b, f"another symbol than {a}")
    whole("lags", lags, 0, "a whole number of bars, 0 or more")
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
    """Prices from 100, spread, rolling correlation and lead–lag profile of one pair, one above the other."""
    from plotly.subplots import make_subplots

    close = scan.bars.close[[a, b]].dropna()
    hedge, gap = spread(close)
    window = min(WINDOW, len(scan.returns))
    figure = make_subplots(
        rows=4,
        cols=1,
        vertical_spacing=0.09,
        row_heights=[0.3, 0.2, 0.2, 0.3],
        subplot_titles=(
            "price, first shared bar = 100",
            f"spread: log {a} − {hedge:.2f} × log {b}, hedge of all these bars",
            f"correlation of returns over the last {window} bars",
            f"correlation at each lag; above 0 {a} leads {b}",
        ),
    )
    _prices(figure, close)
    line = rolling_pair(scan.returns, a, b, window)
    line = line[line.first_valid_index() : line.last_valid_index()]
    for row, values, name, shown in (
        (2, 100.0 * gap, "spread", "%{x|%Y-%m-%d}: %{y:.1f} %<extra></extra>"),
        (3, line, "rolling correlation", "%{x|%Y-%m-%d}: %{y:.2f}<extra></extra>"),
    ):
        figure.add_scatter(
            x=values.index, y=values, line={"color": LIGHT.series[2], "width": 1.5}, showlegend=False,
            name=name, hovertemplate=shown, row=row, col=1,
        )  # fmt: skip
        figure.update_xaxes(matches="x", row=row, col=1)
    figure.update_yaxes(title_text="spread, %", zeroline=True, row=2, col=1)
    figure.update_yaxes(title_text="correlation", range=[-1.05, 1.05], zeroline=True, row=3, col=1)
    _profile(figure, profile(scan, a, b))
    figure.update_layout(
        template=template(), title=f"{a} and {b}", height=960, legend={"x": 1, "xanchor": "right", "y": 1.05}
    )
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    return figure


def spread(close: pd.DataFrame) -> tuple[float, pd.Series]:
    """Hedge ratio and spread of two prices (T, 2): what least squares leaves of the first one's log."""
    logs = np.log(close.to_numpy(dtype=float))
    y, x = (logs - logs.mean(axis=0)).T
    hedge = float(x @ y / (x @ x)) if close.iloc[:, 1].nunique() > 1 else 0.0
    return hedge, pd.Series(y - hedge * x, close.index)


def _prices(figure: go.Figure, close: pd.DataFrame) -> None:
    based = 100.0 * close / close.iloc[0]
    for number, name in enumerate(close.columns):
        figure.add_scatter(
            x=based.index, y=based[name], name=name,
            line={"color": LIGHT.series[number], "width": 1.5, "dash": ("solid", "dot")[number]},
            hovertemplate=f"{name} %{{x|%Y-%m-%d}}: %{{y:,.1f}}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    figure.update_yaxes(title_text="price", **price_axis(based.min().min(), based.max().max()), row=1, col=1)


def _profile(figure: go.Figure, told: pd.DataFrame) -> None:
    for edge, fill in (("high", None), ("low", "tonexty")):
        figure.add_scatter(
            x=told["lag"], y=told[edge], mode="lines", line={"width": 0}, fill=fill, row=4, col=1,
            fillcolor="rgba(120,130,140,0.25)", hoverinfo="skip", name="95 % of chance",
            showlegend=fill is not None,
        )  # fmt: skip
    out = (told["correlation"] < told["low"]) | (told["correlation"] > told["high"])
    figure.add_bar(
        x=told["lag"], y=told["correlation"], row=4, col=1, showlegend=False, name="correlation",
        marker_color=np.where(out, LIGHT.gain, LIGHT.line), width=0.6,
        hovertemplate="lag %{x}: %{y:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title_text="lag, bars", row=4, col=1)
    figure.update_yaxes(title_text="correlation", row=4, col=1)
