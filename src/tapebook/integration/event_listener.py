"""A Python function that is called with every event of some topics, in a thread of its own."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tapebook.data.catalog.events import Patience
from tapebook.data.catalog.lease import holder
from tapebook.integration import event_bars
from tapebook.integration.event_delivery import Stopped, deliver, redeliver

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog.event_types import Event

LOG = logging.getLogger("tapebook.events")
KIND = "callback"
LOOK_SECONDS = 1.0
"""How often the lake is looked at for what a killed writer did not tell."""
SEEN_SECONDS = 60.0


class Listener:
    """Calls `function` with each event; `close()`, or leaving a `with` block, ends it.

    Without a `name` it hears what happens while it lives. With one, its place is kept in the catalogue: a
    notebook that is opened again hears what happened meanwhile. `errors` counts calls that raised; such an
    event is tried again a little later, then put among the dead letters.
    """

    def __init__(
        self,
        config: Config,
        topics: Sequence[str],
        function: Callable[[Any], object],
        *,
        name: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        from tapebook.data.catalog import Catalog
        from tapebook.data.catalog.event_types import check_topic
        from tapebook.data.lake import Lake

        self.topics, self.name = (
            [check_topic(topic) for topic in topics],
            name or f"notebook-{uuid4().hex[:8]}",
        )
        self.errors = 0
        self._function, self._passing = function, name is None
        self._patience = patience or Patience(tries=5)
        self._catalog, self._lake = Catalog.open(config), Lake.open(config)
        self._holder = holder()
        event_bars.tell(self._lake, self._catalog)  # what was before is no news to a new subscriber
        self._catalog.subscribers.add(self.name, KIND, self.topics, passing=self._passing)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True, name=f"events for {self.name}")
        self._thread.start()
        atexit.register(self.close)

    def close(self) -> None:
        """End it; the call in progress is waited for."""
        atexit.unregister(self.close)
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "ended" if self._stop.is_set() else "listening"
        return f"Listener({self.name!r}: {', '.join(self.topics)}, {state})"

    def _listen(self) -> None:
        waiter = self._catalog.events.waiter()
        seen = time.monotonic()
        try:
            while not self._stop.is_set():
                try:
                    self._round()
                    if time.monotonic() - seen > SEEN_SECONDS:
                        self._catalog.subscribers.seen(self.name)
                        seen = time.monotonic()
                except Exception:  # a database that is away for a moment must not end it
                    LOG.warning("%s cannot hear events for the moment", self.name, exc_info=True)
                    self._stop.wait(LOOK_SECONDS)
                waiter.wait(LOOK_SECONDS)
        finally:
            waiter.close()
            self._leave()

    def _round(self) -> None:
        event_bars.tell(self._lake, self._catalog)
        for _, topic in self._catalog.subscribers.due(KIND, self.name):
            deliver(self._catalog, self.name, topic, self._holder, self._call, self._patience)
        redeliver(self._catalog, self.name, self._call)

    def _call(self, event: Event) -> None:
        if self._stop.is_set():
            raise Stopped
        try:
            self._function(event)
        except Exception:
            self.errors += 1
            raise

    def _leave(self) -> None:
        try:
            if self._passing:
                self._catalog.subscribers.remove(self.name)
        except Exception:
            LOG.debug("%s stays among the subscribers for an hour", self.name, exc_info=True)
        self._catalog.close()
        self._lake.close()
