"""What is odd about a bar by itself, and about bars that do not move."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

STALE = 5
"""Bars in a row with the same four prices that are worth a word."""

Finding = tuple[str, str, int, float, str]
"""check_name, severity, row, value, detail."""


def _missing_close(v: dict[str, np.ndarray]) -> list[Finding]:
    return [
        ("missing_close", "severe", int(r), np.nan, "no closing price")
        for r in np.flatnonzero(np.isnan(v["close"]))
    ]


def _not_positive(v: dict[str, np.ndarray]) -> list[Finding]:
    found: list[Finding] = []
    for name in ("open", "high", "low", "close"):
        for row in np.flatnonzero(v[name] <= 0):
            price = float(v[name][row])
            found.append(
                ("not_positive", "severe", int(row), price, f"{name} is {price:g}: a price must be above 0")
            )
    for row in np.flatnonzero(v["volume"] < 0):
        volume = float(v["volume"][row])
        found.append(("not_positive", "severe", int(row), volume, f"volume is {volume:g}"))
    return found


def _high_below_low(v: dict[str, np.ndarray]) -> list[Finding]:
    rows = np.flatnonzero(v["high"] < v["low"])
    return [
        (
            "high_below_low",
            "severe",
            int(r),
            float(v["high"][r] - v["low"][r]),
            f"high {v['high'][r]:g} below low {v['low'][r]:g}",
        )
        for r in rows
    ]


def _outside_range(v: dict[str, np.ndarray]) -> list[Finding]:
    found: list[Finding] = []
    fits = ~(v["high"] < v["low"])
    for name in ("open", "close"):
        over = np.maximum(v[name] - v["high"], v["low"] - v[name])
        for row in np.flatnonzero(fits & (over > 1e-9 * np.abs(v[name]))):
            told = f"{name} {v[name][row]:g} outside low {v['low'][row]:g} to high {v['high'][row]:g}"
            found.append(("outside_range", "warning", int(row), float(over[row]), told))
    return found


def _zero_volume(v: dict[str, np.ndarray]) -> list[Finding]:
    return [
        ("zero_volume", "info", first, float(n), f"{n} {'bars' if n > 1 else 'bar'} without volume")
        for first, n in runs(v["volume"] == 0)
    ]


def _stale(v: dict[str, np.ndarray]) -> list[Finding]:
    prices = [v[name] for name in ("open", "high", "low", "close")]
    known = [p for p in prices if not np.isnan(p).all()]
    same = np.zeros(len(v["close"]), bool)
    if len(same) > 1:
        same[1:] = np.logical_and.reduce([p[1:] == p[:-1] for p in known]) if known else False
    return [
        ("stale", "warning", first - 1, float(n + 1), f"{n + 1} bars in a row with the same prices")
        for first, n in runs(same)
        if n + 1 >= STALE
    ]


CHECKS: tuple[Callable[[dict[str, np.ndarray]], list[Finding]], ...] = (
    _missing_close,
    _not_positive,
    _high_below_low,
    _outside_range,
    _zero_volume,
    _stale,
)


def runs(mask: np.ndarray) -> Iterable[tuple[int, int]]:
    """First row and length of each run of true rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def duplicates(stamps: np.ndarray, v: dict[str, np.ndarray]) -> list[Finding]:
    """Stamps that are there twice: `stamps` sorted, shape (T,)."""
    found: list[Finding] = []
    for row in np.flatnonzero(stamps[1:] == stamps[:-1]) + 1:
        alike = all(a[row] == a[row - 1] or (np.isnan(a[row]) and np.isnan(a[row - 1])) for a in v.values())
        told = "the same bar twice" if alike else "two bars with this stamp and different values"
        found.append(("duplicate", "info" if alike else "severe", int(row), float(v["close"][row]), told))
    return found
