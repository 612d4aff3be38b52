"""Figures of moves: where they lie, and the page that explains one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import NoData
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.event_study import EventStudy
    from tapebook.market.explain import Explanation
    from tapebook.market.moves import Moves

BEFORE, AFTER = 60, 20
"""Bars of the path that are drawn around a move."""
ROWS = 12
ON_TOP = {"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom"}


def _figure(title: str, x: str, y: str, height: int = 400) -> go.Figure:
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(template=template(), title=title, height=height)
    figure.update_xaxes(title_text=x)
    figure.update_yaxes(title_text=y)
    return figure


def moves_figure(found: Moves, symbol: str | None = None) -> go.Figure:
    """Prices of one symbol with its moves: triangles up and down, larger for a larger move."""
    if found.table.empty:
        raise NoData("there is no move to draw: take a lower threshold or more bars")
    name = symbol or str(found.table["symbol"].iloc[0])
    close, own = found.line(name).dropna(), found.table[found.table["symbol"] == name]
    figure = _figure(f"{name}: {len(own)} moves", "", "price (logarithmic)", 460)
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
    figure = _figure(
        f"Abnormal return of {len(study.events)} events", "bars from the event", "cumulative, mean"
    )
    _band(figure, told.index, told["low"], told["high"], "95 % without an effect")
    figure.add_scatter(
        x=told.index, y=told["cumulative"], mode="lines+markers", name="events",
        line={"color": LIGHT.series[0], "width": 2},
        hovertemplate="bar %{x}: %{y:+.2%}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(tickformat="+.1%")
    return figure


def _band(figure: go.Figure, x: pd.Index, low: pd.Series, high: pd.Series, name: str) -> None:
    figure.add_scatter(x=x, y=high, mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False)
    figure.add_scatter(
        x=x, y=low, mode="lines", line={"width": 0}, fill="tonexty", fillcolor="rgba(120,130,140,0.25)",
        name=name, hoverinfo="skip",
    )  # fmt: skip


def explanation_figures(told: Explanation) -> dict[str, go.Figure]:
    """Return the figures that can be drawn, by the question they answer."""
    figures = {"What moved": path_figure(told)}
    if told.attribution is not None:
        figures["With what"] = parts_figure(told)
    if len(told.precursors.table):
        figures["What came before"] = precursor_figure(told)
    if told.analogues is not None:
        figures["When before"] = fan_figure(told)
    if told.after is not None:
        figures["After such moves"] = event_figure(told.after)
    return figures


def path_figure(told: Explanation) -> go.Figure:
    """Price before, during and after the move; what betas from before expected; volume below."""
    from plotly.subplots import make_subplots

    bars, move = told.moves.bars, told.move
    first, last = bars.index.get_indexer(pd.Index([move.start, move.end])).tolist()
    rows = slice(max(0, first - BEFORE), min(len(bars), last + AFTER + 1))
    close, volume = bars.close[move.symbol].iloc[rows], bars.volume[move.symbol].iloc[rows]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    figure.add_scatter(
        x=close.index, y=close, mode="lines", name="close", line={"color": LIGHT.ink, "width": 1.6},
        hovertemplate="%{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    if told.attribution is not None:
        base = bars.close[move.symbol].iloc[first - 1]
        path = told.attribution.path["expected"]
        figure.add_scatter(
            x=[bars.index[first - 1], *path.index], y=[base, *(base * np.exp(path))], name="expected",
            mode="lines+markers", marker={"size": 5},
            line={"color": LIGHT.series[1], "width": 2, "dash": "dot"},
            hovertemplate="expected %{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    figure.add_bar(
        x=volume.index, y=volume, marker_color=LIGHT.muted, name="volume", showlegend=False, row=2, col=1,
        hovertemplate="%{x|%Y-%m-%d}: %{y:,.3s}<extra></extra>",
    )  # fmt: skip
    figure.add_vrect(
        x0=bars.index[first - 1], x1=bars.index[last], fillcolor=LIGHT.series[1], opacity=0.14, line_width=0
    )
    figure.update_layout(template=template(), title=f"What moved: {move}", height=480)
    figure.update_yaxes(title_text="price", row=1, col=1)
    figure.update_yaxes(title_text="volume", row=2, col=1)
    figure.update_layout(
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}
    )
    return figure


def parts_figure(told: Explanation) -> go.Figure:
    """The parts of the move, from nothing to the whole."""
    import plotly.graph_objects as go

    assert told.attribution is not None
    parts = told.attribution.parts["part"]
    figure = _figure("With what: parts of the log return, betas from before", "", "log return", 380)
    figure.add_trace(
        go.Waterfall(
            x=[*parts.index, "move"], y=[*parts, told.attribution.change],
            measure=[*["relative"] * len(parts), "total"],
            text=[f"{value:+.1%}" for value in [*parts, told.attribution.change]], textposition="outside",
            increasing={"marker": {"color": LIGHT.gain}}, decreasing={"marker": {"color": LIGHT.loss}},
            totals={"marker": {"color": LIGHT.muted}}, connector={"line": {"color": LIGHT.line}},
            cliponaxis=False, showlegend=False,
        )
    )  # fmt: skip
    figure.update_yaxes(tickformat="+.0%")
    return figure


def precursor_figure(told: Explanation) -> go.Figure:
    """The likeliest precursors: of the earlier moves (dot, interval), and of the later (diamond)."""
    table = told.precursors.table.head(ROWS)[::-1]
    names = [f"{row['feature']}, {row['lead']} before" for _, row in table.iterrows()]
    said = f"{len(told.precursors.found)} of {len(told.precursors.table)} hold"
    figure = _figure(
        f"What came before: {said}", "share of matched bars that had less of it", "", 180 + 26 * len(table)
    )
    figure.add_scatter(
        x=table["effect"], y=names, mode="markers", name="earlier moves",
        error_x={
            "type": "data", "array": table["high"] - table["effect"],
            "arrayminus": table["effect"] - table["low"], "color": LIGHT.muted, "thickness": 1.2,
        },
        marker={"color": LIGHT.series[0], "size": 9}, text=table["meaning"],
        hovertemplate="%{text}<br>%{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=table["confirmed_effect"], y=names, mode="markers", name="later moves",
        marker={"color": LIGHT.series[1], "size": 9, "symbol": "diamond"},
        hovertemplate="later moves: %{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": LIGHT.ink, "width": 1, "dash": "dot"})
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(automargin=True)
    figure.update_layout(legend=ON_TOP, margin_t=88)
    return figure


def fan_figure(told: Explanation) -> go.Figure:
    """What followed the analogues by state and by shape, beside what follows any bar, and what came."""
    assert told.analogues is not None
    found = told.analogues
    any_bar = found.fans["all"]
    figure = _figure(
        f"When before: what followed {len(found.table)} analogues", "bars after", "change, in deviations", 420
    )
    _band(figure, any_bar.index, any_bar["10%"], any_bar["90%"], "80 % after any bar")
    figure.add_scatter(
        x=any_bar.index, y=any_bar["50%"], mode="lines", name="any bar, median",
        line={"color": LIGHT.muted, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    for number, (by, fan) in enumerate((n, f) for n, f in found.fans.items() if n != "all"):
        colour = LIGHT.series[number % len(LIGHT.series)]
        ends = "%{customdata[0]:.1f} to %{customdata[1]:.1f}"
        figure.add_scatter(
            x=fan.index, y=fan["50%"], name=f"{by}, median", mode="lines", line={"color": colour, "width": 2},
            customdata=fan[["10%", "90%"]].to_numpy(),
            hovertemplate=f"{by}, bar %{{x}}: %{{y:.1f}} (80 %: {ends})<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=found.actual.index, y=found.actual, mode="lines+markers", name="what came", marker={"size": 4},
        line={"color": LIGHT.ink, "width": 2},
    )  # fmt: skip
    return figure
