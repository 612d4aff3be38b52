"""The worker: runs what is due, delivers events and notices, until it is told to end.

Several may run at once, on one machine or many. Each occasion, event and notice is taken under a lease, so
none is handled by two; each run is a process of its own that ends with its worker. `tapebook.runs.occasion`
says what becomes of the runs of a worker that was killed.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook.data.catalog.events import Patience
from tapebook.data.catalog.lease import holder
from tapebook.errors import BadParameter, TapebookError, UnknownName
from tapebook.integration import event_webhooks
from tapebook.runs import documents, notice, retention, trash
from tapebook.runs.book import settled
from tapebook.runs.occasion import (
    GRACE_SECONDS,
    LEASE_SECONDS,
    UNFINISHED,
    Job,
    StillEnding,
    given_up,
    over,
    start,
)
from tapebook.runs.schedule_due import Due

if TYPE_CHECKING:
    from tapebook.config import Config

BUSY_SECONDS, IDLE_SECONDS = 0.2, 1.0
"""How often it is looked whether a run has ended, and whether something is due."""
TRIES = 3
"""A run whose process dies without a word is made again so often."""
PRUNE_SECONDS, RETENTION_SECONDS = 3600.0, 86400.0
_LOG = logging.getLogger("tapebook.worker")


def work(config: Config, *, once: bool = False, parallel: int = 1, patience: Patience | None = None) -> int:
    """Run what is due until SIGTERM or Ctrl-C, or `once`: all that is due now; return how many runs ended.

    Runs in progress are then ended as Ctrl-C ends a run, and are due again for the next worker.

    Parameters
    ----------
    parallel : int
        Runs at a time, each a process with a kernel.
    patience : Patience, optional
        Of webhooks and notices that fail.
    """
    if parallel < 1:
        raise BadParameter("parallel", parallel, "a number from 1")
    worker = Worker(config, parallel, patience or Patience())
    with _signals(worker.stop):
        return worker.work(once=once)


def run_now(config: Config, name: str) -> dict[str, Any]:
    """Run a schedule at once, in this process, whether it is due or not; return what came of it.

    It is a row of its history: state, run_id, why. State "due": it is running already, or this process was
    stopped, and `tapebook worker` runs it next.
    """
    from tapebook.data.catalog import Catalog

    with closing(Catalog.open(config)) as catalog:
        number = catalog.schedules.due_now(name, f"now-{token_hex(8)}")
        worker = Worker(config, 1, Patience(), only=number)
        with _signals(worker.stop):
            worker.work(once=True)
        return next(row for row in catalog.occasions.list(name) if row["seq"] == number)


class Worker:
    """One worker. `stop()`, from any thread, ends it; called twice, its runs are killed."""

    def __init__(self, config: Config, parallel: int, patience: Patience, *, only: int | None = None) -> None:
        from tapebook.data.catalog import Catalog
        from tapebook.data.lake import Lake

        self._config, self._parallel, self._patience = config, parallel, patience
        self._catalog, self._lake = Catalog.open(config), Lake.open(config)
        self._holder, self._only = holder(), only
        self._jobs: list[Job] = []
        self._deaths: dict[int, int] = {}
        self._due = Due(self._catalog, self._lake)
        self._stop = threading.Event()
        self._ended, self._trouble = 0, ""

    def stop(self) -> None:
        """End: the runs first, in order."""
        if self._stop.is_set():
            for job in list(self._jobs):
                job.process.kill()
        self._stop.set()

    def work(self, *, once: bool) -> int:
        """Work until stopped, or until nothing is due any more."""
        began = datetime.now(UTC)  # `once` does not wait for what becomes due while it works
        with closing(self._catalog), closing(self._lake), ExitStack() as around:
            environment = {} if once else self._warm(around)
            waiter = around.enter_context(closing(self._catalog.events.waiter()))
            around.enter_context(self._beside(self._beat))
            if not once:
                around.enter_context(self._beside(self._post))
                around.enter_context(self._beside(self._publish))
            try:
                while not self._stop.is_set():
                    if once:  # what goes wrong is for who waits for it
                        busy = self._round(environment, began)
                    else:
                        busy = self._guarded(partial(self._round, environment), True)
                    if once and not busy and not self._jobs:
                        break
                    waiter.wait(BUSY_SECONDS if busy or self._jobs else IDLE_SECONDS)
            finally:
                self._end()
            if once:
                self._guarded(self._deliver, None)
                self._guarded(self._document, None)
        return self._ended

    def _round(self, environment: Mapping[str, str], now: datetime | None = None) -> bool:
        """Look once; say whether more may be due at this moment."""
        if self._only is None:
            self._due.mark(now)
        for ended in [job for job in self._jobs if job.ended()]:
            self._jobs.remove(ended)
            self._finished(ended)
        busy = False
        while len(self._jobs) < self._parallel and not self._stop.is_set():
            held = self._catalog.occasions.claim(self._holder, LEASE_SECONDS, self._only)
            if held is None:
                return busy
            busy = True
            job: Job | None = None
            try:
                job = start(self._config, self._catalog, held, environment)
            except StillEnding:
                self._catalog.occasions.give_back(held, "waits for the run of a worker that died to end")
                return True
            except UnknownName:  # the schedule was removed at this moment
                continue
            if job is not None:
                _LOG.info("%s: run %s", held.schedule, job.run_id)
                self._jobs.append(job)
        return busy

    def _finished(self, job: Job) -> None:
        """Write down what came of a run whose process ended."""
        catalog, held = self._catalog, job.held
        try:
            outcome = settled(self._config, catalog, job.run_id)
        except UnknownName:  # it did not come so far
            outcome = "lost"
        stopped = self._stop.is_set() and outcome in UNFINISHED
        if stopped or outcome == "lost":
            deaths = self._deaths[held.seq] = self._deaths.get(held.seq, 0) + (not stopped)
            why = (
                "the worker was stopped" if stopped else job.said or f"run {job.run_id} ended without a word"
            )
            if deaths < TRIES:
                catalog.occasions.give_back(held, why)
                return
            with suppress(UnknownName):
                given_up(catalog, held, f"{why} ({deaths} times)")
        else:
            with suppress(UnknownName):  # the schedule was removed meanwhile
                over(self._config, catalog, held, job.run_id)
        self._ended += 1

    def _end(self) -> None:
        """End the runs in progress, and let the next worker make them again."""
        for job in self._jobs:
            job.stop()
        until = time.monotonic() + GRACE_SECONDS
        while self._jobs and time.monotonic() < until:
            for job in [job for job in self._jobs if job.ended()]:
                self._jobs.remove(job)
                self._guarded(partial(self._finished, job), None)
            time.sleep(0.05)
        for job in self._jobs:
            job.kill()
            job.ended()
            self._guarded(partial(self._finished, job), None)
        self._jobs.clear()

    # ---- beside the runs

    def _beat(self) -> None:
        """Renew the leases; a run that was lost to another worker is ended."""
        while not self._stop.wait(LEASE_SECONDS / 6):
            for job in list(self._jobs):
                if not self._guarded(partial(self._catalog.occasions.renew, job.held, LEASE_SECONDS), True):
                    _LOG.warning("%s: run %s was taken over by another worker", job.held.schedule, job.run_id)
                    job.stop()

    def _post(self) -> None:
        """Deliver events and notices."""
        pruned = kept = float("-inf")
        with closing(self._catalog.events.waiter()) as waiter:
            while not self._stop.is_set():
                self._guarded(self._deliver, None)
                if time.monotonic() - kept > RETENTION_SECONDS:
                    self._guarded(partial(retention.apply, self._config), None)
                    kept = time.monotonic()
                if time.monotonic() - pruned > PRUNE_SECONDS:
                    self._guarded(self._catalog.events.prune, None)
                    self._guarded(self._catalog.subscribers.forget_gone, None)
                    self._guarded(partial(trash.empty, self._config, self._catalog), None)
                    pruned = time.monotonic()
                waiter.wait(IDLE_SECONDS)

    def _deliver(self) -> None:
        event_webhooks.deliver_all(self._config, self._catalog, self._holder, self._patience)
        notice.send_all(self._config, self._catalog, self._holder, self._patience)

    def _publish(self) -> None:
        """Write findings to documentation tools; a slow one holds up nothing else."""
        with closing(self._catalog.events.waiter()) as waiter:
            while not self._stop.is_set():
                self._guarded(self._document, None)
                waiter.wait(IDLE_SECONDS)

    def _document(self) -> None:
        documents.deliver_all(self._config, self._catalog, self._holder, self._patience)

    def _guarded(self, act: Callable[[], Any], otherwise: Any) -> Any:
        """Do it; a database or a disk that is away for a moment is waited for."""
        try:
            return act()
        except Exception as error:
            said = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
            if said != self._trouble:  # once, however long it lasts
                _LOG.warning("%s; trying again", said)
            self._trouble = said
            self._stop.wait(IDLE_SECONDS)
            return otherwise

    @contextmanager
    def _beside(self, act: Callable[[], None]) -> Iterator[None]:
        """Do it in a thread until the block ends; what is held up then is left to the next worker."""
        thread = threading.Thread(target=act, daemon=True, name=f"worker {act.__name__}")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(GRACE_SECONDS)

    def _warm(self, around: ExitStack) -> Mapping[str, str]:
        """Keep kernels warm; without them runs start cold."""
        try:
            from tapebook.runs.warm import serving

            return around.enter_context(serving(self._config)).environment
        except (TapebookError, OSError) as error:
            _LOG.warning("kernels start cold: %s", error)
            return {}


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and Ctrl-C end the block by calling `stop`; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
