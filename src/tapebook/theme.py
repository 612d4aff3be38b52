"""One look for figures, pages and dashboards: colours, fonts, the plotly template, the CSS variables.

The series colours are Okabe and Ito's (2008), told apart with every common kind of colour blindness.
Colour never carries a meaning alone: gains and losses also differ by sign, sides by marker shape.
Nothing is imported here, so a page that shows one number may use it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import floor, log10
from typing import Any

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, YELLOW, BLACK = "#56B4E9", "#CC79A7", "#F0E442", "#000000"

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif'
MONO = 'ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'


@dataclass(frozen=True)
class Palette:
    """The colours of one mode, each a CSS colour.

    `series` are for lines in order; `gain` and `loss` for money; `ground` is the page, `surface` a
    card on it; `ink` text, `muted` secondary text, `line` rules and grid; `accent` links and controls.
    `scale` goes from loss through `surface` to gain.
    """

    ground: str
    surface: str
    ink: str
    muted: str
    line: str
    accent: str
    gain: str
    loss: str
    warn: str
    series: tuple[str, ...]
    scale: tuple[tuple[float, str], ...]


LIGHT = Palette(
    ground="#F7F8FA",
    surface="#FFFFFF",
    ink="#1B1F24",
    muted="#59636E",
    line="#D9DEE4",
    accent="#0060A0",
    gain="#0072B2",
    loss="#C24E00",
    warn="#8A5A00",
    series=(BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "#7A6F00", "#4D4D4D"),
    scale=((0.0, "#D55E00"), (0.25, "#F0B48A"), (0.5, "#FFFFFF"), (0.75, "#8CC3E6"), (1.0, "#0072B2")),
)
"""Dark ink on a light ground."""

DARK = Palette(
    ground="#12161B",
    surface="#1A2027",
    ink="#E8ECF0",
    muted="#A3AEBA",
    line="#35404B",
    accent="#6CBCF0",
    gain="#56B4E9",
    loss="#F08A3C",
    warn="#F0C24A",
    series=(SKY, "#F08A3C", "#2FC79A", "#F2B632", "#E09BC0", "#8FD0F5", YELLOW, "#C4C4C4"),
    scale=((0.0, "#F08A3C"), (0.25, "#8A5732"), (0.5, "#1A2027"), (0.75, "#2C6385"), (1.0, "#56B4E9")),
)
"""Light ink on a dark ground."""


def palette(*, dark: bool = False) -> Palette:
    """Return the colours of one mode."""
    return DARK if dark else LIGHT


def in_the_dark() -> dict[str, str]:
    """Return the dark colour for each light one: a figure drawn in light colours changes mode by exchange.

    >>> in_the_dark()["#1B1F24"]
    '#E8ECF0'
    """
    said, pairs = (asdict(LIGHT), asdict(DARK)), {}
    for name, light in said[0].items():
        dark = said[1][name]
        if isinstance(light, str):
            pairs[light] = dark
        elif name == "series":
            pairs |= dict(zip(light, dark, strict=True))
        else:
            pairs |= {a[1]: b[1] for a, b in zip(light, dark, strict=True)}
    return pairs


def template(*, dark: bool = False) -> dict[str, Any]:
    """Return the plotly template of one mode, as plain JSON: `figure.update_layout(template=template())`.

    Figures take every colour of text, grid and ground from it, so that a stored figure changes mode by
    a change of `layout.template` alone.
    """
    p = palette(dark=dark)
    axis = {
        "gridcolor": p.line,
        "linecolor": p.line,
        "zerolinecolor": p.line,
        "tickcolor": p.line,
        "automargin": True,
        "title": {"standoff": 8, "font": {"size": 12, "color": p.muted}},
        "tickfont": {"size": 11, "color": p.muted},
    }
    layout = {
        "font": {"family": FONT, "size": 13, "color": p.ink},
        "title": {"x": 0, "xref": "paper", "xanchor": "left", "font": {"size": 17, "color": p.ink}},
        "paper_bgcolor": p.surface,
        "plot_bgcolor": p.surface,
        "colorway": list(p.series),
        "colorscale": {
            "diverging": [list(step) for step in p.scale],
            "sequential": [[0.0, p.surface], [1.0, p.gain]],
        },
        "xaxis": axis | {"showgrid": False, "zeroline": False, "showline": True},
        "yaxis": axis | {"zeroline": False},
        "legend": {"orientation": "h", "bgcolor": "rgba(0,0,0,0)", "font": {"size": 12}},
        "hoverlabel": {"bgcolor": p.ground, "bordercolor": p.line, "font": {"color": p.ink, "family": FONT}},
        "hovermode": "closest",
        "margin": {"l": 56, "r": 16, "t": 56, "b": 40},
        "annotationdefaults": {"font": {"color": p.ink}, "showarrow": False},
        "shapedefaults": {"line": {"color": p.line}},
    }
    header = {"fill": {"color": p.ground}, "line": {"color": p.line}, "font": {"color": p.ink}}
    cells = {"fill": {"color": p.surface}, "line": {"color": p.line}, "font": {"color": p.ink}}
    return {"layout": layout, "data": {"table": [{"type": "table", "header": header, "cells": cells}]}}


def price_axis(low: float, high: float) -> dict[str, Any]:
    """Return a logarithmic axis whose ticks are whole prices, 4 to 10 of them where they fit.

    >>> price_axis(18.0, 130.0)["ticktext"]
    ['20', '30', '50', '70', '100']
    """
    if not 0.0 < low < high:
        return {"type": "log"}
    found: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 2, 3, 5, 7), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        powers = range(floor(log10(low)), floor(log10(high)) + 1)
        found = [step * 10.0**power for power in powers for step in steps]
        found = [value for value in found if low <= value <= high]
        if len(found) >= 4:
            break
    return {"type": "log", "tickvals": found, "ticktext": [f"{value:,g}" for value in found]}


def css() -> str:
    """CSS custom properties of both modes: `--ground`, `--ink`, `--gain` …, `--font`, `--mono`.

    The mode follows the reader's system, or `data-theme="light"` or `"dark"` on the root element.
    """
    light, dark = (_variables(p) for p in (LIGHT, DARK))
    return (
        f":root {{ color-scheme: light dark; --font: {FONT}; --mono: {MONO}; {light} }}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="light"] {{ color-scheme: light; }}\n'
        f':root[data-theme="dark"] {{ color-scheme: dark; {dark} }}\n'
    )


def paper() -> str:
    """CSS for `@media print`: the light colours, whatever the reader's mode is on the screen."""
    return f":root:root:root {{ color-scheme: light; {_variables(LIGHT)} }}"


def _variables(colours: Palette) -> str:
    named = {name: value for name, value in asdict(colours).items() if isinstance(value, str)}
    return " ".join(f"--{name}: {value};" for name, value in named.items())
