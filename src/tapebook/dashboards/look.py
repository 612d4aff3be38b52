"""The dashboards' look: one style sheet, and small pieces of HTML in which everything is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

from tapebook import theme

OUTCOMES = {
    "succeeded": ("✓", ""), "running": ("…", "warn"), "failed": ("✗", "bad"), "timed_out": ("✗", "bad"),
    "out_of_memory": ("✗", "bad"),
    "killed": ("✗", "bad"), "lost": ("✗", "bad"), "cancelled": ("–", "warn"), "unreadable": ("✗", "bad"),
}  # fmt: skip


SHORT = 24
"""Characters that a cell of text keeps on one line."""
_DAY, _DAY_CLASS = re.compile(r"\d{4}-\d\d-\d\d( \d\d:\d\d)?"), ' class="day"'


def style() -> str:
    """Return the style sheet, as HTML."""
    sheet = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return f"<style>{theme.css()}{sheet}</style>"


def outcome(said: str) -> str:
    """Write an outcome with its sign; colour is not alone in telling."""
    sign, kind = OUTCOMES.get(said, ("?", "warn"))
    return f'<span class="outcome {kind}">{sign} {escape(said.replace("_", " "))}</span>'


VERDICTS = {"no evidence": ("✗", "bad"), "weak": ("–", "warn"), "worth a forward test": ("✓", "")}


def verdict(said: str) -> str:
    """Write a verdict with its sign; "" for none."""
    sign, kind = VERDICTS.get(said, ("?", "warn"))
    return f'<span class="outcome {kind}">{sign} {escape(said)}</span>' if said else ""


def number(metric: Mapping[str, Any]) -> str:
    """Write a metric's value in its unit."""
    value, unit = metric.get("value"), metric.get("unit")
    if not isinstance(value, (int, float)) or not isfinite(value):
        return "–"
    if unit == "share":
        return f"{value:.2%}"
    if unit in ("bars", "count"):
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{value:,.2f}"


def plain(value: Any) -> str:
    """Write any value for a reader; not escaped.

    >>> plain(0.12345), plain(None), plain(True)
    ('0.1235', '–', 'yes')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1_000 else f"{value:,.4g}"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M")).removesuffix(" 00:00")
    return str(value)


def words(name: str) -> str:
    """Write a name the way it is read: "max_drawdown" is "max drawdown"."""
    return escape(name.replace("_", " "))


def cards(pairs: Iterable[tuple[str, str]]) -> str:
    """Write figures as cards; both parts are escaped."""
    made = "".join(
        f'<div class="card"><span class="muted">{words(k)}</span><b>{escape(v)}</b></div>' for k, v in pairs
    )
    return f'<div class="cards">{made}</div>' if made else ""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Iterable[int] = ()) -> str:
    """Write a table of cells that are HTML; `numeric` columns stand to the right, dates on one line."""
    right = set(numeric)
    kinds = [' class="number"' if i in right else "" for i in range(len(heads))]
    head = "".join(f"<th{kind}>{escape(h)}</th>" for h, kind in zip(heads, kinds, strict=True))
    top = f"<thead><tr>{head}</tr></thead>" if any(heads) else ""
    body = "".join(
        "<tr>" + "".join(_cell(cell, kind) for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table>{top}<tbody>{body}</tbody></table></div>'


def _cell(cell: str, kind: str) -> str:
    if not kind and _DAY.fullmatch(cell):
        kind = _DAY_CLASS
    elif not kind and "<" not in cell:
        kind = ' class="day"' if len(cell) <= SHORT else ' class="words"'
    return f"<td{kind}>{cell}</td>"


def page(*pieces: str) -> str:
    """Put pieces of HTML into the dashboards' look."""
    return f'<div class="tb">{"".join(pieces)}</div>'
