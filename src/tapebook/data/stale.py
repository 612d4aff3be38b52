"""Whether what was computed has read bars that are other ones by now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tapebook.data.when import first_moment, last_moment
from tapebook.errors import TapebookError
from tapebook.schema import Frequency

Reading = Mapping[str, Any]
"""What was read: `snapshot`, `symbols` (None: all), `freq`, and the span `start` to `end`, None for open."""


def told(revisions: Sequence[Mapping[str, Any]], readings: Sequence[Reading]) -> str:
    """Say what was revised under these readings, "" for nothing.

    `revisions` are rows of the catalogue, of snapshots after the oldest of the readings.
    """
    asked = [(reading, *span(reading)) for reading in readings if reading["snapshot"] is not None]
    found = [one for one in revisions if any(_touches(one, *reading) for reading in asked)]
    if not found:
        return ""
    bars = sum(one["changed"] + one["removed"] for one in found)
    actions, late = (sum(one[name] for one in found) for name in ("actions", "added"))
    parts = ((bars, "bars"), (actions, "splits or dividends"), (late, "late bars"))
    counts = " and ".join(f"{n:,} {what}" for n, what in parts if n)
    symbols = sorted({one["symbol"] for one in found})
    named = ", ".join(symbols[:3]) + (f" and {len(symbols) - 3} more" if len(symbols) > 3 else "")
    did = "revised" if bars or actions else "added"
    return f"{counts} of {named} {did} by snapshot {max(one['snapshot'] for one in found)}"


def moved(
    changed: Callable[[str, str | None, str | None], str], row: Mapping[str, Any], start: Any, end: Any
) -> str:
    """Say how the universes that a row names by version are others by now; see `Universes.changed`."""
    named = (row.get("extra") or {}).get("universe") or ()
    told = (changed(name, start, end) for name in named if name.startswith("@"))
    return "; ".join(one for one in told if one)


def read_by(row: Mapping[str, Any]) -> Reading:
    """What a stored result or scan has read: its symbols, and its benchmark where that is one."""
    benchmark = (row.get("extra") or {}).get("benchmark")
    symbols = [*row["symbols"], *([benchmark] if benchmark else [])]
    return {name: row[name] for name in ("snapshot", "freq", "start", "end")} | {"symbols": symbols}


def span(reading: Reading) -> tuple[str, str]:
    """First and last second of a reading, as rows write them; "" and "9999" where it is open."""
    first, last = _edge(first_moment, reading["start"]), _edge(last_moment, reading["end"])
    return first or "", last or "9999"


def _edge(moment: Callable[[Any], Any], said: Any) -> str | None:
    try:
        found = moment(said or None)
    except TapebookError:  # a run that failed because of it
        return None
    return None if found is None else str(found.isoformat(timespec="seconds"))


def _touches(revision: Mapping[str, Any], reading: Reading, first: str, last: str) -> bool:
    """Whether an earlier snapshot, this symbol and bars of this span were read."""
    if revision["snapshot"] <= reading["snapshot"]:
        return False
    if reading["symbols"] is not None and revision["symbol"] not in reading["symbols"]:
        return False
    if revision["freq"] and reading["freq"]:
        shorter = Frequency.parse(revision["freq"]).seconds <= Frequency.parse(reading["freq"]).seconds
        if not shorter:  # a longer bar is made of shorter ones, never the other way round
            return False
    return bool(revision["first"] <= last and revision["last"] >= first)
