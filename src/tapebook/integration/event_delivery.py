"""Bring events to a subscriber: at least once, in order within a topic, again after a failure, then aside."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from tapebook import redact
from tapebook.data.catalog.events import Patience

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.event_types import Event
    from tapebook.data.catalog.subscribers import Claimed

LOG = logging.getLogger("tapebook.events")
LEASE_SECONDS = 60.0
"""How long a cursor is held by default; the lease is renewed before each delivery."""
BATCH = 100

Send = Callable[["Event"], None]


class Undelivered(Exception):
    """A subscriber did not take an event. `wait` is what it asked for, in seconds."""

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class Stopped(Exception):
    """The subscriber is going away: nothing was delivered and nothing failed."""


def deliver(
    catalog: Catalog,
    subscriber: str,
    topic: str,
    holder: str,
    send: Send,
    patience: Patience,
    lease: float = LEASE_SECONDS,
) -> int:
    """Send what one subscriber has not had of one topic, in order, until one fails; return how many went.

    Nothing is sent while another holder has the cursor: for `lease` seconds, longer than a delivery takes.
    `send` says by an exception that it failed.
    """
    count = 0
    held = catalog.subscribers.claim(subscriber, topic, holder, lease)
    while held is not None:
        waiting = catalog.events.after(held.after, [topic], limit=BATCH)
        for event in waiting:
            try:
                if not _sent(catalog, held, event, send, patience):
                    break
            except Stopped:
                break
            count += 1
            held = catalog.subscribers.claim(subscriber, topic, holder, lease)
            if held is None:  # somebody else has it: this process was thought dead
                return count
        else:
            if waiting:
                continue
        catalog.subscribers.release(held)
        break
    return count


def _sent(catalog: Catalog, held: Claimed, event: Event, send: Send, patience: Patience) -> bool:
    """Send one event and move the cursor; False when it failed and will be tried again."""
    try:
        send(event)
    except Stopped:
        raise
    except Exception as error:
        said = described(error)
        wait = error.wait if isinstance(error, Undelivered) else 0.0
        tries, dead = catalog.subscribers.failed(held, event, said, patience, wait)
        what = "given up" if dead else "will be tried again"
        LOG.warning("%s to %s failed %d times, %s: %s", event.id, held.subscriber, tries, what, said)
        return dead
    return catalog.subscribers.delivered(held, event.seq)


def redeliver(catalog: Catalog, subscriber: str, send: Send) -> int:
    """Send the dead letters that are marked for one more try; return how many went."""
    count = 0
    for letter in catalog.subscribers.letters(subscriber, again=True):
        event = catalog.events.get(letter["event"])
        if event is None or not catalog.subscribers.take_letter(letter["seq"]):
            continue
        try:
            send(event)
        except Exception as error:
            catalog.subscribers.settle(letter["seq"], described(error))
        else:
            catalog.subscribers.settle(letter["seq"], None)
            count += 1
    return count


def described(error: BaseException) -> str:
    """Say an error in one line that holds no credential."""
    return redact.scrub(f"{type(error).__name__}: {error}".strip().removeprefix("Undelivered: "))[:1000]
