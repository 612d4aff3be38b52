"""The lake: bars, corporate actions, instruments and quality findings, with every earlier state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from tapebook.data import direct, read, s3, snapshots
from tapebook.data.again import patient
from tapebook.data.compact import Compacted, compact
from tapebook.data.duck import closing
from tapebook.data.edit import Edited, conflicting, corrections, edit, edits, kept, strike, undo
from tapebook.data.read import Answer, View
from tapebook.data.snapshots import AsOf
from tapebook.data.store import EMPTY, NAME, Store
from tapebook.data.tidy import nothing
from tapebook.data.when import When
from tapebook.data.write import Written, delete, write
from tapebook.errors import BadParameter, NoData, UnknownName
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from tapebook.config import Config
    from tapebook.data.changes import Change
    from tapebook.data.mirror import Mirror
    from tapebook.data.panel import Adjust, Bars
    from tapebook.data.revised import Revised

__all__ = ["Compacted", "Lake", "Written"]


UNDOABLE_DAYS = 30.0
"""A deletion without a reason can be undone for so long; a compaction lets go of it then."""


class Lake:
    """All market data of one desk, kept in Parquet files under a catalogue of snapshots.

    Readers see one snapshot each and never wait for writers; writers queue. One Lake may be shared
    by threads; another process opens its own. Nothing is opened or created before it is needed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @classmethod
    def open(cls, config: Config, *, read_only: bool = False) -> Lake:
        """Return the lake of these settings; it connects at the first call."""
        return cls(Store(config, read_only=read_only))

    def close(self) -> None:
        """Let go of the files and the catalogue."""
        self._store.close()

    def __enter__(self) -> Lake:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing

    @patient
    def write(
        self,
        bars: Any = None,
        *,
        actions: Any = None,
        instruments: Any = None,
        quality: Any = None,
        note: str = "",
    ) -> Written:
        """Write long frames (pandas, polars or pyarrow) in one transaction: all of it or nothing.

        A row with a known key takes the old one's place; a row that is there already is not
        written; if nothing changes there is no new snapshot. A symbol without an instrument gets
        one with the calendar "24/7".

        Parameters
        ----------
        bars : frame, optional
            symbol, freq, ts (UTC), open, high, low, close, volume as traded on the day, unadjusted.
            At most one row a (symbol, freq, ts). A bar shorter than a day is stamped with its
            opening time, a longer one with its (last) session's date at 00:00 UTC.
        actions : frame, optional
            symbol, ts (the ex-date at 00:00 UTC), split (new shares for one old), dividend (for
            each share held before the ex-date); null, NaN or 0 for none.
        instruments : frame, optional
            symbol, calendar, currency, name, source, asset.
        quality : frame, optional
            symbol, freq, check_name, severity, ts, value, detail. Takes the place of all findings
            on every (symbol, freq) in it or in `bars`.
        note : str
            Kept with the snapshot.

        Raises
        ------
        BadInput
            If a frame has other columns, a row no key or a double one; nothing is written.
        """
        frames = {"bars": bars, "actions": actions, "instruments": instruments, "quality": quality}
        return write(self._store, frames, note)

    @patient
    def delete(
        self,
        symbols: str | Sequence[str],
        *,
        freq: str | Frequency | None = None,
        start: When = None,
        end: When = None,
        note: str = "",
        who: str = "",
        reason: str = "",
    ) -> Written:
        """Delete bars of `symbols`, of one length and between two times, or all. Both ends count.

        Findings go with the last bar of their length, actions and instrument with the symbol's
        last bar. Earlier snapshots stay readable. Raises UnknownName for an unknown symbol.

        Parameters
        ----------
        who, reason : str
            Whom the log of edits names, if anybody, and why; a deletion with a reason is a correction, which
            an ingestion keeps.
        """
        length = None if freq is None else Frequency.parse(freq)
        record = partial(strike, store=self._store, reason=reason, who=who) if who else None
        return delete(self._store, _names(symbols), length, start, end, note, record)

    def edit(
        self,
        bars: pl.DataFrame,
        *,
        reason: str,
        who: str,
        seen: int | None = None,
        add: bool = False,
        force: bool = False,
        dry_run: bool = False,
    ) -> Edited:
        """Change fields of single bars by hand, all of them or none, as a new snapshot.

        Parameters
        ----------
        bars : polars frame
            symbol, freq, ts (UTC) and the five fields, of which null leaves what is there. Columns
            `was_open` … say what was seen there; null was not looked at.
        reason, who : str
            Kept with every bar, with the values before and after; see `edits`.
        seen : int, optional
            The snapshot that the change was made from.
        add : bool
            Make bars that are not there; otherwise they are an error.
        force : bool
            Store what the quality checks call wrong; the findings stay with it.
        dry_run : bool
            Judge and answer, write nothing.

        Raises
        ------
        Changed
            If a bar is another by now than was seen, or somebody else has corrected it and neither `seen`
            nor a `was_` column says that this is known.
        BadInput
            If a bar is not there, is given twice, or would be wrong: high below low, a close outside of
            both, a price that is not above 0.
        UnknownName
            If the lake does not hold a symbol.
        """
        return edit(
            self._store, bars, reason=reason, who=who, seen=seen, add=add, force=force, dry_run=dry_run
        )

    def undo(self, number: int, *, who: str, reason: str = "") -> Edited:
        """Put back what edit `number` changed or deleted, as a new snapshot.

        Raises
        ------
        UnknownName
            If there is no such edit.
        Changed
            If a bar is another by now than the edit left it.
        BadInput
            If it was undone already.
        """
        return undo(self._store, number, reason=reason, who=who)

    @patient
    def edits(
        self, symbols: Sequence[str] | None = None, *, number: int | None = None, limit: int | None = 100
    ) -> pl.DataFrame:
        """List changes by hand, newest first: one row an edit, symbol and length; of `number` its bars."""
        return edits(self._store, symbols, number, limit)

    def conflicting(self, found: pl.DataFrame, source: str) -> int | None:
        """Record what a source has for bars that were corrected by hand; see `edit.conflicting`."""
        return conflicting(self._store, found, source)

    @patient
    def corrections(self, symbols: Sequence[str], freq: str | Frequency = "1d") -> pl.DataFrame:
        """Return the bars that a correction stands for now: the last rows of `edits` of each."""
        return corrections(self._store, symbols, str(Frequency.parse(freq)))

    @patient
    def compact(
        self,
        *,
        keep: Collection[int] = (),
        until: int | None = None,
        undoable: float = UNDOABLE_DAYS,
        strays: bool = False,
    ) -> Compacted:
        """Merge small files, drop all snapshots but the newest and `keep`, and remove unused files.

        No answer changes, now or at a snapshot that is kept. Others may read meanwhile. Snapshots after
        number `until` stay as well: those that nobody was told of yet. So do those from before a correction,
        and from before other deletions of the last `undoable` days. Parquet files older than a day that no
        snapshot names (of writes that failed) are counted, and removed if `strays`.
        """
        return compact(self._store, {*keep, *kept(self._store, undoable)}, until, remove=strays)

    # ---- reading

    def read(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        freq: str | Frequency = "1d",
        start: When = None,
        end: When = None,
        asof: AsOf = None,
    ) -> pa.Table:
        """Return raw bars, long: symbol, ts and the five fields, sorted by (symbol, ts).

        Bars that are missing are missing rows; a span without bars is an empty table.
        Raises UnknownName for a symbol that the lake does not hold.
        """
        names, length = None if symbols is None else _names(symbols), Frequency.parse(freq)

        def question(view: View) -> pa.Table:
            known = read.calendars(view, names)
            return read.tidied(read.long(view, names, known, length, start, end), names)

        try:
            return read.seeing(self._store, asof, question)
        except NoData:
            if asof is not None:
                raise
            _refuse(names)
            return nothing("bars").drop_columns("freq").select(["symbol", "ts", *FIELDS])

    def ends(self, symbols: Sequence[str], freq: str | Frequency) -> pa.Table:
        """One row a symbol that has bars of this length: symbol, first and last stamp, the last close."""
        length = Frequency.parse(freq)
        return self._or_empty(None, lambda view: read.ends(view, symbols, length), read.no_ends)

    def stored(
        self, symbols: Sequence[str], freq: str | Frequency, *, since: When = None
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """What new bars of these symbols are judged beside, of one snapshot; unknown symbols have none.

        Returns
        -------
        bars, actions, findings
            Bars of this length from `since` on (symbol, ts and the five fields, in no order), all actions,
            and the findings on bars of this length.
        """
        length = Frequency.parse(freq)
        return self._or_empty(
            None, lambda view: read.stored(view, symbols, length, since), read.stored_nothing
        )

    def bars(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        start: When = None,
        end: When = None,
        freq: str | Frequency = "1d",
        adjust: Adjust = "splits",
        asof: AsOf = None,
    ) -> Bars:
        """Return bars as wide frames; the columns keep the order asked.

        Parameters
        ----------
        symbols : str or sequence of N str, optional
            All symbols with bars in the span by default, sorted.
        start, end : str, date or datetime, optional
            First and last stamp, both included; "2005-03" is the whole month.
        adjust : "splits", "total" or False
            Prices before an ex-date are divided by the splits from it on, and volume multiplied;
            "total" also takes off dividends. As vendors do, actions after `end` count too: what is
            adjusted is only comparable within one snapshot, and returns are the same in all. See
            `tapebook.data.adjust`.
        asof : int, str or datetime, optional
            A snapshot's number or a time: what the lake held then, bars and actions.

        Raises
        ------
        UnknownName
            If the lake does not hold a symbol.
        NoData
            If the span has no bars, or there is no such snapshot.
        BadParameter
            If `freq`, `adjust` or a time cannot be read, or a symbol is asked for twice.
        """
        from tapebook.data.panels import panel

        names, length = None if symbols is None else _names(symbols), Frequency.parse(freq)
        found = direct.bars(self._store.config, asof, names, length, start, end, adjust)
        if found is not None:
            return found
        try:
            return read.seeing(self._store, asof, lambda view: panel(view, names, length, start, end, adjust))
        except NoData as error:
            if asof is None and str(error) == EMPTY:
                _refuse(names)
            raise

    def listing(self, *, asof: AsOf = None) -> pd.DataFrame:
        """One row a (symbol, freq): calendar, first, last, bars, and quality, the worst severity or ""."""
        return self._or_empty(asof, read.listing, _empty_listing)

    def quality(self, symbols: str | Sequence[str] | None = None, *, asof: AsOf = None) -> pd.DataFrame:
        """Return the stored findings: symbol, freq, check_name, severity, ts, value, detail."""
        names = None if symbols is None else _names(symbols)
        found = direct.quality(self._store.config, asof, names)
        if found is not None:
            return found

        def none() -> pd.DataFrame:
            _refuse(names)
            return read.in_pandas(nothing("quality"))

        return self._or_empty(asof, lambda view: read.quality(view, names), none)

    def last(self, symbols: str | Sequence[str], freq: str | Frequency = "1d") -> dict[str, datetime]:
        """Stamp (UTC) of the newest bar of each symbol that has bars of this length."""
        names, length = _names(symbols), Frequency.parse(freq)
        return self._or_empty(None, lambda view: read.last(view, names, length), dict)

    @patient
    def names(self) -> dict[str, str]:
        """Name of each symbol that there is, by the symbol."""
        try:
            with closing(self._store.reading()) as cursor:
                return dict(cursor.execute(f"SELECT symbol, name FROM {NAME}.instruments").fetchall())
        except NoData:
            return {}

    @patient
    def snapshots(self) -> pd.DataFrame:
        """One row a snapshot, oldest first: id, time (UTC), note, changes."""
        try:
            with closing(self._store.reading()) as cursor:
                return snapshots.frame(cursor)
        except NoData:
            return snapshots.frame(None)

    @patient
    def snapshot(self, asof: AsOf = None) -> int:
        """Number of the newest snapshot, or of the one valid at a number or time; else NoData."""
        with closing(self._store.reading()) as cursor:
            return snapshots.resolve(cursor, asof)

    @patient
    def changes(self, after: int = -1, *, limit: int = 100) -> tuple[int, list[Change]]:
        """What the snapshots after number `after` did to the bars, oldest first, and the last one looked at.

        At most `limit` snapshots are looked at; (after, []) when there is none.
        """
        from tapebook.data.changes import changes

        try:
            with closing(self._store.reading()) as cursor, read.transaction(cursor):
                return changes(self._store, cursor, after, limit)
        except NoData:
            return after, []

    @patient
    def revised(self, after: int = -1, *, limit: int = 100) -> tuple[int, list[Revised]]:
        """Tell what the snapshots after number `after` revised or took away, and which was looked at last."""
        from tapebook.data.revised import revised

        try:
            store = self._store
            with s3.told(store.files), closing(store.reading()) as cursor, read.transaction(cursor):
                return revised(store, cursor, after, limit)
        except NoData:
            return after, []

    def sql(
        self,
        query: str,
        *,
        out: Literal["pandas", "polars", "arrow"] = "pandas",
        asof: AsOf = None,
        parameters: Any = (),
    ) -> pd.DataFrame | pl.DataFrame | pa.Table:
        """Ask in DuckDB's SQL, read-only: tables bars, adjusted (for splits), actions, instruments, quality.

        Parameters
        ----------
        parameters : sequence or dict
            Values for `?` or `$name` in the query.

        Raises
        ------
        BadInput
            If DuckDB does not understand the query, or it asks for another table or for a file.
        TapebookError
            If the query would write: the lake is read-only here.
        """
        from tapebook.data.ask import ask

        return ask(self._store, query, out, asof, parameters)

    def mirror(self, url: str, schema: str) -> Mirror:
        """Return the mirror of this lake in plain tables of a PostgreSQL database."""
        from tapebook.data.mirror import Mirror

        return Mirror(self._store, url, schema)

    def _or_empty(
        self, asof: AsOf, question: Callable[[View], Answer], empty: Callable[[], Answer]
    ) -> Answer:
        try:
            return read.seeing(self._store, asof, question)
        except NoData:
            if asof is not None:
                raise
            return empty()


def _names(symbols: str | Sequence[str]) -> list[str]:
    names = [symbols] if isinstance(symbols, str) else list(symbols)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise BadParameter("symbols", ", ".join(names), f"each symbol once; {twice[0]} is there twice")
    return names


def _refuse(names: Sequence[str] | None) -> None:
    """An empty lake knows no symbol."""
    for name in names or ():
        raise UnknownName("symbol", name, (), read.NEXT)


def _empty_listing() -> pd.DataFrame:
    frame = read.in_pandas(nothing("quality"))
    spans = {"calendar": frame["symbol"], "first": frame["ts"], "last": frame["ts"]}
    return frame[["symbol", "freq"]].assign(**spans, bars=0, quality=frame["symbol"])
