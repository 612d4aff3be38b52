"""A walk forward in words and in a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook import theme
from tapebook.strategy.performance import metrics as m
from tapebook.strategy.performance.figures import MARK
from tapebook.strategy.performance.metrics import Metric, Metrics, Unit

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.strategy.walk_forward.walk_forward import WalkForward


def lines(walk: WalkForward) -> list[str]:
    """What was done and what came of it, a few lines."""
    folds, several = len(walk.folds), walk.paths.shape[1]
    said = [
        f"Walk forward of {walk.strategy.name}: {folds} folds, {walk.told}",
        f"  {walk.tried:,} combinations of {', '.join(walk.varied)}, chosen by {walk.metric} inside; "
        f"the choice changed {walk.changes} times, {walk.seconds:.1f} s",
    ]
    if walk.same_close:
        said.append(f"  {MARK}")
    of = f", median of {several} paths" if several > 1 else ""
    figures = ", ".join(
        f"{name.replace('_', ' ')} {walk.metrics[name]}"
        for name in ("annual_return", "sharpe", "max_drawdown")
    )
    said.append(f"  outside{of}: {figures}")
    said.append(f"  efficiency {efficiency(walk)}")
    return said


def efficiency(walk: WalkForward) -> str:
    """The efficiency, and what it means."""
    value = walk.efficiency
    inside = walk.folds["inside_annual_return"].mean()
    if np.isnan(value):
        return f"–: what was chosen lost {-inside:.1%} a year inside"
    made = f"{walk.metrics['annual_return'].value:.1%} a year outside, {inside:.1%} inside"
    if value >= 0.5:
        return f"{value:.2f}: {made}; the choice held"
    return f"{value:.2f}: {made}; " + (
        "the choice lost most of its worth" if value > 0 else "the choice was luck"
    )


def of_paths(walk: WalkForward) -> Metrics:
    """Figures of several histories: the median, and from where to where."""
    year, found = walk.bars.periods_per_year, {}
    computed: dict[str, tuple[Unit, Any]] = {
        "total_return": ("share", lambda r: m.total_return(r)),
        "annual_return": ("share", lambda r: m.annual_return(r, year)),
        "annual_volatility": ("share", lambda r: m.annual_volatility(r, year)),
        "sharpe": ("ratio", lambda r: m.sharpe(r, year)),
        "sortino": ("ratio", lambda r: m.sortino(r, year)),
        "max_drawdown": ("share", lambda r: float(m.drawdowns(np.cumprod(1.0 + r), 1.0).min())),
    }
    for name, (unit, compute) in computed.items():
        values = np.array([compute(walk.paths[path].to_numpy(dtype=float)) for path in walk.paths])
        ends = " to ".join(str(Metric(float(x), unit, "")) for x in (np.min(values), np.max(values)))
        said = f"median of {len(values)} paths, {ends}"
        said += f"; {MARK}" if walk.same_close else ""
        found[name] = Metric(float(np.median(values)), unit, said)
    return Metrics(found)


def figure(walk: WalkForward) -> go.Figure:
    """Do what `WalkForward.figure` says."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    several = walk.paths.shape[1]
    drawn = walk.varied if several == 1 else ()  # folds that overlap have no line of time for their choices
    colours, rows = theme.palette(dark=False), 1 + len(drawn)
    height = 420 + 130 * len(drawn)
    made = make_subplots(
        rows=rows, cols=1, shared_xaxes=True, vertical_spacing=46 / height,
        row_heights=[380, *[90] * len(drawn)],
        subplot_titles=["Growth of 1 outside", *(f"{name} chosen" for name in drawn)],
    )  # fmt: skip
    made.update_annotations(font_size=13, x=0, xanchor="left")
    equity = walk.equity
    for number, name in enumerate(equity):
        line = {"width": 2 if several == 1 else 1.2, "color": colours.series[number % len(colours.series)]}
        made.add_trace(
            go.Scatter(x=equity.index, y=equity[name], name=name, line=line, hovertemplate="%{y:.2f}"), 1, 1
        )
    for row, name in enumerate(drawn, start=2):
        for _, fold in walk.folds.iterrows():
            words = f"fold {fold['fold']}: {name} {fold[name]}<extra></extra>"
            value = fold[name] if isinstance(fold[name], (int, float)) else str(fold[name])
            span = [fold["test_start"], fold["test_end"]]
            line = {"width": 4, "color": colours.series[0]}
            shown = {"mode": "lines", "showlegend": False, "line": line, "hovertemplate": words}
            made.add_trace(go.Scatter(x=span, y=[value, value], **shown), row, 1)
    if several == 1:
        for start in walk.folds["test_start"].iloc[1:]:
            made.add_vline(x=start, line_width=0.6, line_dash="dot", line_color=colours.muted)
    warning = f"<br><b>⚠ {MARK}</b>" if walk.same_close else ""
    made.update_layout(
        template=go.layout.Template(theme.template(dark=False)),
        title=f"{walk.strategy.name}, {walk.told}{warning}",
        height=height + 30 * walk.same_close,
        margin={"t": 90 + 30 * walk.same_close, "l": 62, "r": 18, "b": 44},
        showlegend=1 < several <= 10,
        legend={"x": 0.01, "y": 0.99, "yanchor": "top"},
        hovermode="closest",
    )
    return made
