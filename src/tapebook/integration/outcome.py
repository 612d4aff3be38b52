"""What became of the symbols of one ingestion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Landed:
    """What became of one symbol. `outcome`: ok, unchanged, dry run, blocked or failed; `reason` says why.

    Rows that came (`fetched`) are those that the lake has now (added, changed, or there before), those
    put aside (`quarantined`), and repetitions of a stamp, of which the last one counts.
    """

    symbol: str
    freq: str
    outcome: str
    fetched: int = 0
    added: int = 0
    changed: int = 0
    quarantined: int = 0
    findings: int = 0
    first: datetime | None = None
    last: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Ingested:
    """What became of all symbols of one call, and the lake's snapshot afterwards (None: empty lake)."""

    rows: tuple[Landed, ...]
    snapshot: int | None

    @property
    def failed(self) -> tuple[Landed, ...]:
        """Symbols of which nothing landed because something was wrong."""
        return tuple(row for row in self.rows if row.outcome in ("failed", "blocked"))

    def frame(self) -> pd.DataFrame:
        """One row a symbol."""
        import pandas as pd

        return pd.DataFrame([asdict(row) for row in self.rows], columns=list(Landed.__dataclass_fields__))

    def __str__(self) -> str:
        aside = any(row.quarantined for row in self.rows)
        counted = ["fetched", "added", "changed", *(["quarantined"] if aside else []), "findings"]
        table = [["symbol", "freq", "outcome", *counted, "span"]]
        table += [_cells(row, counted) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [_line(cells, widths, len(counted)) for cells in table]
        lines += [f"{row.symbol}: {row.reason}" for row in self.rows if row.reason]
        return "\n".join(lines)


def _cells(row: Landed, counted: list[str]) -> list[str]:
    form = "%Y-%m-%d %H:%M" if row.freq[-1] in "mh" else "%Y-%m-%d"
    span = f"{row.first.strftime(form)} to {row.last.strftime(form)}" if row.first and row.last else ""
    counts = [f"{getattr(row, name):,}" for name in counted]
    return [row.symbol, row.freq, row.outcome, *counts, span]


def _line(cells: list[str], widths: list[int], numbers: int) -> str:
    """Names to the left, numbers to the right."""
    parts = [
        cell.rjust(width) if 3 <= at < 3 + numbers else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()
