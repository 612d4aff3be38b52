"""Parameters of strategies: their bounds and choices, checking a value, reading one from text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tapebook.errors import BadParameter

KINDS = (int, float, bool, str)
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Range:
    """Bounds of a number, both included, and what it means: `Range(1, 500, "bars in the fast mean")`."""

    low: float | None = None
    high: float | None = None
    help: str = ""


@dataclass(frozen=True, init=False)
class Choices:
    """The values a parameter may have, and what it means: `Choices("mean", "median", help="middle")`."""

    options: tuple[Any, ...]
    help: str = field(default="", kw_only=True)

    def __init__(self, *options: Any, help: str = "") -> None:
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "help", help)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a strategy; `type` is int, float, bool or str, bounds are included."""

    name: str
    type: type
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    help: str = ""

    @property
    def expected(self) -> str:
        """What a value must be, in words.

        >>> Parameter("fast", int, 10, 1, 500, help="bars in the fast mean").expected
        'a whole number from 1 to 500 (bars in the fast mean)'
        """
        if self.choices is not None:
            said = "one of " + ", ".join(repr(choice) for choice in self.choices)
        else:
            said = _WORDS[self.type] + self._bounds()
        return said + (f" ({self.help})" if self.help else "")

    def _bounds(self) -> str:
        if self.low is not None and self.high is not None:
            return f" from {_plain(self.low)} to {_plain(self.high)}"
        if self.low is not None:
            return f" of at least {_plain(self.low)}"
        return "" if self.high is None else f" of at most {_plain(self.high)}"

    def check(self, value: Any) -> Any:
        """Return `value` as this parameter's type, NumPy's numbers too; True is no number.

        Raises
        ------
        BadParameter
            Saying what was expected.
        """
        found: Any = self._converted(value)
        kind: type = type(found)
        if kind is not self.type or (self.type is float and not math.isfinite(found)):
            raise BadParameter(self.name, value, self.expected)
        within = (self.low is None or found >= self.low) and (self.high is None or found <= self.high)
        if not within or (self.choices is not None and found not in self.choices):
            raise BadParameter(self.name, value, self.expected)
        return found

    def _converted(self, value: Any) -> Any:
        """A NumPy scalar as Python's, and a whole number as a float where that is wanted."""
        plain = value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
        if self.type is float and type(plain) is int:
            try:
                return float(plain)
            except OverflowError:
                return math.inf
        return plain

    def parse(self, text: str) -> Any:
        """Read a value from text, as the command line gives it, then check it."""
        word = str(text).strip()
        try:
            value = _TRUTH[word.lower()] if self.type is bool else self.type(word)
        except (ValueError, KeyError):
            raise BadParameter(self.name, text, self.expected) from None
        return self.check(value)


def table(parameters: Mapping[str, Parameter]) -> str:
    """Return the parameters as an HTML table: name, type, default, what is expected."""
    from html import escape

    head = "".join(
        f"<th style='text-align:left'>{c}</th>" for c in ("parameter", "type", "default", "expected")
    )
    rows = [
        "".join(
            f"<td style='text-align:left'>{escape(cell)}</td>"
            for cell in (p.name, p.type.__name__, repr(p.default), p.expected)
        )
        for p in parameters.values()
    ]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>" if rows else ""


def _plain(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else repr(float(number))
