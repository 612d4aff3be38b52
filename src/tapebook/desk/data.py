"""Market data: ingest, read, ask, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, overload

from tapebook.desk.core import AsOf, names
from tapebook.desk.revisions import RevisionRoom
from tapebook.desk.universe import masked
from tapebook.progress import progress
from tapebook.who import who

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from tapebook.data.lake import Compacted, Written
    from tapebook.data.mirror import Mirror, Mirrored, Status
    from tapebook.data.panel import Bars
    from tapebook.integration.ingest import Ingested
    from tapebook.integration.sources import Source


class DataRoom(RevisionRoom):
    """Bars of the lake."""

    def ingest(
        self,
        source: str | Source,
        symbols: str | Sequence[str] = (),
        *,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        freq: str = "1d",
        dry_run: bool = False,
        quarantine: bool = False,
        force: bool = False,
        refresh: bool = False,
        **options: Any,
    ) -> Ingested:
        """Write the missing bars of `symbols` (all that the source has, by default) to the lake.

        Parameters
        ----------
        source : str or Source
            A source's name (`tapebook sources` lists them) or an object of your own.
        freq : str
            "1m" to "1mo".
        dry_run : bool
            Fetch and judge, write nothing.
        quarantine : bool
            Let the good rows of a file land and put its broken rows aside; otherwise nothing of a
            symbol with a broken row lands.
        force : bool
            Store bars that the quality checks call severely wrong; they stay marked.
        refresh : bool
            Ask a vendor for the whole span again, to find what it has revised.
        options
            What the source takes, such as `path=`, `columns=` and `tz=` for "files". A credential is
            named as "secret:NAME".
        """
        from tapebook.integration.events import IntegrationFailed
        from tapebook.integration.ingest import ingest
        from tapebook.integration.outside import Outside, Unavailable

        named = source if isinstance(source, str) else source.name
        try:
            with progress(f"ingesting {named}") as report:
                done = ingest(
                    self.lake,
                    source,
                    self._members(symbols)[0],
                    start=start,
                    end=end,
                    freq=freq,
                    dry_run=dry_run,
                    quarantine=self.config.home / "data" / "quarantine" if quarantine else False,
                    force=force,
                    refresh=refresh,
                    outside=Outside.of(self.config),
                    progress=report,
                    **options,
                )
        except Unavailable as fault:  # before the first symbol: it did not even say which there are
            self.catalog.events.add(IntegrationFailed(integration=named, what="ingest", error=str(fault)))
            raise
        if not dry_run:
            self._tell()
            self._tell_failed(named, done)
        return done

    def _tell_failed(self, source: str, done: Ingested) -> None:
        """Tell of the symbols of which nothing landed, as one event."""
        if not done.failed:
            return
        from tapebook.integration.events import IntegrationFailed

        said = "; ".join(f"{row.symbol}: {row.reason or row.outcome}" for row in done.failed[:3])
        more = f"; and {len(done.failed) - 3} more" if len(done.failed) > 3 else ""
        symbols = [row.symbol for row in done.failed]
        told = IntegrationFailed(integration=source, what="ingest", error=said + more, symbols=symbols)
        self.catalog.events.add(told)

    def bars(
        self,
        symbols: str | Sequence[str] | None = None,
        *,
        start: str | datetime | None = None,
        end: str | datetime | None = None,
        freq: str = "1d",
        adjust: Literal["splits", "total", False] = "splits",
        asof: AsOf = None,
    ) -> Bars:
        """Read bars as wide frames: one row a time, one column a symbol; missing bars stay missing.

        Parameters
        ----------
        symbols : str or list of str, optional
            "AAPL", "AAPL,MSFT" or a list; all that have bars of this length by default. "@sp500" is every
            member of a universe in this span; outside of its membership a symbol's bars are missing.
        start, end : str or datetime, optional
            First and last time, both included. "2005" and "2005-03" mean the whole period.
        adjust : "splits", "total" or False
            Prices adjusted for splits; for splits and dividends; or as printed on the day.
        asof : int, str or datetime, optional
            Read what the lake held at that snapshot or time.
        """
        wanted, universes, alone = self._members(() if symbols is None else symbols, start, end)
        bars = self.lake.bars(
            None if symbols is None else wanted,
            start=start,
            end=end,
            freq=freq,
            adjust=adjust,
            asof=self._asof(asof),
        )
        return masked(bars, universes, alone) if universes else bars

    def symbols(self, *, asof: AsOf = None) -> pd.DataFrame:
        """List what the lake holds: one row a symbol and bar length."""
        return self.lake.listing(asof=self._asof(asof))

    def quality(self, symbols: str | Sequence[str] | None = None, *, asof: AsOf = None) -> pd.DataFrame:
        """Return the stored findings of the quality checks, one row a finding."""
        wanted = None if symbols is None else self._members(symbols)[0]
        return self.lake.quality(wanted, asof=self._asof(asof))

    @overload
    def sql(
        self, query: str, *, out: Literal["pandas"] = ..., asof: AsOf = ..., parameters: Any = ...
    ) -> pd.DataFrame: ...
    @overload
    def sql(
        self, query: str, *, out: Literal["polars"], asof: AsOf = ..., parameters: Any = ...
    ) -> pl.DataFrame: ...
    def sql(
        self,
        query: str,
        *,
        out: Literal["pandas", "polars"] = "pandas",
        asof: AsOf = None,
        parameters: Any = (),
    ) -> pd.DataFrame | pl.DataFrame:
        """Ask the lake in DuckDB's SQL: bars, adjusted, actions, instruments, quality, edits. Read-only."""
        answer: pd.DataFrame | pl.DataFrame = self.lake.sql(
            query, out=out, asof=self._asof(asof), parameters=parameters
        )
        return answer

    def delete(
        self, symbols: str | Sequence[str], *, freq: str | None = None, reason: str = "", **span: Any
    ) -> Written:
        """Delete bars (`start=`, `end=` narrow it); `restore_bars` undoes it. Earlier snapshots stay.

        With a `reason` it is a correction, such as of a bad print: what a source sends later for these bars
        is left out, until the deletion is undone. Without one the next ingestion may bring them back.
        """
        done = self.lake.delete(names(symbols), freq=freq, who=who(), reason=reason.strip(), **span)
        self._tell()
        return done

    def compact(self, *, strays: bool = False) -> Compacted:
        """Merge small files and drop snapshots that no run and no result names, nor a correction needs.

        Files that a failed write left are told, and with `strays` removed: only where no other desk has its
        files in the same place.
        """
        keep, until = self.catalog.named_snapshots(), self._tell()
        return self.lake.compact(keep=keep, until=until, undoable=self.config.trash_days, strays=strays)

    def mirror(
        self,
        url: str,
        *,
        symbols: str | Sequence[str] | None = None,
        schema: str = "market",
        say: Callable[[str], None] = lambda _: None,
        follow: bool = False,
    ) -> Mirrored:
        """Bring plain PostgreSQL tables up to the newest snapshot, for tools that read only those.

        Tables bars, actions, instruments and a view `adjusted` (for splits), each with its primary key. The
        first call copies everything, later ones write what changed since, also corrections and deletions; one
        that was broken off is gone on with. Any PostgreSQL will do, also of an embedded desk.

        Parameters
        ----------
        url : str
            "postgresql://user@host/name", or "secret:NAME" which holds one.
        symbols : str or list of str, optional
            Only these; remembered for the next call. Universes (@NAME) are taken as they are now.
        schema : str
            Where the tables are.
        say : callable, optional
            Called with a line for each part that is done.
        follow : bool
            Go on with every change until Ctrl-C.

        Raises
        ------
        ConfigError
            If the database cannot be reached, may not be written, or has other tables of these names.
        """
        from tapebook.data.mirror import follow as following

        chosen = None if symbols is None else self._members(symbols)[0]
        mirror = self._mirror(url, schema)
        done = mirror.sync(chosen, say)
        if follow:
            say(str(done))
            waiter = self.catalog.events.waiter()
            try:
                following(mirror, lambda: waiter.wait(10), None, say)
            finally:
                waiter.close()
        return done

    def mirror_status(self, url: str, *, schema: str = "market") -> Status:
        """Say which snapshot a mirror shows, and how many it is behind."""
        return self._mirror(url, schema).status()

    def _mirror(self, url: str, schema: str) -> Mirror:
        from tapebook.integration.outside import Outside

        return self.lake.mirror(Outside.of(self.config).credential(url), schema)

    def _tell(self) -> int:
        """Write the events of what the lake holds and nobody has told yet; return the last snapshot told."""
        from tapebook.integration.event_bars import tell

        return min(tell(self.lake, self.catalog), self._tell_revisions())

    def _asof(self, asof: AsOf) -> AsOf:
        return self.config.snapshot if asof is None else asof
