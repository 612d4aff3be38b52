"""Work on a batch: so many runs at a time, again after what may pass, until all is over or cancelled."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import RunFailed, UnknownName
from tapebook.runs.batch import OVER
from tapebook.runs.execute import terminable
from tapebook.runs.record import Run
from tapebook.runs.shared import brought
from tapebook.runs.start import Order, carry_out, new_id
from tapebook.runs.template import Template
from tapebook.runs.watch import BEAT_SECONDS

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.progress import Report
    from tapebook.runs.warm import Kernels

ASK_SECONDS = 0.5
MOST_SECONDS = 300.0
"""The longest wait before a run is tried again."""
PASSING = {
    "ConnectionError", "ConnectionResetError", "ConnectionRefusedError", "ConnectionAbortedError",
    "BrokenPipeError", "TimeoutError", "ConnectError", "ConnectTimeout", "ReadTimeout", "ReadError",
    "RemoteProtocolError", "RemoteDisconnected", "IncompleteRead", "URLError", "SSLError", "gaierror",
    "OperationalError", "Timeout", "BlockingIOError", "InterruptedError", "Unavailable", "RateLimited",
    "Away",
}  # fmt: skip
"""Errors, by name, that come from outside and may have passed a little later."""
BUSY = ("database is locked", "database table is locked", "deadlock detected", "could not serialize access")
"""What a database says, whoever passes it on, when others were at work on it for too long."""
_said = logging.getLogger("tapebook.batches")


def may_pass(run: Run) -> bool:
    """Whether a run that did not succeed might, tried again: it was killed, or something outside failed."""
    if run.outcome in ("killed", "lost"):
        return True
    error = run.manifest.get("error") or {}
    return run.outcome == "failed" and _passing(error.get("name", ""), error.get("message", ""))


def _passing(name: str, message: str) -> bool:
    return name in PASSING or any(words in message.lower() for words in BUSY)


def _outside(error: BaseException | None) -> bool:
    """Whether an error of our own, or what it came of, may pass."""
    return error is not None and (_passing(type(error).__name__, str(error)) or _outside(error.__cause__))


class Work:
    """One process's work on one batch."""

    def __init__(
        self,
        config: Config,
        id: str,
        kernels: Kernels,
        progress: Report | None,
        cancel: threading.Event | None,
    ) -> None:
        from tapebook.data.catalog import Catalog

        self.config, self.id, self.kernels, self.progress = config, id, kernels, progress
        self.cancel = cancel or threading.Event()
        self.catalog = Catalog.open(config)
        row = self.catalog.batches.get(id)
        self.settings: Mapping[str, Any] = row.settings
        self.template = Template(row.template, Path(row.settings["path"]))
        self.items = {item["item"]: item for item in self.catalog.batches.items(id)}
        self.due: list[tuple[float, int]] = []
        self.running: dict[Future[None], int] = {}
        self.stops = {n: threading.Event() for n in self.items}
        self.beaten = time.monotonic()

    def do(self) -> None:
        """Run what is not over. Ctrl-C and SIGTERM end the runs that go on; the others keep waiting."""
        try:
            self._settle()
            with terminable(), ThreadPoolExecutor(self.settings["jobs"], thread_name_prefix="run") as pool:
                try:
                    self._loop(pool)
                except BaseException:
                    self._stop_all()
                    raise
            self._end("cancelled" if self.cancel.is_set() else "done")
        except BaseException:
            with suppress(Exception):  # the batch can be gone on with at once
                self.catalog.batches.update(self.id, outcome="stopped")
            raise
        finally:
            self.catalog.close()

    def _settle(self) -> None:
        """See how runs ended that were going on when the batch's program did."""
        from tapebook.runs.book import settled

        for n, item in self.items.items():
            if item["outcome"] in OVER:
                continue
            if item["run_id"] is not None:
                with suppress(UnknownName):  # its program died before it had begun
                    self._read(n, settled(self.config, self.catalog, item["run_id"]))
            if item["outcome"] not in OVER:
                heapq.heappush(self.due, (0.0, n))

    def _loop(self, pool: ThreadPoolExecutor) -> None:
        self._report()
        while self.due or self.running:
            now = time.monotonic()
            while self.due and len(self.running) < self.settings["jobs"] and self.due[0][0] <= now:
                n = heapq.heappop(self.due)[1]
                self.running[pool.submit(self._run, n)] = n
            if self.running:
                done, _ = wait(self.running, timeout=ASK_SECONDS, return_when=FIRST_COMPLETED)
            else:
                done = set()
                time.sleep(min(ASK_SECONDS, max(self.due[0][0] - now, 0.0)))
            for future in done:
                self._over(self.running.pop(future), future)
            self._ask()

    def _run(self, n: int) -> None:
        """Run an item once, in a thread of the pool."""
        item, settings = self.items[n], self.settings
        if self.stops[n].is_set():
            return
        id = new_id(self.template.name)
        item |= {"outcome": "running", "run_id": id, "tries": item["tries"] + 1}
        self._keep(n, "outcome", "run_id", "tries")
        order = Order(
            self.template,
            item["parameters"],
            timeout=settings["timeout"],
            memory=settings["memory"],
            snapshot=settings["snapshot"],
            seed=settings["seed"],
            id=id,
            batch=self.id,
        )
        with suppress(RunFailed):  # its record says all
            carry_out(self.config, order, kernels=self.kernels, cancel=self.stops[n], catalog=self.catalog)

    def _over(self, n: int, future: Future[None]) -> None:
        """Note how an item's run ended, and whether it is tried again."""
        item = self.items[n]
        error = future.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        if error is not None:  # it could not even be recorded
            item |= {"outcome": "failed", "error": f"{type(error).__name__}: {error}"}
            if _outside(error) and item["tries"] <= self.settings["retries"]:
                item["outcome"] = "waiting"
        elif item["outcome"] == "running":
            self._read(n, Run.read(brought(self.config, item["run_id"])).outcome)
        else:
            item["outcome"] = "cancelled"
        if item["outcome"] not in OVER:
            wait = min(self.settings["backoff"] * 2 ** (item["tries"] - 1), MOST_SECONDS)
            heapq.heappush(self.due, (time.monotonic() + wait, n))
            _said.warning(
                "run %s did not succeed and is tried again in %g s: %s", item["run_id"], wait, item["error"]
            )
        self._keep(n, "outcome", "seconds", "error")
        self._report()

    def _read(self, n: int, outcome: str) -> None:
        """Take an item's outcome from its run; waiting again if that may pass and tries are left."""
        item = self.items[n]
        run = Run.read(brought(self.config, item["run_id"]))
        error = run.manifest.get("error")
        item |= {
            "outcome": outcome,
            "seconds": run.manifest.get("seconds"),
            "error": error and f"{error['name']}: {error['message']}",
        }
        lost = outcome == "lost"  # with its program, which is no fault of its own
        if lost or (may_pass(run) and item["tries"] <= self.settings["retries"]):
            item["outcome"] = "waiting"
        self._keep(n, "outcome", "seconds", "error")

    def _ask(self) -> None:
        """Say that the work goes on, and hear whether it shall not."""
        now = time.monotonic()
        if now - self.beaten >= min(BEAT_SECONDS, ASK_SECONDS * 2):
            self.beaten = now
            with suppress(Exception):
                self.catalog.batches.heartbeat(self.id)
                if self.catalog.batches.get(self.id).cancel is not None:
                    self.cancel.set()
        if self.cancel.is_set():
            for _, n in self.due:
                self.items[n]["outcome"] = "cancelled"
                self._keep(n, "outcome")
            self.due.clear()
            for n in self.running.values():
                self.stops[n].set()

    def _stop_all(self) -> None:
        """End what goes on because this process is told to end; it waits for another."""
        for n in self.running.values():
            self.stops[n].set()
        for future, n in self.running.items():
            with suppress(BaseException):
                future.result()
            with suppress(Exception):
                self._read(n, Run.read(brought(self.config, self.items[n]["run_id"])).outcome)
            if self.items[n]["outcome"] not in OVER or self.items[n]["outcome"] == "cancelled":
                self.items[n]["outcome"] = "waiting"
                with suppress(Exception):
                    self._keep(n, "outcome")

    def _end(self, outcome: str) -> None:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self.catalog.batches.update(self.id, outcome=outcome, finished=finished)

    def _keep(self, n: int, *names: str) -> None:
        self.catalog.batches.update_item(self.id, n, **{name: self.items[n][name] for name in names})

    def _report(self) -> None:
        if self.progress is None:
            return
        over = [item for item in self.items.values() if item["outcome"] in OVER]
        bad = sum(item["outcome"] != "succeeded" for item in over)
        doing = f"{len(self.running)} running" + (f", {bad} did not succeed" if bad else "")
        self.progress(len(over), len(self.items), doing)
