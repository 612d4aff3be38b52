"""What a template's `parameters` cell declares: `fast: int = 10  # bars of the fast average`."""

from __future__ import annotations

import ast
import io
import json
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tapebook.errors import BadInput, BadParameter

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_EXAMPLE = {
    "str": "text",
    "int": "a whole number such as 10",
    "float": "a number such as 0.5",
    "bool": "true or false",
    "list[str]": "names such as AAPL,MSFT",
    "list[int]": "whole numbers such as 10,20",
    "list[float]": "numbers such as 0.5,1.5",
}


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `type` is one of str, int, float, bool, list[str], list[int], list[float]."""

    name: str
    type: str
    default: Any
    help: str
    optional: bool = False

    def read(self, value: Any) -> Any:
        """Return `value` as the declared type; text, as from the command line, is converted.

        Raises
        ------
        BadParameter
            Saying what was expected.
        """
        if value is None or (self.optional and isinstance(value, str) and value.lower() == "none"):
            if self.optional:
                return None
            raise BadParameter(self.name, value, self.expected)
        try:
            return _READ[self.type](self, value)
        except (ValueError, TypeError):
            raise BadParameter(self.name, value, self.expected) from None

    @property
    def expected(self) -> str:
        """What a value must be, in words."""
        said = _EXAMPLE[self.type] + (" or none" if self.optional else "")
        return f"{said} ({self.help})" if self.help else said


def declared(source: str, where: str) -> dict[str, Parameter]:
    """Read the declarations of a parameters cell.

    Raises
    ------
    BadInput
        Naming the line that is not `name: type = literal`.

    Examples
    --------
    >>> declared("fast: int = 10  # bars", "template t")["fast"]
    Parameter(name='fast', type='int', default=10, help='bars', optional=False)
    """
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise BadInput(f"{where}, parameters cell, line {error.lineno}: {error.msg}") from error
    comments = _comments(source)
    found = [_declaration(s, comments.get(s.end_lineno or s.lineno, ""), where) for s in statements]
    return {p.name: p for p in found if p is not None}


def _declaration(statement: ast.stmt, help: str, where: str) -> Parameter | None:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return None  # a docstring
    target: ast.expr | None = None
    value: ast.expr | None = None
    annotation: str | None = None
    if isinstance(statement, ast.AnnAssign):
        target, value, annotation = statement.target, statement.value, ast.unparse(statement.annotation)
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    place = f"{where}, parameters cell, line {statement.lineno}: `{ast.unparse(statement)}`"
    if not isinstance(target, ast.Name) or value is None:
        raise BadInput(f"{place}: expected `name: type = literal`, such as `fast: int = 10  # bars`")
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise BadInput(f'{place}: the default must be a literal, such as 10, 0.5, True or "AAPL"') from None
    kind, optional = _kind(annotation, default)
    if kind not in _READ:
        raise BadInput(f"{place}: the type must be one of {', '.join(_READ)}, or one of them with `| None`")
    parameter = Parameter(target.id, kind, default, help, optional)
    return Parameter(target.id, kind, parameter.read(default), help, optional)


def _kind(annotation: str | None, default: Any) -> tuple[str, bool]:
    if annotation is None:
        kind = type(default).__name__
        return (f"list[{type(default[0]).__name__ if default else 'str'}]" if kind == "list" else kind), False
    parts = [part.strip() for part in annotation.split("|")]
    optional = "None" in parts
    return " | ".join(part for part in parts if part != "None"), optional


def _comments(source: str) -> dict[int, str]:
    """Give the comment of each line that has one."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _text(parameter: Parameter, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and "comma" in parameter.help.lower():
        return ",".join(_text(parameter, part) for part in value)
    raise TypeError


def _whole(_: Parameter, value: Any) -> int:
    if isinstance(value, bool) or (not isinstance(value, str) and value != int(value)):
        raise TypeError
    return int(value)


def _number(_: Parameter, value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _truth(_: Parameter, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in _TRUTH:
        return _TRUTH[value.lower()]
    if isinstance(value, bool) or type(value).__name__ == "bool":  # NumPy's too
        return bool(value)
    raise TypeError


def _listed(read: Callable[[Parameter, Any], Any]) -> Callable[[Parameter, Any], list[Any]]:
    def each(parameter: Parameter, value: Any) -> list[Any]:
        if isinstance(value, str):
            text = value.strip()
            value = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",")]
            value = [part for part in value if part != ""]
        if not isinstance(value, (list, tuple)):
            raise TypeError
        return [read(parameter, part) for part in value]

    return each


_READ: dict[str, Callable[[Parameter, Any], Any]] = {
    "str": _text,
    "int": _whole,
    "float": _number,
    "bool": _truth,
    "list[str]": _listed(_text),
    "list[int]": _listed(_whole),
    "list[float]": _listed(_number),
}
