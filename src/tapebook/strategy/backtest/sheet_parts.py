"""The traces of a tear sheet's parts. Points are thinned where a screen could not show them.

They are plain dictionaries as plotly's JSON has them: its own objects look at each property many times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.schema import Frequency

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.theme import Palette

POINTS = 4_000
"""Points that a line keeps: the last of each stretch, and the extremes of the whole."""
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MARKERS = 200
"""Trades that are marked on the equity line at most; beyond, marks would hide the line."""


def years(bt: Backtest) -> int:
    """Calendar years that the backtest touches."""
    return int(bt.equity.index[-1].year - bt.equity.index[0].year) + 1


def window(bt: Backtest) -> int:
    """Bars of the rolling Sharpe ratio: half a year, or a quarter of a short test."""
    return max(2, min(int(bt.periods_per_year / 2), len(bt.equity) // 4))


def nothing(name: str, bt: Backtest) -> str:
    """What to say in the place of an empty part; "" where there is something to see."""
    if name in ("equity", "drawdown") and len(bt.equity) == 1:
        return "one bar only"
    if name == "trades" and not (bt.trades["status"] == "closed").any():
        return "no closed trades"
    if name == "rolling_sharpe" and not np.isfinite(_sharpes(bt)).any():
        return "too few bars, or no position yet"
    return ""


Trace = dict[str, Any]


def equity(bt: Backtest, colours: Palette) -> list[Trace]:
    """Money at each close, the benchmark's, and where trades began and ended."""
    lines = []
    if bt.benchmark is not None:
        line = {"color": colours.muted, "width": 1.2, "dash": "dot"}
        lines.append(_line(bt, bt.benchmark, str(bt.benchmark.name), line, "%{y:,.0f}"))
    lines.append(_line(bt, bt.equity, bt.strategy, {"color": colours.series[0], "width": 2}, "%{y:,.0f}"))
    if 0 < len(bt.trades) <= MARKERS:
        for what, side in (("entry", "entry_ts"), ("exit", "exit_ts")):
            marked = bt.trades.dropna(subset=[side])
            long = (marked["direction"] == "long").to_numpy()
            lines.append(
                {
                    "type": "scatter",
                    "x": np.array(stamps(pd.DatetimeIndex(marked[side]), bt.freq)),
                    "y": bt.equity.reindex(pd.DatetimeIndex(marked[side])).round(2).to_numpy(),
                    "mode": "markers",
                    "name": what,
                    "marker": {
                        "symbol": np.where(long, "triangle-up", "triangle-down") if what == "entry" else "x",
                        "size": 7 if what == "entry" else 6,
                        "color": colours.series[2] if what == "entry" else colours.series[3],
                        "line": {"width": 0.5, "color": colours.surface},
                    },
                    "text": np.array(_told(marked)),
                    "hovertemplate": "%{text}<extra></extra>",
                }
            )
    return lines


def drawdown(bt: Backtest, colours: Palette) -> list[Trace]:
    """Loss from the highest equity so far, as an area."""
    trace = _line(bt, bt.drawdown, "drawdown", {"color": colours.loss, "width": 1}, "%{y:.1%}")
    return [trace | {"fill": "tozeroy", "showlegend": False}]


def rolling_sharpe(bt: Backtest, colours: Palette) -> list[Trace]:
    """Sharpe ratio of the last `window` bars, annualised; a gap where nothing varied."""
    values = pd.Series(_sharpes(bt), bt.equity.index).round(3)
    trace = _line(bt, values, "rolling Sharpe", {"color": colours.series[0], "width": 1.4}, "%{y:.2f}")
    return [trace | {"showlegend": False}]


def monthly_returns(bt: Backtest, colours: Palette) -> list[Trace]:
    """A table of years and months, and the year's own return; colour by sign and size."""
    table = month_table(bt)
    shown = table.map(lambda x: "" if np.isnan(x) else f"{100 * x:.1f}").to_numpy()
    top = float(np.nanquantile(np.abs(table[MONTHS].to_numpy()), 0.95)) if table.notna().any().any() else 0.01
    return [
        {
            "type": "heatmap",
            "x": list(table.columns),
            "y": [str(year) for year in table.index],
            "z": table.round(5).to_numpy(),
            "text": shown.astype(str),
            "texttemplate": "%{text}",
            "textfont": {"size": 10},
            "zmid": 0,
            "zmin": -max(top, 1e-4),
            "zmax": max(top, 1e-4),
            "colorscale": [list(step) for step in colours.scale],
            "showscale": False,
            "xgap": 1,
            "ygap": 1,
            "hovertemplate": "%{y} %{x}: %{text} %<extra></extra>",
        }
    ]


def trades(bt: Backtest, colours: Palette) -> list[Trace]:
    """How many closed trades made which return, losses and gains apart."""
    returns = bt.trades.loc[bt.trades["status"] == "closed", "return"].to_numpy(dtype=float)
    if not len(returns):
        return [{"type": "histogram", "x": [], "showlegend": False}]
    low, high = min(float(returns.min()), 0.0), max(float(returns.max()), 0.0)
    width = max((high - low) / 40, 1e-4)
    low = np.floor(low / width) * width
    edges = np.arange(low, high + 1.5 * width, width)
    counts, _ = np.histogram(returns, edges)
    middles = (edges[:-1] + edges[1:]) / 2
    bar = {
        "type": "bar",
        "x": middles.round(6),
        "y": counts,
        "width": width * 0.9,
        "marker": {"color": np.where(middles < 0, colours.loss, colours.gain)},
        "showlegend": False,
        "hovertemplate": "%{y} trades near %{x:.1%}<extra></extra>",
    }
    return [bar]


def month_table(bt: Backtest) -> pd.DataFrame:
    """Compound return of each month and of each year, years by MONTHS and "year"; NaN without bars."""
    days = pd.DatetimeIndex(bt.equity.index)
    grown = (1.0 + bt.returns).groupby([days.year, days.month]).prod() - 1.0
    table = grown.unstack().reindex(columns=range(1, 13)).set_axis(MONTHS, axis=1)
    table["year"] = (1.0 + bt.returns).groupby(days.year).prod() - 1.0
    return table


def _sharpes(bt: Backtest) -> np.ndarray:
    rolling = bt.returns.rolling(window(bt))
    spread = rolling.std(ddof=1)
    values: np.ndarray = (rolling.mean() / spread.where(spread > 1e-12)).to_numpy() * bt.periods_per_year**0.5
    return values


def stamps(index: pd.DatetimeIndex, freq: str) -> list[str]:
    """Times as short as they can be: a third of the page's size is times."""
    if Frequency.parse(freq).intraday or index.hasnans:
        return list(index.strftime("%Y-%m-%d %H:%M" if Frequency.parse(freq).intraday else "%Y-%m-%d"))
    days: list[str] = np.datetime_as_string(index.to_numpy(dtype="datetime64[ns]"), unit="D").tolist()
    return days  # the same, five times as fast


def _line(bt: Backtest, series: pd.Series, name: str, line: dict[str, Any], shown: str) -> Trace:
    thin = _thinned(series)
    digits = 2 if abs(thin).max() > 1_000 else 5
    return {
        "type": "scatter",
        "x": np.array(stamps(pd.DatetimeIndex(thin.index), bt.freq)),
        "y": thin.round(digits).to_numpy(),
        "mode": "lines",
        "name": name,
        "line": line,
        "hovertemplate": f"%{{x}}: {shown}",
    }


def _thinned(series: pd.Series) -> pd.Series:
    """Keep the lowest and the highest point of each stretch, so that no extreme is lost."""
    if len(series) <= POINTS:
        return series
    series = series.dropna()
    stretch = np.arange(len(series)) * (POINTS // 2) // len(series)
    filled = pd.Series(series.to_numpy(), np.arange(len(series))).groupby(stretch)
    kept = pd.concat([filled.idxmin(), filled.idxmax()])
    rows = np.unique(np.concatenate([[0], kept.to_numpy(), [len(series) - 1]]))
    return series.iloc[rows]


def _told(marked: pd.DataFrame) -> list[str]:
    return [
        f"{t.direction} {t.symbol}, {t.entry_price:,.2f} to {t.exit_price:,.2f}"
        f"<br>{r:+.1%}, {t.bars} bars, {t.exit_reason}"
        for t, r in zip(marked.itertuples(), marked["return"], strict=True)
    ]
