"""Report runs: start, list, compare, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from tapebook.desk.revisions import RevisionRoom
from tapebook.errors import BadParameter
from tapebook.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.runs import Batch, Run


class RunRoom(RevisionRoom):
    """Runs of templates."""

    def run(
        self,
        template: str,
        *,
        timeout: float | None = None,
        memory: int | str | None = None,
        **parameters: Any,
    ) -> Run:
        """Run a template of notebooks/templates with these parameters and keep all that came of it.

        `timeout` (seconds) and `memory` (bytes, or "2G") limit it.

        Raises
        ------
        BadParameter, UnknownName
            Before anything starts.
        RunFailed
            Afterwards; the partial notebook, the page and the manifest say why.
        """
        from tapebook.runs import run

        with progress(f"running {template}") as report:
            return run(self.config, template, parameters, timeout=timeout, memory=memory, progress=report)

    def run_many(
        self,
        template: str,
        grid: Mapping[str, Any] | None = None,
        *,
        cases: Iterable[Mapping[str, Any]] | None = None,
        jobs: int | None = None,
        timeout: float | None = None,
        memory: int | str | None = None,
        retries: int = 2,
        backoff: float = 2.0,
        **fixed: Any,
    ) -> Batch:
        """Run a template under every combination of a grid, or for each of `cases`, in warm kernels.

        desk.run_many("backtest", {"symbols": ["AAPL", "MSFT"], "fees": [0, 0.001]}, start="2005")

        Parameters
        ----------
        grid
            Values by parameter: a list, or text as for the command line ("AAPL,MSFT").
        cases
            The parameters of each run instead, when they are no grid.
        jobs
            Runs side by side; one more than there are processors by default.
        timeout, memory
            Limits of each run: seconds, and bytes or "2G".
        retries, backoff
            How often a run is tried again after what may pass, and the seconds before the first time.
        fixed
            Parameters that are the same in all.

        Returns
        -------
        Batch
            What came of each; `resume_runs(batch.id)` goes on with one whose program ended.

        Raises
        ------
        BadParameter, UnknownName
            Before anything starts.
        """
        from tapebook.runs import batch
        from tapebook.runs import template as templates

        if (grid is None) == (cases is None):
            raise BadParameter("grid", grid, "a grid or cases, one of the two")
        found = templates.find(self.config, template)
        wanted = batch.grid(found, grid, fixed) if grid is not None else [{**fixed, **c} for c in cases or ()]
        with progress(f"running {template}") as report:
            return batch.run_many(
                self.config,
                template,
                wanted,
                jobs=jobs,
                timeout=timeout,
                memory=memory,
                retries=retries,
                backoff=backoff,
                progress=report,
            )

    def resume_runs(self, id: str) -> Batch:
        """Go on with a batch whose program was ended: what is over stays as it is."""
        from tapebook.runs import batch

        with progress(f"going on with {id}") as report:
            return batch.resume(self.config, id, progress=report)

    def load_batch(self, id: str) -> Batch:
        """Read what came of a batch until now."""
        from tapebook.runs import batch

        return batch.load_batch(self.config, id)

    def batches(self, *, limit: int | None = 50) -> pd.DataFrame:
        """List batches, newest first: id, template, outcome, started, finished, and how many are over."""
        from tapebook.runs import batch

        return batch.listing(self.config, limit=limit)

    def cancel_run(self, id: str) -> None:
        """End a run, or a batch and all that waits in it, as cancelled, whichever process runs it."""
        from tapebook.runs import batch

        batch.cancel(self.config, id)

    def runs(self, **filters: Any) -> pd.DataFrame:
        """List runs, newest first (`template=`, `strategy=`, `symbol=`, `outcome=`, `limit=`).

        `stale` says what was revised since under one; `rerun(id, now=True)` makes it again.
        """
        from tapebook.runs import listing

        self._tell_revisions()
        return listing(self.config, **filters)

    def load_run(self, id: str) -> Run:
        """Read a run's record back."""
        from tapebook.runs import load

        return load(self.config, id)

    def rerun(self, id: str, *, timeout: float | None = None, now: bool = False) -> Run:
        """Run again what `id` ran: same snapshot, parameters and seed; the same metrics to the last bit.

        With `now` on the bars and universes as they are now: what was revised since is in it.
        """
        from tapebook.runs import rerun

        with progress(f"running {id} again") as report:
            return rerun(self.config, id, timeout=timeout, now=now, progress=report)

    def stale_runs(self) -> list[str]:
        """Name the runs whose bars were revised since, and that no run has made again."""
        from tapebook.runs.stale import made_again, stale

        self._tell_revisions()
        rows = self.catalog.runs.list(outcome="succeeded", limit=None)
        return made_again(rows, stale(self.catalog, rows, self.config.reports))

    def diff_runs(self, a: str, b: str) -> pd.DataFrame:
        """Compare two runs: section, name, a, b, same; parameters, data, code, packages, metrics."""
        from tapebook.runs import diff

        return diff(self.config, a, b)

    def delete_run(self, id: str, *, revision: int | None = None) -> None:
        """Move a run to the trash. `restore` brings it back."""
        from tapebook.runs import delete

        delete(self.config, id, seen=revision)

    def same_run(self, template: str, parameters: Mapping[str, Any]) -> Run | None:
        """Find a run that succeeded with this very template, parameters, data and code."""
        from tapebook.runs import same_run

        return same_run(self.config, template, parameters)
