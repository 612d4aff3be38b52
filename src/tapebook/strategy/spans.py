"""Values to try, read from text: "10,20,50", "5:50", "10:200:10", "none,0.05"."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter
from tapebook.strategy.rules import Rules, divided

if TYPE_CHECKING:
    from tapebook.strategy.declare import Strategy

EXPECTED = "values such as 10,20,50, or a span with both ends such as 5:50 or 0.1:0.5:0.1"


def read_settings(strategy: Strategy, strings: Mapping[str, str]) -> dict[str, Any]:
    """Read each setting's values: a list where there are several, else the one."""
    params, _ = divided(strategy.name, strategy.parameters, strings)
    settings: dict[str, Any] = {}
    for name, text in strings.items():
        words = _words(name, text)
        if name in params:
            values = [strategy.parameters[name].parse(word) for word in words]
        else:
            values = [getattr(Rules.parse({name: word}), name) for word in words]
        settings[name] = values if len(values) > 1 else values[0]
    return settings


def read_text(strategy: Strategy, text: str) -> dict[str, Any]:
    """Read settings written in one line: "fast=2:40:2 slow=50,100 fees=0.002"."""
    pairs: dict[str, str] = {}
    for word in text.split():
        name, equals, values = word.partition("=")
        if not (name and equals and values) or name in pairs:
            why = f"{name} only once" if name in pairs else "NAME=VALUES parted by blanks"
            raise BadParameter("settings", text, f"{why}, such as 'fast=2:40:2 slow=50,100'")
        pairs[name] = values
    return read_settings(strategy, pairs)


def _words(name: str, text: str) -> list[str]:
    found: list[str] = []
    for part in text.split(","):
        found += _span(name, part) if ":" in part else [part.strip()]
    if not all(found):
        raise BadParameter(name, text, EXPECTED)
    return found


def _span(name: str, text: str) -> list[str]:
    try:
        first, last, *rest = (Decimal(word.strip()) for word in text.split(":"))
        step = rest[0] if rest else Decimal(1)
    except (InvalidOperation, ValueError):
        raise BadParameter(name, text, EXPECTED) from None
    if len(rest) > 1 or step <= 0 or last < first or (last - first) / step > 100_000:
        raise BadParameter(name, text, EXPECTED)
    return [str(first + i * step) for i in range(int((last - first) / step) + 1)]
