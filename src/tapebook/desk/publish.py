"""Publishing: stable names for runs, their history, and clearing old runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapebook.desk.core import Core

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.runs import Run
    from tapebook.runs.publish import Publication


class PublishRoom(Core):
    """What viewers may see."""

    def publish(
        self,
        run: Run | str | None = None,
        *,
        name: str,
        template: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        schedule: str | None = None,
        page: str | None = None,
        title: str | None = None,
        description: str | None = None,
        audience: str | Sequence[str] | None = None,
        pinned: bool | None = None,
        late_after: float | None = None,
        revision: int | None = None,
    ) -> Publication:
        """Publish a run, the latest run of a template or a schedule, or a page, under a stable name.

        desk.publish(run, name="apple-trend", title="Apple's trend")
        desk.publish(template="backtest", parameters={"symbols": "AAPL"}, name="apple", late_after=26)

        What is not given stays as it was; `Changed` if the name is at another revision than the one given.
        See `tapebook.runs.publish.publish`.
        """
        from tapebook.runs.publish import publish

        return publish(
            self.config,
            name,
            run=run if run is None or isinstance(run, str) else run.id,
            template=template,
            parameters=parameters,
            schedule=schedule,
            page=page,
            title=title,
            description=description,
            audience=audience,
            pinned=pinned,
            late_after=late_after,
            revision=revision,
        )

    def unpublish(self, name: str, *, revision: int | None = None) -> None:
        """Move a published name to the trash; its runs stay. `restore("publication:…")` brings it back."""
        from tapebook.runs.publish import unpublish

        unpublish(self.config, name, revision=revision)

    def published(self) -> pd.DataFrame:
        """List what is published: what each name shows, its run, how many runs it has had, its audience."""
        import pandas as pd

        from tapebook.runs.publish import history, published

        columns = [
            "name", "shows", "run", "runs", "title", "audience", "pinned", "late_hours", "created", "who"
        ]  # fmt: skip
        rows = []
        for found in published(self.config):
            runs = history(self.catalog, found)
            said = {
                "run": runs[0] if runs else None,
                "runs": len(runs),
                "audience": ", ".join(found.audience),
            }
            rows.append({name: said.get(name, getattr(found, name, None)) for name in columns})
        return pd.DataFrame(rows, columns=columns)

    def published_history(self, name: str) -> pd.DataFrame:
        """List the runs that a name shows and showed, newest first: run, started, outcome, title."""
        import pandas as pd

        from tapebook.runs.publish import Publication, history

        ids = history(self.catalog, Publication.read(self.catalog.publications.get(name)))
        known = {row["id"]: row for row in self.catalog.runs.list(limit=None)}
        rows = [
            {"run": id, **{k: known.get(id, {}).get(k) for k in ("started", "outcome", "title")}}
            for id in ids
        ]
        return pd.DataFrame(rows, columns=["run", "started", "outcome", "title"])

    def pin_run(self, run: Run | str, note: str = "", *, revision: int | None = None) -> None:
        """Keep a run from every rule that clears old ones."""
        from tapebook.runs.publish import pin

        pin(self.config, str(getattr(run, "id", run)), note, revision=revision)

    def unpin_run(self, run: Run | str, *, revision: int | None = None) -> None:
        """Let the rules clear a run again."""
        from tapebook.runs.publish import unpin

        unpin(self.config, str(getattr(run, "id", run)), revision=revision)

    def prune_runs(
        self, *, keep: int | None = None, older_than: str | float | None = None, dry_run: bool = False
    ) -> pd.DataFrame:
        """Delete old runs, never pinned or published ones: run, template, started, outcome, bytes.

        desk.prune_runs(keep=30, older_than="90d", dry_run=True)
        """
        import pandas as pd

        from tapebook.runs.retention import prune

        rows = prune(self.config, keep=keep, older_than=older_than, dry_run=dry_run)
        return pd.DataFrame(rows, columns=["run", "template", "started", "outcome", "bytes"])
