"""Where bars can come from. A source is a class that an entry point of `tapebook.sources` names."""

from __future__ import annotations

import inspect
import sys
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tapebook.errors import BadParameter, UnknownName
from tapebook.integration.sources.base import Fetched, Instrument, Problem, Source

__all__ = ["Fetched", "Instrument", "Problem", "Source", "describe", "get"]

GROUP = "tapebook.sources"


def get(name: str, **options: Any) -> Source:
    """Build the source of this name with the options that the user gave.

    Raises
    ------
    UnknownName, BadParameter
        If there is no such source, or it takes no such option, or an option is missing.
    """
    found = _known(tuple(sys.path))
    if name not in found:  # perhaps it was installed since
        _known.cache_clear()
        found = _known(tuple(sys.path))
    if name not in found:
        raise UnknownName("source", name, found, "List them with `tapebook sources`.")
    kind = found[name].load()
    known = inspect.signature(kind).parameters
    for option in options:
        if option not in known:
            raise UnknownName(f"option of source {name}", option, known)
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            raise BadParameter(option, None, f"a value: the source {name} needs it, as in -o {option}=…")
    source: Source = kind(**options)
    return source


def describe() -> list[dict[str, str]]:
    """One row a source: name, what it is, its options."""
    rows = []
    for name, entry in sorted(_installed().items()):
        kind = entry.load()
        options = " ".join(inspect.signature(kind).parameters)
        rows.append(
            {"name": name, "description": (inspect.getdoc(kind) or "").partition("\n")[0], "options": options}
        )
    return rows


@cache
def _known(_path: tuple[str, ...]) -> dict[str, EntryPoint]:
    """The same for as long as Python looks in the same places: to look takes 30 ms."""
    return _installed()


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
