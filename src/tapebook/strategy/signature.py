"""Read a strategy's parameters from a function's signature, and refuse what could not be called."""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from tapebook.errors import BadInput, BadParameter
from tapebook.strategy.code_hash import body
from tapebook.strategy.parameters import KINDS, Choices, Parameter, Range

_TAKEN = (
    "cash fees fixed_fee slippage size sizing direction execution stop_loss take_profit trailing_stop "
    "fractional lot shared_cash volatility_bars benchmark bars asof note save rules start end freq adjust "
    "strategy symbols json no_save cuts self"
)
TAKEN = frozenset(_TAKEN.split())  # noqa: SIM905 (a list of thirty strings is harder to read)
"""Names that `Rules`, `Desk.backtest` and the command line use themselves."""


def parameters(function: Callable[..., Any], strategy: str) -> dict[str, Parameter]:
    """Return the parameters after `bars`, by name.

    Raises
    ------
    BadInput
        If the function cannot be called as `function(bars, fast=10)`; it says what to write.
    """
    try:
        said = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise BadInput(f"strategy {strategy}: {error}: expected a Python function of bars") from None
    if not said or said[0].kind not in (said[0].POSITIONAL_ONLY, said[0].POSITIONAL_OR_KEYWORD):
        raise BadInput(
            f"strategy {strategy}: expected `bars` first, as in def {strategy}(bars, *, fast: int = 10)"
        )
    for p in said[1:]:
        _callable(p, said[0].name, strategy)
    hints = _hints(function, strategy, [p.name for p in said[1:]])
    return {p.name: _parameter(strategy, p.name, hints.get(p.name), p.default) for p in said[1:]}


def _callable(p: inspect.Parameter, bars: str, strategy: str) -> None:
    where = f"strategy {strategy}:"
    if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
        stars = "*" if p.kind is p.VAR_POSITIONAL else "**"
        raise BadInput(
            f"{where} {stars}{p.name} cannot be checked: name each one as a keyword parameter with a "
            f"default, def {strategy}({bars}, *, fast: int = 10)"
        )
    if p.kind is not p.KEYWORD_ONLY:
        default = "…" if p.default is p.empty else repr(p.default)
        raise BadInput(
            f"{where} {p.name} must be a keyword parameter: put a star before it, "
            f"def {strategy}({bars}, *, {p.name}={default})"
        )
    if p.name in TAKEN:
        raise BadInput(
            f"{where} the parameter name {p.name!r} is taken by the backtest itself: choose another, "
            f"such as {p.name + '_level'!r}"
        )
    if p.default is p.empty:
        raise BadInput(
            f"{where} parameter {p.name!r} needs a default: def {strategy}({bars}, *, {p.name}: int = 10)"
        )


def _hints(function: Callable[..., Any], strategy: str, names: list[str]) -> dict[str, Any]:
    """Annotations of the parameters, with extras; those of bars and of the answer are never looked at."""
    code = body(function)
    raw = getattr(code, "__annotations__", {})
    known, local = getattr(code, "__globals__", {}), _around(code)
    found = {}
    for name in names:
        if name not in raw:
            continue
        holder = type("holder", (), {"__annotations__": {name: raw[name]}})
        try:
            found[name] = get_type_hints(holder, known, local, include_extras=True)[name]
        except Exception as error:
            raise BadInput(
                f"strategy {strategy}: the annotation of {name!r} cannot be read: {error}. Import what it "
                "names when the code runs, not only under TYPE_CHECKING"
            ) from None
    return found


def _around(code: Any) -> dict[str, Any]:
    """Names local to the place where a function is being declared: its annotations may use them."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals is not getattr(code, "__globals__", None):
        frame = frame.f_back  # type: ignore[assignment]
    return {} if frame is None else dict(frame.f_locals)


def _parameter(strategy: str, name: str, hint: Any, default: Any) -> Parameter:
    where = f"strategy {strategy}, parameter {name!r}:"
    kind, bounds, choices, meaning = _read(hint, default)
    if kind not in KINDS:
        raise BadInput(f"{where} expected int, float, bool or str, got {getattr(kind, '__name__', kind)}")
    low, high = (None if b is None or math.isinf(b) else b for b in (bounds.low, bounds.high))
    if (low, high) != (None, None) and kind not in (int, float):
        raise BadInput(f"{where} Range is for numbers; for {kind.__name__} write Choices(…) or Literal[…]")
    if low is not None and high is not None and low > high:
        raise BadInput(f"{where} Range({low}, {high}) holds no value: the lower bound comes first")
    try:
        if choices is not None:
            one = Parameter(name, kind, None, help="as every choice must be")
            choices = tuple(one.check(choice) for choice in choices)
        checked = Parameter(name, kind, None, low, high, choices, meaning).check(default)
    except BadParameter as error:
        raise BadInput(f"strategy {strategy}, as declared: {error}") from None
    return Parameter(name, kind, checked, low, high, choices, meaning)


def _read(hint: Any, default: Any) -> tuple[Any, Range, tuple[Any, ...] | None, str]:
    """Type, bounds, choices and meaning that an annotation says; the default's type without one."""
    bounds, choices, meaning = Range(), None, ""
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Range):
                bounds, meaning = extra, extra.help or meaning
            elif isinstance(extra, Choices):
                choices, meaning = extra.options, extra.help or meaning
            elif isinstance(extra, str):
                meaning = extra
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        hint = type(choices[0])
    return (type(default) if hint is None or hint is Any else hint), bounds, choices, meaning
