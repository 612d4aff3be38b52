"""A sweep as its run has stored it: every combination with its figures, and equity curves of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tapebook.dashboards import parts
from tapebook.dashboards.records import Record

_FIGURES = (
    "total_return",
    "annual_return",
    "annual_volatility",
    "sharpe",
    "sortino",
    "calmar",
    "max_drawdown",
)
"""Columns that follow the settings and the symbol."""


@dataclass(frozen=True)
class Stored:
    """`table`: one row a combination. `curves`: {key: equity}, each at `days`; not of every combination."""

    table: list[dict[str, Any]]
    varied: tuple[str, ...]
    days: list[str]
    curves: dict[str, list[float]]

    @classmethod
    def read(cls, record: Record) -> Stored | None:
        """Read it; None of a run that has stored none."""
        table = parts.rows(record, "combinations")
        if not table:
            return None
        names = list(table[0])
        before = names[: names.index("symbol")] if "symbol" in names else names[: names.index("total_return")]
        table = _together(table, before)
        curves = parts.rows(record, "curves")
        days = [str(row.get("ts"))[:10] for row in curves]
        keys = [k for k in (curves[0] if curves else {}) if k != "ts"]
        return cls(table, tuple(before), days, {k: [row[k] for row in curves] for k in keys})

    @property
    def values(self) -> dict[str, list[Any]]:
        """The values that each setting took, in order."""
        found = {name: {row[name] for row in self.table} for name in self.varied}
        return {name: sorted(values, key=_order) for name, values in found.items()}

    @property
    def figures(self) -> list[str]:
        """Names of the figures."""
        return [name for name in self.table[0] if name not in self.varied and name != "symbol"]

    @property
    def words(self) -> str:
        """What is stored, in a sentence."""
        known = sum(key_of(self.varied, row) in self.curves for row in self.table)
        return (
            f"{len(self.table):,} combinations are stored with their figures, {known:,} of them with their "
            "equity. Nothing is computed here; the best was chosen because it did best in this very past."
        )

    def best(self, metric: str) -> dict[str, Any]:
        """Settings of the row with the highest figure."""
        known = [row for row in self.table if _is_number(row.get(metric))] or self.table
        row = max(known, key=lambda r: r[metric] if _is_number(r.get(metric)) else float("-inf"))
        return {name: row[name] for name in self.varied}

    def row(self, asked: dict[str, Any]) -> dict[str, Any] | None:
        """The row of these settings; None if they were not tried."""
        return next((row for row in self.table if all(row[k] == v for k, v in asked.items())), None)

    def curve(self, asked: dict[str, Any], best: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the chart of the equity of these settings, with the best's for comparison."""
        data = []
        if best is not None and best != asked and (found := self.curves.get(key_of(self.varied, best))):
            line = {"color": "#7F8A96", "dash": "dot", "width": 1.2}
            data.append(_line(self.days, found, f"the best: {key_of(self.varied, best)}", line))
        mine = self.curves.get(key_of(self.varied, asked))
        if mine:
            data.append(_line(self.days, mine, key_of(self.varied, asked), {"width": 2}))
        title = "Equity" if mine else "No equity is stored of these settings"
        layout = {
            "title": {"text": title},
            "height": 420,
            "xaxis": {"type": "date", "title": {"text": "date"}},
            "yaxis": {"title": {"text": "equity, units of cash"}},
            "legend": {"orientation": "h", "y": 1.08},
            "showlegend": True,
        }
        return {"data": data, "layout": layout}


def key_of(varied: tuple[str, ...], settings: dict[str, Any]) -> str:
    """Name a combination: "fast=10 slow=50"."""
    return " ".join(f"{name}={settings[name]}" for name in varied)


def _line(x: list[str], y: list[float], name: str, line: dict[str, Any]) -> dict[str, Any]:
    return {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": line}


def _together(table: list[dict[str, Any]], varied: list[str]) -> list[dict[str, Any]]:
    """One row a combination: symbols that were traded alone are averaged."""
    if "symbol" not in table[0] or len({row["symbol"] for row in table}) < 2:
        return table
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in table:
        groups.setdefault(tuple(row[name] for name in varied), []).append(row)
    return [
        {
            name: rows[0][name] if name in varied else _mean([r[name] for r in rows])
            for name in rows[0]
            if name != "symbol"
        }
        for rows in groups.values()
    ]


def _mean(values: list[Any]) -> float | None:
    known = [v for v in values if _is_number(v)]
    return sum(known) / len(known) if known else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value


def _order(value: Any) -> tuple[int, Any]:
    return (0, value) if _is_number(value) else (-1, "") if value is None else (1, str(value))
