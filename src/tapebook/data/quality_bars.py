"""What is odd about a bar by itself, and about bars that do not move."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

STALE = 5
"""Bars in a row with the same four prices that are worth a word."""

Finding = tuple[str, str, int, float, str]
"""check_name, severity, row, value, detail."""

Check = Callable[[dict[str, np.ndarray], np.ndarray], list[Finding]]
"""Judges bars of one or more symbols, one after the other: the fields, and the first row of each symbol."""


def _missing_close(v: dict[str, np.ndarray], _starts: np.ndarray) -> list[Finding]:
    return [
        ("missing_close", "severe", int(r), np.nan, "no closing price")
        for r in np.flatnonzero(np.isnan(v["close"]))
    ]


def _not_positive(v: dict[str, np.ndarray], _starts: np.ndarray) -> list[Finding]:
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


def _high_below_low(v: dict[str, np.ndarray], _starts: np.ndarray) -> list[Finding]:
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


def _outside_range(v: dict[str, np.ndarray], _starts: np.ndarray) -> list[Finding]:
    found: list[Finding] = []
    for name in ("open", "close"):
        for row in np.flatnonzero((v[name] > v["high"]) | (v[name] < v["low"])).tolist():
            price, low, high = (float(v[what][row]) for what in (name, "low", "high"))
            over = max(price - high, low - price)
            if low <= high and over > 1e-9 * abs(price):
                told = f"{name} {price:g} outside low {low:g} to high {high:g}"
                found.append(("outside_range", "warning", row, over, told))
    return found


def _zero_volume(v: dict[str, np.ndarray], starts: np.ndarray) -> list[Finding]:
    return [
        ("zero_volume", "info", first, float(n), f"{n} {'bars' if n > 1 else 'bar'} without volume")
        for first, n in runs(v["volume"] == 0, starts)
    ]


def _stale(v: dict[str, np.ndarray], starts: np.ndarray) -> list[Finding]:
    same = as_before(v, starts)
    return [
        ("stale", "warning", first - 1, float(n + 1), f"{n + 1} bars in a row with the same prices")
        for first, n in runs(same)
        if n + 1 >= STALE
    ]


def as_before(v: dict[str, np.ndarray], starts: np.ndarray) -> np.ndarray:
    """Which bars have the prices of the symbol's bar before; a price that a symbol never has is left out."""
    size = len(v["close"])
    same, some = np.ones(size, bool), np.zeros(size, bool)
    for name in ("open", "high", "low", "close"):
        lacks = np.isnan(v[name])
        alike = np.zeros(size, bool)
        alike[1:] = v[name][1:] == v[name][:-1]
        if lacks.any():
            never = np.repeat(
                np.logical_and.reduceat(lacks, starts), np.diff(starts, append=size)
            )  # of the whole symbol
            alike |= never
            some |= ~never
        else:
            some[:] = True
        same &= alike
    same &= some
    same[starts] = False
    return same


CHECKS: tuple[Check, ...] = (
    _missing_close,
    _not_positive,
    _high_below_low,
    _outside_range,
    _zero_volume,
    _stale,
)


def runs(mask: np.ndarray, starts: np.ndarray | None = None) -> Iterable[tuple[int, int]]:
    """First row and length of each run of true rows; a run ends where another symbol starts."""
    if not mask.any():
        return []
    padded = np.concatenate([[0], mask.astype(np.int8), [0]])
    steps = np.diff(padded)
    firsts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if starts is not None and len(starts) > 1:
        cut = starts[1:][mask[starts[1:]] & mask[starts[1:] - 1]]
        firsts, ends = np.sort(np.concatenate([firsts, cut])), np.sort(np.concatenate([ends, cut]))
    return list(zip(firsts.tolist(), (ends - firsts).tolist(), strict=True))


def duplicates(stamps: np.ndarray, v: dict[str, np.ndarray], starts: np.ndarray) -> list[Finding]:
    """Stamps that a symbol has twice: `stamps` sorted within each symbol, shape (T,)."""
    found: list[Finding] = []
    again = np.zeros(len(stamps), bool)
    again[1:] = stamps[1:] == stamps[:-1]
    again[starts] = False
    for row in np.flatnonzero(again):
        alike = all(a[row] == a[row - 1] or (np.isnan(a[row]) and np.isnan(a[row - 1])) for a in v.values())
        told = "the same bar twice" if alike else "two bars with this stamp and different values"
        found.append(("duplicate", "info" if alike else "severe", int(row), float(v["close"][row]), told))
    return found
