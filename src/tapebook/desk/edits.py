"""Bars corrected by hand, and what was corrected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tapebook.desk.data import DataRoom
from tapebook.errors import BadInput, BadParameter
from tapebook.who import who

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from tapebook.data.edit import Edited

_AUDIT = (
    "number", "time", "who", "what", "symbol", "freq", "bars", "first", "last", "reason", "undoes", "seen"
)  # fmt: skip


class EditRoom(DataRoom):
    """Changes of bars by hand."""

    def edit_bars(
        self,
        bars: str | Path | pd.DataFrame | pl.DataFrame,
        ts: str | datetime | None = None,
        *,
        reason: str,
        times: float | None = None,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        freq: str = "1d",
        seen: int | None = None,
        add: bool = False,
        force: bool = False,
        dry_run: bool = False,
        **fields: float,
    ) -> Edited:
        """Correct bars by hand: one bar of a symbol, or those of a table or a CSV file; all or none.

        desk.edit_bars("AAPL", "2010-01-04", close=30.57, reason="typed wrong", seen=bars.snapshot)
        desk.edit_bars("fixes.csv", reason="from the exchange's bulletin")

        The bars are judged as on ingestion, stored as a new snapshot (the one before stays readable), and
        written down with who, when, why, before and after (`audit`). Results that read them are stale. What a
        source sends later for a corrected bar does not overwrite it, and is told.

        Parameters
        ----------
        bars : str, path or frame
            A symbol, with `ts` and fields: `open=`, `high=`, `low=`, `close=`, `volume=`, as printed on the
            day. Or a frame or CSV file with the columns symbol, ts and fields, maybe freq; an empty cell
            leaves what is there, and `was_close` … say what was seen there.
        times : float, optional
            Multiply the four prices of a symbol's bars from `start` to `end` instead: 0.01 of pence that are
            pounds.
        freq : str
            Length of the bars, where no column says it.
        seen : int, optional
            The snapshot that the bars were seen in: if one was changed since, nothing is written. Without
            it (and without `was_…`) only a bar that somebody else has corrected is refused.
        add : bool
            Make bars that are not there.
        force : bool
            Store what the quality checks call wrong.

        Raises
        ------
        Changed, BadInput, UnknownName
            See `Lake.edit`; nothing is written then.
        """
        from tapebook.data.edit_input import asked, scaled

        why = reason.strip()
        if not why:
            raise BadParameter("reason", reason, "why the bars are changed, in words")
        if times is None and (start is not None or end is not None):
            raise BadInput("a span goes with times=: name one bar by its time, or several in a table")
        if times is not None:
            if not isinstance(bars, str) or ts is not None or fields:
                raise BadInput("times= multiplies the bars of one symbol, from start= to end=")
            wanted = scaled(self.lake.read(bars, freq=freq, start=start, end=end), freq, times)
        else:
            wanted = asked(bars, ts, freq, fields)
        done = self.lake.edit(
            wanted,
            reason=why,
            who=who(),
            seen=seen,
            add=add,
            force=force,
            dry_run=dry_run,
        )
        if not dry_run:
            self._tell()
        return done

    def restore_bars(self, edit: int, *, reason: str = "") -> Edited:
        """Put back what an edit or a deletion changed, by its number (`audit`), as a new snapshot.

        Raises
        ------
        Changed
            If a bar was changed since: put that back first.
        BadInput, UnknownName
            If it was undone already; if there is no such edit.
        """
        done = self.lake.undo(edit, who=who(), reason=reason.strip())
        self._tell()
        return done

    def audit(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        edit: int | None = None,
        limit: int | None = 100,
    ) -> pd.DataFrame:
        """List what was done to bars by hand, newest first: edit, at, who, what, how many bars, reason.

        `snapshot before` is the one that a change was made in: `desk.bars(…, asof=…)` reads it. With `edit`
        each of its bars, with its fields before (`was_close`) and after (`close`).
        """
        import pandas as pd

        wanted = None if symbols is None else self._members(symbols)[0]
        rows = self.lake.edits(wanted, number=edit, limit=limit)
        columns = {"number": "edit", "time": "at", "seen": "snapshot before"}
        found = pd.DataFrame(rows.to_dicts(), columns=rows.columns if len(rows) else None)
        order = [name for name in _AUDIT if name in found] if edit is None else list(found)
        return found[order].rename(columns=columns)
