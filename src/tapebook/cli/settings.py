"""Words of the command line as the settings of a function, by what its signature says they are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from tapebook.errors import BadParameter, UnknownName

_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_EXAMPLE = {"int": "a whole number", "float": "a number", "bool": "true or false"}
_SKIPPED = ("end", "seed")
"""Said by options of their own, or of no use on the command line."""


def settings_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the keyword parameters of `function` that words can say."""
    found = inspect.signature(function).parameters
    return {
        name: p
        for name, p in found.items()
        if p.kind is p.KEYWORD_ONLY and name not in _SKIPPED and not _is_data(p)
    }


def read(function: Callable[..., Any], words: Mapping[str, str]) -> dict[str, Any]:
    """Read words into what the parameters of `function` are declared as.

    Raises
    ------
    UnknownName, BadParameter
        Naming the nearest setting, or what was expected.
    """
    known = settings_of(function)
    for name in words:
        if name not in known:
            raise UnknownName("setting", name, known, f"`scan {function.__name__}` takes these as options.")
    return {name: _value(name, str(known[name].annotation), text) for name, text in words.items()}


def _is_data(p: inspect.Parameter) -> bool:
    return any(word in str(p.annotation) for word in ("DataFrame", "Mapping", "tuple"))


def _value(name: str, declared: str, text: str) -> Any:
    if text.lower() == "none" and "None" in declared:
        return None
    if declared.startswith(("Sequence", "Iterable")):
        inner = declared[declared.index("[") + 1 : declared.rindex("]")]
        return tuple(_value(name, inner, part.strip()) for part in text.split(","))
    kind = next((kind for kind in ("int", "float", "bool") if kind in declared.split(" | ")), "str")
    try:
        return _READ[kind](text)
    except (ValueError, KeyError):
        if any(word[0].isupper() and word != "None" for word in declared.split(" | ")):
            return text  # a choice by name beside a number, which the function itself checks
        raise BadParameter(name, text, _EXAMPLE[kind]) from None


_READ: dict[str, Callable[[str], Any]] = {
    "int": int, "float": float, "bool": lambda text: _TRUTH[text.lower()], "str": str
}  # fmt: skip
