"""Publish a document: the page that is there is updated; one is made only where none is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tapebook import redact
from tapebook.data.catalog.lease import holder
from tapebook.errors import TapebookError
from tapebook.integration.documents import get
from tapebook.integration.documents.base import Gone, Remote, Target
from tapebook.integration.outside import Outside

if TYPE_CHECKING:
    from tapebook.data.catalog import Catalog
    from tapebook.integration.documents.document import Document


@dataclass(frozen=True)
class Published:
    """What became of a page: created, updated, unchanged, or with a dry run what would."""

    target: str
    key: str
    outcome: str
    url: str = ""
    id: str = ""


def publish(
    catalog: Catalog, outside: Outside, name: str, document: Document, *, dry_run: bool = False
) -> Published:
    """Let the page of `document.key` at the target `name` say what the document says.

    One process at a time holds a page (a lease in the catalogue). A page whose row was lost, or that was
    made by a request of which the answer was lost, is found by its marker before another one is made.

    Raises
    ------
    UnknownName
        If there is no such target.
    TapebookError
        If the tool refuses or does not answer; it is told as an event `integration.failed` too.
    """
    kept = catalog.documents.target(name)
    target = get(kept["kind"], **kept["options"])
    target.attach(outside)
    row = catalog.documents.get(name, document.key)
    if dry_run:
        known = row is not None and row["remote_id"] is not None
        same = known and row["digest"] == document.digest  # type: ignore[index]
        return Published(
            name, document.key, f"would be {'unchanged' if same else 'updated' if known else 'created'}"
        )
    me = holder()
    row = catalog.documents.claim(name, document.key, me)
    try:
        return _published(catalog, outside, target, name, document, row["remote_id"], row["digest"])
    except Exception as error:
        said = redact.scrub(
            f"{error}" if isinstance(error, TapebookError) else f"{type(error).__name__}: {error}"
        )
        catalog.documents.failed(name, document.key, said[:1000])
        raise
    finally:
        catalog.documents.release(name, document.key, me)


def _published(
    catalog: Catalog, outside: Outside, target: Target, name: str, document: Document,
    known: str | None, digest: str | None,
) -> Published:  # fmt: skip
    what = "updated"

    def once() -> Remote | None:
        nonlocal known, what
        if known is not None and digest == document.digest and target.exists(known):
            return None
        for id in (known, "") if known is not None else ("",):
            found = id or target.find(document)
            if not found:
                continue
            try:
                return target.update(found, document)
            except Gone:
                known = None
        what = "created"
        return target.create(document)

    remote = outside.ask(f"documents-{target.kind}", target.rate, once)
    if remote is None:
        return Published(name, document.key, "unchanged", id=known or "")
    catalog.documents.put(
        name, document.key, remote_id=remote.id, url=remote.url, digest=document.digest,
        run_id=document.run, title=document.title,
    )  # fmt: skip
    return Published(name, document.key, what, remote.url, remote.id)


def delete(catalog: Catalog, outside: Outside, name: str, key: str, *, revision: int | None = None) -> None:
    """Take a page away at its tool, then its row; UnknownName if it is not known.

    Changed if the target is at another revision than the one given: the page may be another by now.
    """
    kept = catalog.documents.target(name)
    if revision is not None:
        catalog.items.refuse("document", name, revision)
    row = catalog.documents.one(name, key)
    if row["remote_id"] is not None:
        target = get(kept["kind"], **kept["options"])
        target.attach(outside)
        outside.ask(f"documents-{target.kind}", target.rate, lambda: target.delete(row["remote_id"]))
    catalog.documents.forget(name, key)
