"""A saved version of a strategy: its code as it was, its settings, its parent, how it was checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules

PASSED, NOT_CHECKED, UNCHECKED = "passed", "not checked", "unchecked"
"""States of the look-ahead check: nothing leaked; it could not be told yet; it was waived, for good."""


@dataclass(frozen=True)
class Version:
    """One saved version, immutable but for its notes.

    `id` is "name@version". `source` is the kept text (see `keep`), `code_hash` the strategy's
    `source_hash`. `parameters` are all of its parameters, the defaults of whoever asks for this version;
    `rules` how it was meant to be traded, None if nobody said. `parent` is the id of the version that it
    was made from. `check` holds the state of the look-ahead check, why, on what, and its record.
    """

    name: str
    version: int
    source: str = field(repr=False)
    code_hash: str
    parameters: Mapping[str, Any]
    rules: Rules | None = None
    notes: str = ""
    parent: str | None = None
    family: str = "own"
    created: str = ""
    archived: bool = False
    check: Mapping[str, Any] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    stored: Callable[[Version], pd.DataFrame] | None = field(default=None, repr=False, compare=False)

    @property
    def id(self) -> str:
        """Name and version: "trend@2"."""
        return f"{self.name}@{self.version}"

    @property
    def checked(self) -> str:
        """The state of the look-ahead check: "passed", "not checked" or "unchecked"."""
        return str(self.check.get("state", NOT_CHECKED))

    @property
    def code(self) -> str:
        """The source without the line that says what it is."""
        return self.source.partition("\n")[2]

    def strategy(self) -> Strategy:
        """Make the strategy again; its parameters' defaults and its rules are this version's.

        Raises
        ------
        BadInput
            If it cannot be run here any more.
        """
        return _revived(self.source, self.id, tuple(self.parameters.items()), self.rules)

    def results(self) -> pd.DataFrame:
        """List stored backtests of this very code, newest first; `params` tells the settings apart."""
        if self.stored is None:
            raise BadInput(f"{self.id} comes from no desk: ask for it with desk.version({self.id!r})")
        return self.stored(self)

    def record(self) -> dict[str, Any]:
        """Return everything for JSON."""
        hidden = ("stored", "rules")
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in hidden}
        return {"id": self.id} | plain | {"rules": None if self.rules is None else self.rules.record()}

    def __str__(self) -> str:
        return self.id

    def _told(self) -> dict[str, str]:
        rules = None if self.rules is None else self.rules.record()
        told = {
            "created": self.created,
            "parent": self.parent or "",
            "family": self.family,
            "parameters": _settings(self.parameters),
            "rules": "" if rules is None else _settings(rules),
            "look-ahead": f"{self.checked}: {self.check['why']}" if self.check.get("why") else self.checked,
            "archived": "yes" if self.archived else "",
            "notes": self.notes,
        }
        return {name: said for name, said in told.items() if said}

    def __repr__(self) -> str:
        return "\n".join([self.id, *(f"  {name}: {said}" for name, said in self._told().items())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{escape(name)}</td>"
            f"<td style='text-align:left'>{escape(said)}</td></tr>"
            for name, said in self._told().items()
        )
        code = f"<details><summary>code</summary><pre>{escape(self.code)}</pre></details>"
        return f"<b>{escape(self.id)}</b><table>{rows}</table>{code}"


class Difference(str):
    """A unified diff; in a notebook it shows as one. Empty when nothing differs."""

    def __repr__(self) -> str:
        return str(self) or "no difference"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(repr(self))}</pre>"


def difference(a: Version, b: Version, results: tuple[Mapping[str, Any] | None, ...]) -> Difference:
    """Compare code, parameters, rules and the figures of one stored result each (rows of the catalogue)."""
    parts: list[str] = []
    sides = [_sections(version, row) for version, row in zip((a, b), results, strict=True)]
    for what in sides[0]:
        left, right = sides[0][what], sides[1][what]
        parts += unified_diff(left, right, f"{a.id} {what}", f"{b.id} {what}", lineterm="")
    return Difference("\n".join(parts))


def _sections(version: Version, result: Mapping[str, Any] | None) -> dict[str, list[str]]:
    rules = {} if version.rules is None else version.rules.record()
    metrics = {} if result is None else {k: (v or {}).get("value") for k, v in result["metrics"].items()}
    figures = [f"{name}: {value:.6g}" for name, value in metrics.items() if isinstance(value, (int, float))]
    return {
        "code": version.code.splitlines(),
        "parameters": _lines(version.parameters),
        "rules": _lines(rules),
        "metrics": [f"result: {result['id']}", *figures] if result else [],
    }


def _lines(settings: Mapping[str, Any]) -> list[str]:
    return [f"{name}: {value!r}" for name, value in settings.items()]


def _settings(settings: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items())


@lru_cache(maxsize=64)
def _revived(source: str, id: str, defaults: tuple[tuple[str, Any], ...], rules: Rules | None) -> Strategy:
    """The same object for the same version: what is compiled once stays compiled."""
    from tapebook.strategy.compiled import Compiled
    from tapebook.strategy.keep import revive

    made = copy(revive(source))  # versions with the same code share a module: none may rename the other
    made.name, made.rules = id, rules
    stored = dict(defaults)
    made.parameters = {
        n: replace(p, default=p.check(stored[n])) if n in stored else p for n, p in made.parameters.items()
    }
    if isinstance(made, Compiled):
        made.function = made._decisions
    return made
