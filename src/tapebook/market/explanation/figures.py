"""Figures of the page that explains one move, each an answer to one of its questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.market.move.chance import earlier
from tapebook.market.move.figures import ON_TOP, blank, event_figure
from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.explanation.explain import Explanation

BEFORE, AFTER = 60, 20
"""Bars of the path that are drawn around a move."""
ROWS = 12


def explanation_figures(told: Explanation) -> dict[str, go.Figure]:
    """Return the figures that can be drawn, by the question they answer."""
    figures = {"What moved": path_figure(told)}
    sizes = _sizes(told)
    if len(sizes) >= 100:
        figures["How large"] = size_figure(told, sizes)
    if told.attribution is not None:
        figures["With what"] = parts_figure(told)
    if len(told.precursors.table):
        figures["What came before"] = precursor_figure(told)
    if told.analogues is not None:
        figures["When before"] = fan_figure(told)
    if told.rules.rule is not None:
        figures["Could a rule have caught it"] = rule_figure(told)
    if told.after is not None:
        figures["After such moves"] = event_figure(told.after)
    return figures


def path_figure(told: Explanation) -> go.Figure:
    """Price before, during and after the move; what betas from before expected; volume below."""
    from plotly.subplots import make_subplots

    bars, move, line = told.moves.bars, told.move, told.moves.line(told.move.symbol)
    _, first, last = told.moves.place(move)
    rows = slice(max(0, first - BEFORE), min(len(bars), last + AFTER + 1))
    close = line.iloc[rows].dropna()
    volume = bars.volume[move.symbol].iloc[rows].dropna() if move.symbol in bars.symbols else pd.Series()
    kind = {"rows": 2, "row_heights": [0.74, 0.26]} if len(volume) else {"rows": 1}
    figure = make_subplots(cols=1, shared_xaxes=True, vertical_spacing=0.06, **kind)
    figure.add_scatter(
        x=close.index, y=close, mode="lines", name="close", line={"color": LIGHT.ink, "width": 1.6},
        hovertemplate="%{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    before = line.iloc[:first].dropna()
    if told.attribution is not None:
        base, path = float(before.iloc[-1]), told.attribution.path["expected"]
        figure.add_scatter(
            x=[before.index[-1], *path.index], y=[base, *(base * np.exp(path))], name="expected",
            mode="lines+markers", marker={"size": 5},
            line={"color": LIGHT.series[1], "width": 2, "dash": "dot"},
            hovertemplate="expected %{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    figure.update_layout(template=template(), title=f"What moved: {move}", height=480 if len(volume) else 400)
    if len(volume):
        figure.add_bar(
            x=volume.index, y=volume, marker_color=LIGHT.muted, name="volume", showlegend=False, row=2, col=1,
            hovertemplate="%{x|%Y-%m-%d}: %{y:,.3s}<extra></extra>",
        )  # fmt: skip
        figure.update_yaxes(title_text="volume", row=2, col=1)
    figure.add_vrect(x0=before.index[-1], x1=move.end, fillcolor=LIGHT.series[1], opacity=0.14, line_width=0)
    figure.update_yaxes(title_text="price", row=1, col=1)
    figure.update_layout(
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"}
    )
    return figure


def _sizes(told: Explanation) -> np.ndarray:
    """Changes over the symbol's earlier spans as long as the move, in deviations before each."""
    found, n = told.moves, told.moves.place(told.move)[0]
    if n >= len(found.bars.symbols):
        return np.empty(0)
    line = np.log(found.line(told.move.symbol).to_numpy())
    own = np.flatnonzero(np.isfinite(line))
    at = int(np.searchsorted(own, found.place(told.move)[1]))
    return earlier(line[own], found.states.deviation[own, n], at, int(told.row["bars"]))


def size_figure(told: Explanation, sizes: np.ndarray) -> go.Figure:
    """The move among the symbol's earlier spans of its length."""
    bars, size = int(told.row["bars"]), float(told.row["size"])
    span = f"{bars} bar{'s' * (bars > 1)}"
    figure = blank(
        f"How large: beside {len(sizes):,} earlier spans of {span}", "change, in deviations", "spans", 340
    )
    reach = max(abs(size), float(np.abs(sizes).max()))
    figure.add_histogram(
        x=sizes, xbins={"start": -reach, "end": reach, "size": reach / 40.0}, name="earlier spans",
        marker={"color": LIGHT.series[0]}, showlegend=False,
        hovertemplate="%{x}: %{y} spans<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=size, line={"color": LIGHT.series[1], "width": 2.5})
    figure.add_annotation(
        x=size, y=1.0, yref="paper", yanchor="bottom", text=f"this move, {size:+.1f}", showarrow=False,
        xanchor="left" if size < 0 else "right", font={"color": LIGHT.series[1]},
    )  # fmt: skip
    figure.update_xaxes(range=[-1.06 * reach, 1.06 * reach])
    figure.update_yaxes(type="log", dtick=1)
    return figure


def rule_figure(told: Explanation) -> go.Figure:
    """The symbol's price, the moves the same way, and when the rule rang; the rule has not seen the right."""
    from tapebook.market.rule_text import rings

    found, rule = told.moves, told.rules
    symbol = told.move.symbol if told.move.symbol in found.bars.symbols else found.bars.symbols[0]
    close = found.line(symbol).dropna()
    rung = pd.Series(
        rings(found.states, rule.conditions)[:, found.bars.symbols.index(symbol)], found.bars.index
    )
    rang = close[rung.reindex(close.index)]
    own = found.table[found.table["symbol"] == symbol]
    own = own[own["direction"] == ("up" if told.row["change"] > 0 else "down")]
    how = "the best rule holds" if rule.holds else "the past's best rule fails"
    title = f"Could a rule have caught it: {how} on moves never seen"
    figure = blank(title, "", f"price of {symbol} (logarithmic)", 440)
    figure.add_scatter(
        x=close.index, y=close, mode="lines", name="close", line={"color": LIGHT.muted, "width": 1.1},
        hovertemplate="%{x|%Y-%m-%d}: %{y:,.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=rang.index, y=rang, mode="markers", name="rule rings",
        marker={"color": LIGHT.series[3], "size": 6, "symbol": "circle"},
        hovertemplate="rings %{x|%Y-%m-%d}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=own["start"], y=close.reindex(own["start"]), mode="markers", name="such a move begins",
        marker={
            "color": LIGHT.series[0], "size": 11, "line": {"color": LIGHT.surface, "width": 1},
            "symbol": "triangle-up" if told.row["change"] > 0 else "triangle-down",
        },
        hovertemplate="move from %{x|%Y-%m-%d}<extra></extra>",
    )  # fmt: skip
    if rule.border is not None:
        figure.add_vrect(
            x0=rule.border, x1=close.index[-1], fillcolor=LIGHT.muted, opacity=0.10, line_width=0,
            annotation_text="never seen", annotation_position="top left",
        )  # fmt: skip
    figure.update_yaxes(**price_axis(float(close.min()), float(close.max())))
    figure.update_layout(legend=ON_TOP, margin_t=88)
    return figure


def parts_figure(told: Explanation) -> go.Figure:
    """The parts of the move, from nothing to the whole."""
    import plotly.graph_objects as go

    assert told.attribution is not None
    parts = told.attribution.parts["part"]
    figure = blank("With what: parts of the log return, betas from before", "", "log return", 380)
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
    figure = blank(
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
    """What followed the analogues of each kind, beside what follows any bar, and what came."""
    from plotly.subplots import make_subplots

    assert told.analogues is not None
    found = told.analogues
    kinds = [name for name in found.fans if name != "all"]
    p = found.judged.set_index("by")["q"]
    rows = -(-len(kinds) // 2)
    figure = make_subplots(
        rows=rows, cols=2, shared_xaxes=True, shared_yaxes=True, horizontal_spacing=0.04,
        vertical_spacing=0.3 / (rows + 1), subplot_titles=[f"by {name} (p {p[name]:.2f})" for name in kinds],
    )  # fmt: skip
    for number, name in enumerate(kinds):
        place = {"row": number // 2 + 1, "col": number % 2 + 1, "showlegend": number == 0}
        _fan(figure, found.fans["all"], "any bar", LIGHT.muted, "rgba(120,130,140,0.22)", place)
        _fan(figure, found.fans[name], "analogues", LIGHT.series[0], "rgba(0,114,178,0.22)", place)
        figure.add_scatter(
            x=found.actual.index, y=found.actual, mode="lines", name="what came", legendgroup="came",
            line={"color": LIGHT.series[1], "width": 2},
            hovertemplate="came: %{y:+.1f}<extra></extra>", **place,
        )  # fmt: skip
    title = f"When before: what followed {len(found.table)} analogues, 80 % and median"
    figure.update_layout(
        template=template(), title=title,
        height=140 + 250 * rows, margin_t=116, legend=ON_TOP | {"y": 1.0 + 0.14 / rows}, hovermode="x",
    )  # fmt: skip
    figure.update_xaxes(title_text="bars after", row=rows)
    figure.update_yaxes(title_text="deviations", col=1)
    return figure


def _fan(
    figure: go.Figure, fan: pd.DataFrame, name: str, colour: str, shade: str, place: dict[str, Any]
) -> None:
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "legendgroup": name}
    figure.add_scatter(x=fan.index, y=fan["90%"], **edge, **place | {"showlegend": False})
    figure.add_scatter(
        x=fan.index, y=fan["10%"], fill="tonexty", fillcolor=shade, **edge, **place | {"showlegend": False}
    )
    figure.add_scatter(
        x=fan.index, y=fan["50%"], mode="lines", name=name, legendgroup=name,
        line={"color": colour, "width": 2}, hovertemplate=f"{name}: %{{y:+.1f}}<extra></extra>", **place,
    )  # fmt: skip
