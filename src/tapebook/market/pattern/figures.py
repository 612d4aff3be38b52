"""Figures of the pattern scan: the mean path after a pattern beside what any other bar is followed by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.errors import UnknownName
from tapebook.market.pattern import kernels as kernel
from tapebook.market.pattern.events import Own, masks, turns_of
from tapebook.theme import LIGHT, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.pattern.patterns import Patterns

SHORTEST = 10
"""Bars that a path goes on for at least."""


def path(scan: Patterns, pattern: str, kind: str, symbols: tuple[str, ...], bars: int) -> pd.DataFrame:
    """Mean log return after a pattern, one row a bar from the open it is entered at (0) to `bars`.

    Columns mean, low, high (95 %, each bar for itself) and base, the mean after all other bars.
    """
    from tapebook.market.pattern.events import catalogue
    from tapebook.market.pattern.judgement import answered, pooled

    used = scan.bars.select(*symbols)
    place = [name for _, name in catalogue(used.freq, (kind,))].index(pattern)
    turns = turns_of(used) if kind == "seasons" else {}
    horizons = np.arange(1, bars + 1)
    told = np.zeros((len(symbols), 1, bars, kernel.FIELDS))
    paid, asked = np.zeros((2, 1, bars, len(used)))
    sums, others = np.zeros(bars), np.zeros(bars)
    for column, symbol in enumerate(used.symbols):
        own = Own.of(used, column)
        found = masks(own, (kind,), turns.get(used.calendars[symbol]))[[place]]
        kernel.follow(found, own.step, own.rows, horizons, told[column], paid, asked)
        total = np.nancumsum(np.r_[0.0, own.step[:-1]])
        for n, h in enumerate(horizons):
            f = total[1 + h :] - total[1 : len(total) - h]
            quiet = ~found[0, : len(f)]
            sums[n] += f[quiet].sum()
            others[n] += quiet.sum()
    joined = pooled(told, paid, asked, np.zeros(kernel.LAGS)) if len(symbols) > 1 else told[0]
    made = answered(joined[0], 2)
    base = sums / np.maximum(others, 1)
    table = pd.DataFrame(
        {
            "mean": base + made.effect,
            "low": base + made.low,
            "high": base + made.high,
            "base": base,
        },
        index=pd.Index(horizons, name="bar"),
    )
    start = pd.DataFrame(0.0, index=pd.Index([0], name="bar"), columns=table.columns)
    return pd.concat([start, table])


def path_figure(scan: Patterns, row: pd.Series) -> go.Figure:
    """Mean path with its band, and the base rate."""
    import plotly.graph_objects as go

    from tapebook.market.pattern.patterns import ALL

    symbols = scan.symbols if row["symbol"] == ALL else (str(row["symbol"]),)
    bars = max(int(row["horizon"]), SHORTEST)
    told = path(scan, str(row["pattern"]), str(row["kind"]), symbols, bars) * 100.0
    figure = go.Figure()
    for edge, fill in (("high", None), ("low", "tonexty")):
        figure.add_scatter(
            x=told.index, y=told[edge], mode="lines", line={"width": 0}, fill=fill, hoverinfo="skip",
            fillcolor="rgba(0,114,178,0.18)", name="95 % of the mean", showlegend=fill is not None,
        )  # fmt: skip
    lines = (("mean", "after the pattern", 0, "solid"), ("base", "after any other bar", 1, "dash"))
    for name, said, color, dash in lines:
        figure.add_scatter(
            x=told.index, y=told[name], name=said, mode="lines",
            line={"color": LIGHT.series[color], "width": 2, "dash": dash},
            hovertemplate=f"{said}, bar %{{x}}: %{{y:.2f}} %<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=int(row["horizon"]), line={"color": LIGHT.line, "width": 1, "dash": "dot"})
    who = f"{len(symbols)} symbols" if row["symbol"] == ALL else symbols[0]
    figure.update_layout(
        template=template(), height=480, margin={"t": 90}, legend={"y": -0.2, "yanchor": "top"},
        title={"text": f"{row['pattern']}, {who}<br><sup>{_said(row)}</sup>"},
    )  # fmt: skip
    figure.update_xaxes(title_text="bars since the open after the pattern")
    figure.update_yaxes(title_text="mean log return, %", zeroline=True)
    return figure


def shape_figure(scan: Patterns, symbol: str, shape: str, number: int) -> go.Figure:
    """Occurrences of a motif, or a discord, each from its own last close, and as many bars after it."""
    import plotly.graph_objects as go

    from tapebook.market.pattern.shapes import LENGTH

    table = scan.shapes
    own = table[(table["symbol"] == symbol) & (table["shape"] == shape) & (table["number"] == number)]
    if not len(own):
        known = (table["symbol"] + " " + table["shape"] + " " + table["number"].astype(str)).unique()
        raise UnknownName("shape", f"{symbol} {shape} {number}", known)
    close = scan.bars.close[symbol].dropna()
    figure = go.Figure()
    for n, start in enumerate(own["start"]):
        first = int(close.index.searchsorted(start))
        part = np.log(close.to_numpy(dtype=float)[first : first + 2 * LENGTH])
        bars = np.arange(len(part)) - LENGTH + 1
        color = LIGHT.series[n % len(LIGHT.series)] if len(own) <= len(LIGHT.series) else LIGHT.muted
        name, width = f"{start:%Y-%m-%d}", 2.0 if len(own) <= len(LIGHT.series) else 1.2
        moved = 100.0 * (part - part[LENGTH - 1])
        figure.add_scatter(
            x=bars, y=moved, name=name, mode="lines", line={"color": color, "width": width},
            hovertemplate=f"{name}, bar %{{x}}: %{{y:.1f}} %<extra></extra>",
            showlegend=len(own) <= len(LIGHT.series),
        )  # fmt: skip
    figure.add_vrect(x0=1 - LENGTH, x1=0, fillcolor=LIGHT.line, opacity=0.35, line_width=0, layer="below")
    count = f"{len(own)} times" if len(own) > 1 else "once"
    figure.update_layout(
        template=template(), height=480, margin={"t": 90}, legend={"y": -0.2, "yanchor": "top"},
        title={"text": f"{symbol}: {shape} {number}, seen {count}"
                       "<br><sup>shaded: the shape; right of it: what came next, known only later</sup>"},
    )  # fmt: skip
    figure.update_xaxes(title_text="bars since the end of the shape")
    figure.update_yaxes(title_text="log return since the end of the shape, %", zeroline=True)
    return figure


def _said(row: pd.Series) -> str:
    """The finding in words."""
    bars = f"{int(row['horizon'])} bar{'s' * int(row['horizon'] > 1)}"
    if not np.isfinite(row["p"]):
        return f"{int(row['n']):,} events: too few to judge"
    p = "p below 0.0001" if row["p"] < 1e-4 else f"p {row['p']:.2g}"
    effect, low, high, first, second = (
        f"{100.0 * row[name]:+.2f}" for name in ("effect", "low", "high", "first_half", "second_half")
    )
    return (
        f"{effect} % in {bars} beyond any other bar ({low} to {high}); {p}, "
        f"{'holds' if row['holds'] else 'does not hold'}; {int(row['n']):,} events; "
        f"halves of history {first} and {second} %"
    ).replace("-", "−")
