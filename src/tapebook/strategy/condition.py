"""Read a condition such as "fast < slow" without running any code: names, numbers, comparisons."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from tapebook.errors import BadParameter

_COMPARE = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}  # fmt: skip
_COUNT = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def condition(text: str) -> Callable[..., bool]:
    """Return a function of named settings that says whether they meet the condition.

    >>> condition("fast < slow and slow % 10 == 0")(fast=5, slow=20)
    True
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise _unreadable(text, error.msg) from None
    return lambda **settings: bool(_value(tree, settings, text))


def _value(node: ast.expr, settings: dict[str, Any], text: str) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float, str, bool, type(None))):
        return node.value
    if isinstance(node, ast.Name):
        if node.id not in settings:
            raise _unreadable(text, f"{node.id} is none of {', '.join(settings)}")
        return settings[node.id]
    if isinstance(node, ast.BoolOp):
        said = (bool(_value(part, settings, text)) for part in node.values)
        return all(said) if isinstance(node.op, ast.And) else any(said)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        value = _value(node.operand, settings, text)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.BinOp) and type(node.op) in _COUNT:
        return _COUNT[type(node.op)](_value(node.left, settings, text), _value(node.right, settings, text))
    if isinstance(node, ast.Compare) and all(type(op) in _COMPARE for op in node.ops):
        sides = [_value(part, settings, text) for part in (node.left, *node.comparators)]
        pairs = zip(node.ops, sides[:-1], sides[1:], strict=True)
        return all(_COMPARE[type(op)](left, right) for op, left, right in pairs)
    raise _unreadable(text, f"{ast.unparse(node)!r} is not understood")


def _unreadable(text: str, why: str) -> BadParameter:
    return BadParameter("where", text, f"a condition such as 'fast < slow' ({why})")
