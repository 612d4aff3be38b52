"""Declare a strategy: a function whose keyword parameters are typed, bounded and described."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from functools import partial, update_wrapper
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, overload

from tapebook.errors import BadInput, BadParameter, UnknownName
from tapebook.strategy.code_hash import code_hash
from tapebook.strategy.parameters import Choices, Parameter, Range, table
from tapebook.strategy.signature import TAKEN, parameters

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.strategy.rules import Rules
    from tapebook.strategy.signals import Signals

__all__ = ["TAKEN", "Choices", "Parameter", "Range", "Strategy", "strategy"]


class Strategy:
    """A function of bars that decides, with its parameters checked and its answer validated.

    Call it with bars and parameters: it returns `Signals`, or target weights as a frame (T, N).
    `name`, `family` ("trend", "reversion", …), `description` (the docstring's first line), `doc`,
    `parameters` by name, `source_hash` (names this exact code) and the `function` itself. `rules`: how a
    saved version was meant to be traded, where nothing else is said.
    """

    rules: Rules | None = None

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, family: str | None = None
    ) -> None:
        update_wrapper(self, function)
        self.function = function
        self.name = name or _name(function)
        if not self.name.isidentifier():
            raise BadInput(f"a strategy cannot be named {self.name!r}: expected a word such as 'calm_trend'")
        own = None if isinstance(function, partial) else function.__doc__  # a partial's is Python's own
        self.doc = cleandoc(own or "")
        self.description = self.doc.partition("\n")[0]
        self.family = family or "own"
        self.parameters = parameters(function, self.name)
        self.source_hash = code_hash(function)

    def __call__(self, bars: Bars, **params: Any) -> Signals | pd.DataFrame:
        """Decide on `bars`, shape (T, N); row t of the answer uses bars up to and including t.

        Raises
        ------
        UnknownName, BadParameter
            Of parameters, before anything is computed.
        BadInput
            If the answer cannot be traded: it names the frame, the row and the column.
        """
        from tapebook.strategy.answer import expect_bars, validated

        expect_bars(self.name, bars)
        return validated(self.name, self.function(bars, **self.check(params)), bars)

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter, with the defaults of those that are not given.

        Raises
        ------
        UnknownName, BadParameter
        """
        self._known(params)
        return {n: p.check(params[n]) if n in params else p.default for n, p in self.parameters.items()}

    def preset(self, params: Mapping[str, Any]) -> Strategy:
        """Return the same strategy with these values as its defaults.

        Raises
        ------
        UnknownName, BadParameter
        """
        made = copy(self)
        chosen = self.check(params)
        made.parameters = {name: replace(p, default=chosen[name]) for name, p in self.parameters.items()}
        return made

    def parse(self, strings: Mapping[str, str] | str) -> dict[str, Any]:
        """Read parameters from text, as the command line gives them: {"fast": "10"} → {"fast": 10, …}.

        One line of them, "fast=10 slow=50", is read too; a value with blanks stands in quotes.

        Raises
        ------
        UnknownName, BadParameter
        """
        if isinstance(strings, str):
            strings = _pairs(strings)
        self._known(strings)
        return {n: p.parse(strings[n]) if n in strings else p.default for n, p in self.parameters.items()}

    def _known(self, names: Mapping[str, Any]) -> None:
        for name in names:
            if name not in self.parameters:
                raise UnknownName(f"parameter of {self.name}", str(name), self.parameters)

    def __repr__(self) -> str:
        lines = [f"{self.name} ({self.family}): {self.description}"]
        lines += [f"  {p.name} = {p.default!r}: {p.expected}" for p in self.parameters.values()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        said = f"<b>{escape(self.name)}</b> ({escape(self.family)}): {escape(self.description)}"
        return said + table(self.parameters)


def _pairs(line: str) -> dict[str, str]:
    """Part one line of parameters; a comma after a value is forgiven."""
    try:
        pairs = [word.rstrip(",").partition("=") for word in shlex.split(line)]
    except ValueError:  # a quote is not closed
        pairs = [(line, "", "")]
    said = {name: value for name, equals, value in pairs if name and equals}
    if len(said) < len(pairs):
        expected = "each parameter once, as NAME=VALUE, parted by blanks: 'fast=10 slow=50'"
        raise BadParameter("params", line, expected)
    return said


@overload
def strategy(function: Callable[..., Any], /) -> Strategy: ...
@overload
def strategy(
    *, name: str | None = None, family: str | None = None
) -> Callable[[Callable[..., Any]], Strategy]: ...
def strategy(
    function: Callable[..., Any] | None = None, /, *, name: str | None = None, family: str | None = None
) -> Any:
    """Declare a function as a strategy; bare, or with a name and a family.

    The function takes `bars` and keyword parameters with defaults, annotated with a type or with
    `Annotated[int, Range(1, 500, "what it is")]`, `Annotated[str, Choices("up", "down")]` or
    `Literal["up", "down"]`; without an annotation the default says the type.

    Raises
    ------
    BadInput
        If the function cannot be called that way; the message says what to write.
    """
    if function is None:
        return lambda f: Strategy(f, name=name, family=family)
    if isinstance(function, Strategy):
        return function
    if not callable(function):
        raise BadInput(f"@strategy got {function!r}: expected a function, or @strategy(name=…, family=…)")
    return Strategy(function)


def _name(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    name: str = getattr(function, "__name__", type(function).__name__)
    return name.strip("<>")  # a lambda is named <lambda>
