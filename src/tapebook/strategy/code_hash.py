"""The name of a piece of code: a hash of what a function says, of its defaults and what it closes over."""

from __future__ import annotations

import inspect
import pickle
import textwrap
from functools import partial
from hashlib import sha256
from types import CodeType, FunctionType
from typing import Any


def code_hash(function: Any) -> str:
    """SHA-256 (hex) of a function's source, defaults and closure values; of its bytecode without source.

    The same in every process. Functions that it calls by a module's name are not part of it, those
    that it closes over are.
    """
    return sha256(repr(_told(function, ())).encode("utf-8", "surrogatepass")).hexdigest()


def body(function: Any) -> Any:
    """The Python function that does the work of a partial, a method or a callable object."""
    while isinstance(function, partial):
        function = function.func
    function = getattr(function, "__func__", function)
    if isinstance(function, FunctionType):
        return function
    return getattr(type(function).__call__, "__func__", type(function).__call__)


def _told(function: Any, above: tuple[Any, ...]) -> tuple[Any, ...]:
    code = body(function)
    if code in above:  # it closes over itself
        return ("itself", above.index(code))
    inside = (*above, code)
    bound = (function.args, function.keywords) if isinstance(function, partial) else ()
    values = [_cell(cell, inside) for cell in getattr(code, "__closure__", None) or ()]
    defaults = (getattr(code, "__defaults__", None), getattr(code, "__kwdefaults__", None))
    return (_source(code), _value(defaults, inside), _value(bound, inside), values)


def _source(function: Any) -> Any:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError, SyntaxError):
        return _compiled(function.__code__) if hasattr(function, "__code__") else repr(type(function))


def _compiled(code: CodeType) -> tuple[Any, ...]:
    constants = [_compiled(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]
    return code.co_name, code.co_code.hex(), constants, code.co_names, code.co_varnames


def _cell(cell: Any, above: tuple[Any, ...]) -> Any:
    try:
        return _value(cell.cell_contents, above)
    except ValueError:  # not yet filled: the function closes over the name that it is about to get
        return "empty"


def _value(value: Any, above: tuple[Any, ...]) -> Any:
    """Say a value in words that are the same in every process: no addresses, no order of a set."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [_value(v, above) for v in value]
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, sorted(repr(_value(v, above)) for v in value)
    if isinstance(value, dict):
        return "dict", [(_value(k, above), _value(v, above)) for k, v in value.items()]
    if isinstance(value, (FunctionType, partial)):
        return _told(value, above)
    if hasattr(value, "source_hash"):
        return value.source_hash
    try:
        return type(value).__qualname__, sha256(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:  # an open file, a module, …: its kind is all that lasts
        return type(value).__qualname__, getattr(value, "__name__", "")
