"""The grammar of the screening language, and its reader. Every fault is a BadExpression with a caret."""

from __future__ import annotations

import math
from difflib import get_close_matches
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken, VisitError

from tapebook.errors import BadParameter
from tapebook.strategy.screen.fault import BadExpression
from tapebook.strategy.screen.node import Node

LONGEST = 10_000
"""Characters of an expression at most."""
DEEPEST = 100
"""Levels of an expression at most."""

GRAMMAR = r"""
?start: either
?either: both | either OR both -> binary
?both: denied | both AND denied -> binary
?denied: test | NOT denied -> negate
?test: sum
    | sum (COMPARE sum)+ -> compare
    | sum BETWEEN sum AND sum -> between
    | sum NOT BETWEEN sum AND sum -> not_between
    | sum IN LPAR items RPAR -> among
    | sum NOT IN LPAR items RPAR -> not_among
    | sum CROSSES SIDE sum -> crosses
?sum: product | sum ADD product -> binary
?product: signed | product TIMES signed -> binary
?signed: postfix | ADD signed -> sign
?postfix: atom
    | postfix LSQB either RSQB -> lag
    | call
    | call DOT NAME -> part
call: NAME LPAR [items] RPAR
items: either (COMMA either)*
?atom: NUMBER -> number | STRING -> text | NAME -> name | LPAR either RPAR -> inner

OR.3: /or(?!\w)|\|\|?/i
AND.3: /and(?!\w)|&&?/i
NOT.3: /not(?!\w)|!(?!=)/i
BETWEEN.3: /between(?!\w)/i
IN.3: /in(?!\w)/i
CROSSES.3: /cross(es|ed)?(?=\s+(above|below)(?!\w))/i
SIDE.3: /(above|below)(?!\w)/i
COMPARE: /<=|>=|==|!=|<>|<|>|=/
ADD: /[+-]/
TIMES: /[*\/]/
NUMBER: /(\d+(_\d+)*(\.\d+)?|\.\d+)(e[+-]?\d+)?(%|[kmb](?!\w))?(?!\w)/i
STRING: /"[^"\n]*"|'[^'\n]*'/
NAME: /[^\W\d]\w*/
LPAR: "("
RPAR: ")"
LSQB: "["
RSQB: "]"
COMMA: ","
DOT: "."
%ignore /\s+/
%ignore /#[^\n]*/
"""
MEANT = {
    "OR": "'or'", "AND": "'and'", "NOT": "'not'", "BETWEEN": "'between'", "IN": "'in'",
    "CROSSES": "'crosses above'", "SIDE": "'above' or 'below'", "COMPARE": "a comparison such as >",
    "ADD": "+ or -", "TIMES": "* or /", "NUMBER": "a number", "STRING": "a text", "NAME": "a name",
    "LPAR": "(", "RPAR": ")", "LSQB": "[", "RSQB": "]", "COMMA": "a comma", "DOT": "a dot", "$END": "the end",
}  # fmt: skip
SCALES = {"k": 1e3, "m": 1e6, "b": 1e9}


def parse(text: str) -> Node:
    """Read an expression.

    Raises
    ------
    BadExpression
        If it is none; the message points at the character.
    """
    if not isinstance(text, str):
        raise BadParameter("expression", text, "a text such as 'close > sma(200)'")
    if not text.strip():
        raise BadExpression("an empty expression finds nothing: write one such as close > sma(200)", text, 0)
    if len(text) > LONGEST:
        raise BadExpression(f"{len(text):,} characters are more than {LONGEST:,}", text, LONGEST)
    try:
        return _reader().parse(text)  # type: ignore[return-value]
    except UnexpectedCharacters as error:
        at = int(error.pos_in_stream or 0)
        raise BadExpression(_strange(text, at), text, at) from None
    except UnexpectedEOF:
        raise _ended(text, ()) from None
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise _ended(text, error.accepts or error.expected) from None
        raise _unexpected(text, error) from None
    except VisitError as error:
        raise _meant(error.orig_exc, text) from None
    except _Fault as error:
        raise _meant(error, text) from None


class _Fault(Exception):
    """What is wrong with a part, before the whole text is at hand."""

    def __init__(self, reason: str, at: int, end: int) -> None:
        super().__init__(reason)
        self.at, self.end = at, end


def _meant(error: Exception, text: str) -> Exception:
    return BadExpression(str(error), text, error.at, error.end) if isinstance(error, _Fault) else error


@cache
def _reader() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Nodes(), maybe_placeholders=True)


def _made(kind: str, value: Any, parts: Any, at: int, end: int) -> Node:
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > DEEPEST:
        raise _Fault(f"more than {DEEPEST} levels deep: split it into several screens", at, end)
    return Node(kind, value, tuple(parts), at, end, depth)


def _at(token: Token) -> int:
    return int(token.start_pos or 0)


def _to(token: Token) -> int:
    return int(token.end_pos or 0)


def _of(kind: str, *parts: Node) -> Node:
    return _made(kind, None, parts, parts[0].at, parts[-1].end)


class _Nodes(Transformer[Token, Node]):
    """Turn what the grammar finds into nodes: bottom up, without recursion."""

    def number(self, found: list[Any]) -> Node:
        token = found[0]
        digits = str(token).replace("_", "").lower()
        value = float(digits.rstrip("%kmb")) * SCALES.get(digits[-1], 1.0)
        if not math.isfinite(value):
            raise _Fault(f"{token} is too large for a number", _at(token), _to(token))
        return _made("percent" if digits.endswith("%") else "number", value, (), _at(token), _to(token))

    def text(self, found: list[Any]) -> Node:
        return _made("text", str(found[0])[1:-1], (), _at(found[0]), _to(found[0]))

    def name(self, found: list[Any]) -> Node:
        return _made("name", str(found[0]), (), _at(found[0]), _to(found[0]))

    def inner(self, found: list[Any]) -> Node:
        node = found[1]
        return Node(node.kind, node.value, node.parts, _at(found[0]), _to(found[2]), node.depth)

    def items(self, found: list[Any]) -> list[Node]:
        return [part for part in found if isinstance(part, Node)]

    def call(self, found: list[Any]) -> Node:
        name, _, items, close = found
        return _made("call", (str(name).lower(), ""), items or (), _at(name), _to(close))

    def part(self, found: list[Any]) -> Node:
        call, _, name = found
        return _made("call", (call.value[0], str(name).lower()), call.parts, call.at, _to(name))

    def lag(self, found: list[Any]) -> Node:
        of, _, bars, close = found
        return _made("call", ("lag", ""), (of, bars), of.at, _to(close))

    def sign(self, found: list[Any]) -> Node:
        sign, of = found
        if sign == "+":
            return of  # type: ignore[no-any-return]
        return _made("minus", None, (of,), _at(sign), of.end)

    def negate(self, found: list[Any]) -> Node:
        return _made("not", None, (found[1],), _at(found[0]), found[1].end)

    def binary(self, found: list[Any]) -> Node:
        left, token, right = found
        kind = {"OR": "or", "AND": "and"}.get(token.type, str(token))
        return _of(kind, left, right)

    def compare(self, found: list[Any]) -> Node:
        links = [
            _of({"=": "==", "<>": "!="}.get(str(sign), str(sign)), left, right)
            for left, sign, right in zip(found[:-2:2], found[1::2], found[2::2], strict=True)
        ]
        whole = links[0]
        for link in links[1:]:
            whole = _of("and", whole, link)
        return whole

    def between(self, found: list[Any]) -> Node:
        of, _, low, _, high = found
        return _of("and", _of(">=", of, low), _made("<=", None, (of, high), of.at, high.end))

    def not_between(self, found: list[Any]) -> Node:
        inner = self.between([found[0], *found[2:]])
        return _made("not", None, (inner,), inner.at, inner.end)

    def among(self, found: list[Any]) -> Node:
        of, _, _, items, close = found
        return _made("in", None, (of, *items), of.at, _to(close))

    def not_among(self, found: list[Any]) -> Node:
        inner = self.among([found[0], *found[2:]])
        return _made("not", None, (inner,), inner.at, inner.end)

    def crosses(self, found: list[Any]) -> Node:
        left, _, side, right = found
        return _of(f"crosses {str(side).lower()}", left, right)


# ---- what went wrong


def _strange(text: str, at: int) -> str:
    if text[at] in "\"'":
        return f"this {text[at]} is never closed"
    if text[at].isdigit() or text[at] == ".":
        return "this is no number: write 30, 2.5, 5% or 1M"
    if text[at] in "^":
        return "there are no powers: multiply"
    return f"{text[at]!r} means nothing here"


def _ended(text: str, accepts: Any) -> BadExpression:
    at = _open_bracket(text)
    if at is not None:
        return BadExpression(f"this {text[at]} is never closed", text, at)
    end = len(text.rstrip())
    return BadExpression(f"the expression ends too early: expected {_expected(accepts)}", text, end)


def _unexpected(text: str, error: UnexpectedToken) -> BadExpression:
    token = error.token
    accepts = error.accepts or error.expected
    reason = f"{str(token)!r} cannot stand here: expected {_expected(accepts)}"
    if token.type == "NAME" and "AND" in accepts:
        near = get_close_matches(str(token).lower(), ["and", "or", "between", "in", "not", "crosses"], n=1)
        reason += f". Did you mean {near[0]!r}?" if near else ""
    if str(token) in ")]" and _open_bracket(text[: token.start_pos]) is None:
        reason = f"this {token} closes nothing"
    return BadExpression(reason, text, _at(token), _to(token))


def _expected(accepts: Any) -> str:
    if {"NAME", "NUMBER"} <= set(accepts):
        return "a number, a field such as close, or a function such as sma(20)"
    said = [MEANT[name] for name in MEANT if name in accepts]
    return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said) or "more"


def _open_bracket(text: str) -> int | None:
    """Where the last bracket stands that is not closed; None if there is none."""
    waiting: list[int] = []
    within = ""
    for at, character in enumerate(text):
        if within:
            within = "" if character == within else within
        elif character in "\"'":
            within = character
        elif character in "([":
            waiting.append(at)
        elif character in ")]" and waiting:
            waiting.pop()
    return waiting[-1] if waiting else None
