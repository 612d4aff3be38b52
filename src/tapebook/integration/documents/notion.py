"""Notion: a page below another page, made of blocks, its figures uploaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from tapebook.integration.documents.base import Gone, Keeper, Remote, fault, library
from tapebook.integration.documents.document import Block, Document, Heading, Picture, Points, Table, Words
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

API = "https://api.notion.com"
AT_ONCE, TEXT, CELLS = 100, 2000, 99
"""What Notion takes: blocks of a request, characters of a text, rows of a table beside its head."""
KEPT = ("child_page", "child_database")
"""Blocks that a person put below the page; an update leaves them."""


class Notion(Keeper):
    """A page in Notion, below a page that the integration may write to.

    Parameters
    ----------
    to : str
        Id of the page above: the 32 digits at the end of its address.
    token : str
        secret:NAME of an internal integration's token.
    api : str
        For tests.
    """

    kind, rate = "notion", 3.0

    def __init__(self, to: str, token: str, api: str = API) -> None:
        self.to, self.token, self.api = to, token, api

    def exists(self, id: str) -> bool:
        """Say whether the page is there and not in the bin."""
        with self._client() as notion:
            try:
                return not _binned(notion.pages.retrieve(page_id=id))
            except Exception as error:
                if isinstance(said := _said(error), Gone):
                    return False
                raise said from None

    def find(self, document: Document) -> str | None:
        """Look at how the pages below begin: the marker is in their first block."""
        with self._client() as notion:
            for block in _children(notion, self.to):
                if block["type"] != "child_page" or _binned(block):
                    continue
                first = notion.blocks.children.list(block_id=block["id"], page_size=1)["results"]
                if first and document.marker in str(first[0]):
                    return str(block["id"])
        return None

    def create(self, document: Document) -> Remote:
        """Make a page with its marker, then fill it."""
        with self._client() as notion:
            made = notion.pages.create(
                parent={"page_id": self.to},
                properties={"title": {"title": _text(document.title)}},
                children=[_marker(document)],
            )
            self._fill(notion, made["id"], document)
            return Remote(made["id"], made.get("url") or "")

    def update(self, id: str, document: Document) -> Remote:
        """Put the new blocks in, then take the old ones away; what a person put below it stays."""
        with self._client() as notion:
            page = notion.pages.retrieve(page_id=id)
            if _binned(page):
                raise Gone(f"the Notion page {id} is in the bin")
            notion.pages.update(page_id=id, properties={"title": {"title": _text(document.title)}})
            self._fill(notion, id, document)
            return Remote(id, page.get("url") or "")

    def delete(self, id: str) -> None:
        """Put it into the bin."""
        try:
            with self._client() as notion:
                notion.pages.update(page_id=id, in_trash=True)
        except Gone:
            return

    def _fill(self, notion: Any, id: str, document: Document) -> None:
        """Blocks of a try that broke off are among the old ones, so that the next try mends it."""
        old = [block["id"] for block in _children(notion, id) if block["type"] not in KEPT]
        new = [_marker(document), *self._blocks(notion, document)]
        for at in range(0, len(new), AT_ONCE):
            notion.blocks.children.append(block_id=id, children=new[at : at + AT_ONCE])
        for block in old:
            notion.blocks.delete(block_id=block)

    def _blocks(self, notion: Any, document: Document) -> Iterator[dict[str, Any]]:
        for block in document.blocks:
            if isinstance(block, Picture):
                yield _image(notion, block)
            else:
                yield from _block(block)
        if document.link:
            text = [
                {"type": "text", "text": {"content": "Interactive report", "link": {"url": document.link}}}
            ]
            yield _of("paragraph", rich_text=text)
        yield _of("divider")
        yield _of("heading_3", rich_text=_text("Where this comes from"))
        for name, value in document.facts:
            yield _of("bulleted_list_item", rich_text=_text(f"{name}: {value}"))

    @contextmanager
    def _client(self) -> Iterator[Any]:
        """Give a client that tries nothing again by itself; errors come out as ours."""
        library("notion_client", "notion-client")
        import httpx
        import notion_client

        token = self.outside.credential(self.token)
        quiet = logging.getLogger("tapebook.notion")
        with httpx.Client() as web:
            send = web.send
            web.send = lambda *asked, **how: self.within(partial(send, *asked, **how), "Notion")  # type: ignore[method-assign]
            client = notion_client.Client(
                auth=token, base_url=self.api, retry=False, timeout_ms=30_000, logger=quiet, client=web,
                log_level=logging.CRITICAL,
            )  # fmt: skip
            try:
                yield client
            except Exception as error:
                raise _said(error) from None


def _said(error: Exception) -> Exception:
    """What an error of the client means."""
    import httpx
    from notion_client.errors import HTTPResponseError, RequestTimeoutError

    if isinstance(error, HTTPResponseError):
        status = 503 if error.status == 409 else error.status  # two at once: Notion says to try again
        return fault("Notion", status, f"{error} {error.body}", error.headers.get("retry-after"))
    if isinstance(error, (httpx.HTTPError, RequestTimeoutError)):
        return Unavailable(f"Notion did not answer: {type(error).__name__}: {error}")
    if isinstance(error, (KeyError, ValueError)) and not hasattr(error, "expected"):
        return Unavailable(f"Notion's answer cannot be read: {type(error).__name__}: {error}")
    return error


def _binned(page: dict[str, Any]) -> bool:
    return bool(page.get("in_trash") or page.get("archived"))


def _children(notion: Any, id: str) -> Iterator[dict[str, Any]]:
    after: dict[str, str] = {}
    while True:
        found = notion.blocks.children.list(block_id=id, page_size=100, **after)
        yield from found["results"]
        if not found.get("has_more"):
            return
        after = {"start_cursor": found["next_cursor"]}


def _of(kind: str, **content: Any) -> dict[str, Any]:
    return {"object": "block", "type": kind, kind: content}


def _text(text: str) -> list[dict[str, Any]]:
    parts = [text[at : at + TEXT] for at in range(0, len(text), TEXT)]
    return [{"type": "text", "text": {"content": part}} for part in parts[:100]]


def _marker(document: Document) -> dict[str, Any]:
    said = f"Kept up to date by tapebook ({document.marker}): what is written here is replaced."
    return _of("paragraph", rich_text=_text(said))


def _block(block: Block) -> Iterator[dict[str, Any]]:
    match block:
        case Heading(text, level):
            yield _of(f"heading_{min(level, 3)}", rich_text=_text(text))
        case Words(text):
            yield _of("paragraph", rich_text=_text(text))
        case Points(items):
            yield from (_of("bulleted_list_item", rich_text=_text(item)) for item in items)
        case Table():
            yield _table(block)
            if block.note:
                yield _of("paragraph", rich_text=_text(block.note))


def _table(table: Table) -> dict[str, Any]:
    def row(cells: Iterable[str]) -> dict[str, Any]:
        return _of("table_row", cells=[_text(cell) for cell in cells])

    rows = [row(table.columns), *map(row, table.rows[:CELLS])]
    wide = len(table.columns)
    return _of("table", table_width=wide, has_column_header=True, has_row_header=False, children=rows)


def _image(notion: Any, picture: Picture) -> dict[str, Any]:
    """Upload it, and show it."""
    upload = notion.file_uploads.create(mode="single_part", filename=picture.file, content_type=picture.kind)
    notion.file_uploads.send(file_upload_id=upload["id"], file=(picture.file, picture.data, picture.kind))
    caption = _text(picture.title)
    return _of("image", type="file_upload", file_upload={"id": upload["id"]}, caption=caption)
