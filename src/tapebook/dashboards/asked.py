"""What a page's address asks for: which run, and how its controls stand; they change the address too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import anywidget
import traitlets

from tapebook.dashboards.records import Record, find, records

if TYPE_CHECKING:
    from tapebook.config import Config

PAGE, SHOWN = "TAPEBOOK_PAGE", "TAPEBOOK_SHOWN"
"""The dashboards' server sets these: the page, and the run that it has found to be visible."""


def asked_run(config: Config, template: str = "") -> str:
    """Return the id of the run to show: what the server says, or in JupyterLab the address or the newest."""
    if PAGE in os.environ:
        return os.environ.get(SHOWN, "")
    said = _query().get("run")
    if said:
        return said
    newest = (r.id for r in records(config.reports) if not template or r.template == template)
    return next(newest, "")


def asked_record(config: Config, template: str = "") -> Record | None:
    """Return the record of the run to show; None if there is none."""
    return find(config.reports, asked_run(config, template))


def _query() -> dict[str, str]:
    return {name: values[0][:200] for name, values in parse_qs(os.environ.get("QUERY_STRING", "")).items()}


class Address(anywidget.AnyWidget):
    """Holds the page's query: controls begin as it says, and it follows them, so that a link carries them."""

    _esm = """
    export default {
      render({ model, el }) {
        el.style.display = "none";
        model.on("change:query", () => {
          const asked = new URLSearchParams(location.search);
          for (const [name, value] of Object.entries(model.get("query"))) asked.set(name, value);
          history.replaceState(null, "", "?" + asked);
        });
      },
    };
    """
    query = traitlets.Dict().tag(sync=True)

    def __init__(self) -> None:
        super().__init__(query={})
        self._asked = _query()

    def keep(self, name: str, control: Any) -> Any:
        """Let a control that chooses among options begin as the address says, and the address follow it."""
        wanted = self._asked.get(name)
        options = list(control.options)
        values = [o[1] if isinstance(o, tuple) else o for o in options]
        for value in values:
            if wanted is not None and str(value) == wanted:
                control.value = value
        control.observe(lambda change: self._follow(name, change["new"]), "value")
        return control

    def _follow(self, name: str, value: Any) -> None:
        self.query = self.query | {name: str(value)}
