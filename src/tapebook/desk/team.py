"""The desk as a place: bring its catalogue up to date, copy it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.desk.core import Core
from tapebook.progress import progress

if TYPE_CHECKING:
    from tapebook.data.catalog.migrate import Migrated
    from tapebook.data.copying import Copied


class TeamRoom(Core):
    """Where a desk is kept, and how it gets elsewhere."""

    def migrate(self, *, dry_run: bool = False) -> Migrated:
        """Bring the catalogue's tables to this tapebook's, as the first use of an older one does by itself.

        One transaction: an interruption leaves it as it was. Of a SQLite catalogue a copy is made first,
        beside it; of PostgreSQL make one with `pg_dump`. Whoever comes meanwhile waits.

        Parameters
        ----------
        dry_run : bool
            Say which steps there would be, and change nothing.

        Raises
        ------
        ConfigError
            If a newer tapebook made it; it says which one to install.
        """
        return self.catalog.migrate(dry_run=dry_run)

    def copy(self, to: str, *, lake: str | None = None, again: bool = False, dry_run: bool = False) -> Copied:
        """Copy this desk into an empty place: from embedded to a team's, back, or from one to another.

        All of it or nothing that opens: counts and checksums of every table, every symbol and every file are
        compared before the copy can be used. Snapshots keep their numbers, so that stored runs and results
        mean the same there; credentials go as they are sealed, and need the same key. Writers of the lake
        wait meanwhile; the source is only read.

        Parameters
        ----------
        to : str
            `postgresql://user@host/name`, `sqlite:///path`, or a folder to be a desk of its own.
        lake : str, optional
            Where the files go: `s3://bucket/prefix`, or a folder. It must be said with PostgreSQL.
        again : bool
            Go on with a copy into this place that did not end. Files that are there stay.
        dry_run : bool
            Count what would be copied; write nothing.

        Raises
        ------
        TapebookError
            If something is there already (it says what), or differs afterwards.
        """
        from tapebook.data.copying import copy, target_of

        target = target_of(self.config, to, lake)
        with progress("copying") as report:
            return copy(self.config, target, again=again, dry_run=dry_run, report=report)
