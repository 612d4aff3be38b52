"""The forward ledger's arithmetic: rows that only grow, a chain of hashes, and the account they make.

A row holds one bar as it was known when it was written: prices as printed, the factor of a split on that
day, and what was decided at its close. Nothing in it depends on a later row, and the account is made from
rows alone, so it can be made again at any time and has to come out the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tapebook.data.plain import plain
from tapebook.errors import BadInput
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation.simulate import Simulation, direction, flags_of, signals_of, simulate

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules

FIELDS = ("open", "high", "low", "close", "volume")
Row = Mapping[str, Any]


def digest(previous: str, content: Any) -> str:
    """SHA-256 (hex) of what came before and of this content, written in one way only."""
    said = json.dumps(plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(f"{previous}\n{said}".encode()).hexdigest()


def broken(first: str, entries: Sequence[Mapping[str, Any]]) -> str | None:
    """Say the first entry whose hash does not follow from the one before it; None if all do."""
    previous = first
    for number, entry in enumerate(entries, start=1):
        if entry["entry"] != number:
            return f"entry {number} is missing"
        if entry["previous"] != previous:
            return f"entry {number} ({entry['ts']}) does not follow the one before it"
        if digest(previous, entry["content"]) != entry["digest"]:
            return f"entry {number} ({entry['ts']}) was changed after it was written"
        previous = entry["digest"]
    return None


# ---- rows


def decided(
    strategy: Strategy, params: Mapping[str, Any], known: Bars, rules: Rules, *, state: bool
) -> dict[str, Any]:
    """What a strategy decides at the close of the last bar of `known`: {"kind", "decision" by symbol}.

    With `state`, what its last decision so far asks for, whenever that was.
    """
    said = strategy(known, **params)
    if isinstance(said, Signals):
        flags = flags_of(said, direction(said, rules)).T
        last = [_last(column, state=state) for column in flags.T]
        return {"kind": "signals", "decision": dict(zip(known.symbols, last, strict=True))}
    block = said.to_numpy(dtype=float)
    row = pd.DataFrame(block).ffill().to_numpy()[-1] if state else block[-1]
    told = [None if np.isnan(x) else float(x) for x in row]
    return {"kind": "weights", "decision": dict(zip(known.symbols, told, strict=True))}


def _last(flags: np.ndarray, *, state: bool) -> int:
    at = np.flatnonzero(flags) if state else np.array([len(flags) - 1])
    return int(flags[at[-1]]) if len(at) else 0


def bar_row(raw: Bars, adjusted: Bars, t: int) -> dict[str, Any]:
    """Bar t of both, as a row: prices as printed, and by how much a split on this day divides them."""
    factor = adjusted.values["close"] / raw.values["close"]
    prices, split = {}, {}
    for n, symbol in enumerate(raw.symbols):
        values = [float(raw.values[name][t, n]) for name in FIELDS]
        prices[symbol] = None if np.isnan(values[3]) else [None if np.isnan(v) else v for v in values]
        before = factor[:t, n][~np.isnan(factor[:t, n])]
        jumped = factor[t, n] / before[-1] if len(before) and not np.isnan(factor[t, n]) else 1.0
        split[symbol] = float(round(jumped, 9))
    return {"ts": raw.index[t].isoformat(), "bars": prices, "split": split}


def bars_of(rows: Sequence[Row], like: Mapping[str, Any]) -> Bars:
    """Bars of some rows, prices in the units of the last one; `like` names symbols, freq and calendars."""
    from tapebook.data.panel import Bars

    symbols = list(like["symbols"])
    block = np.full((5, len(rows), len(symbols)), np.nan)
    split = np.ones((len(rows), len(symbols)))
    for t, row in enumerate(rows):
        for n, symbol in enumerate(symbols):
            split[t, n] = row["split"][symbol]
            if row["bars"][symbol] is not None:
                block[:, t, n] = [np.nan if v is None else v for v in row["bars"][symbol]]
    later = np.cumprod(np.vstack([split[1:], np.ones(len(symbols))])[::-1], axis=0)[::-1]
    block[:4] *= later
    block[4] /= later
    index = pd.DatetimeIndex([row["ts"] for row in rows], name="ts").as_unit("us")
    open_, high, low, close, volume = (pd.DataFrame(part, index, symbols) for part in block)
    return Bars.from_frames(
        open=open_, high=high, low=low, close=close, volume=volume, freq=like["freq"],
        calendars=dict(like["calendars"]),
    )  # fmt: skip


def decisions_of(rows: Sequence[Row], symbols: Sequence[str], index: pd.DatetimeIndex) -> Any:
    """Decisions of some rows: `Signals`, or target weights."""
    said = [[row["decision"][symbol] for symbol in symbols] for row in rows]
    if rows[0]["kind"] == "signals":
        return signals_of(np.array(said, dtype=np.uint8), index, list(symbols))
    return pd.DataFrame(np.array(said, dtype=float), index, list(symbols))


def account(rows: Sequence[Row], rules: Rules, like: Mapping[str, Any]) -> tuple[Bars, Simulation]:
    """Trade what the rows decided, on the bars that the rows hold, from cash on."""
    bars = bars_of(rows, like)
    decision = decisions_of(rows, bars.symbols, bars.index)
    return bars, simulate(bars, decision, rules, periods_per_year=bars.periods_per_year)


def standing(done: Simulation, symbols: Sequence[str], t: int = -1) -> dict[str, Any]:
    """Money and units at the close of a row, for the entry that is written."""
    units = {s: round(float(done.positions[t, n]), 9) for n, s in enumerate(symbols)}
    return {
        "equity": round(float(np.sum(done.equity[t])), 6),
        "cash": round(float(np.sum(done.cash[t])), 6),
        "positions": units,
    }


def expect_whole(first: str, entries: Sequence[Mapping[str, Any]], id: str) -> None:
    """Refuse a ledger whose chain is broken.

    Raises
    ------
    BadInput
        Saying which entry.
    """
    why = broken(first, entries)
    if why is not None:
        raise BadInput(
            f"the forward ledger of {id} was tampered with: {why}. Restore the catalogue from a backup; "
            "what it says since then is worth nothing"
        )
