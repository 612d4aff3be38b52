"""Report runs: start, list, compare, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tapebook.desk.core import Core
from tapebook.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.runs import Run


class RunRoom(Core):
    """Runs of templates."""

    def run(self, template: str, *, timeout: float | None = None, **parameters: Any) -> Run:
        """Run a template of notebooks/templates with these parameters and keep all that came of it.

        Raises
        ------
        BadParameter, UnknownName
            Before anything starts.
        RunFailed
            Afterwards; the partial notebook, the page and the manifest say why.
        """
        from tapebook.runs import run

        with progress(f"running {template}") as report:
            return run(self.config, template, parameters, timeout=timeout, progress=report)

    def runs(self, **filters: Any) -> pd.DataFrame:
        """List runs, newest first (`template=`, `strategy=`, `symbol=`, `outcome=`, `limit=`)."""
        from tapebook.runs import listing

        return listing(self.config, **filters)

    def load_run(self, id: str) -> Run:
        """Read a run's record back."""
        from tapebook.runs import load

        return load(self.config, id)

    def rerun(self, id: str, *, timeout: float | None = None) -> Run:
        """Run again what `id` ran: same snapshot, parameters and seed; the same metrics to the last bit."""
        from tapebook.runs import rerun

        with progress(f"running {id} again") as report:
            return rerun(self.config, id, timeout=timeout, progress=report)

    def diff_runs(self, a: str, b: str) -> pd.DataFrame:
        """Compare two runs: section, name, a, b, same; parameters, data, code, packages, metrics."""
        from tapebook.runs import diff

        return diff(self.config, a, b)

    def delete_run(self, id: str) -> None:
        """Delete a run: its row, then its folder."""
        from tapebook.runs import delete

        delete(self.config, id)

    def same_run(self, template: str, parameters: Mapping[str, Any]) -> Run | None:
        """Find a run that succeeded with this very template, parameters, data and code."""
        from tapebook.runs import same_run

        return same_run(self.config, template, parameters)
