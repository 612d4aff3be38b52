"""Confluence: a page in its storage format with its figures attached, through atlassian-python-api."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import BadParameter
from tapebook.integration.documents.base import Gone, Keeper, Remote, fault, library
from tapebook.integration.documents.html import html
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from tapebook.integration.documents.document import Document, Picture

CONTENT = "rest/api/content"


class Confluence(Keeper):
    """A page in Confluence, Data Center or Cloud, with its figures as attachments.

    Parameters
    ----------
    to : str
        The site and the space's key: https://wiki.example.com/KEY, https://you.atlassian.net/wiki/KEY.
    token : str
        secret:NAME of a personal access token (Data Center), or of an API token (Cloud).
    user : str, optional
        The e-mail address whose API token it is (Cloud).
    parent : str, optional
        Id of the page above.
    """

    kind = "confluence"

    def __init__(self, to: str, token: str, user: str = "", parent: str = "") -> None:
        site, _, space = to.rstrip("/").rpartition("/")
        if not site.startswith(("http://", "https://")) or not space or site.endswith("/"):
            raise BadParameter("to", to, "a site and a space's key, as in https://wiki.example.com/KEY")
        self.site, self.space, self.token, self.user, self.parent = site, space, token, user, parent

    def exists(self, id: str) -> bool:
        """Say whether the page is there and not in the bin."""
        try:
            self._page(id)
        except Gone:
            return False
        return True

    def find(self, document: Document) -> str | None:
        """Look at the page of this title, which is there at once, then in the search, which lags."""
        for title in (document.title, _other(document)):
            page = self._titled(title)
            if page is not None and document.marker in page["body"]["storage"]["value"]:
                return str(page["id"])
        wanted = f'space = "{self.space}" and type = page and text ~ "{document.marker}"'
        found = self._ask("GET", f"{CONTENT}/search", params={"cql": wanted})["results"]
        return str(found[0]["id"]) if found else None

    def create(self, document: Document) -> Remote:
        """Make the page, then attach."""
        said = self._said(document, None) | {"space": {"key": self.space}}
        if self.parent:
            said["ancestors"] = [{"id": self.parent}]
        made = self._ask("POST", CONTENT, data=said)
        self._attach(str(made["id"]), document)
        return self._remote(made)

    def update(self, id: str, document: Document) -> Remote:
        """Attach, then write the next version; of two at once the later one tries again."""
        number = self._page(id)["version"]["number"]
        self._attach(id, document)
        said = self._said(document, id) | {"id": id, "version": {"number": number + 1, "minorEdit": True}}
        return self._remote(self._ask("PUT", f"{CONTENT}/{id}", data=said))

    def delete(self, id: str) -> None:
        """Put it into the bin."""
        try:
            self._ask("DELETE", f"{CONTENT}/{id}")
        except Gone:
            return

    def _page(self, id: str) -> Any:
        page = self._ask("GET", f"{CONTENT}/{id}", params={"expand": "version"})
        if page.get("status") == "trashed":
            raise Gone(f"the Confluence page {id} is in the bin")
        return page

    def _titled(self, title: str) -> Any:
        params = {"spaceKey": self.space, "title": title, "type": "page", "expand": "body.storage"}
        found = self._ask("GET", CONTENT, params=params)["results"]
        return found[0] if found else None

    def _said(self, document: Document, id: str | None) -> dict[str, Any]:
        """Title and body. A space has each title once: where another page has it, ours says its key too."""
        taken = self._titled(document.title)
        title = _other(document) if taken is not None and str(taken["id"]) != id else document.title
        body = {"storage": {"value": html(document, _image), "representation": "storage"}}
        return {"type": "page", "title": title, "body": body}

    def _attach(self, id: str, document: Document) -> None:
        """Attach what is new or was drawn from other data; the comment says what it was drawn from."""
        path = f"{CONTENT}/{id}/child/attachment"
        there = self._ask("GET", path, params={"limit": 200})["results"] if document.pictures else []
        known = {kept["title"]: kept for kept in there}
        for picture in document.pictures:
            before = known.get(picture.file)
            if before is not None and (before.get("metadata") or {}).get("comment") == picture.source:
                continue
            where = path if before is None else f"{path}/{before['id']}/data"
            file = {"file": (picture.file, picture.data, picture.kind)}
            said = {"comment": picture.source, "minorEdit": "true"}
            headers = {"X-Atlassian-Token": "no-check", "Accept": "application/json"}
            self._ask("POST", where, data=said, files=file, headers=headers)

    def _remote(self, page: Any) -> Remote:
        return Remote(str(page["id"]), f"{self.site}/pages/viewpage.action?pageId={page['id']}")

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        """Ask once; the client's own errors hide the status, so that its plain answers are read."""
        client = library("atlassian.rest_client", "atlassian-python-api")
        import requests

        token = self.outside.credential(self.token)
        who = {"username": self.user, "password": token} if self.user else {"token": token}
        redact.hide(b64encode(f"{self.user}:{token}".encode()).decode())  # how a request says both
        where = f"Confluence ({method} {path})"
        try:
            how_often = {"timeout": 30, "advanced_mode": True, "retry_with_header": False}
            with client.AtlassianRestAPI(self.site, **how_often, **who) as api:
                response = self.within(lambda: api.request(method=method, path=path, **how), "Confluence")
            if response.status_code == 409:  # somebody wrote at the same moment: read the version again
                raise Unavailable(f"{where}: the page has another version by now")
            if response.status_code >= 400:
                after = response.headers.get("retry-after")
                raise fault(where, response.status_code, response.text, after)
            return response.json() if response.content else {}
        except requests.JSONDecodeError as error:
            raise Unavailable(f"{where} answered with what is no JSON: {error}") from None
        except requests.RequestException as error:
            raise Unavailable(f"{where} did not answer: {type(error).__name__}: {error}") from None


def _other(document: Document) -> str:
    return f"{document.title[:150]} ({document.key})"


def _image(picture: Picture) -> str:
    name, words = escape(picture.file), escape(picture.title)
    return f'<p><ac:image ac:alt="{words}"><ri:attachment ri:filename="{name}"/></ac:image></p>'
