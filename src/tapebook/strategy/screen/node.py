"""What an expression is made of, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

POWER = {
    "or": 1, "and": 2, "not": 3,
    "<": 4, "<=": 4, ">": 4, ">=": 4, "==": 4, "!=": 4, "in": 4, "crosses above": 4, "crosses below": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "minus": 7,
}  # fmt: skip
"""How tightly an operator binds; what is not here is a word, a number or a call."""
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
CROSSINGS = ("crosses above", "crosses below")


@dataclass(frozen=True)
class Node:
    """One part of an expression; equal parts are the same question wherever they stand.

    `kind` is "number", "percent", "text", "name", "call", or an operator of `POWER`. `value` is the number,
    the text, the name; of a call its name and the part of the answer ("" for the whole).
    `at` and `end` are its characters in the expression.
    """

    kind: str
    value: Any = None
    parts: tuple[Node, ...] = ()
    at: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    depth: int = field(default=1, compare=False)

    def __str__(self) -> str:
        return written(self)


def written(node: Node) -> str:
    """Write an expression in one way, with the parentheses that it needs.

    >>> from tapebook.strategy.screen.grammar import parse
    >>> written(parse("NOT (close>SMA(200) or 20<rsi(14)<30)"))
    'not (close > sma(200) or 20 < rsi(14) and rsi(14) < 30)'
    """
    match node.kind:
        case "number" | "percent":
            return _number(node.value) + ("%" if node.kind == "percent" else "")
        case "text":
            return f'"{node.value}"'
        case "name":
            return str(node.value)
        case "call":
            name, part = node.value
            return f"{name}({', '.join(map(written, node.parts))})" + (f".{part}" if part else "")
        case "minus":
            return f"-{_within(node.parts[0], 7)}"
        case "not":
            return f"not {_within(node.parts[0], 3)}"
        case "in":
            return f"{_within(node.parts[0], 5)} in ({', '.join(map(written, node.parts[1:]))})"
    own = POWER[node.kind]
    left, right = node.parts
    return f"{_within(left, own + (own == 4))} {node.kind} {_within(right, own + 1)}"


def _within(node: Node, power: int) -> str:
    text = written(node)
    return f"({text})" if POWER.get(node.kind, 9) < power else text


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
