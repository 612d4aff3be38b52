"""What a panel covers, in a table and in words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.data import calendar, pivot

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

SHOWN = 10
"""Symbols that a repr lists."""


def coverage(bars: Bars) -> pd.DataFrame:
    """Do what `Bars.coverage` says."""
    exists = pivot.present(dict(bars.values))
    expected = _expected(bars)
    rows = [_row(bars, exists[:, n], expected[bars.calendars[name]]) for n, name in enumerate(bars.symbols)]
    columns = ["first", "last", "bars", "expected", "missing", "share"]
    frame = pd.DataFrame(rows, columns=columns, index=pd.Index(bars.symbols, name="symbol"))
    for name in ("first", "last"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def _expected(bars: Bars) -> dict[str, pd.DatetimeIndex]:
    if not len(bars):
        return dict.fromkeys(bars.calendars.values(), bars.index)
    names = set(bars.calendars.values())
    return {name: calendar.expected_bars(name, bars.freq, bars.index[0], bars.index[-1]) for name in names}


def _row(bars: Bars, exists: np.ndarray, expected: pd.DatetimeIndex) -> tuple[object, ...]:
    stamps = bars.index[exists]
    if not len(stamps):
        return (pd.NaT, pd.NaT, 0, 0, 0, np.nan)
    lo = expected.searchsorted(stamps[0], side="left")
    hi = expected.searchsorted(stamps[-1], side="right")
    met = int(expected[lo:hi].isin(stamps).sum())
    wanted = int(hi - lo)
    return (stamps[0], stamps[-1], len(stamps), wanted, wanted - met, met / wanted if wanted else np.nan)


def describe(bars: Bars) -> str:
    """Return the panel in a few lines of text."""
    table = coverage(bars).head(SHOWN)
    lines = [_title(bars)]
    for symbol, row in zip(table.index, table.itertuples(index=False), strict=True):
        lines.append("  " + "  ".join((str(symbol).ljust(8), *_cells(bars, row))))
    if len(bars.symbols) > SHOWN:
        lines.append(f"  … and {len(bars.symbols) - SHOWN} more symbols")
    return "\n".join(lines)


def describe_html(bars: Bars) -> str:
    """Return the panel as a small HTML table."""
    table = coverage(bars).head(SHOWN)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in (str(symbol), *_cells(bars, row))) + "</tr>"
        for symbol, row in zip(table.index, table.itertuples(index=False), strict=True)
    )
    more = len(bars.symbols) - SHOWN
    tail = f"<p>… and {more} more symbols</p>" if more > 0 else ""
    head = "<tr><th>symbol</th><th>span</th><th>bars</th><th>coverage</th></tr>"
    return f"<p>{escape(_title(bars))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>{tail}"


def _title(bars: Bars) -> str:
    adjusted = {"splits": "adjusted for splits", "total": "adjusted for splits and dividends"}
    parts = [
        f"{len(bars.symbols):,} symbols × {len(bars):,} bars of {bars.freq}",
        _span(bars, bars.start, bars.end),
    ]
    parts.append(adjusted.get(str(bars.adjust), "not adjusted"))
    if bars.snapshot is not None:
        parts.append(f"snapshot {bars.snapshot}")
    return "Bars: " + ", ".join(part for part in parts if part)


def _cells(bars: Bars, row: tuple[object, ...]) -> tuple[str, str, str]:
    first, last, count, _, missing, share = row
    if not count:
        return ("no bars", "0", "")
    told = "" if np.isnan(share) else f"{share:.1%}" + (f" ({missing:,} missing)" if missing else "")  # type: ignore[call-overload]
    return (_span(bars, first, last), f"{count:,}", told)  # type: ignore[arg-type]


def _span(bars: Bars, first: pd.Timestamp | None, last: pd.Timestamp | None) -> str:
    if first is None or last is None:
        return ""
    form = "%Y-%m-%d %H:%M" if bars.freq.intraday else "%Y-%m-%d"
    return f"{first.strftime(form)} to {last.strftime(form)}"
