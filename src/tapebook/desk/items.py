"""What can be done to everything that a desk keeps: find, note, tag, look at its history, bring back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tapebook.desk.core import Core, names
from tapebook.errors import BadParameter, UnknownName

if TYPE_CHECKING:
    import pandas as pd

_FOUND = ["kind", "name", "about", "note", "tags", "at"]
_TRASH = ["kind", "name", "revision", "deleted", "who", "until", "note"]
_LOG = ["revision", "at", "who", "what", "before", "after"]


class ItemRoom(Core):
    """Items: strategies, results, scans, runs, screens, universes, documentation targets, schedules, secrets,
    subscriptions, published names, and the symbols of the lake.

    An item is named by its kind and name, "screen:dips", or by its name where only one kind has it:
    "trend@2", "bt-20261126-101500-ab12". Each has a revision, which every change raises; who says which one
    he has seen (`revision=`) overwrites nothing that came after it.
    """

    def item(self, name: str) -> dict[str, Any]:
        """Return kind, name, revision, created, note, tags, and when and by whom it was last changed."""
        return self.catalog.items.get(*self._item(name))

    def note(self, name: str, text: str, *, revision: int | None = None) -> int:
        """Replace the note of an item; return its revision.

        Raises
        ------
        Changed
            If it is at another revision than the one given: it says who changed it, and when.
        """
        return self.catalog.items.note(*self._item(name), text, seen=revision)

    def tag(
        self, name: str, *tags: str, remove: str | Iterable[str] = (), revision: int | None = None
    ) -> list[str]:
        """Give an item tags, and take others from it; return those that it has. `Changed` as for `note`."""
        go = [remove] if isinstance(remove, str) else list(remove)
        return self.catalog.items.tag(*self._item(name), tags, go, seen=revision)

    def tags(self) -> pd.DataFrame:
        """List every tag: tag, items, kinds."""
        import pandas as pd

        return pd.DataFrame(self.catalog.items.tags(), columns=["tag", "items", "kinds"])

    def log(self, name: str) -> pd.DataFrame:
        """List what was done to an item, oldest first: revision, at, who, what, before, after."""
        import pandas as pd

        rows = self.catalog.items.history(*self._item(name, gone=True))
        return pd.DataFrame(rows, columns=_LOG)

    def search(
        self,
        words: str = "",
        *,
        kinds: str | Sequence[str] = (),
        tags: str | Sequence[str] = (),
        limit: int | None = 20,
    ) -> pd.DataFrame:
        """Find items by the words of their names, notes, tags and titles, best first.

        Accents and case do not count; a word finds all that begin with it; all words must be found; words in
        double quotes follow each other as they are. See `tapebook.data.catalog.search`.

        Parameters
        ----------
        kinds, tags : str or list of str
            Only of these kinds; only what has all of these tags.
        """
        import pandas as pd

        self._follow_symbols()
        chosen, tagged = (names(said) if said else [] for said in (kinds, tags))
        rows = self.catalog.search.find(words, kinds=chosen, tagged=tagged, limit=limit)
        return pd.DataFrame(rows, columns=_FOUND)

    # ---- the trash

    def trash(self, kind: str | None = None) -> pd.DataFrame:
        """List what was deleted, newest first, and until when it can come back.

        Longer, as long as no worker runs and nobody empties the trash.
        """
        from datetime import datetime, timedelta

        import pandas as pd

        from tapebook.data.catalog.kinds import kind_of

        rows = self.catalog.trash.list(None if kind is None else kind_of(kind).name)
        for row in rows:
            until = datetime.fromisoformat(row["deleted"]) + timedelta(days=self.config.trash_days)
            row["until"] = None if row["going"] else until.isoformat(timespec="seconds")
        return pd.DataFrame(rows, columns=_TRASH)

    def restore(self, name: str, *, revision: int | None = None) -> None:
        """Bring an item back as it was when it was deleted.

        Raises
        ------
        UnknownName
            If none of this name lies in the trash.
        Changed
            If it is at another revision than the one given (`trash` says it).
        BadInput
            If there is another one of this name by now.
        """
        from tapebook.runs.trash import restore

        restore(self.config, self.catalog, *self._item(name, gone=True), seen=revision)

    def empty_trash(
        self, *items: str, older_than: str | float | None = None, dry_run: bool = False
    ) -> pd.DataFrame:
        """Destroy what was deleted long ago, or the items named, with their files; return what went.

        Parameters
        ----------
        older_than : str or float, optional
            "90d", "12h", or days; 0 for everything. The desk's `trash_days` (30) by default.
        """
        import pandas as pd

        from tapebook.runs.retention import days
        from tapebook.runs.trash import empty

        age = None if older_than is None else days(older_than)
        chosen = [self._item(item, gone=True) for item in items]
        rows = empty(self.config, self.catalog, older_than=age, items=chosen, dry_run=dry_run)
        return pd.DataFrame(rows, columns=["kind", "name", "deleted", "who"])

    def _item(self, name: str, gone: bool = False) -> tuple[str, str]:
        """Read "screen:dips", or the name of an item that one kind has; of one in the trash if `gone`."""
        from tapebook.data.catalog.kinds import KINDS

        kind, colon, rest = name.partition(":")
        if not colon or kind == "symbol":
            self._follow_symbols()
        if colon and kind in KINDS:
            return kind, rest
        kinds = self.catalog.items.kinds(name, gone=gone)
        if len(kinds) > 1:
            expected = "its kind as well: " + " or ".join(f"{kind}:{name}" for kind in kinds)
            raise BadParameter("name", name, expected)
        if not kinds:
            then = f"Name its kind: {', '.join(f'{kind}:…' for kind in KINDS)}."
            raise UnknownName("item", name, (), then)
        return kinds[0], name

    def _follow_symbols(self) -> None:
        """Let the catalogue know what the lake holds."""
        self.catalog.symbols.follow(self.lake.names())
