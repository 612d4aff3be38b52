"""What is odd about bars: findings, each with how bad it is. Nothing is repaired here.

Checked on raw prices as they came, symbol by symbol, each at the time at which the bar stands.
"severe" keeps a symbol out of the lake unless its user insists; "warning" and "info" are stored with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.schema import Frequency

if TYPE_CHECKING:
    import polars as pl

SEVERITIES = ("info", "warning", "severe")
COLUMNS = ("symbol", "freq", "check_name", "severity", "ts", "value", "detail")
RATIOS = (2.0, 3.0, 1.5, 4.0, 5.0, 10.0, 20.0)
NEAR = 0.03
"""How near to a split's ratio a jump must be, as a share of it."""
SPIKE = 8.0
"""A print is bad when it lies so many times the usual (median) move away, and comes back."""
LARGE = 0.25
"""A move of one bar that is worth a word, whatever its cause."""
STALE = 5
"""Bars in a row with the same four prices that are worth a word."""

Finding = tuple[str, str, int, float, str]
"""check_name, severity, row, value, detail."""


def check(
    bars: pl.DataFrame,
    *,
    symbol: str,
    freq: str | Frequency,
    calendar: str,
    actions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Judge one symbol's bars.

    Parameters
    ----------
    bars : polars frame
        ts (UTC), open, high, low, close, volume; raw; in any order, stamps may repeat.
    calendar : str
        The exchange's, against which gaps are counted.
    actions : polars frame, optional
        ts, split, dividend: a jump on the day of a split is none.

    Returns
    -------
    polars frame
        One row a finding, with `COLUMNS`; `value` is the figure that the detail speaks of.
    """
    import polars as pl

    length = Frequency.parse(freq)
    bars = bars.sort("ts", maintain_order=True)
    stamps = bars["ts"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    values = {
        n: bars[n].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for n in ("open", "high", "low", "close", "volume")
    }
    splits = _split_days(actions)
    found: list[Finding] = []
    for judge in _CHECKS:
        found += judge(values)
    found += _duplicates(stamps, values)
    found += _jumps(stamps, values, splits)
    rows = [(symbol, str(length), n, s, stamps[row], v, d) for n, s, row, v, d in found]
    rows += [(symbol, str(length), "gap", s, t, v, d) for s, t, v, d in _gaps(stamps, length, calendar)]
    rows.sort(key=lambda row: (row[4], row[2]))
    kinds: dict[str, Any] = dict.fromkeys(COLUMNS, pl.String) | {"ts": pl.Datetime("us"), "value": pl.Float64}
    columns = list(zip(*rows, strict=True)) or [()] * len(COLUMNS)
    made = {
        name: pl.Series(
            name, np.array(column, "datetime64[us]") if name == "ts" else list(column), dtype=kinds[name]
        )
        for name, column in zip(COLUMNS, columns, strict=True)
    }
    return pl.DataFrame(made).with_columns(pl.col("ts").dt.replace_time_zone("UTC"))


def worst(findings: pl.DataFrame) -> str:
    """Return the gravest severity among findings, "" when there are none."""
    there = set(findings["severity"].to_list())
    return next((severity for severity in reversed(SEVERITIES) if severity in there), "")


# ---- one bar at a time


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
        for first, n in _runs(v["volume"] == 0)
    ]


def _stale(v: dict[str, np.ndarray]) -> list[Finding]:
    prices = [v[name] for name in ("open", "high", "low", "close")]
    known = [p for p in prices if not np.isnan(p).all()]
    same = np.zeros(len(v["close"]), bool)
    if len(same) > 1:
        same[1:] = np.logical_and.reduce([p[1:] == p[:-1] for p in known]) if known else False
    return [
        ("stale", "warning", first - 1, float(n + 1), f"{n + 1} bars in a row with the same prices")
        for first, n in _runs(same)
        if n + 1 >= STALE
    ]


_CHECKS: tuple[Callable[[dict[str, np.ndarray]], list[Finding]], ...] = (
    _missing_close,
    _not_positive,
    _high_below_low,
    _outside_range,
    _zero_volume,
    _stale,
)


def _runs(mask: np.ndarray) -> Iterable[tuple[int, int]]:
    """First row and length of each run of true rows."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


# ---- bars next to each other


def _duplicates(stamps: np.ndarray, v: dict[str, np.ndarray]) -> list[Finding]:
    found: list[Finding] = []
    for row in np.flatnonzero(stamps[1:] == stamps[:-1]) + 1:
        alike = all(a[row] == a[row - 1] or (np.isnan(a[row]) and np.isnan(a[row - 1])) for a in v.values())
        told = "the same bar twice" if alike else "two bars with this stamp and different values"
        found.append(("duplicate", "info" if alike else "severe", int(row), float(v["close"][row]), told))
    return found


def _jumps(stamps: np.ndarray, v: dict[str, np.ndarray], splits: set[np.datetime64]) -> list[Finding]:
    rows = np.flatnonzero(v["close"] > 0)
    if len(rows) < 3:
        return []
    moves = np.diff(np.log(v["close"][rows]))
    usual = _usual(moves)
    found: list[Finding | None] = []
    back = np.zeros(len(moves), bool)
    for i in np.flatnonzero(np.abs(moves) > SPIKE * usual):
        if back[i] or stamps[rows[i + 1]].astype("datetime64[D]") in splits:
            continue
        returned = _returns_at(moves, int(i))
        if returned and abs(moves[i]) > 0.05:
            back[i + 1 : returned + 1] = True
            bars = "bars" if returned - i > 1 else "bar"
            told = f"moved {np.expm1(moves[i]):+.1%} and came back within {returned - i} {bars}"
            found.append(("bad_print", "warning", int(rows[i + 1]), float(np.expm1(moves[i])), told))
            continue
        found.append(_jump(v, int(rows[i]), int(rows[i + 1])))
    return [finding for finding in found if finding is not None]


def _jump(v: dict[str, np.ndarray], before: int, row: int) -> Finding | None:
    """Say what a jump that stays looks like; the open is nearer to a split's ratio than the close."""
    move = float(v["close"][row] / v["close"][before] - 1)
    for name in ("open", "close"):
        ratio = float(v["close"][before] / v[name][row]) if v[name][row] > 0 else np.nan
        for split in (f for k in RATIOS for f in (k, 1 / k)):
            if abs(ratio / split - 1) <= NEAR:
                told = f"moved {move:+.1%}, like a split of {_spoken(split)}, and no split is on record"
                return ("split_like", "warning", row, ratio, told)
    if abs(move) < LARGE:
        return None
    return ("jump", "info", row, move, f"moved {move:+.1%} in one bar and stayed")


def _usual(moves: np.ndarray) -> np.ndarray:
    """Median size of the moves around each, shape (T-1,); never below a tenth of all."""
    import polars as pl

    size = pl.Series(np.abs(moves))
    window = min(61, len(moves) | 1)
    around = size.rolling_median(window, min_samples=1, center=True).to_numpy()
    floor = max(float(size.median() or 0.0) / 2, 1e-4)  # type: ignore[arg-type]
    answer: np.ndarray = np.maximum(around, floor)
    return answer


def _returns_at(moves: np.ndarray, i: int) -> int:
    """Index of the move after `i`, at most two on, that has taken most of it back; 0 for none."""
    for j in (i + 1, i + 2):
        if j < len(moves) and abs(moves[i : j + 1].sum()) < 0.25 * abs(moves[i]):
            return j
    return 0


def _spoken(ratio: float) -> str:
    return f"{ratio:g} for 1" if ratio >= 1 else f"1 for {1 / ratio:g}"


def _split_days(actions: pl.DataFrame | None) -> set[np.datetime64]:
    import polars as pl

    if actions is None or not len(actions):
        return set()
    days = (
        actions.filter((pl.col("split") != 1.0) & (pl.col("split") > 0))["ts"]
        .dt.replace_time_zone(None)
        .to_numpy()
    )
    return set(days.astype("datetime64[D]"))


# ---- against the calendar


def _gaps(stamps: np.ndarray, freq: Frequency, calendar: str) -> list[tuple[str, np.datetime64, float, str]]:
    """Runs of expected bars that are not there, between the first and the last that are."""
    from tapebook.data.calendar import expected_bars

    if len(stamps) < 2 or freq.unit in ("w", "mo"):
        return []
    first, last = (np.datetime_as_string(stamps[i]) for i in (0, -1))
    expected = expected_bars(calendar, freq, f"{first}+00:00", f"{last}+00:00")
    wanted = expected.tz_localize(None).to_numpy(dtype="datetime64[us]")
    found = []
    for start, n in _runs(~np.isin(wanted, stamps)):
        end = wanted[start + n - 1]
        told = f"{n} {'bars' if n > 1 else 'bar'} missing" + (
            f" until {str(end)[:16].replace('T00:00', '')}" if n > 1 else ""
        )
        found.append(("warning" if n > 1 else "info", wanted[start], float(n), told))
    return found
