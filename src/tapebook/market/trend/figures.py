"""One finding of a trend scan as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.trend.trends import Trends


def drawn(scan: Trends, row: pd.Series) -> go.Figure:
    """Draw what the finding's question looks at, with the answer in words above it."""
    question = str(row["question"])
    how = {"trend": _line, "variance ratio": _ratios, "Hurst": _spectrum}.get(
        question, _levels if question.startswith("change") else _level
    )
    figure = how(scan, row)
    figure.update_layout(title={"text": f"{row['symbol']}: {_said(row)}"}, height=440)
    return figure


def _said(row: pd.Series) -> str:
    horizon = f" over {row['horizon']} bars" if row["horizon"] else ""
    holds = "holds" if row["holds"] else "does not hold"
    p = "p below 0.0001" if row["p"] < 1e-4 else f"p {row['p']:.2g}"
    return (
        f"{row['question']}{horizon}, {row['effect']:+.3g} {row['unit']} ({row['low']:+.3g} to "
        f"{row['high']:+.3g}); {p}, {holds}"
    ).replace("-", "−")


def _empty(x: str, y: str) -> go.Figure:
    import plotly.graph_objects as go

    from tapebook.theme import template

    figure = go.Figure()
    figure.update_layout(template=template(), xaxis={"title": {"text": x}}, yaxis={"title": {"text": y}})
    return figure


def _palette() -> Any:
    from tapebook.theme import palette

    return palette()


def _prices(close: pd.Series) -> go.Figure:
    figure, p = _empty("date", "close (logarithmic scale)"), _palette()
    figure.add_scatter(
        x=close.index, y=close, mode="lines", line={"color": p.ink, "width": 1.2}, name="close"
    )
    figure.update_yaxes(type="log")
    return figure


def _line(scan: Trends, row: pd.Series) -> go.Figure:
    """The last closes and the line with the strongest t."""
    n, p, close = int(row["n"]), _palette(), scan.closes[row["symbol"]].dropna()
    figure = _prices(close.iloc[-max(2 * int(row["horizon"]), 60) :])
    y = np.log(close.to_numpy(dtype=float)[-n:])
    x = np.arange(n, dtype=float)
    slope, level = np.polyfit(x, y, 1)
    colour = p.gain if row["effect"] > 0.0 else p.loss
    line = {"color": colour, "width": 3, "dash": "dash"}
    name = f"line through the last {n} bars, t {row['statistic']:+.1f}".replace("-", "−")
    figure.add_scatter(x=close.index[-n:], y=np.exp(level + slope * x), mode="lines", line=line, name=name)
    return figure


def _ratios(scan: Trends, row: pd.Series) -> go.Figure:
    """All the symbol's variance ratios with their intervals."""
    table, p = scan.findings, _palette()
    own = table[(table["question"] == "variance ratio") & (table["symbol"] == row["symbol"])]
    own = own.sort_values("horizon")
    figure = _empty("bars summed", "variance ratio (1: a random walk)")
    error = {
        "type": "data",
        "array": own["high"] - own["effect"],
        "arrayminus": own["effect"] - own["low"],
        "color": p.muted,
        "thickness": 1.5,
    }
    marker = {"size": 9, "color": [p.gain if h == row["horizon"] else p.muted for h in own["horizon"]]}
    figure.add_scatter(
        x=own["horizon"].astype(str), y=1.0 + own["effect"], error_y=error, mode="markers", marker=marker,
        name="variance ratio, 95 % interval",
    )  # fmt: skip
    figure.add_hline(y=1.0, line={"color": p.ink, "dash": "dot", "width": 1})
    figure.update_xaxes(type="category")
    return figure


def _spectrum(scan: Trends, row: pd.Series) -> go.Figure:
    """The lowest frequencies' power and the slope that the exponent says."""
    from tapebook.market.trend.hurst import ordinates
    from tapebook.theme import price_axis

    p = _palette()
    bars, power = ordinates(_series(scan, str(row["symbol"])))
    figure = _empty("bars in a cycle (logarithmic)", "power of returns (logarithmic)")
    figure.add_scatter(
        x=bars, y=power, mode="markers", marker={"color": p.muted, "size": 5}, name="periodogram"
    )
    shape = bars ** (2.0 * float(row["effect"]))
    scale = float(np.mean(power / shape))
    line = {"color": p.gain, "width": 3}
    figure.add_scatter(x=bars, y=scale * shape, mode="lines", line=line, name=f"H = {row['statistic']:.2f}")
    figure.update_xaxes(price_axis(float(bars.min()), float(bars.max())))
    figure.update_yaxes(type="log", dtick=1)
    return figure


def _level(scan: Trends, row: pd.Series) -> go.Figure:
    """The log price and the level it would come back to."""
    close, p = scan.closes[row["symbol"]].dropna(), _palette()
    figure = _prices(close)
    middle = float(np.exp(np.log(close.to_numpy(dtype=float)).mean()))
    line = {"color": p.gain, "dash": "dash", "width": 2}
    figure.add_scatter(
        x=close.index[[0, -1]], y=[middle, middle], mode="lines", line=line, name=f"mean level {middle:,.4g}"
    )
    return figure


def _levels(scan: Trends, row: pd.Series) -> go.Figure:
    """The level of returns or of their volatility, bar by bar, and the changes as told and in hindsight."""
    from tapebook.market.trend.breaks import KINDS, largest, segments

    p, symbol, when = _palette(), str(row["symbol"]), scan.closes.index
    kind = next(k for k in KINDS if row["question"] == f"change in {k.name}")
    series = _series(scan, symbol)
    if kind.name == "volatility":
        figure = _empty("date", "volatility of 20 bars, % a year")
        y = 100.0 * scan.volatility[symbol].dropna()
    else:
        figure = _empty("date", "sum of log returns, %")
        y = 100.0 * pd.Series(np.cumsum(series.moved), when[series.moved_rows])
    name = "volatility" if kind.name == "volatility" else "sum of returns"
    figure.add_scatter(x=y.index, y=y, mode="lines", line={"color": p.ink, "width": 1.2}, name=name)
    own = scan.breaks[(scan.breaks["symbol"] == symbol) & (scan.breaks["of"] == kind.name)]
    for at, told in zip(own["ts"], own["known"], strict=True):
        figure.add_vrect(x0=at, x1=told, fillcolor=p.warn, opacity=0.25, line_width=0, layer="below")
    _marked(figure, list(own["ts"]), "change as first told, shaded until known", p.loss, "solid")
    if not len(own) and (at := largest(series, kind)) is not None:
        _marked(figure, [when[series.moved_rows[at]]], "largest change, within chance", p.muted, "dash")
    late = segments(series, kind, float(scan.params["level"]))
    _marked(figure, [when[series.moved_rows[at]] for at in late], "change in hindsight", p.gain, "dot")
    return figure


def _marked(figure: go.Figure, at: list[pd.Timestamp], name: str, colour: str, dash: str) -> None:
    """Vertical lines with one entry in the legend, if there are any."""
    line = {"color": colour, "width": 2, "dash": dash}
    for when in at:
        figure.add_vline(x=when, line=line)
    if at:
        figure.add_scatter(x=[None], y=[None], mode="lines", line=line, name=name)


def _series(scan: Trends, symbol: str) -> Any:
    from tapebook.market.trend.series import one_series

    return one_series(symbol, scan.closes[symbol].to_numpy(dtype=float))
