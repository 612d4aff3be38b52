"""The desk as a place: bring its catalogue up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.desk.core import Core

if TYPE_CHECKING:
    from tapebook.data.catalog.migrate import Migrated


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
