"""Compute an expression on every bar of a panel.

Symbols are computed on their own bars, laid close together with the last ones in the last row: a holiday of
one exchange, a late listing or a hole changes nothing but itself, and the last row is each symbol's newest
bar. Conditions are 1, 0, or missing where not enough bars are known; `and`, `or`, `not` keep to Kleene's
logic (false and unknown is false).
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.strategy.screen.kinds import Check, is_symbol, settings_of, split
from tapebook.strategy.screen.node import CROSSINGS, Node
from tapebook.strategy.screen.words import FIELDS, TWO, WORDS

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

Value = np.ndarray | float
OPERATIONS = {
    "+": np.add, "-": np.subtract, "*": np.multiply,
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


class Panel:
    """Bars laid close together: row T - 1 is each symbol's last bar; missing rows come first."""

    def __init__(self, bars: Bars) -> None:
        self.given = bars
        gone = np.isnan(bars.values["close"])
        self.rows = np.argsort(~gone, axis=0, kind="stable") if gone.any() else None
        self.gone = np.sort(~gone, axis=0) == 0 if gone.any() else gone
        self._fields: dict[str, np.ndarray] = {}

    @cached_property
    def bars(self) -> Bars:
        """All fields, laid close together."""
        values = {name: self.field(name) for name in FIELDS}
        return self.given if self.rows is None else replace(self.given, values=values)

    def field(self, name: str) -> np.ndarray:
        """One field, laid close together; missing where there is no close."""
        if name not in self._fields:
            block = self.packed(self.given.values[name])
            if self.rows is not None:
                block[self.gone] = np.nan
            self._fields[name] = block
        return self._fields[name]

    def packed(self, block: np.ndarray) -> np.ndarray:
        """Lay the bars of (T, N) close together."""
        return block if self.rows is None else np.take_along_axis(block, self.rows, axis=0)

    def spread(self, block: np.ndarray) -> np.ndarray:
        """Lay them back in time."""
        if self.rows is None:
            return block
        told = np.empty(block.shape)
        np.put_along_axis(told, self.rows, block, axis=0)
        return told

    def frame(self, block: np.ndarray) -> pd.DataFrame:
        """Label a block, as indicators take it."""
        return pd.DataFrame(block, self.bars.index, self._columns, copy=False)

    @cached_property
    def _columns(self) -> pd.Index:
        return pd.Index(self.given.symbols, name="symbol")

    @cached_property
    def stamps(self) -> np.ndarray:
        """Row of the given panel that each bar comes from, shape (T, N)."""
        count, width = self.given.shape
        plain = np.broadcast_to(np.arange(count)[:, None], (count, width))
        return plain if self.rows is None else self.rows

    @cached_property
    def days(self) -> np.ndarray:
        """Day of each bar, counted in days, shape (T, N)."""
        of_row = self.given.index.tz_localize(None).to_numpy().astype("datetime64[D]").astype(float)
        told: np.ndarray = of_row[self.stamps]
        return told


class Evaluation:
    """What each part of an expression says on one panel; equal parts are computed once."""

    def __init__(self, text: str, panel: Panel) -> None:
        self.panel = panel
        self._check = Check(text)
        self._told: dict[Node, Value] = {}

    def of(self, node: Node) -> Value:
        """Return the values of a part: a constant, or shape (T, N) on bars laid close together."""
        if node not in self._told:
            with np.errstate(all="ignore"):
                self._told[node] = self._compute(node)
        return self._told[node]

    def condition(self, node: Node) -> np.ndarray:
        """Return a condition, 1, 0 or missing, shape (T, N); missing where there is no bar."""
        told = np.broadcast_to(np.asarray(self.of(node), dtype=float), self.panel.given.shape)
        return np.where(self.panel.gone, np.nan, told)

    def _compute(self, node: Node) -> Value:
        match node.kind:
            case "number":
                return float(node.value)
            case "percent":
                return float(node.value) / 100.0
            case "name":
                return self.panel.field(node.value.lower())
            case "minus":
                return -self.of(node.parts[0])
            case "call":
                return self._call(node)
            case "in":
                return self._among(node)
            case "not":
                return 1.0 - self.of(node.parts[0])
        if any(is_symbol(part) for part in node.parts):
            return self._symbols(node)
        left, right = (self.of(part) for part in node.parts)
        if node.kind == "and":
            return _both(left, right)
        if node.kind == "or":
            return 1.0 - _both(1.0 - left, 1.0 - right)
        if node.kind in CROSSINGS:
            return self._crossed(left, right, 1.0 if node.kind.endswith("above") else -1.0)
        return _operated(node.kind, left, right)

    def _call(self, node: Node) -> Value:
        name, part = node.value
        word = WORDS[name]
        if name in TWO and len(node.parts) == 2 and self._check.of(node.parts[1]).constant is None:
            left, right = (self.of(p) for p in node.parts)
            return (np.maximum if name == "max" else np.minimum)(left, right)
        series, said = split(self._check, node, word)
        settings = settings_of(word, said, self._check)
        if word.series is None:
            return self._answer(word.work(self.panel, *settings), "")
        values = self.of(series or Node("name", word.series))
        if word.across:  # symbols are compared on the same bar of the calendar
            spread = self.panel.spread(np.asarray(values))
            return self.panel.packed(word.work(self.panel, spread))
        key = Node("call", (name, "all"), node.parts)
        if word.parts and key in self._told:  # the other parts of the same answer
            return self._answer(self._told[key], part or word.whole)
        answer = word.work(self.panel, values, *settings)
        if word.parts:
            self._told[key] = answer
        return self._answer(answer, part or word.whole)

    def _answer(self, answer: Any, part: str) -> np.ndarray:
        told = answer[part] if isinstance(answer, dict) else answer
        return np.where(np.isfinite(told), told, np.nan)

    def _among(self, node: Node) -> Value:
        of, *items = node.parts
        if is_symbol(of):
            return self._row({str(item.value) for item in items})
        values = np.asarray(self.of(of))
        found = np.zeros(values.shape, bool)
        for item in items:
            found |= values == self.of(item)
        return np.where(np.isnan(values), np.nan, found)

    def _symbols(self, node: Node) -> Value:
        others = {str(part.value) for part in node.parts if not is_symbol(part)}
        told = self._row(others) if others else np.ones(self.panel.given.shape)
        return told if node.kind == "==" else 1.0 - told

    def _row(self, wanted: set[str]) -> np.ndarray:
        found = np.array([symbol in wanted for symbol in self.panel.given.symbols], dtype=float)
        return np.broadcast_to(found, self.panel.given.shape).copy()

    def _crossed(self, left: Value, right: Value, side: float) -> Value:
        apart = side * np.broadcast_to(np.asarray(left - right, dtype=float), self.panel.given.shape)
        before = np.vstack([np.full((1, apart.shape[1]), np.nan), apart[:-1]])[: len(apart)]
        return np.where(np.isnan(apart) | np.isnan(before), np.nan, (apart > 0) & (before <= 0))


def _varies(value: Value) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


def _both(left: Value, right: Value) -> Value:
    return np.where((np.equal(left, 0.0)) | (np.equal(right, 0.0)), 0.0, np.multiply(left, right))


def _operated(kind: str, left: Value, right: Value) -> Value:
    """Arithmetic and comparison; what is missing, or has no answer (a division by 0), stays missing."""
    if kind == "/":
        told = np.divide(left, right)
        return np.where(np.isfinite(told), told, np.nan) if _varies(told) else float(told)
    answer = OPERATIONS[kind](left, right)
    if kind in ("+", "-", "*"):
        return answer
    return np.where(np.isnan(left) | np.isnan(right), np.nan, answer)
