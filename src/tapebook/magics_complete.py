"""What can stand at the cursor of a `%%tape` cell or a `%backtest` line."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook.desk import Desk

Found = list[tuple[str, str]]
"""Completions with their kind, as a notebook shows it."""

SECONDS = 30.0
"""How long a list of symbols is believed."""
# fmt: off
SQL = (
    "SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "HAVING", "LIMIT", "QUALIFY", "WITH", "AS",
    "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "LIKE", "JOIN", "LEFT", "ASOF", "USING", "ON",
    "DISTINCT", "CASE", "WHEN", "THEN", "ELSE", "END", "ASC", "DESC", "OVER", "PARTITION", "UNION",
    "ALL", "count", "sum", "avg", "min", "max", "median", "stddev", "first", "last", "lag", "lead",
    "date_trunc", "year", "month",
)
# fmt: on
OPTIONS = ("--out", "--asof", "--polars")
_CELL = re.compile(r"\s*%%tape\b")
_LINE = re.compile(r"(?:^|.*[=\s])%tape\s")
_TRADE = re.compile(r"(?:^|.*[=\s])%backtest\s(.*)$", re.S)
_ALIAS = re.compile(r"\b(?:from|join|,)\s+(\w+)\s+(?:as\s+)?(\w+)", re.I)
_WORD = re.compile(r"[\w.]*$")


class Completer:
    """Completions for one shell; `desk` gives the desk that its magics use."""

    def __init__(self, desk: Callable[[], Desk]) -> None:
        self._desk = desk
        self._known: tuple[float, list[str]] = (-SECONDS, [])

    def matcher(self) -> Any:
        """Return it as IPython's completer calls it."""
        from IPython.core.completer import SimpleCompletion, context_matcher

        @context_matcher()  # type: ignore[untyped-decorator]
        def tapebook_matcher(context: Any) -> Any:
            lines = context.full_text.split("\n")
            before = lines[context.cursor_line][: context.cursor_position]
            above = "\n".join([*lines[: context.cursor_line], before])
            fragment, found = self.at(above, context.full_text)
            return {
                "completions": [SimpleCompletion(text, type=kind) for text, kind in found],
                "matched_fragment": fragment,
                "suppress": bool(found),
            }

        return tapebook_matcher

    def at(self, before: str, cell: str) -> tuple[str, Found]:
        """Return the piece of a word before the cursor, and what it could become, given the whole cell."""
        line = before.rpartition("\n")[2]
        if trade := _TRADE.match(line):
            return self._trade(trade.group(1))
        if _CELL.match(cell):
            if "\n" not in before.lstrip():
                return _options(line)
            return self._sql(before, cell.partition("\n")[2])
        if _LINE.match(line):
            return _options(line) if re.search(r"\s-\S*$", line) else self._sql(line, line)
        return "", []

    def _sql(self, before: str, query: str) -> tuple[str, Found]:
        if before.count("'") % 2:  # within quotes: a symbol
            fragment = before.rpartition("'")[2]
            return fragment, _begins(fragment, self._symbols(), "symbol")
        fragment = _WORD.search(before).group()  # type: ignore[union-attr]
        tables = columns_of()
        owner, dot, start = fragment.rpartition(".")
        if dot:
            meant = {alias.lower(): table.lower() for table, alias in _ALIAS.findall(query)}
            columns = tables.get(meant.get(owner.lower(), owner.lower()), ())
            return start, _begins(start, columns, "column")
        if re.search(r"\b(?:from|join|using)\s+\w*$", before, re.I):
            return fragment, _begins(fragment, tables, "table")
        named = [name for name in tables if re.search(rf"\b{name}\b", query, re.I)] or ["bars"]
        known = dict.fromkeys(column for name in named for column in tables[name])
        found = _begins(fragment, known, "column") + _begins(fragment, tables, "table")
        return fragment, found + (_begins(fragment, SQL, "keyword") if fragment else [])

    def _trade(self, words: str) -> tuple[str, Found]:
        from tapebook.strategy import registry

        fragment = re.search(r"[^\s,=]*$", words).group()  # type: ignore[union-attr]
        done = words[: len(words) - len(fragment)].split()
        if not done:
            return fragment, _begins(fragment, registry.names(), "strategy")
        asked = re.search(r"(\w+)=[^\s=]*$", words)
        if asked:
            return fragment, _begins(fragment, self._values(done[0], asked.group(1)), "value")
        said = {word.partition("=")[0] for word in done if "=" in word}
        names = [f"{name}=" for name in self._settings(done[0]) if name not in said]
        found = _begins(fragment, names, "param") + _begins(fragment, self._symbols(), "symbol")
        return fragment, found

    def _settings(self, strategy: str) -> list[str]:
        from dataclasses import fields

        from tapebook.strategy import Rules

        own = list(self._parameters(strategy))
        return [*own, *(rule.name for rule in fields(Rules)), "start", "end", "freq", "asof", "benchmark"]

    def _values(self, strategy: str, name: str) -> Iterable[str]:
        from tapebook.strategy.rules import _CHOICES

        if name == "benchmark":
            return self._symbols()
        if name in _CHOICES:
            return _CHOICES[name]
        parameter = self._parameters(strategy).get(name)
        if parameter is None:
            return ()
        if parameter.choices is not None:
            return [str(choice) for choice in parameter.choices]
        return ("true", "false") if parameter.type is bool else ()

    def _parameters(self, strategy: str) -> dict[str, Any]:
        from tapebook.errors import TapebookError

        try:
            return dict(self._desk().strategy(strategy).parameters)
        except TapebookError:
            return {}

    def _symbols(self) -> list[str]:
        """Symbols of the lake, asked again after a while."""
        asked, known = self._known
        if time.monotonic() - asked > SECONDS:
            known = sorted(set(self._desk().symbols()["symbol"]))
            self._known = (time.monotonic(), known)
        return known


def columns_of() -> dict[str, list[str]]:
    """Return the columns of each table that SQL can ask."""
    from tapebook.data.ask import OFFERED
    from tapebook.data.edit_log import COLUMNS
    from tapebook.data.store import TABLES

    lake = {
        name: [column.split()[0] for column in TABLES.get(name, TABLES["bars"]).split(",")]
        for name in OFFERED
    }
    return lake | {"edits": list(COLUMNS)}


def _options(line: str) -> tuple[str, Found]:
    fragment = re.search(r"-*\w*$", line).group()  # type: ignore[union-attr]
    return fragment, _begins(fragment, OPTIONS, "param")


def _begins(fragment: str, words: Iterable[str], kind: str) -> Found:
    """Words that begin so, in either case."""
    return [(word, kind) for word in words if word.lower().startswith(fragment.lower())]
