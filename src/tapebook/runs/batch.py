"""Many runs of one template: a grid of parameters, run side by side, taken up again after a crash."""

from __future__ import annotations

import html
import json
import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter, TapebookError
from tapebook.runs.template import Template, find
from tapebook.runs.watch import size

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.config import Config
    from tapebook.progress import Report
    from tapebook.runs.warm import Kernels

OVER = ("succeeded", "failed", "timed_out", "out_of_memory", "killed", "cancelled")
"""Outcomes after which an item is not run again. The others are waiting, running and lost."""
RETRIES, BACKOFF = 2, 2.0
_COLUMNS = ["item", "outcome", "run_id", "tries", "seconds", "error"]


@dataclass(frozen=True)
class Batch:
    """Runs that were ordered together, and what came of each. `items` are the catalogue's rows."""

    id: str
    template: str
    outcome: str
    items: Sequence[Mapping[str, Any]]

    def frame(self) -> pd.DataFrame:
        """One row an item: the parameters that differ, outcome, run_id, tries, seconds, error."""
        import pandas as pd

        varied = varying([item["parameters"] for item in self.items])
        rows = [
            {**{n: i["parameters"][n] for n in varied}, **{c: i[c] for c in _COLUMNS}} for i in self.items
        ]
        return pd.DataFrame(rows, columns=["item", *varied, *_COLUMNS[1:]]).set_index("item")

    @property
    def counts(self) -> dict[str, int]:
        """How many items have which outcome."""
        found: dict[str, int] = {}
        for item in self.items:
            found[item["outcome"]] = found.get(item["outcome"], 0) + 1
        return found

    @property
    def run_ids(self) -> list[str]:
        """The runs that succeeded, in the order of the items."""
        return [item["run_id"] for item in self.items if item["outcome"] == "succeeded"]

    def __repr__(self) -> str:
        said = ", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in self.counts.items())
        again = sum(item["tries"] > 1 for item in self.items)
        return f"Batch({self.id}: {said}{f'; {again} tried again' if again else ''})"

    def _repr_html_(self) -> str:
        table = self.frame().to_html(border=0, na_rep="–")
        return f"<p><strong>{html.escape(repr(self))}</strong></p>{table}"


def run_many(
    config: Config,
    template: str,
    cases: Iterable[Mapping[str, Any]],
    *,
    jobs: int | None = None,
    timeout: float | None = None,
    memory: int | str | None = None,
    retries: int = RETRIES,
    backoff: float = BACKOFF,
    seed: int | None = None,
    progress: Report | None = None,
    kernels: Kernels | None = None,
    cancel: threading.Event | None = None,
) -> Batch:
    """Run a template once for each case, in warm kernels, and return what came of each.

    All runs read the lake's snapshot that was newest at the start. A run that fails fails alone.

    Parameters
    ----------
    cases : iterable of mappings
        The parameters of each run; see `grid`. All are checked before the first run starts.
    jobs : int, optional
        Runs side by side; one more than there are processors by default.
    timeout, memory
        Limits of each run: seconds, and bytes or "2G".
    retries : int
        How often a run is tried again after what may pass: a connection that was refused, a database
        that was busy, a kernel that was killed from outside. What would only repeat itself is not: a
        wrong parameter, an error of the notebook's own code, a limit of time or memory.
    backoff : float
        Seconds before the first of these; twice as long before each next.
    cancel : Event, optional
        Set it, from another thread, to cancel all that is not over. `cancel` does so from another process.

    Raises
    ------
    UnknownName, BadParameter
        Before anything starts, naming the case.
    KeyboardInterrupt
        After the runs that were going on are recorded as cancelled; `resume` goes on from there.
    """
    from tapebook.integration.vault import refuse_values
    from tapebook.runs import provenance

    found = find(config, template)
    checked = [_checked(config, refuse_values, found, n, case) for n, case in enumerate(cases)]
    if not checked:
        raise BadParameter("cases", [], "at least one set of parameters")
    settings = {
        "jobs": _whole(
            "jobs", (os.cpu_count() or 1) + 1 if jobs is None else jobs, 1
        ),  # while one waits, others compute
        "timeout": _above("timeout", timeout),
        "memory": size(memory),
        "retries": _whole("retries", retries, 0),
        "backoff": _above("backoff", backoff),
        "seed": seed or 0,
        "snapshot": provenance.snapshot(config),
        "path": str(found.path),
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = {
        "id": _new_id(found.name),
        "template": found.name,
        "template_hash": found.hash,
        "settings": settings,
        "outcome": "running",
        "started": now,
        "heartbeat": time.time(),
        **_owner(),
    }
    with closing(_catalog(config)) as catalog:
        catalog.batches.add(record, checked)
    return _work(config, record["id"], progress, kernels, cancel)


def resume(
    config: Config,
    id: str,
    *,
    progress: Report | None = None,
    kernels: Kernels | None = None,
    cancel: threading.Event | None = None,
) -> Batch:
    """Go on with a batch whose program ended: what is over stays, what was running is run again.

    Raises
    ------
    TapebookError
        If another process works on it, or its template is another one now.
    UnknownName
        With the nearest id.
    """
    from tapebook.runs.book import gone

    with closing(_catalog(config)) as catalog:
        row = catalog.batches.get(id)
        if row.outcome == "running" and not gone(row._asdict()):
            raise TapebookError(f"batch {id} is being run by process {row.pid} on {row.host}")
        if Template(row.template, _path(row.settings)).hash != row.template_hash:
            raise TapebookError(
                f"batch {id}: template {row.template} was changed since it started; "
                "start another batch with what is left"
            )
        if not catalog.batches.take(id, row.heartbeat, **_owner()):
            raise TapebookError(f"batch {id}: another process has just gone on with it")
    return _work(config, id, progress, kernels, cancel)


def load_batch(config: Config, id: str) -> Batch:
    """Read what came of a batch until now."""
    with closing(_catalog(config)) as catalog:
        row = catalog.batches.get(id)
        return Batch(row.id, row.template, row.outcome, catalog.batches.items(id))


def listing(config: Config, limit: int | None = 50) -> pd.DataFrame:
    """List batches, newest first: id, template, outcome, started, finished, runs, succeeded."""
    import pandas as pd

    names = ["id", "template", "outcome", "started", "finished"]
    rows = []
    with closing(_catalog(config)) as catalog:
        for row in catalog.batches.list(limit):
            items = catalog.batches.items(row["id"])
            good = sum(item["outcome"] == "succeeded" for item in items)
            rows.append({**{n: row[n] for n in names}, "runs": len(items), "succeeded": good})
    return pd.DataFrame(rows, columns=[*names, "runs", "succeeded"])


def cancel(config: Config, id: str) -> None:
    """Ask whoever runs it to end a run, or a batch and all that waits in it, as cancelled.

    It takes about a second. A batch that nobody runs any more is cancelled at once.

    Raises
    ------
    TapebookError
        If it is over already.
    UnknownName
        If there is neither a run nor a batch of this id.
    """
    from tapebook.errors import UnknownName
    from tapebook.runs.book import gone, settled

    with closing(_catalog(config)) as catalog:
        try:
            outcome = settled(config, catalog, id)
        except UnknownName:
            row = catalog.batches.get(id)
            outcome = row.outcome
            if outcome in ("running", "stopped"):
                catalog.batches.update(id, cancel=time.time())
                if outcome == "stopped" or gone(row._asdict()):
                    _call_off(catalog, id)
                return
        if outcome == "running" and catalog.runs.update(id, only_if="running", cancel=time.time()):
            return
    raise TapebookError(f"{id} is over: {outcome.replace('_', ' ')}")


def grid(
    template: Template, options: Mapping[str, Any], fixed: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Give every combination of the values, the last name varying fastest, beside what is fixed.

    Parameters
    ----------
    options
        Values by parameter: a list of values, or text. Commas part values, "AAPL,MSFT" are two; where
        a semicolon stands it parts them and commas belong to values: "AAPL,MSFT;GOOG" are two, of which
        the first is "AAPL,MSFT", and "AAPL,MSFT;" is that one alone. Text that begins with "[" is
        JSON: a list of values. That holds for parameters that are lists as well.
    """
    listed = {name: split(said) if isinstance(said, str) else list(said) for name, said in options.items()}
    for name, values in listed.items():
        if not values:
            raise BadParameter(name, options[name], f"at least one value, as {template.name} is to vary it")
        if name in (fixed or {}):
            raise BadParameter(name, options[name], "to be either fixed or varied, and it is both")
    return [
        {**(fixed or {}), **dict(zip(listed, values, strict=True))} for values in product(*listed.values())
    ]


def split(text: str) -> list[Any]:
    """Part the values of a grid; see `grid`.

    >>> split("10, 20"), split("AAPL,MSFT;GOOG"), split("AAPL,MSFT;"), split('[["a", "b"], ["c"]]')
    (['10', '20'], ['AAPL,MSFT', 'GOOG'], ['AAPL,MSFT'], [['a', 'b'], ['c']])
    """
    text = text.strip()
    if text.startswith("["):
        try:
            return list(json.loads(text))
        except ValueError as error:
            raise BadParameter("grid", text, f"a JSON list of values ({error})") from None
    parts = [part.strip() for part in text.split(";" if ";" in text else ",")]
    return [part for part in parts if part]


def varying(cases: Sequence[Mapping[str, Any]]) -> list[str]:
    """Name the parameters that are not the same in all."""
    return [name for name in cases[0] if any(case[name] != cases[0][name] for case in cases)]


def _work(
    config: Config, id: str, progress: Report | None, kernels: Kernels | None, cancel: threading.Event | None
) -> Batch:
    from tapebook.runs.batch_work import Work
    from tapebook.runs.warm import serving

    if kernels is not None:
        Work(config, id, kernels, progress, cancel).do()
    else:
        with serving(config) as own:
            Work(config, id, own, progress, cancel).do()
    return load_batch(config, id)


def _call_off(catalog: Any, id: str) -> None:
    for item in catalog.batches.items(id):
        if item["outcome"] not in OVER:
            catalog.batches.update_item(id, item["item"], outcome="cancelled")
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    catalog.batches.update(id, outcome="cancelled", finished=finished)


def _checked(
    config: Config, refuse_values: Any, found: Template, n: int, case: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        refuse_values(config, case)
        return found.check(case)
    except TapebookError as error:
        error.add_note(f"in case {n + 1}: {dict(case)}")
        raise


def _new_id(template: str) -> str:
    from tapebook.runs.start import new_id

    return f"batch-{new_id(template)}"


def _owner() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _path(settings: Mapping[str, Any]) -> Any:
    from pathlib import Path

    return Path(settings["path"])


def _whole(name: str, said: Any, least: int) -> int:
    if isinstance(said, bool) or said != int(said) or said < least:
        raise BadParameter(name, said, f"a whole number of at least {least}")
    return int(said)


def _above(name: str, said: float | None) -> float | None:
    if said is not None and not said > 0:
        raise BadParameter(name, said, "seconds above 0")
    return said


def _catalog(config: Config) -> Any:
    from tapebook.data.catalog import Catalog

    return Catalog.open(config)
