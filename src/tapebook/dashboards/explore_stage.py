"""Where an explorer shows what came of its controls.

In a notebook, as outputs of the cell: they are saved with it, so that the figure is there when the notebook
is opened again without a kernel. In Voila, which redraws no outputs after the start, as widgets.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import plotly.graph_objects as go

PLOTLY = "application/vnd.plotly.v1+json"


class Stage(Protocol):
    """A place for words and a figure, shown once and changed often."""

    def widgets(self) -> list[Any]:
        """Return what stands among the controls' widgets."""

    def begin(self) -> None:
        """Show what is no widget, beneath them."""

    def show(self, words: str, figure: go.Figure) -> None:
        """Replace words (HTML) and figure."""


def stage() -> Stage:
    """Return the stage that fits where this kernel's page is."""
    return Live() if os.environ.get("SERVER_SOFTWARE", "").startswith("voila") else Outputs()


class Outputs:
    """Outputs of the notebook's cell, updated in place."""

    def __init__(self) -> None:
        self._words: Any = None
        self._chart: Any = None
        self._last: tuple[dict[str, Any], dict[str, Any]] | None = None

    def widgets(self) -> list[Any]:
        """Nothing: all of it comes beneath."""
        return []

    def begin(self) -> None:
        """Show both outputs."""
        from IPython.display import display

        words, chart = self._last or ({"text/plain": ""}, {"text/plain": ""})
        self._words = display(words, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._chart = display(chart, raw=True, display_id=True)  # type: ignore[no-untyped-call]

    def show(self, words: str, figure: go.Figure) -> None:
        """Replace both outputs."""
        plain = str(figure.layout.title.text or "figure")
        chart = {PLOTLY: json.loads(figure.to_json()), "text/plain": plain}
        self._last = ({"text/html": words, "text/plain": plain}, chart)
        if self._words is not None:
            self._words.update(self._last[0], raw=True)
            self._chart.update(_blank(figure), raw=True)  # Lab's plotly draws an output once and never again
            self._chart.update(self._last[1], raw=True)


def _blank(figure: go.Figure) -> dict[str, Any]:
    """As much room as the figure takes, so that the page does not jump."""
    return {"text/html": f"<div style='height:{figure.layout.height}px'></div>", "text/plain": ""}


class Live:
    """Widgets: words, and a chart that is sent once and then follows."""

    def __init__(self) -> None:
        import ipywidgets as w

        self._words, self._place = w.HTML(), w.VBox([])

    def widgets(self) -> list[Any]:
        """Words, and the chart beneath."""
        return [self._words, self._place]

    def begin(self) -> None:
        """Nothing: the widgets are shown with the others."""

    def show(self, words: str, figure: go.Figure) -> None:
        """Replace words and figure."""
        from tapebook.dashboards.chart import Chart

        self._words.value, said = words, json.loads(figure.to_json())
        if self._place.children:
            self._place.children[0].show(said)
        else:
            self._place.children = (Chart(said),)
