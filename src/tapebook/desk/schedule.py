"""Schedules: reports that run by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapebook.desk.core import Core

if TYPE_CHECKING:
    import pandas as pd


class ScheduleRoom(Core):
    """What runs when. `tapebook worker` runs it."""

    def schedule(
        self,
        name: str,
        template: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
        notify: str | Sequence[str] = (),
        notify_on: str = "always",
        replace: bool = False,
        revision: int | None = None,
        **when: Any,
    ) -> dict[str, Any]:
        """Run a template when something is so; return the schedule with the next times that it is due.

        Parameters
        ----------
        parameters : dict, optional
            Of the template; checked now and at each run.
        timeout : float, optional
            Seconds that each run may take.
        notify : str or list of str
            Apprise addresses (`mailto://…`, `json://…`, `slack://…`), or names of stored ones.
        notify_on : "failure", "success" or "always"
        replace : bool
            Let the schedule of this name run this from now on; its history stays.
        revision : int, optional
            The one that the replacement was made from (`desk.item`): if there is a later one, it is refused.
        when
            One of these: `cron="30 18 * * mon-fri"` with `tz="America/New_York"` (UTC by default);
            `after_close="XNYS"` with `delay="30min"`; `on="bars.updated"` with `where={"symbol": "AAPL"}`;
            `when_complete="AAPL,MSFT"` with `deadline="12h"`, `freq=`, `calendar=`.

        Raises
        ------
        UnknownName, BadParameter, BadInput
            If anything of it cannot be: nothing is added.
        """
        from tapebook.runs import schedules

        told = [notify] if isinstance(notify, str) else list(notify)
        return schedules.add(
            self.config,
            name,
            template,
            parameters or {},
            timeout=timeout,
            notify=told,
            notify_on=notify_on,
            replace=replace,
            revision=revision,
            **when,
        )

    def schedules(self) -> pd.DataFrame:
        """List schedules: when each is due, its state, the next time (UTC), the last and what came of it."""
        from tapebook.runs import schedules

        return schedules.listing(self.config)

    def load_schedule(self, name: str, times: int = 10) -> dict[str, Any]:
        """One schedule, with the next times (UTC) that it is due."""
        from tapebook.runs import schedules

        return schedules.show(self.config, name, times)

    def schedule_history(self, name: str, limit: int | None = 50) -> pd.DataFrame:
        """Each time that it became due, newest first: what came of it, which run, and why if none."""
        from tapebook.runs import schedules

        return schedules.history(self.config, name, limit)

    def pause_schedule(self, name: str, *, revision: int | None = None) -> None:
        """Let nothing of it run until it is resumed."""
        from tapebook.runs import schedules

        schedules.pause(self.config, name, revision=revision)

    def resume_schedule(self, name: str, *, revision: int | None = None) -> None:
        """Go on; what would have been due meanwhile is not made up."""
        from tapebook.runs import schedules

        schedules.resume(self.config, name, revision=revision)

    def remove_schedule(self, name: str, *, revision: int | None = None) -> None:
        """Remove it with its history; its runs stay."""
        from tapebook.runs import schedules

        schedules.remove(self.config, name, revision=revision)

    def run_schedule(self, name: str) -> dict[str, Any]:
        """Run it now, here, whether it is due or not; return its row of the history."""
        from tapebook.runs.worker import run_now

        return run_now(self.config, name)

    def work(self, *, once: bool = True, parallel: int = 1) -> int:
        """Run what is due now (or, not `once`, until stopped), events and notices; return how many ran."""
        from tapebook.runs.worker import work

        return work(self.config, once=once, parallel=parallel)
