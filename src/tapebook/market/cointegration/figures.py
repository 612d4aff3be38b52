"""The page of one pair: its prices and its spread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.theme import LIGHT, price_axis, template

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.market.cointegration.cointegration import Cointegration


def spread_figure(scan: Cointegration, finding: int) -> go.Figure:
    """Prices from 100 over the spread, in % of the price, with two deviations either side of its mean."""
    import numpy as np
    from plotly.subplots import make_subplots

    row, gap = scan.row(finding), 100.0 * scan.spread(finding)
    prices = scan.bars.close[[row["a"], row["b"]]].dropna()
    prices = 100.0 * prices / prices.iloc[0]
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.12, row_heights=[0.5, 0.5],
        subplot_titles=(
            "price, first shared bar = 100",
            f"spread log {row['a']} − {row['hedge']:.2f} × log {row['b']}, and 2 deviations either side",
        ),
    )  # fmt: skip
    for number, name in enumerate((row["a"], row["b"])):
        figure.add_scatter(
            x=prices.index, y=prices[name], name=name,
            line={"color": LIGHT.series[number], "width": 1.5, "dash": ("solid", "dot")[number]},
            hovertemplate=f"{name} %{{x|%Y-%m-%d}}: %{{y:,.1f}}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    figure.add_scatter(
        x=gap.index, y=gap, name="spread", showlegend=False, line={"color": LIGHT.series[2], "width": 1.5},
        hovertemplate="%{x|%Y-%m-%d}: %{y:.2f} %<extra></extra>", row=2, col=1,
    )  # fmt: skip
    wide = 2.0 * float(gap.std(ddof=2))
    for at, dash in ((0.0, "solid"), (wide, "dash"), (-wide, "dash")):
        figure.add_hline(y=at, line={"color": LIGHT.muted, "width": 1, "dash": dash}, row=2, col=1)
    half = row["half_life"]
    slow = f"half-life {half:.1f} bars" if np.isfinite(half) else "does not come back"
    figure.update_layout(
        template=template(), height=640, legend={"x": 1, "xanchor": "right", "y": 1.06},
        title=f"{row['a']} and {row['b']}: {slow}, now {row['z']:+.1f} deviations from the mean",
    )  # fmt: skip
    figure.update_annotations(font_size=13, x=0, xanchor="left")
    figure.update_yaxes(
        title_text="price", **price_axis(prices.min().min(), prices.max().max()), row=1, col=1
    )
    figure.update_yaxes(title_text="spread, %", row=2, col=1)
    return figure
