"""Tables for a reader: numbers in sensible digits, dates without midnight, at most 40 rows."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

ROWS = 40
LINE = 32  # letters; a longer text is broken into lines


def markup(frame: pd.DataFrame) -> str:
    """Write a frame as an HTML table; the middle of a long one is left out, and that is said."""
    return drawn(frame)[0]


def drawn(frame: pd.DataFrame) -> tuple[str, str]:
    """Write a frame as an HTML table and as plain text, with the same words."""
    import pandas as pd

    named = isinstance(frame.index, pd.MultiIndex) or not isinstance(frame.index, pd.RangeIndex)
    shown = frame.reset_index() if named else frame
    if named and frame.index.name is None and not isinstance(frame.index, pd.MultiIndex):
        shown = shown.rename(columns={shown.columns[0]: ""})
    half = ROWS // 2
    rows = shown if len(shown) <= ROWS else pd.concat([shown.head(half), shown.tail(half)])
    kinds = ["n" if pd.api.types.is_numeric_dtype(dtype) else "t" for dtype in shown.dtypes]
    heads = zip(kinds, shown.columns, strict=True)
    head = "".join(f"<th class='{kind}'>{escape(str(name))}</th>" for kind, name in heads)
    body, lines = [], [[str(name) for name in shown.columns]]
    for at, row in enumerate(rows.itertuples(index=False, name=None)):
        if len(shown) > ROWS and at == half:
            body.append(f"<tr><td colspan='{len(kinds)}'>…</td></tr>")
            lines.append(["…"] * len(kinds))
        words = [said(value) for value in row]
        body.append("<tr>" + "".join(map(_cell, kinds, words)) + "</tr>")
        lines.append(words)
    more = f"<p class='more'>{ROWS} of {len(shown):,} rows</p>" if len(shown) > ROWS else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    text = _aligned(kinds, lines) + (f"\n{ROWS} of {len(shown):,} rows" if more else "")
    return table + (more or ("" if len(shown) else "<p class='more'>no rows</p>")), text


def _aligned(kinds: list[str], lines: list[list[str]]) -> str:
    """Set words in columns, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    set_ = [str.rjust if kind == "n" else str.ljust for kind in kinds]
    return "\n".join(
        "  ".join(put(word, width) for put, word, width in zip(set_, line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(kind: str, text: str) -> str:
    wide = " w" if len(text) > LINE else ""
    return f"<td class='{kind}{wide}'>{escape(text)}</td>"


def said(value: Any) -> str:
    """Write one value.

    >>> said(1234.5678), said(0.12345), said(float("nan"))
    ('1,234.57', '0.1235', '–')
    """
    import pandas as pd

    if value is None or value is pd.NaT or value is pd.NA or value != value:
        return "–"
    if hasattr(value, "strftime"):
        midnight = not any(getattr(value, part, 0) for part in ("hour", "minute", "second", "microsecond"))
        return str(value.strftime("%Y-%m-%d" if midnight else "%Y-%m-%d %H:%M:%S"))
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return str(value)
    if float(value).is_integer() and (not isinstance(value, float) or abs(value) >= 1e6):
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:,.{2 if abs(value) >= 1 else 4}f}".replace("-", "−")
