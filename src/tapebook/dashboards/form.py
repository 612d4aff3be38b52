"""A form made from a template's typed parameters: fill in, run, follow the link to the page."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import form_fields
from tapebook.dashboards.explore import INK
from tapebook.errors import BadParameter, RunFailed, TapebookError

if TYPE_CHECKING:
    from tapebook.progress import Report
    from tapebook.runs.record import Run
    from tapebook.runs.template import Template

ANCHOR = "color:var(--jp-content-link-color,var(--accent,#0060A0));text-decoration:underline"
LAB = "TAPEBOOK_LAB"
"""Where our part of the JupyterLab server that started this kernel answers; it says so itself."""


class Form:
    """One field a parameter, with its type, default and help; errors stand beside the field they are of.

    `run` is the last run that the form started, successful or not; `values()` what the fields say.
    """

    def __init__(
        self,
        template: Template,
        start: Callable[[str, dict[str, Any], Report], Run],
        *,
        secrets: Iterable[str] = (),
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self.template = template
        self.run: Run | None = None
        self._start, self._secrets = start, sorted(secrets)
        begun = template.check(given or {})
        self._fields = {
            name: form_fields.of_template(p, default=begun[name], secrets=self._secrets)
            for name, p in template.parameters.items()
        }
        self._build()

    def values(self) -> dict[str, Any]:
        """Return what the fields say, checked.

        Raises
        ------
        BadParameter
            After every wrong field was told what it should be.
        """
        said, wrong = {}, None
        for name, field in self._fields.items():
            try:
                said[name] = field.value()
            except TapebookError as error:
                wrong = wrong or error
        if wrong is not None:
            raise wrong
        return said

    def submit(self) -> Run | None:
        """Start the run and wait for it; Ctrl-C (in Lab: ■) cancels it. None if it could not start."""
        self._button.disabled, self._bar.layout.display = True, None
        self._bar.value, self._bar.bar_style = 0, "info"
        self._told("starting …")
        try:
            self.run = self._start(self.template.name, self.values(), self._progress)
            self._end("success", _link(self.run))
        except RunFailed as error:
            self._failed(error)
        except KeyboardInterrupt:
            self._end("warning", "Cancelled. The form can be sent again.")
        except TapebookError as error:
            self._refused(error)
        finally:
            self._button.disabled = False
        return self.run

    def _build(self) -> None:
        import ipywidgets as w

        title = self.template.description or self.template.name
        self._head = w.HTML(f"<div style='{INK}'><b style='font-size:16px'>{escape(title)}</b></div>")
        self._button = w.Button(description="Run the report", button_style="primary", icon="play")
        self._button.on_click(lambda _: self.submit())
        self._bar = w.IntProgress(min=0, max=1, layout=w.Layout(display="none", width="440px"))
        self._state = w.HTML()
        rows = [self._row(name, field) for name, field in self._fields.items()]
        self._view = w.VBox([self._head, *rows, self._button, self._bar, self._state])

    def _row(self, name: str, field: form_fields.Field) -> Any:
        import ipywidgets as w

        help = self.template.parameters[name].help
        words = w.HTML(
            f"<div style='{INK};font-size:12px;line-height:1.3;padding:6px 0 0 8px'>{escape(help)}</div>"
        )
        words.layout.flex = "1 1 160px"
        return w.HBox([field.box, words])

    def _progress(self, done: int, total: int, doing: str) -> None:
        self._bar.max, self._bar.value = max(total, 1), done
        self._told(f"{doing} of {total}")

    def _failed(self, error: RunFailed) -> None:
        first = str(error).partition("\n")[0]
        page = _address(error.run_id, "report.html")
        link = f" <a style='{ANCHOR}' href='{escape(page)}' target='_blank'>What happened</a>" if page else ""
        self._end("danger", f"{escape(first)}{link}", html=True)

    def _refused(self, error: TapebookError) -> None:
        """Say what is wrong beside the field that it is of, if it is one's."""
        name = getattr(error, "name", None)
        self._bar.layout.display = "none"
        if isinstance(error, BadParameter) and name in self._fields:
            self._fields[name].complain(f"expected {error.expected}")
            self._end("danger", "Not started: see the field that is marked.")
        else:
            self._end("danger", f"Not started: {error}")

    def _end(self, style: str, text: str, *, html: bool = False) -> None:
        self._bar.value, self._bar.bar_style = self._bar.max, style
        self._told(text, html=html or text.startswith("<"))

    def _told(self, text: str, *, html: bool = False) -> None:
        self._state.value = f"<div role='status' style='{INK}'>{text if html else escape(text)}</div>"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self._view)  # type: ignore[no-untyped-call]

    def __repr__(self) -> str:
        return f"Form({self.template.name}: {', '.join(self._fields)})"


def _link(run: Run) -> str:
    """Return a link to a run's page, and its first figures, as HTML."""
    from tapebook.runs.record import shown

    figures = " · ".join(
        f"{escape(name.replace('_', ' '))} {escape(shown(run.metrics[name]))}"
        for name in run.manifest.get("headline") or ()
        if name in run.metrics
    )
    page = _address(run.id, "report.html") or run.html.as_uri()
    title = escape(str(run.manifest.get("title") or run.id))
    link = f"<a style='{ANCHOR}' href='{escape(page)}' target='_blank'>{title}</a>"
    return f"<b>✓ {link}</b> <span>{figures}</span>"


def _address(run_id: str, file: str) -> str | None:
    """Where the Lab server shows a run's file; None where there is none."""
    base = os.environ.get(LAB)
    return f"{base}reports/{run_id}/{file}" if base else None
