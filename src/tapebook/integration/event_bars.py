"""From the lake's log of snapshots to `bars.updated` events: none lost, none doubled.

The lake and the catalogue are two databases, so no transaction covers a write of bars and its event. Instead
the snapshot is the record: DuckLake writes it in the very transaction that changes the bars. The catalogue
keeps one number, the last snapshot that was told, and moves it in the transaction that writes the events, on
condition that it still is the number that was read. So:

- killed after the bars and before the events: the snapshot is there and the mark is behind; whoever looks
  next (the next write, the worker, a notebook that listens, `tapebook events tail`) tells it;
- killed in between: the events and the mark are one transaction;
- two that look at once: one moves the mark, the other's transaction is undone as a whole;
- a compaction drops only snapshots up to the mark, under the lock that writers of bars take.

Hence one event a snapshot that changed bars, in the order of snapshots.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar

from tapebook.errors import NoData

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.event_types import BarsUpdated
    from tapebook.data.changes import Change
    from tapebook.data.lake import Lake

MARK = "lake"
BATCH = 100
"""Snapshots that are told in one transaction."""
Told = TypeVar("Told")
Keep = Callable[[int, int, list[Told]], object]


class Ask(Protocol[Told]):
    """A question of the lake about the snapshots after one."""

    def __call__(self, after: int, *, limit: int) -> tuple[int, list[Told]]: ...  # noqa: D102


def tell(lake: Lake, catalog: Catalog) -> int:
    """Write the events of every snapshot not told yet; return the last that now is (-1: none)."""

    def keep(mark: int, seen: int, changes: list[Change]) -> None:
        catalog.events.move_mark(MARK, mark, seen, [_event(change) for change in changes])

    return catch_up(lake, catalog, MARK, lake.changes, keep)


def catch_up(lake: Lake, catalog: Catalog, name: str, ask: Ask[Told], keep: Keep[Told]) -> int:
    """Keep what the snapshots after mark `name` say, some at a time; return the last that was asked of.

    `ask` is called with the mark, and returns the last snapshot that it looked at and what it found; `keep`
    with the mark, that snapshot and what was found, and moves the mark.
    """
    while True:
        mark = catalog.events.mark(name)
        seen, found = ask(mark, limit=BATCH)
        if seen == mark:
            if not _made_anew(lake, mark):
                return mark
            seen, found = -1, []
        keep(mark, seen, found)
        if mark < seen < mark + BATCH:  # there were no more
            return catalog.events.mark(name)


def _made_anew(lake: Lake, mark: int) -> bool:
    """Whether the lake was taken away and made again: it has not come as far as the mark."""
    try:
        return lake.snapshot() < mark
    except NoData:
        return False


def _event(change: Change) -> BarsUpdated:
    from tapebook.data.catalog.event_types import BarsUpdated

    return BarsUpdated(
        id=f"bars.updated:{change.snapshot}:{int(change.time.timestamp() * 1e6)}",
        snapshot=change.snapshot,
        symbols=list(change.symbols),
        freqs=list(change.freqs),
        added=change.added,
        changed=change.changed,
        removed=change.removed,
        actions=change.actions,
        first=None if change.first is None else change.first.isoformat(),
        last=None if change.last is None else change.last.isoformat(),
        note=change.note,
        complete=change.complete,
    )
