"""Figures of moves: where they lie, and what events did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import NoData
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.explanation.event_study import EventStudy
    from tapebook.market.move.moves import Moves

ON_TOP = {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"}


def blank(title: str, x: str, y: str, height: int = 400) -> go.Figure:
    """An empty figure with its title and the names of its axes."""
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(template=template(), title=title, height=height)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y)
    return figure


def moves_figure(found: Moves, symbol: str | None = None) -> go.Figure:
    """Prices of one symbol with its moves: triangles up and down, larger for a larger move."""
    if found.table.empty and symbol is None:
        raise NoData("there is no move to draw: take a lower threshold or more bars")
    name = symbol or str(found.table["symbol"].iloc[0])
    close, own = found.line(name).dropna(), found.table[found.table["symbol"] == name]
    figure = blank(f"{name}: {len(own)} move{'s' * (len(own) != 1)}", "", "price (logarithmic)", 460)
    figure.add_scatter(
        x=close.index, y=close, mode="lines", name="close", line={"color": LIGHT.muted, "width": 1.2},
        hovertemplate="%{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>",
    )  # fmt: skip
    for way, shape, colour in (("up", "triangle-up", LIGHT.gain), ("down", "triangle-down", LIGHT.loss)):
        part = own[own["direction"] == way]
        words = [
            f"move {n}: {r['percent']:+.1%}, {r['size']:+.1f} σ, {r['scope']}" for n, r in part.iterrows()
        ]
        figure.add_scatter(
            x=part["end"], y=close.reindex(part["end"]), mode="markers", name=way, text=words,
            customdata=part.index,
            marker={
                "symbol": shape, "color": colour, "size": np.clip(6.0 + part["size"].abs(), 8.0, 20.0),
                "line": {"color": LIGHT.surface, "width": 1},
            },
            hovertemplate="%{x|%Y-%m-%d}<br>%{text}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(**price_axis(float(close.min()), float(close.max())))
    figure.update_layout(legend=ON_TOP, margin_t=88)
    return figure


def event_figure(study: EventStudy) -> go.Figure:
    """Cumulative mean abnormal return, and the band it would stay in without an effect."""
    told = study.average
    figure = blank(
        f"Abnormal return of {len(study.events)} events", "bars from the event", "cumulative, mean"
    )
    band(figure, told.index, told["low"], told["high"], "95 % without an effect")
    figure.add_scatter(
        x=told.index, y=told["cumulative"], mode="lines+markers", name="events",
        line={"color": LIGHT.series[0], "width": 2},
        hovertemplate="bar %{x}: %{y:+.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(tickformat="+.1%")
    return figure


def band(figure: go.Figure, x: pd.Index, low: pd.Series, high: pd.Series, name: str) -> None:
    """Shade what lies between two lines."""
    figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor="rgba(120,130,140,0.25)",
        name=name, hoverinfo="skip",
    )  # fmt: skip
