"""Controls for typed parameters: bounds and choices from the declaration, and what is wrong beside each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter, TapebookError

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.runs.parameters import Parameter as TemplateParameter
    from tapebook.strategy.parameters import Parameter

SLIDE = 1_000
"""Whole numbers with at most so many values are slid; others are typed."""
WIDE = {"description_width": "118px"}
TROUBLE = "color:#B3261E;font-size:12px;line-height:1.35;margin:0 0 4px 122px;max-width:330px"


class Field:
    """A control, its name, and a line beneath it for what is wrong with its value."""

    def __init__(self, name: str, control: Any, read: Callable[[Any], Any]) -> None:
        import ipywidgets as w

        self.name, self.control, self._read = name, control, read
        self._trouble = w.HTML(layout=w.Layout(display="none"))
        self.box: ipywidgets.VBox = w.VBox([control, self._trouble])

    def value(self) -> Any:
        """Return the value as the parameter's type.

        Raises
        ------
        BadParameter
            Which is shown beneath the control as well.
        """
        self.complain("")
        try:
            return self._read(self.control.value)
        except TapebookError as error:
            self.complain(_short(error))
            raise

    def complain(self, text: str) -> None:
        """Say what is wrong; "" when nothing is."""
        self._trouble.value = f"<div role='alert' style='{TROUBLE}'>{escape(text)}</div>" if text else ""
        self._trouble.layout.display = None if text else "none"

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when the control's value has."""
        self.control.observe(lambda _: changed(), "value")


def of_strategy(parameter: Parameter) -> Field:
    """Return the field of a strategy's parameter."""
    return Field(parameter.name, _control(parameter), parameter.check)


def of_template(parameter: TemplateParameter, *, default: Any, secrets: Iterable[str] = ()) -> Field:
    """Return the field of a template's parameter; texts offer the secrets by name."""
    import ipywidgets as w

    look: dict[str, Any] = {
        "description": parameter.name,
        "tooltip": parameter.expected,
        "style": WIDE,
    }
    if parameter.type == "bool" and not parameter.optional:
        look["layout"] = w.Layout(width="440px")  # as wide as the others: the words beside it stand in line
        return Field(parameter.name, w.Checkbox(default, indent=True, **look), parameter.read)
    shown = (
        "" if default is None else ",".join(map(str, default)) if isinstance(default, list) else str(default)
    )
    hint = "" if parameter.type == "str" else parameter.expected.partition(" (")[0]
    look |= {"placeholder": hint, "continuous_update": False, "layout": w.Layout(width="440px")}
    offered = [f"secret:{name}" for name in secrets] if parameter.type == "str" else []
    control = w.Combobox(value=shown, options=offered, **look) if offered else w.Text(shown, **look)

    def read(text: str) -> Any:
        said = text.strip()
        return parameter.read(None if parameter.optional and not said else said)

    return Field(parameter.name, control, read)


def _control(p: Parameter) -> Any:
    """Return the widget that fits a strategy's parameter."""
    import ipywidgets as w

    look: dict[str, Any] = {"description": p.name, "tooltip": p.expected, "style": WIDE}
    late = look | {"continuous_update": False, "layout": w.Layout(width="380px")}
    if p.choices is not None:
        return w.Dropdown(options=[(str(choice), choice) for choice in p.choices], value=p.default, **look)
    if p.type is bool:
        return w.Checkbox(p.default, **look)
    if p.type is str:
        return w.Text(p.default, placeholder=p.help, **late)
    bounded = p.low is not None and p.high is not None
    if p.type is int:
        if bounded and p.high - p.low <= SLIDE:  # type: ignore[operator]
            return w.IntSlider(p.default, int(p.low), int(p.high), **late)  # type: ignore[arg-type]
        return w.IntText(p.default, **late)
    if bounded:
        step = _step(float(p.high) - float(p.low))  # type: ignore[arg-type]
        return w.FloatSlider(p.default, min=p.low, max=p.high, step=step, readout_format=".4g", **late)
    return w.FloatText(p.default, **late)


def _step(span: float) -> float:
    """About 200 steps over a span, each a 1, 2 or 5 of some power of ten.

    >>> _step(1.0), _step(30.0)
    (0.005, 0.2)
    """
    from math import floor, log10

    rough = span / 200
    power = 10.0 ** floor(log10(rough))
    return float(next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999))


def _short(error: TapebookError) -> str:
    """What was expected, without repeating the name that stands beside it."""
    return f"expected {error.expected}" if isinstance(error, BadParameter) else str(error)
