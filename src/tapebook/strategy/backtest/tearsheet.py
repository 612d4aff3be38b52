"""The tear sheet: equity against the benchmark, drawdown, rolling Sharpe, months and trades.

Each part is a figure of its own (`parts`), and all of them are one figure (`tearsheet`).
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapebook import theme
from tapebook.strategy.backtest import sheet_luck as tearsheet_luck
from tapebook.strategy.backtest import sheet_parts as part
from tapebook.strategy.performance.figures import MARK

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.strategy.backtest.backtest import Backtest

HEADLINE = {
    "total_return": "total return",
    "annual_return": "a year",
    "sharpe": "Sharpe",
    "max_drawdown": "max drawdown",
    "trades": "closed trades",
    "win_rate": "won",
}
HEIGHTS = {"equity": 0.34, "drawdown": 0.14, "rolling_sharpe": 0.14, "monthly_returns": 0.2, "trades": 0.18}
LINE, TITLE_LINE = 17, 22
"""Pixels of a line of small text; within a title, a line is as high as its largest."""
GAP = 66
"""Pixels between parts: two lines of dates and a title."""
LEGEND = {"orientation": "v", "x": 0.01, "xanchor": "left", "y": 1.0, "yanchor": "top"}
TITLES = {
    "equity": "Equity",
    "drawdown": "Drawdown from the highest equity so far",
    "rolling_sharpe": "Rolling Sharpe ratio",
    "monthly_returns": "Return by month",
    "trades": "Closed trades by return",
}


def tearsheet(bt: Backtest, *, dark: bool = False) -> go.Figure:
    """Return everything in one figure, made to be read at 600 to 1,200 pixels' width."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    years = part.years(bt)
    heights = [HEIGHTS[name] for name in HEIGHTS]
    rows_of_months = 60 + 22 * years
    verdict, foot = tearsheet_luck.verdict(bt), tearsheet_luck.foot(bt)
    on_top = _on_top(bt, verdict)
    top = 46 + TITLE_LINE * (1 + on_top.count("<br>")) + 20 * (len(bt.trades) > part.MARKERS)
    bottom = 44 + LINE * (len(foot) + 3)
    total = 772 + top + bottom + rows_of_months
    heights[3] = rows_of_months / 900 * sum(heights[:3] + heights[4:])
    figure = make_subplots(
        rows=5,
        cols=1,
        row_heights=heights,
        vertical_spacing=GAP / total,
        subplot_titles=[_title(n, bt) for n in HEIGHTS],
    )
    beside = {"font": {"size": 13}, "x": 0, "xanchor": "left", "align": "left"}
    figure.layout.annotations = [a.to_plotly_json() | beside for a in figure.layout.annotations]
    for row, (name, traces) in enumerate(_traces(bt, dark=dark).items(), start=1):
        for trace in traces:
            figure.add_trace(trace, row=row, col=1)
        _axes(figure, name, bt, row=row)
    for row in (2, 3):
        figure.update_xaxes(matches="x", row=row, col=1)
    figure.layout.template = go.layout.Template(theme.template(dark=dark))
    figure.update_layout(
        title={"text": on_top, "y": 1 - 26 / total, "yref": "container", "yanchor": "top"},
        height=total,
        margin={"t": top, "l": 62, "r": 18, "b": bottom},
        legend=LEGEND,
        hovermode="closest",
    )
    figure.add_annotation(
        text="<br>".join(["<b>Could it be luck?</b>", *foot]),
        font_size=12,
        align="left",
        showarrow=False,
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        yshift=-44,
        xshift=-44,
        xanchor="left",
        yanchor="top",
        name="luck",
    )
    return figure


def _on_top(bt: Backtest, verdict: list[str]) -> str:
    return f"{headline(bt)}<br><span style='font-size:12px'>{'<br>'.join(verdict)}</span>"


def parts(bt: Backtest, *, dark: bool = False) -> dict[str, go.Figure]:
    """Return each part as a figure of its own: equity, drawdown, rolling_sharpe, monthly_returns, trades."""
    import plotly.graph_objects as go

    figures = {}
    for name, traces in _traces(bt, dark=dark).items():
        figure = go.Figure(traces)
        _axes(figure, name, bt)
        height = 110 + 24 * part.years(bt) if name == "monthly_returns" else 360 if name == "equity" else 280
        figure.update_layout(
            template=go.layout.Template(theme.template(dark=dark)),
            title=_title(name, bt),
            height=height,
            showlegend=name == "equity",
            legend=LEGEND,
        )
        figures[name] = figure
    return figures


def headline(bt: Backtest) -> str:
    """Return what was traded and the first figures, as the title of a figure (plotly's HTML)."""
    params = "<br>".join(wrap(", ".join(f"{k}={v}" for k, v in bt.params.items()), 38))
    symbols = ", ".join(bt.symbols[:4]) + (f" +{len(bt.symbols) - 4}" if len(bt.symbols) > 4 else "")
    shown = [f"{said} <b>{bt.metrics[name]}</b>" for name, said in HEADLINE.items()]
    span = " to ".join(f"{bt.equity.index[i]:%Y-%m-%d}" for i in (0, -1))
    warned = MARK.replace(": ", ":<br>")  # one line would be cut off on a phone
    mark = f"<br><span style='font-size:13px'><b>⚠ {warned}</b></span>" if bt.same_close else ""
    costs = f"fees {bt.rules.fees:.2%}, slippage {bt.rules.slippage:.2%}"
    few = params.count("<br>") == 0 and len(params) + len(bt.strategy) < 40
    told = f"({params})" if few else f"<br><span style='font-size:13px'>{params}</span>"
    lines = [" · ".join(shown[i : i + 2]) for i in (0, 2, 4)]
    note = f"{span}, {bt.periods_per_year:,.0f} bars a year<br>{bt.rules.direction}; {costs}"
    return (
        f"<b>{bt.strategy}</b>{told}<br>"
        f"<span style='font-size:13px'>on {symbols}<br>{'<br>'.join(lines)}</span>"
        f"<br><span style='font-size:11px'>{note}</span>{mark}"
    )


def _title(name: str, bt: Backtest) -> str:
    if name == "rolling_sharpe":
        return f"{TITLES[name]}, {part.window(bt):,} bars, annualised"
    against = f" against {bt.benchmark.name}" if bt.benchmark is not None else ""
    unmarked = f"<br>{len(bt.trades):,} trades, too many to mark" if len(bt.trades) > part.MARKERS else ""
    return f"{TITLES[name]}{against}{unmarked}" if name == "equity" else TITLES[name]


def _traces(bt: Backtest, *, dark: bool) -> dict[str, list[Any]]:
    colours = theme.palette(dark=dark)
    return {
        "equity": part.equity(bt, colours),
        "drawdown": part.drawdown(bt, colours),
        "rolling_sharpe": part.rolling_sharpe(bt, colours),
        "monthly_returns": part.monthly_returns(bt, colours),
        "trades": part.trades(bt, colours),
    }


def _axes(figure: go.Figure, name: str, bt: Backtest, row: int | None = None) -> None:
    where: dict[str, int] = {} if row is None else {"row": row, "col": 1}
    if name == "equity":
        figure.update_yaxes(tickformat="~s", **where)
    elif name == "drawdown":
        figure.update_yaxes(tickformat=".0%", rangemode="tozero", **where)
    elif name == "rolling_sharpe":
        figure.update_yaxes(zeroline=True, **where)
    elif name == "monthly_returns":
        figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1, **where)
        figure.update_xaxes(
            type="category", side="bottom", showline=False, tickangle=0, tickfont_size=9, **where
        )
    elif name == "trades":
        figure.update_xaxes(tickformat=".0%", zeroline=True, **where)
        figure.update_yaxes(title="trades", **where)
    if name in ("equity", "drawdown", "rolling_sharpe"):
        ends = part.stamps(pd.DatetimeIndex(bt.equity.index[[0, -1]]), bt.freq)
        figure.update_xaxes(range=ends, type="date", **where)
        if len(bt.equity) == 1:  # else plotly makes a span of milliseconds around it
            figure.update_xaxes(autorange=True, tickvals=ends[:1], ticktext=ends[:1], **where)
    text = part.nothing(name, bt)
    if text:
        number = "" if row in (None, 1) else row
        figure.add_annotation(
            text=text,
            showarrow=False,
            x=0.5,
            y=0.5,
            xref=f"x{number} domain",
            yref=f"y{number} domain",
            name="nothing",
        )
