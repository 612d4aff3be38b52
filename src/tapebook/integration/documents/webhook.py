"""A plain webhook: the findings as JSON, to whatever keeps them."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapebook.errors import BadInput
from tapebook.integration.documents.base import Keeper, Remote, fault
from tapebook.integration.documents.markdown import markdown
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from tapebook.integration.documents.document import Document

SILENCE = 20.0


class Webhook(Keeper):
    """A POST with the findings as JSON: title, Markdown, figures (base64), facts.

    `key` says which page it is and `idempotency-key` (a header) which content, so that the receiver can tell
    a repetition. An answer {"id", "url"} is kept; 404 or 410 to a known `id` lets it be made again.

    Parameters
    ----------
    to : str
        http:// or https://, or secret:NAME of a stored address.
    token : str, optional
        secret:NAME, sent as `authorization: Bearer …`.
    """

    kind = "webhook"

    def __init__(self, to: str, token: str = "") -> None:
        self.to, self.token = to, token

    def exists(self, id: str) -> bool:
        """Take it for granted: nobody can be asked."""
        return bool(id)

    def find(self, document: Document) -> str | None:  # noqa: ARG002
        """Find nothing: the receiver knows by the key."""
        return None

    def create(self, document: Document) -> Remote:
        """Send it."""
        return self._send("publish", None, document)

    def update(self, id: str, document: Document) -> Remote:
        """Send it with the id that the receiver gave."""
        return self._send("publish", id, document)

    def delete(self, id: str) -> None:
        """Tell the receiver."""
        self._post({"action": "delete", "id": id}, f"delete-{id}")

    def _send(self, action: str, id: str | None, document: Document) -> Remote:
        figures = [
            {
                "name": p.file,
                "title": p.title,
                "type": p.kind,
                "data": b64encode(p.data).decode(),
            }
            for p in document.pictures
        ]
        said = {
            "action": action,
            "id": id,
            "key": document.key,
            "marker": document.marker,
            "title": document.title,
            "date": document.date,
            "tags": list(document.tags),
            "run": document.run,
            "link": document.link,
            "markdown": markdown(document, lambda picture: picture.file),
            "figures": figures,
            "facts": dict(document.facts),
        }
        answer = self._post(said, f"{document.marker}-{document.digest[:16]}")
        return Remote(str(answer.get("id") or id or document.marker), str(answer.get("url") or ""))

    def _post(self, said: dict[str, Any], once: str) -> dict[str, Any]:
        import httpx

        url = self.outside.credential(self.to) if self.to.startswith("secret:") else self.to
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadInput("a webhook's address starts with http:// or https:// and names a host")
        headers = {"idempotency-key": once, "user-agent": "tapebook"}
        if self.token:
            headers["authorization"] = f"Bearer {self.outside.credential(self.token)}"
        where = f"the webhook at {parts.hostname}"
        try:
            post = partial(httpx.post, url, json=said, headers=headers, timeout=SILENCE)
            response = self.within(post, where)
        except httpx.HTTPError as error:
            raise Unavailable(f"{where} did not answer: {type(error).__name__}: {error}") from None
        if response.status_code >= 300:
            raise fault(where, response.status_code, response.text, response.headers.get("retry-after"))
        try:
            answer = response.json()
        except ValueError:  # a receipt without words
            return {}
        return answer if isinstance(answer, dict) else {}
