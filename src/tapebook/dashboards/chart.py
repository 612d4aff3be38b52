"""Chart: a live plotly figure that weighs what its data weigh.

plotly's own FigureWidget sends plotly's five megabytes through the kernel for every page, and its Python
side takes a second to import. A page of ours has plotly.js already, cached by the browser; in JupyterLab the
kernel sends it once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from tapebook import theme
from tapebook.runs import page_words
from tapebook.runs.page_words import describe

_SCRIPTS = (Path(page_words.__file__).with_name("fit.js"), Path(__file__).with_name("chart.js"))
_MOVING = ("sliders", "updatemenus")
"""Controls of a figure with frames, which a live chart has not: the page has a slider of its own."""


class Chart(anywidget.AnyWidget):
    """A figure, {"data": […], "layout": {…}}; set `figure` anew and the chart follows."""

    _esm = "".join(path.read_text(encoding="utf-8") for path in _SCRIPTS)
    figure = traitlets.Dict().tag(sync=True)
    description = traitlets.Unicode().tag(sync=True)
    looks = traitlets.Dict().tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)

    def __init__(self, figure: dict[str, Any], description: str = "") -> None:
        super().__init__(figure=still(figure), description=description or describe(figure), looks=_looks())
        self.on_msg(_answer)

    def show(self, figure: dict[str, Any]) -> None:
        """Show another figure in the same place."""
        self.figure, self.description = still(figure), describe(figure)

    def on_pick(self, act: Callable[[dict[str, Any], int], None]) -> None:
        """Call `act(trace, number of the point)` when a viewer clicks a point."""

        def picked(change: Any) -> None:
            trace, point = change["new"].get("trace"), change["new"].get("point")
            traces = self.figure["data"]
            if isinstance(trace, int) and 0 <= trace < len(traces) and isinstance(point, int) and point >= 0:
                act(traces[trace], point)

        self.observe(picked, "picked")


def still(figure: dict[str, Any]) -> dict[str, Any]:
    """Return the figure without its frames and their controls.

    ValueError if it is no figure.
    """
    data, layout = figure.get("data"), figure.get("layout") or {}
    if not isinstance(data, list) or not isinstance(layout, dict):
        raise ValueError("expected a plotly figure with data and layout")
    return {"data": data, "layout": {k: v for k, v in layout.items() if k not in _MOVING}}


def _answer(chart: Chart, content: Any, _buffers: Any) -> None:
    """Send plotly's script to a page that has none."""
    if isinstance(content, dict) and content.get("want") == "plotly":
        chart.send({"plotly": _script()})


@cache
def _looks() -> dict[str, Any]:
    modes = {mode: theme.template(dark=mode == "dark")["layout"] for mode in ("light", "dark")}
    return modes | {"exchanged": theme.in_the_dark()}


@cache
def _script() -> str:
    from importlib.util import find_spec

    found = find_spec("plotly")
    assert found is not None
    path = Path(str(found.origin)).parent / "package_data" / "plotly.min.js"
    return path.read_text(encoding="utf-8")
