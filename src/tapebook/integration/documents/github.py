"""GitHub: an issue or a gist, through githubkit. Neither takes images: charts are in the report, or SVGs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadInput, BadParameter
from tapebook.integration.documents.base import Gone, Keeper, Remote, fault, library
from tapebook.integration.documents.document import Document, Table, Words
from tapebook.integration.documents.markdown import markdown
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

API = "https://api.github.com"
LONGEST = 65_000
"""Characters of an issue; GitHub takes 65,536."""
LABEL = "tapebook"


class GitHubKeeper(Keeper):
    """What issues and gists share."""

    rate = 1.0
    token = ""
    api = API

    def _ask(self, method: str, path: str, **how: Any) -> Any:
        kit = library("githubkit", "githubkit")
        wrong = library("githubkit.exception", "githubkit")
        token = self.outside.credential(self.token)
        with kit.GitHub(token, base_url=self.api, auto_retry=False, http_cache=False, timeout=30) as client:
            try:
                response = self.within(lambda: client.request(method, path, **how), "GitHub")
                return response.json() if response.content else None
            except wrong.RequestFailed as error:
                raise self._fault(method, path, error.response) from None
            except wrong.RequestError as error:
                raise Unavailable(f"GitHub did not answer: {type(error).__name__}: {error}") from None
            except ValueError as error:
                raise Unavailable(f"GitHub's answer to {path} breaks off: {error}") from None

    @staticmethod
    def _fault(method: str, path: str, response: Any) -> Exception:
        headers: Mapping[str, str] = response.headers
        after = headers.get("retry-after")
        return fault(f"GitHub ({method} {path})", response.status_code, response.text, after)

    def _all(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        for page in range(1, 101):
            found = self._ask("GET", path, params=params | {"per_page": 100, "page": page})
            if not isinstance(found, list):
                raise BadInput(f"GitHub answered to {path} with what is no list")
            yield from found
            if len(found) < 100:
                return

    def _is_there(self, path: str) -> bool:
        try:
            self._ask("GET", path)
        except Gone:
            return False
        return True


class Issue(GitHubKeeper):
    """An issue of a GitHub repository, labelled tapebook; to delete it is to close it.

    Parameters
    ----------
    to : str
        owner/repository.
    token : str
        secret:NAME of a token that may write issues.
    api : str
        Of a GitHub of your own: https://host/api/v3.
    """

    kind = "github-issue"

    def __init__(self, to: str, token: str, api: str = API) -> None:
        self.to, self.token, self.api = repository(to), token, api
        self._path = f"/repos/{self.to}/issues"

    def exists(self, id: str) -> bool:
        """Say whether the issue is there."""
        return self._is_there(f"{self._path}/{id}")

    def find(self, document: Document) -> str | None:
        """Look through the issues with the label."""
        for issue in self._all(self._path, labels=LABEL, state="all"):
            if document.marker in (issue.get("body") or ""):
                return str(issue["number"])
        return None

    def create(self, document: Document) -> Remote:
        """Open an issue."""
        made = self._ask("POST", self._path, json=self._said(document) | {"labels": [LABEL]})
        return Remote(str(made["number"]), str(made.get("html_url") or ""))

    def update(self, id: str, document: Document) -> Remote:
        """Replace title and text."""
        made = self._ask("PATCH", f"{self._path}/{id}", json=self._said(document))
        return Remote(id, str(made.get("html_url") or ""))

    def delete(self, id: str) -> None:
        """Close it, and take the text away."""
        said = {"state": "closed", "body": "Taken away by tapebook."}
        try:
            self._ask("PATCH", f"{self._path}/{id}", json=said)
        except Gone:
            return

    @staticmethod
    def _said(document: Document) -> dict[str, Any]:
        return {"title": document.title, "body": fitting(document, LONGEST)}


class Gist(GitHubKeeper):
    """A gist on GitHub: the findings as Markdown, charts beside it where they are SVGs.

    Parameters
    ----------
    token : str
        secret:NAME of a token that may write gists.
    public : str
        "yes": anybody finds it; otherwise those who know its address.
    api : str
        Of a GitHub of your own: https://host/api/v3.
    """

    kind = "github-gist"

    def __init__(self, token: str, public: str = "no", api: str = API) -> None:
        if public not in ("yes", "no"):
            raise BadParameter("public", public, "yes or no")
        self.token, self.public, self.api = token, public == "yes", api

    def exists(self, id: str) -> bool:
        """Say whether the gist is there."""
        return self._is_there(f"/gists/{id}")

    def find(self, document: Document) -> str | None:
        """Look through the token's own gists."""
        for gist in self._all("/gists"):
            if document.marker in (gist.get("description") or ""):
                return str(gist["id"])
        return None

    def create(self, document: Document) -> Remote:
        """Make a gist."""
        made = self._ask("POST", "/gists", json=self._said(document) | {"public": self.public})
        return Remote(str(made["id"]), str(made.get("html_url") or ""))

    def update(self, id: str, document: Document) -> Remote:
        """Replace its files; those that it no longer has go."""
        before = self._ask("GET", f"/gists/{id}")
        said = self._said(document)
        said["files"] = dict.fromkeys(before.get("files") or {}) | said["files"]
        made = self._ask("PATCH", f"/gists/{id}", json=said)
        return Remote(id, str(made.get("html_url") or ""))

    def delete(self, id: str) -> None:
        """Delete it."""
        try:
            self._ask("DELETE", f"/gists/{id}")
        except Gone:
            return

    @staticmethod
    def _said(document: Document) -> dict[str, Any]:
        name = re.sub(r"[^\w.-]+", "-", document.key).strip(".-") or "run"
        text = markdown(document, lambda _: "")
        files = {f"{name}.md": {"content": text}}
        for picture in document.pictures:
            if picture.kind == "image/svg+xml":
                files[picture.file] = {"content": picture.data.decode()}
        return {"description": f"{document.title} ({document.marker})", "files": files}


def repository(to: str) -> str:
    """Check owner/repository."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", to):
        raise BadParameter("to", to, "owner/repository")
    return to


def fitting(document: Document, longest: int) -> str:
    """Write Markdown without images; the longest tables go, and it says so, until it is short enough."""
    text = markdown(document, lambda _: "")
    while len(text) > longest:
        tables = [block for block in document.blocks if isinstance(block, Table)]
        if not tables:
            raise BadInput(f"{document.key} has {len(text):,} characters without its tables: too long")
        longest_one = max(tables, key=lambda table: sum(len(cell) for row in table.rows for cell in row))
        blocks = tuple(
            Words("This table is too long for here: it is in the run.") if block is longest_one else block
            for block in document.blocks
        )
        document = replace(document, blocks=blocks)
        text = markdown(document, lambda _: "")
    return text
