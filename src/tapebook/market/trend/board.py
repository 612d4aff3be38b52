"""The market board: one row a symbol, its state now in words, and as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.market.trend.drawdown import drawdowns
from tapebook.market.trend.regimes import regime
from tapebook.market.trend.series import Series
from tapebook.market.trend.state import directions

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars
    from tapebook.market.trend.trends import Trends

SPARK_BARS, ROW, TOP, FOOT, WIDTH = 250, 30, 112, 34, 940
"""Bars in a small picture of prices; in px a row, the heading, the foot, and the least width to be read."""


def board(
    bars: Bars,
    every: list[Series],
    state: pd.DataFrame,
    findings: pd.DataFrame,
    volatility: pd.DataFrame,
    share: pd.DataFrame,
) -> pd.DataFrame:
    """One row a symbol in the panel's order, each at its own last bar `ts`.

    `close`; `momentum_H` for each horizon H, `rank` that over the middle one; `trend` "up" or "down" where
    one holds after correction (over the longest such horizon, `trend_horizon`), else "none", and its
    `slope` in log % a bar; `above` the mean of the middle horizon and bars `since_cross`; `adx`, `adx_says`;
    `volatility` annualised and `regime` by its `volatility_share` of the past; `depth`, `since_peak`,
    `deepest` and `near` of the drawdown.
    """
    spans = sorted(state["horizon"].unique())
    middle = spans[len(spans) // 2]
    wide = state.pivot(index="symbol", columns="horizon", values="momentum")
    wide.columns = [f"momentum_{h}" for h in wide.columns]
    at = state[state["horizon"] == middle].set_index("symbol")[["rank", "above", "since_cross"]]
    last = pd.DataFrame([_last(s, bars, volatility, share) for s in every]).set_index("symbol")
    parts = [last[["ts", "close"]], wide, at, _trends(findings), directions(bars, every).set_index("symbol")]
    parts += [last[["volatility", "volatility_share", "regime"]], drawdowns(every).set_index("symbol")]
    table = pd.concat([part.reindex(last.index) for part in parts], axis=1)
    table["trend"] = table["trend"].fillna("none")
    answer: pd.DataFrame = table.reset_index()
    return answer


def _last(series: Series, bars: Bars, volatility: pd.DataFrame, share: pd.DataFrame) -> dict[str, Any]:
    row = int(series.rows[-1])
    where = float(share[series.symbol].iloc[row])
    return {
        "symbol": series.symbol,
        "ts": bars.index[row],
        "close": float(series.close[-1]),
        "volatility": float(volatility[series.symbol].iloc[row]),
        "volatility_share": where,
        "regime": regime(where),
    }


def _trends(findings: pd.DataFrame) -> pd.DataFrame:
    asked = findings[(findings["question"] == "trend") & findings["holds"].astype(bool)]
    longest = asked.sort_values("horizon").groupby("symbol").tail(1).set_index("symbol")
    told = pd.DataFrame(index=longest.index)
    told["trend"] = np.where(longest["effect"] > 0.0, "up", "down").astype(object)
    told["trend_horizon"] = longest["horizon"].astype(float)
    told["slope"] = longest["effect"].astype(float)
    return told


# ---- the figure


def board_figure(scan: Trends, *, rows: int = 60, dark: bool = False) -> go.Figure:
    """Draw the board: strongest momentum over the middle horizon first, at most `rows` symbols.

    Every colour stands beside an arrow, a sign or a word that says the same. Prices are each symbol's last
    250 closes, and the state that of its own last bar.
    """
    import plotly.graph_objects as go

    from tapebook.theme import palette, template

    spans = scan.params["horizons"]
    middle = f"momentum_{spans[len(spans) // 2]}"
    table = scan.board.sort_values(middle, ascending=False, na_position="last", kind="stable")
    shown, colours = table.head(rows).reset_index(drop=True), palette(dark=dark)
    figure = go.Figure()
    for n, row in enumerate(shown.to_dict("records")):
        _sparkline(figure, scan.closes[row["symbol"]], n, colours)
    for x, anchor, heading, cell in _columns(spans, scan.end, colours):
        _text(figure, x, anchor, -0.85, f"<b>{heading}</b>", colours.muted)
        for n, row in enumerate(shown.to_dict("records")):
            text, colour = cell(row)
            _text(figure, x, anchor, n, text, colour)
    _rules(figure, len(shown), colours)
    ended = " · grey: ended before" if (shown["ts"] < scan.end).any() else ""
    left = f" · {len(table) - len(shown):,} more not shown" if len(table) > len(shown) else ""
    figure.update_layout(
        template=template(dark=dark),
        title={
            "text": f"Market board at {scan.end:%Y-%m-%d}{ended}{left}",
            "y": 1,
            "yref": "container",
            "pad": {"t": 18},
        },
        height=TOP + FOOT + ROW * len(shown),
        margin={"l": 12, "r": 12, "t": 52, "b": 8},
        showlegend=False,
        xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
        yaxis={"range": [len(shown) - 0.4, -1.5], "visible": False, "fixedrange": True},
        meta={"description": _described(shown, spans), "min_width": WIDTH},
    )
    return figure


def _columns(spans: list[int], end: pd.Timestamp, p: Any) -> list[Any]:
    """(x, anchor, heading, row → (text, colour)) of each column of words."""
    middle = spans[len(spans) // 2]
    named = [f"{h} bars" for h in spans[:3]]
    moves = [(0.25 + 0.07 * n, "right", named[n], _momentum(h, p)) for n, h in enumerate(spans[:3])]
    return [
        (
            0.0,
            "left",
            "Symbol",
            lambda r: (f"<b>{_short(r['symbol'])}</b>", p.muted if r["ts"] < end else p.ink),
        ),
        *moves,
        (0.405, "left", "Trend", lambda r: _trend(r, p)),
        (0.53, "left", f"Mean of {middle}", lambda r: _side(r, p)),
        (0.655, "left", "ADX", lambda r: _adx(r, p)),
        (0.71, "left", "Volatility", lambda r: _volatility(r, p)),
        (0.82, "left", "Drawdown", lambda r: _drawdown(r, p)),
    ]


def _momentum(span: int, p: Any) -> Any:
    def cell(row: dict[str, Any]) -> tuple[str, str]:
        value = row[f"momentum_{span}"]
        if not np.isfinite(value):
            return "–", p.muted
        return f"{value:+.1%}".replace("-", "−"), p.gain if value >= 0.0 else p.loss

    return cell


def _trend(row: dict[str, Any], p: Any) -> tuple[str, str]:
    if row["trend"] == "none":
        return "· none", p.muted
    up = row["trend"] == "up"
    return f"{'▲ up' if up else '▼ down'}, {row['trend_horizon']:.0f} bars", p.gain if up else p.loss


def _side(row: dict[str, Any], p: Any) -> tuple[str, str]:
    if row["above"] is None or row["above"] != row["above"]:
        return "–", p.muted
    since = f" {row['since_cross']:.0f} bars" if np.isfinite(row["since_cross"]) else " always"
    return ("↑ above" if row["above"] else "↓ below") + since, p.gain if row["above"] else p.loss


def _adx(row: dict[str, Any], p: Any) -> tuple[str, str]:
    if not np.isfinite(row["adx"]):
        return "–", p.muted
    mark, colour = {"up": ("▲", p.gain), "down": ("▼", p.loss)}.get(row["adx_says"], ("·", p.muted))
    return f"{mark} {row['adx']:.0f}", colour


def _volatility(row: dict[str, Any], p: Any) -> tuple[str, str]:
    mark = {"calm": "○", "usual": "◐", "high": "●"}.get(row["regime"], "")
    size = f"{row['volatility']:.0%}" if np.isfinite(row["volatility"]) else "–"
    return f"{mark} {row['regime']} {size}".strip(), p.warn if row["regime"] == "high" else p.ink


def _drawdown(row: dict[str, Any], p: Any) -> tuple[str, str]:
    if row["depth"] == 0.0:
        return "at its peak", p.gain
    since = "near its lowest" if row["near"] >= 0.9 else f"{row['since_peak']:,} bars"
    return f"−{-row['depth']:.0%}, {since}", p.loss if row["near"] >= 0.5 else p.ink


def _sparkline(figure: go.Figure, close: pd.Series, n: int, p: Any) -> None:
    values = close.dropna().iloc[-SPARK_BARS:].to_numpy(dtype=float)
    low, high = values.min(), values.max()
    x = 0.09 + 0.095 * np.linspace(0.0, 1.0, len(values))
    y = n + 0.36 - 0.72 * (values - low) / ((high - low) or 1.0)
    colour = p.gain if values[-1] >= values[0] else p.loss
    line = {"color": colour, "width": 1.4}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", name=str(close.name))
    figure.add_scatter(
        x=x[-1:], y=y[-1:], mode="markers", marker={"color": colour, "size": 5}, hoverinfo="skip"
    )


def _text(figure: go.Figure, x: float, anchor: str, y: float, text: str, colour: str) -> None:
    figure.add_annotation(
        x=x,
        y=y,
        text=text,
        xanchor=anchor,
        yanchor="middle",
        showarrow=False,
        font={"color": colour, "size": 12},
    )


def _rules(figure: go.Figure, rows: int, p: Any) -> None:
    for n in range(rows):
        line = {"color": p.line, "width": 1}
        figure.add_shape(type="line", x0=0, x1=1, y0=n - 0.5, y1=n - 0.5, line=line, layer="below")
    _text(figure, 0.09, "left", -0.85, "<b>Price</b>", p.muted)


def _short(name: str) -> str:
    return name if len(name) <= 10 else name[:9] + "…"


def _described(shown: pd.DataFrame, spans: list[int]) -> str:
    up, down = (int((shown["trend"] == side).sum()) for side in ("up", "down"))
    high = int((shown["regime"] == "high").sum())
    return (
        f"{len(shown)} symbols by return over {spans[len(spans) // 2]} bars: {up} in a rising and {down} in "
        f"a falling trend beyond a random walk, {high} of high volatility."
    )
