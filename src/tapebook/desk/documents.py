"""Findings in documentation tools: targets, pages, and publishing as runs end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.desk.core import Core

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.integration.documents.publish import Published
    from tapebook.runs import Run


class DocumentRoom(Core):
    """Where a desk's findings are written to."""

    @property
    def documents(self) -> Documents:
        """Targets and pages: `add`, `publish`, `follow`, `list`, `targets`, `delete`, `remove`."""
        return Documents(self)


class Documents:
    """The documentation tools of one desk, and the pages in them.

    desk.documents.add("notes", "folder", to="~/vault/research")
    desk.documents.publish(run, to="notes")
    """

    def __init__(self, desk: Core) -> None:
        self._desk = desk

    def add(self, name: str, kind: str, *, revision: int | None = None, **options: str) -> None:
        """Add a target, or change its options; credentials as "secret:NAME".

        Parameters
        ----------
        revision : int, optional
            The one that the change was made from (`desk.item`).

        Raises
        ------
        Changed
            If it is at another revision by now.
        UnknownName, BadParameter
            If there is no such kind or option, one is missing, or a credential is given as it is.
        """
        from tapebook.integration.documents import get

        get(kind, **options)
        self._desk.catalog.documents.add_target(name, kind, options, seen=revision)

    def publish(
        self, run: Run | str, to: str, *, key: str | None = None, link: str = "", dry_run: bool = False
    ) -> Published:
        """Publish a run's findings: verdict, key figures, charts, tables, and where they come from.

        Parameters
        ----------
        run : Run or str
            One that ended.
        to : str
            The target's name.
        key : str, optional
            Names the page; runs with the same key share one. By default the name that the run is published
            under, or its template and parameters.
        link : str
            Where readers find the interactive report.
        """
        from tapebook.runs.documents import publish

        id = str(getattr(run, "id", run))
        desk = self._desk
        return publish(desk.config, desk.catalog, id, to, key=key, link=link, dry_run=dry_run)

    def follow(
        self,
        to: str,
        *,
        template: str | None = None,
        schedule: str | None = None,
        published: str | None = None,
    ) -> str:
        """Publish each run that succeeds from now on, while `tapebook worker` runs; return what ends it.

        All of them, or those of a template, a schedule or a published name. It ends with
        `desk.unsubscribe(...)`.
        """
        from tapebook.runs.documents import follow

        return follow(self._desk.catalog, to, template=template, schedule=schedule, published=published)

    def list(self) -> pd.DataFrame:
        """List the pages: target, key, title, run, url, updated, error (of the last try)."""
        import pandas as pd

        columns = ["target", "key", "title", "run_id", "url", "updated", "error"]
        return pd.DataFrame(self._desk.catalog.documents.list(), columns=columns)

    def targets(self) -> pd.DataFrame:
        """List the targets: name, kind, options."""
        import pandas as pd

        rows = self._desk.catalog.documents.targets()
        return pd.DataFrame(rows, columns=["name", "kind", "options", "created"])

    def delete(self, to: str, key: str, *, revision: int | None = None) -> None:
        """Take a page away at its tool. `Changed` if the target is at another revision than the one given."""
        from tapebook.integration.documents.publish import delete
        from tapebook.integration.outside import Outside

        delete(self._desk.catalog, Outside.of(self._desk.config), to, key, revision=revision)

    def remove(self, name: str, *, revision: int | None = None) -> None:
        """Move a target to the trash; its pages stay where they are."""
        self._desk.catalog.documents.remove_target(name, seen=revision)
