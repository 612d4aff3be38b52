"""A team's dashboards: what colleagues made is fetched to this machine, so that its pages are files here."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

from tapebook.errors import TapebookError
from tapebook.runs.publish import Publication, history
from tapebook.runs.shared import brought, forget_copies
from tapebook.runs.trash import set_aside

if TYPE_CHECKING:
    from tapebook.config import Config

SECONDS = 5.0
"""Between two looks at the catalogue."""
AGAIN = 60.0
"""Seconds until a run that the shelf had not is looked for again."""
EARLIER = 20
"""Runs of each published name that are fetched; of earlier ones the page is not offered here."""
_said = logging.getLogger("tapebook.dashboards")


class Follower:
    """Fetches published runs, with `everything` also the newest ones, that this machine has not."""

    def __init__(self, config: Config, *, everything: bool = False, newest: int = 200) -> None:
        self._config, self._everything, self._newest = config, everything, newest
        self._missed: dict[str, float] = {}

    def start(self) -> None:
        """Look from now on, in a thread that ends with the process; an embedded desk has nothing to fetch."""
        if not self._config.embedded:
            threading.Thread(target=self._follow, name="follower", daemon=True).start()

    def _follow(self) -> None:
        while True:
            try:
                self.look()
            except (TapebookError, OSError) as error:  # the database or S3 is away: the next look may find it
                _said.warning("%s", error)
            time.sleep(SECONDS)

    def look(self) -> list[str]:
        """Fetch what is missing, put aside what a colleague has deleted; return the runs that came.

        What was destroyed, or cleared as old, goes from this machine too.
        """
        now, came = time.monotonic(), []
        wanted, deleted = self._asked()
        for run in deleted:
            set_aside(self._config, run)
        for run in wanted:
            if (self._config.reports / run).exists() or self._missed.get(run, float("-inf")) > now - AGAIN:
                continue
            if brought(self._config, run).is_dir():
                came.append(run)
            else:
                self._missed[run] = now
        return came

    def _asked(self) -> tuple[list[str], list[str]]:
        """Ask the catalogue which runs are to be here, in order of need, and which lie in the trash."""
        from tapebook.data.catalog import Catalog

        with closing(Catalog.open(self._config)) as catalog:
            shown = [history(catalog, Publication.read(row))[:EARLIER] for row in catalog.publications.list()]
            rows = catalog.runs.list(limit=self._newest) if self._everything else []
            deleted = [row["name"] for row in catalog.trash.list() if row["kind"] == "run"]
            forget_copies(self._config, catalog)
        newest_first = [run for runs in shown for run in runs[:1]]
        ended = [row["id"] for row in rows if row["outcome"] != "running"]
        return list(dict.fromkeys([*newest_first, *(run for runs in shown for run in runs), *ended])), deleted
