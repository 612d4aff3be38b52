"""Events: what happened, who hears of it, and calling a function or an address when it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tapebook.desk.data import DataRoom

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.catalog.event_types import Event
    from tapebook.integration.event_listener import Listener

_SUBSCRIBERS = ["name", "kind", "topics", "target", "waiting", "dead", "error", "created"]
_LETTERS = ["seq", "subscriber", "topic", "event_id", "tries", "died", "again", "error"]


class EventRoom(DataRoom):
    """What happens on a desk."""

    def on(
        self, topic: str | Iterable[str], function: Callable[[Any], object], *, name: str | None = None
    ) -> Listener:
        """Call `function` with each event of a topic, in a thread, until the listener is closed.

        Parameters
        ----------
        topic : str or list of str
            "bars.updated", "strategy.changed", "run.finished", "scan.hit" or "integration.failed". The
            event's fields are its attributes, such as `event.symbols`; see `tapebook.integration.events`.
        name : str, optional
            Keep the place under this name: a notebook that is opened again is called with what happened
            meanwhile. Without one it hears what happens from now on.

        Returns
        -------
        Listener
            `close()` ends it, and so does leaving a `with` block.
        """
        from tapebook.integration.event_listener import Listener

        topics = [topic] if isinstance(topic, str) else list(topic)
        return Listener(self.config, topics, function, name=name)

    def events(
        self, limit: int | None = 50, *, topics: Iterable[str] = (), since: str | int | None = None
    ) -> list[Event]:
        """The newest events, oldest of them first.

        Parameters
        ----------
        since : str or int, optional
            An event's number ("after this one"), a time (UTC), or how long ago, such as "2h".
        """
        from tapebook.data.catalog.event_types import check_topic

        self._tell()
        wanted = [check_topic(topic) for topic in topics]
        return self.catalog.events.latest(limit, topics=wanted, since=_since(since))

    def subscribe(
        self,
        url: str,
        topics: Iterable[str] = (),
        *,
        name: str | None = None,
        since: int | None = None,
        revision: int | None = None,
    ) -> tuple[str, str]:
        """Send events to a web address, signed; return the subscription's name and its signing secret.

        `tapebook worker` delivers. The address, which may hold a token, and the secret are kept in the
        vault. See `tapebook.integration.event_webhooks` for the format and how a receiver checks it. Who
        changes a subscription says the `revision` that he has seen: `Changed` if there is a later one.
        """
        from tapebook.integration.event_webhooks import subscribe

        self._tell()
        return subscribe(self.config, self.catalog, url, topics, name=name, after=since, revision=revision)

    def unsubscribe(self, name: str, *, revision: int | None = None) -> None:
        """Move a subscriber to the trash, with its place and what could not be delivered to it."""
        from tapebook.integration.event_webhooks import unsubscribe

        unsubscribe(self.catalog, name, revision=revision)

    def subscribers(self) -> pd.DataFrame:
        """Who hears of events: topics, events still to come, dead letters, the last error."""
        import pandas as pd

        rows = self.catalog.subscribers.all()
        return pd.DataFrame([{c: row[c] for c in _SUBSCRIBERS} for row in rows], columns=_SUBSCRIBERS)

    def dead_letters(self, subscriber: str | None = None) -> pd.DataFrame:
        """List what could not be delivered, and why."""
        import pandas as pd

        rows = self.catalog.subscribers.letters(subscriber)
        return pd.DataFrame([{c: row[c] for c in _LETTERS} for row in rows], columns=_LETTERS)

    def redeliver(self, numbers: Iterable[int] | None = None, *, subscriber: str | None = None) -> int:
        """Mark dead letters for one more try, all by default; return how many. `tapebook worker` tries."""
        return self.catalog.subscribers.redeliver(numbers, subscriber)


def _since(said: str | int | None) -> str | int | None:
    from tapebook.data.duration import seconds
    from tapebook.data.when import first_moment
    from tapebook.errors import BadParameter

    if said is None or isinstance(said, int):
        return said
    if said.isdigit() and len(said) != 4:  # four digits are a year
        return int(said)
    try:
        moment = datetime.now(UTC) - timedelta(seconds=seconds(said))
    except BadParameter:
        moment = first_moment(said, "since")  # type: ignore[assignment]
    return moment.isoformat(timespec="milliseconds")
