"""The catalogue: which strategies, backtests and runs a desk has, in SQLite or PostgreSQL."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tapebook.data.catalog.batches import Batches
from tapebook.data.catalog.documents import Documents
from tapebook.data.catalog.events import Events
from tapebook.data.catalog.item_tables import trash
from tapebook.data.catalog.items import Items
from tapebook.data.catalog.ledger import Ledger
from tapebook.data.catalog.notices import Notices
from tapebook.data.catalog.occasions import Occasions
from tapebook.data.catalog.publications import Publications
from tapebook.data.catalog.results import Results
from tapebook.data.catalog.revisions import Revisions
from tapebook.data.catalog.rows import Rows
from tapebook.data.catalog.runs import Runs
from tapebook.data.catalog.scans import Scans
from tapebook.data.catalog.schedules import Schedules
from tapebook.data.catalog.screens import Screens
from tapebook.data.catalog.search import Search
from tapebook.data.catalog.secrets import Secrets
from tapebook.data.catalog.strategies import Strategies
from tapebook.data.catalog.subscribers import Subscribers
from tapebook.data.catalog.symbols import Symbols
from tapebook.data.catalog.tables import results, runs, scans
from tapebook.data.catalog.trash import Trash
from tapebook.data.catalog.trials import Trials
from tapebook.data.catalog.universes import Universes

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog.migrate import Migrated


class Catalog:
    """The rows of one desk; the files that they name lie beside it (`Config.results`, `Config.reports`).

    Nothing is made before the first write: reading an absent catalogue finds nothing. The tables are
    migrated to this version's on the first use; several processes may open, read and write at once.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @classmethod
    def open(cls, config: Config) -> Catalog:
        """Open the catalogue that `config.database` names.

        Raises
        ------
        ConfigError
            On first use, if the database cannot be reached or was made by a newer tapebook.
        """
        return cls(Rows(config.database))

    def close(self) -> None:
        """Let go of every connection."""
        self._rows.close()

    def migrate(self, *, dry_run: bool = False) -> Migrated:
        """Bring the tables to this version's, as the first use does, and say what was done."""
        return self._rows.migrate(dry_run=dry_run)

    @cached_property
    def results(self) -> Results:
        """Stored backtests."""
        return Results(self._rows)

    @cached_property
    def runs(self) -> Runs:
        """Report runs."""
        return Runs(self._rows)

    @cached_property
    def batches(self) -> Batches:
        """Batches of runs."""
        return Batches(self._rows)

    @cached_property
    def strategies(self) -> Strategies:
        """Saved versions of strategies."""
        return Strategies(self._rows)

    @cached_property
    def scans(self) -> Scans:
        """Stored scans of the market."""
        return Scans(self._rows)

    @cached_property
    def screens(self) -> Screens:
        """Kept screens, and their runs."""
        return Screens(self._rows)

    @cached_property
    def publications(self) -> Publications:
        """What is published, and which runs are pinned."""
        return Publications(self._rows)

    @cached_property
    def secrets(self) -> Secrets:
        """Sealed credentials; `tapebook.integration.vault` opens them."""
        return Secrets(self._rows)

    @cached_property
    def symbols(self) -> Symbols:
        """Symbols of the lake, to be noted, tagged and found."""
        return Symbols(self._rows)

    @cached_property
    def items(self) -> Items:
        """Notes, tags and history of everything that is kept."""
        return Items(self._rows)

    @cached_property
    def trash(self) -> Trash:
        """What was deleted and can come back."""
        return Trash(self._rows)

    @cached_property
    def search(self) -> Search:
        """Finding by words."""
        return Search(self._rows)

    @cached_property
    def trials(self) -> Trials:
        """The ledger of everything that was tried."""
        return Trials(self._rows)

    @cached_property
    def ledger(self) -> Ledger:
        """Frozen strategies and what they decided since."""
        return Ledger(self._rows)

    @cached_property
    def revisions(self) -> Revisions:
        """What was revised, by snapshot and symbol."""
        return Revisions(self._rows)

    @cached_property
    def universes(self) -> Universes:
        """Named lists of symbols with dates of membership."""
        return Universes(self._rows)

    @cached_property
    def events(self) -> Events:
        """The outbox: what happened."""
        return Events(self._rows)

    @cached_property
    def subscribers(self) -> Subscribers:
        """Who hears of events, and how far each is."""
        return Subscribers(self._rows)

    @cached_property
    def schedules(self) -> Schedules:
        """What runs when."""
        return Schedules(self._rows)

    @cached_property
    def occasions(self) -> Occasions:
        """Each time that a schedule became due, and what came of it."""
        return Occasions(self._rows)

    @cached_property
    def documents(self) -> Documents:
        """Where findings are published to, and which page is which."""
        return Documents(self._rows)

    @cached_property
    def notices(self) -> Notices:
        """Notices to people, to be sent and sent."""
        return Notices(self._rows)

    def named_snapshots(self) -> set[int]:
        """Return every snapshot that a run, a result, a scan or a frozen strategy names, deleted ones too.

        Those must stay readable.
        """
        from sqlalchemy import select, union

        named = union(
            *(
                select(table.c.snapshot).where(table.c.snapshot.is_not(None))
                for table in (results, runs, scans, trash)
            )
        )
        with self._rows.reading() as connection:
            known = set(connection.scalars(named))
        kept = (row["content"].get("snapshot") for row in self.ledger.list())
        return known | {number for number in kept if number is not None}
