"""Declare a strategy: a function whose keyword parameters are typed, bounded and described."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import update_wrapper
from hashlib import sha256
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints, overload

from tapebook.errors import BadParameter, TapebookError, UnknownName

KINDS = (int, float, bool, str)
_TAKEN = (
    "cash fees fixed_fee slippage size sizing direction execution stop_loss take_profit trailing_stop "
    "fractional lot shared_cash volatility_bars benchmark bars asof note save rules start end freq adjust"
)
TAKEN = frozenset(_TAKEN.split())  # noqa: SIM905 (a list of thirty strings is harder to read)
"""Names that `Desk.backtest` and the command line use themselves."""


@dataclass(frozen=True)
class Range:
    """Bounds of a parameter, both included, and what it means: `Range(1, 500, "bars in the fast mean")`."""

    low: float | None = None
    high: float | None = None
    help: str = ""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a strategy."""

    name: str
    type: type
    default: Any
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    help: str = ""

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        if self.choices is not None:
            said = "one of " + ", ".join(repr(choice) for choice in self.choices)
        else:
            said = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}[self.type]
            if self.low is not None and self.high is not None:
                said += f" from {self.low:g} to {self.high:g}"
            elif self.low is not None:
                said += f" of at least {self.low:g}"
            elif self.high is not None:
                said += f" of at most {self.high:g}"
        return said + (f" ({self.help})" if self.help else "")

    def check(self, value: Any) -> Any:
        """Return `value` as this parameter's type; BadParameter says what was expected."""
        plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if self.type is float and isinstance(plain, int) and not isinstance(plain, bool):
            plain = float(plain)
        fits = type(plain) is self.type and (self.type is not float or abs(plain) < float("inf"))
        fits = fits and (self.choices is None or plain in self.choices)
        fits = fits and (self.low is None or plain >= self.low) and (self.high is None or plain <= self.high)
        if not fits:
            raise BadParameter(self.name, value, self.expected)
        return plain

    def parse(self, text: str) -> Any:
        """Read a value from text, then check it."""
        word = text.strip()
        try:
            if self.type is bool:
                value: Any = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[
                    word.lower()
                ]
            else:
                value = self.type(word)
        except (ValueError, KeyError):
            raise BadParameter(self.name, text, self.expected) from None
        return self.check(value)


class Strategy:
    """A function of bars that decides, with its parameters checked and its answer validated.

    Call it with bars and parameters: it returns `Signals`, or target weights as a frame (T, N).
    """

    def __init__(
        self, function: Callable[..., Any], *, name: str | None = None, family: str | None = None
    ) -> None:
        self.function = function
        self.name = name or function.__name__
        self.doc = inspect.cleandoc(function.__doc__ or "")
        self.description = self.doc.partition("\n")[0]
        self.family = family or "own"
        self.parameters = _parameters(function, self.name)
        self.source_hash = _hash(function)
        update_wrapper(self, function)

    def __call__(self, bars: Any, **params: Any) -> Any:
        """Decide on `bars`; see the class."""
        from tapebook.strategy.answer import validated

        return validated(self.name, self.function(bars, **self.check(params)), bars)

    def check(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return every parameter, with the defaults of those that are not given.

        Raises
        ------
        UnknownName, BadParameter
        """
        self._known(params)
        return {n: p.check(params[n]) if n in params else p.default for n, p in self.parameters.items()}

    def parse(self, strings: Mapping[str, str]) -> dict[str, Any]:
        """Read parameters from text, as the command line gives them."""
        self._known(strings)
        return {n: p.parse(strings[n]) if n in strings else p.default for n, p in self.parameters.items()}

    def _known(self, names: Mapping[str, Any]) -> None:
        for name in names:
            if name not in self.parameters:
                raise UnknownName(f"parameter of {self.name}", name, self.parameters)

    def __repr__(self) -> str:
        lines = [f"{self.name} ({self.family}): {self.description}"]
        lines += [f"  {p.name} = {p.default!r}: {p.expected}" for p in self.parameters.values()]
        return "\n".join(lines)


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
    `Annotated[int, Range(1, 500, "what it is")]`.
    """
    if function is None:
        return lambda f: Strategy(f, name=name, family=family)
    return Strategy(function)


def _parameters(function: Callable[..., Any], name: str) -> dict[str, Parameter]:
    said = list(inspect.signature(function).parameters.values())
    if not said or said[0].kind not in (said[0].POSITIONAL_ONLY, said[0].POSITIONAL_OR_KEYWORD):
        raise TapebookError(
            f"strategy {name}: expected `bars` first, as in def {name}(bars, *, fast: int = 10)"
        )
    hints = _hints(function)
    found = {}
    for p in said[1:]:
        if p.kind is not p.KEYWORD_ONLY:
            raise TapebookError(
                f"strategy {name}: {p.name} must be a keyword parameter with a default: "
                f"def {name}({said[0].name}, *, {p.name}: int = …)"
            )
        if p.name in TAKEN:
            raise TapebookError(
                f"strategy {name}: the parameter name {p.name!r} is taken by a backtest; choose another"
            )
        if p.default is p.empty:
            raise TapebookError(f"strategy {name}: parameter {p.name!r} needs a default")
        found[p.name] = _parameter(name, p.name, hints.get(p.name), p.default)
    return found


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Annotations with their extras; names that exist only for type checkers (Bars) do not matter."""
    raw = dict(getattr(function, "__annotations__", {}))
    closed = inspect.getclosurevars(function).nonlocals if hasattr(function, "__code__") else {}
    found = {}
    for name, hint in raw.items():
        try:
            holder = type("holder", (), {"__annotations__": {name: hint}})
            space = getattr(function, "__globals__", {})
            found[name] = get_type_hints(holder, space, closed, include_extras=True)[name]
        except (NameError, AttributeError, TypeError):
            continue
    return found


def _parameter(strategy: str, name: str, hint: Any, default: Any) -> Parameter:
    bounds, choices, help_ = Range(), None, ""
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Range):
                bounds = extra
            elif isinstance(extra, str):
                help_ = extra
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        hint = type(choices[0])
    kind = hint if hint in KINDS else type(default)
    if kind not in KINDS:
        raise TapebookError(
            f"strategy {strategy}: {name} is a {kind.__name__}: expected int, float, bool or str"
        )
    parameter = Parameter(name, kind, default, bounds.low, bounds.high, choices, bounds.help or help_)
    object.__setattr__(parameter, "default", parameter.check(default))
    return parameter


def _hash(function: Callable[..., Any]) -> str:
    """Name this exact code: its source, defaults and what it closes over."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        source = (
            getattr(function, "__code__", function).__repr__()
            if not hasattr(function, "__code__")
            else function.__code__.co_code.hex()
        )
    closed = getattr(function, "__closure__", None) or ()
    values = [repr(cell.cell_contents) for cell in closed]
    told = (source, repr(getattr(function, "__kwdefaults__", None)), values)
    return sha256(repr(told).encode()).hexdigest()
