"""The chart that follows the explorer's controls: price with trades, equity, drawdown; always six traces."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapebook import theme
from tapebook.strategy.backtest import sheet_parts as part
from tapebook.strategy.backtest.tearsheet import HEADLINE

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.strategy.backtest.backtest import Backtest

HEIGHT = 620


def figure(bt: Backtest, symbol: str, *, dark: bool = False) -> go.Figure:
    """Return price and trades of `symbol` over equity against the benchmark over drawdown."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    colours = theme.palette(dark=dark)
    made = make_subplots(
        rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, row_heights=[0.4, 0.38, 0.22]
    )
    for row, traces in enumerate(
        (_price(bt, symbol, colours), _money(bt, colours), part.drawdown(bt, colours)), start=1
    ):
        for trace in traces:
            made.add_trace(trace, row=row, col=1)
    close = bt.close[symbol].dropna()
    axis = theme.price_axis(float(close.min()), float(close.max())) if len(close) else {}
    made.update_yaxes(title="price", **axis, row=1, col=1)
    made.update_yaxes(title="money", tickformat="~s", row=2, col=1)
    made.update_yaxes(title="drawdown", tickformat=".0%", rangemode="tozero", row=3, col=1)
    made.update_xaxes(range=part.stamps(pd.DatetimeIndex(bt.equity.index[[0, -1]]), bt.freq), type="date")
    made.update_layout(
        template=go.layout.Template(theme.template(dark=dark)),
        height=HEIGHT,
        title={"text": title(bt), "y": 1 - 24 / HEIGHT, "yanchor": "top", "font": {"size": 15}},
        margin={"t": 84, "l": 62, "r": 16, "b": 36},
        legend={"y": 1.0, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
    )
    return made


def title(bt: Backtest) -> str:
    """Return what was traded, and the first figures, in two lines."""
    said = ", ".join(f"{name}={value}" for name, value in bt.params.items())
    symbols = ", ".join(bt.symbols[:4]) + (f" +{len(bt.symbols) - 4}" if len(bt.symbols) > 4 else "")
    figures = " · ".join(f"{words} {bt.metrics[name]}" for name, words in HEADLINE.items())
    head = f"{bt.strategy}({said}) on {symbols}"
    return f"<b>{escape(head)}</b><br><span style='font-size:12px'>{escape(figures)}</span>"


def _price(bt: Backtest, symbol: str, colours: theme.Palette) -> list[Any]:
    import plotly.graph_objects as go

    closes = bt.close[symbol]
    line = part._line(bt, closes, symbol, {"color": colours.muted, "width": 1.3}, "%{y:,.2f}")
    mine = bt.trades[bt.trades["symbol"] == symbol]
    traces = [line]
    for what, shape, colour in (
        ("entry", "triangle-up", colours.series[2]),
        ("exit", "x", colours.series[1]),
    ):
        marked = mine.dropna(subset=[f"{what}_ts"])
        traces.append(
            go.Scatter(
                x=part.stamps(pd.DatetimeIndex(marked[f"{what}_ts"]), bt.freq),
                y=marked[f"{what}_price"].round(4).to_numpy(),
                mode="markers",
                name=what,
                marker={
                    "symbol": shape,
                    "size": 8,
                    "color": colour,
                    "line": {"width": 0.5, "color": colours.surface},
                },
                text=part._told(marked),
                hovertemplate="%{text}<extra></extra>",
            )
        )
    return traces


def _money(bt: Backtest, colours: theme.Palette) -> list[Any]:
    against = bt.equity if bt.benchmark is None else bt.benchmark
    name = "no benchmark" if bt.benchmark is None else str(bt.benchmark.name)
    dotted = {"color": colours.muted, "width": 1.2, "dash": "dot"}
    return [
        part._line(bt, against, name, dotted, "%{y:,.0f}"),
        part._line(bt, bt.equity, bt.strategy, {"color": colours.series[0], "width": 2}, "%{y:,.0f}"),
    ]
