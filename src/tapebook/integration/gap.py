"""What to ask a vendor for: only what the lake has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from tapebook.data.lake import Lake
    from tapebook.integration.sources import Fetched, Source
    from tapebook.schema import Frequency

Span = tuple[datetime | None, datetime | None]
"""First and last stamp, both included; None is as far as there is."""


@dataclass(frozen=True)
class Held:
    """What the lake has of a symbol: first and last stamp, and the last close."""

    first: datetime
    last: datetime
    close: float


def held(lake: Lake, symbols: Sequence[str], freq: Frequency) -> dict[str, Held]:
    """Say what the lake has of each symbol; a symbol without bars is not there."""
    rows = lake.ends(symbols, freq).to_pylist()
    return {row["symbol"]: Held(row["first"], row["last"], row["close"]) for row in rows}


def spans(there: Held | None, start: datetime | None, end: datetime | None) -> list[Span]:
    """Spans to ask for, oldest first.

    The last bar that the lake has is asked for again: a vendor may have revised it since. What lies before
    the first one is asked for only when `start` says so.
    """
    if there is None or (end is not None and end < there.first):
        return [(start, end)]
    found: list[Span] = []
    if start is not None and start < there.first:
        found.append((start, there.first))
    if end is None or end >= there.last:
        found.append((max(start, there.last) if start else there.last, end))
    return found


def fetch_gap(
    source: Source,
    symbol: str,
    freq: Frequency,
    span: Span,
    there: Held | None,
) -> Fetched | None:
    """Fetch what the lake has not; None when there is nothing to ask for.

    Where the vendor restates its past and its bar differs from the lake's last one, everything that the
    lake has is asked for again.
    """
    from dataclasses import replace

    import polars as pl

    asked = spans(there, *span)
    parts = [source.fetch(symbol, freq=freq, start=start, end=end) for start, end in asked]
    if there is not None and getattr(source, "restates", False) and _restated(parts, there):
        first = min(there.first, span[0]) if span[0] else there.first
        parts = [source.fetch(symbol, freq=freq, start=first, end=None)]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    paid = [part.actions for part in parts if part.actions is not None]
    return replace(
        parts[-1],
        bars=pl.concat([part.bars for part in parts]).unique("ts", keep="last").sort("ts"),
        actions=pl.concat(paid).unique("ts", keep="last").sort("ts") if paid else None,
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def finished(bars: pl.DataFrame, freq: Frequency, calendar: str, now: datetime) -> tuple[pl.DataFrame, int]:
    """Leave out bars that are not over by `now`; say how many these are."""
    import pandas as pd
    import polars as pl

    from tapebook.data.align import known_at

    late = bars.filter(pl.col("ts") >= pl.lit(now) - pl.duration(days=32))["ts"].unique().sort()
    if not len(late):
        return bars, 0
    known = known_at(pd.DatetimeIndex(late.to_numpy()).tz_localize("UTC").as_unit("us"), freq, [calendar])
    open_ = [stamp for stamp, when in zip(late.to_list(), known, strict=True) if when > now]
    kept = bars.filter(~pl.col("ts").is_in(open_)) if open_ else bars
    return kept, len(bars) - len(kept)


def _restated(parts: Sequence[Fetched], there: Held) -> bool:
    import polars as pl

    for part in parts:
        met = part.bars.filter(pl.col("ts") == there.last)["close"]
        if len(met) and abs(met[0] - there.close) > 1e-9 * abs(there.close):
            return True
    return False
