"""The tear sheet: equity against the benchmark, drawdown, rolling Sharpe, months and trades.

Each part is a figure of its own (`parts`), and all of them are one figure (`tearsheet`).
"""

from __future__ import annotations

from functools import cache
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
    """Return everything in one figure, made to be read at 700 to 1,200 pixels' width."""
    years = part.years(bt)
    heights = list(HEIGHTS.values())
    rows_of_months = 60 + 22 * years
    verdict, foot = tearsheet_luck.verdict(bt), tearsheet_luck.foot(bt)
    on_top = _on_top(bt, verdict)
    top = 46 + TITLE_LINE * (1 + on_top.count("<br>")) + 20 * (len(bt.trades) > part.MARKERS)
    bottom = 44 + LINE * (len(foot) + 3)
    total = 772 + top + bottom + rows_of_months
    heights[3] = rows_of_months / 900 * sum(heights[:3] + heights[4:])
    layout: dict[str, Any] = {
        "title": {"text": on_top, "y": 1 - 26 / total, "yref": "container", "yanchor": "top"},
        "height": total,
        "margin": {"t": top, "l": 62, "r": 18, "b": bottom},
        "legend": dict(LEGEND),
        "hovermode": "closest",
    }
    data, titles, notes = [], [], []
    for row, (name, traces) in enumerate(_traces(bt, dark=dark).items(), start=1):
        n = _number(row)
        data += [trace | {"xaxis": f"x{n}", "yaxis": f"y{n}"} for trace in traces]
        axes = _axes(name, bt)
        low, high = _domains(heights, GAP / total)[row - 1]
        layout[f"xaxis{n}"] = {"anchor": f"y{n}", "domain": [0.0, 1.0], **axes["x"]}
        layout[f"yaxis{n}"] = {"anchor": f"x{n}", "domain": [low, high], **axes["y"]}
        titles.append(_heading(_title(name, bt), high))
        notes += _nothing(name, bt, n)
    for n in ("2", "3"):
        layout[f"xaxis{n}"]["matches"] = "x"
    layout["annotations"] = [*titles, *notes, _luck(foot)]
    return _figure(data, layout, dark=dark, rows=len(HEIGHTS))


def _number(row: int) -> str:
    return "" if row == 1 else str(row)


def _domains(heights: list[float], gap: float) -> list[tuple[float, float]]:
    """Where each part lies between the foot (0) and the top (1), as `make_subplots` puts them."""
    room = 1.0 - gap * (len(heights) - 1)
    shares = [room * (height / float(sum(heights))) for height in reversed(heights)]
    lows = [sum(shares[:n]) + n * gap for n in range(len(shares))]
    return [(low, low + share) for low, share in zip(lows, shares, strict=True)][::-1]


def _heading(text: str, y: float) -> dict[str, Any]:
    """A part's title, above its left corner."""
    where = {"x": 0, "xanchor": "left", "xref": "paper", "y": y, "yanchor": "bottom", "yref": "paper"}
    return {"text": text, "font": {"size": 13}, "align": "left", "showarrow": False, **where}


def _luck(foot: list[str]) -> dict[str, Any]:
    """The figures behind the verdict, at the foot."""
    where = {"x": 0, "xref": "paper", "xanchor": "left", "y": 0, "yref": "paper", "yanchor": "top"}
    return {
        "text": "<br>".join(["<b>Could it be luck?</b>", *foot]),
        "font": {"size": 12},
        "align": "left",
        "showarrow": False,
        "xshift": -44,
        "yshift": -44,
        "name": "luck",
        **where,
    }


def _figure(data: list[Any], layout: dict[str, Any], *, dark: bool, rows: int = 1) -> go.Figure:
    """Make plotly's figure without plotly's look at each property, which takes longer than all the rest.

    A test has it look. Traces can be added to a part by `row` and `col`, as after `make_subplots`.
    """
    import plotly.graph_objects as go

    said = {"data": data, "layout": layout | {"template": theme.template(dark=dark)}}
    if rows > 1:
        said |= _rows(rows)
    figure = go.Figure(said, _validate=False)
    figure._validate = figure.layout._validate = True  # what a reader changes is looked at
    for trace in figure.data:
        trace._validate = True
    return figure


@cache
def _rows(rows: int) -> dict[str, Any]:
    from plotly.subplots import make_subplots

    empty = make_subplots(rows=rows, cols=1)
    return {"_grid_str": empty._grid_str, "_grid_ref": empty._grid_ref}


def _on_top(bt: Backtest, verdict: list[str]) -> str:
    return f"{headline(bt)}<br><span style='font-size:12px'>{'<br>'.join(verdict)}</span>"


def parts(bt: Backtest, *, dark: bool = False) -> dict[str, go.Figure]:
    """Return each part as a figure of its own: equity, drawdown, rolling_sharpe, monthly_returns, trades."""
    figures = {}
    for name, traces in _traces(bt, dark=dark).items():
        axes = _axes(name, bt)
        height = 110 + 24 * part.years(bt) if name == "monthly_returns" else 360 if name == "equity" else 280
        layout: dict[str, Any] = {
            "xaxis": axes["x"],
            "yaxis": axes["y"],
            "title": {"text": _title(name, bt)},
            "height": height,
            "showlegend": name == "equity",
            "legend": dict(LEGEND),
        }
        if notes := _nothing(name, bt, ""):
            layout["annotations"] = notes
        figures[name] = _figure(traces, {k: v for k, v in layout.items() if v != {}}, dark=dark)
    return figures


def headline(bt: Backtest) -> str:
    """Return what was traded and the first figures, as the title of a figure (plotly's HTML)."""
    params = "<br>".join(wrap(", ".join(f"{k}={v}" for k, v in bt.params.items()), 80))
    symbols = ", ".join(bt.symbols[:4]) + (f" +{len(bt.symbols) - 4}" if len(bt.symbols) > 4 else "")
    shown = [f"{said} <b>{bt.metrics[name]}</b>" for name, said in HEADLINE.items()]
    span = " to ".join(f"{bt.equity.index[i]:%Y-%m-%d}" for i in (0, -1))
    warned = MARK.replace(": ", ":<br>")  # one line would be cut off on a phone
    mark = f"<br><span style='font-size:13px'><b>⚠ {warned}</b></span>" if bt.same_close else ""
    costs = f"fees {bt.rules.fees:.2%}, slippage {bt.rules.slippage:.2%}"
    few = params.count("<br>") == 0 and len(params) + len(bt.strategy) < 60
    told = f"({params})" if few else f"<br><span style='font-size:13px'>{params}</span>"
    lines = [" · ".join(shown[i : i + 3]) for i in (0, 3)]
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


def _axes(name: str, bt: Backtest) -> dict[str, dict[str, Any]]:
    """The axes x and y of a part, beside what the template says of them."""
    x: dict[str, Any] = {}
    y: dict[str, Any] = {}
    if name == "equity":
        y = {"tickformat": "~s"}
    elif name == "drawdown":
        y = {"tickformat": ".0%", "rangemode": "tozero"}
    elif name == "rolling_sharpe":
        y = {"zeroline": True}
    elif name == "monthly_returns":
        y = {"type": "category", "autorange": "reversed", "showgrid": False, "dtick": 1}
        x = {"type": "category", "side": "bottom", "showline": False, "tickangle": 0, "tickfont": {"size": 9}}
    elif name == "trades":
        x, y = {"tickformat": ".0%", "zeroline": True}, {"title": {"text": "trades"}}
    if name in ("equity", "drawdown", "rolling_sharpe"):
        ends = part.stamps(pd.DatetimeIndex(bt.equity.index[[0, -1]]), bt.freq)
        x = {"range": ends, "type": "date"}
        if len(bt.equity) == 1:  # else plotly makes a span of milliseconds around it
            x |= {"autorange": True, "tickvals": ends[:1], "ticktext": ends[:1]}
    return {"x": x, "y": y}


def _nothing(name: str, bt: Backtest, number: str) -> list[dict[str, Any]]:
    """What is said in the middle of a part that is empty."""
    text = part.nothing(name, bt)
    where = {"x": 0.5, "y": 0.5, "xref": f"x{number} domain", "yref": f"y{number} domain"}
    return [{"text": text, "showarrow": False, "name": "nothing", **where}] if text else []
