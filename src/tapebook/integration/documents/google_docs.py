"""Google Docs: Drive makes a document of HTML, and makes the same document anew at every update."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import closing
from html import escape
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import BadInput
from tapebook.integration.documents.base import Gone, Keeper, Remote, fault, library
from tapebook.integration.documents.document import NAME
from tapebook.integration.documents.html import html
from tapebook.integration.outside import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tapebook.integration.documents.document import Document, Picture

API = "https://www.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/drive"
KIND = "application/vnd.google-apps.document"
EVERYWHERE = {"supportsAllDrives": True}


class GoogleDocs(Keeper):
    """A Google document in a folder of Drive that a service account may write to; charts need a Chromium.

    Parameters
    ----------
    to : str
        The folder's id: what follows /folders/ in its address. Share it with the service account.
    token : str
        secret:NAME of the service account's key, the whole JSON file.
    api : str
        For tests.
    """

    kind, rate = "google-docs", 3.0

    def __init__(self, to: str, token: str, api: str = API) -> None:
        self.to, self.token, self.api = to, token, api
        self._who: Any = None
        self._drive: Any = None

    def exists(self, id: str) -> bool:
        """Say whether the document is there and not in the bin."""
        try:
            self._there(id)
        except Gone:
            return False
        return True

    def find(self, document: Document) -> str | None:
        """Ask for the file that has the marker among its properties."""
        wanted = (
            f"appProperties has {{ key='{NAME}' and value='{document.marker}' }} "
            f"and '{self.to}' in parents and trashed = false"
        )
        said = {"q": wanted, "fields": "files(id)", "includeItemsFromAllDrives": True} | EVERYWHERE
        found = self._ask(lambda files: files.list(**said))["files"]
        return str(found[0]["id"]) if found else None

    def create(self, document: Document) -> Remote:
        """Upload it as HTML, to become a document."""
        said = {
            "name": document.title,
            "mimeType": KIND,
            "parents": [self.to],
            "appProperties": {NAME: document.marker},
        }
        return self._upload(document, lambda files, **how: files.create(body=said, **how))

    def update(self, id: str, document: Document) -> Remote:
        """Replace what it says; its address stays."""
        self._there(id)
        said = {"name": document.title}
        return self._upload(document, lambda files, **how: files.update(fileId=id, body=said, **how))

    def delete(self, id: str) -> None:
        """Put it into the bin."""
        try:
            self._ask(lambda files: files.update(fileId=id, body={"trashed": True}, **EVERYWHERE))
        except Gone:
            return

    def _there(self, id: str) -> None:
        found = self._ask(lambda files: files.get(fileId=id, fields="id,trashed", **EVERYWHERE))
        if found.get("trashed"):
            raise Gone(f"the Google document {id} is in the bin")

    def _upload(self, document: Document, call: Callable[..., Any]) -> Remote:
        http = library("googleapiclient.http", "google-api-python-client")
        text = f'<meta charset="utf-8"><h1>{escape(document.title)}</h1>{html(document, _image)}'
        media = http.MediaInMemoryUpload(text.encode(), mimetype="text/html", resumable=False)
        how = {"media_body": media, "fields": "id,webViewLink"} | EVERYWHERE
        made = self._ask(lambda files: call(files, **how))
        return Remote(str(made["id"]), str(made.get("webViewLink") or ""))

    def _ask(self, request: Callable[[Any], Any]) -> Any:
        """Ask once."""
        wrong = library("googleapiclient.errors", "google-api-python-client")
        refused = library("google.auth.exceptions", "google-auth")
        httplib2 = library("httplib2", "google-api-python-client")

        signed = self._signed()

        def once() -> Any:  # to close what another thread still reads from would wait for it
            with closing(signed):
                return request(self._files(signed)).execute(http=signed, num_retries=0)

        try:
            return self.within(once, "Google Drive")
        except wrong.HttpError as error:
            said, after = error.content.decode(errors="replace"), error.resp.get("retry-after")
            limited = error.status_code == 403 and "ateLimitExceeded" in said
            raise fault("Google Drive", 429 if limited else error.status_code, said, after) from None
        except refused.GoogleAuthError as error:
            told = f"signing in to Google failed: {error}"
            later = error.retryable or isinstance(error, refused.TransportError)
            raise (Unavailable(told) if later else BadInput(told)) from None
        except (OSError, httplib2.HttpLib2Error, HTTPException) as error:
            raise Unavailable(f"Google Drive did not answer: {type(error).__name__}: {error}") from None
        except ValueError as error:
            raise Unavailable(f"Google Drive's answer cannot be read: {type(error).__name__}") from error

    def _files(self, signed: Any) -> Any:
        """Drive's methods, made once of the description that the client brings along."""
        if self._drive is None:
            discovery = library("googleapiclient.discovery", "google-api-python-client")
            cache = library("googleapiclient.discovery_cache", "google-api-python-client")
            described = json.loads(cache.get_static_doc("drive", "v3"))
            if self.api != API:
                described |= {"rootUrl": f"{self.api}/", "baseUrl": f"{self.api}/drive/v3/"}
            self._drive = discovery.build_from_document(described, http=signed)
        return self._drive.files()

    def _signed(self) -> Any:
        """A connection that signs in as the service account."""
        httplib2 = library("httplib2", "google-api-python-client")

        google = library("google.oauth2.service_account", "google-auth")
        signed = library("google_auth_httplib2", "google-auth-httplib2")
        try:
            if self._who is None:
                key = json.loads(self.outside.credential(self.token))
                redact.hide(str(key["private_key"]))
                self._who = google.Credentials.from_service_account_info(key, scopes=[SCOPE])
        except (ValueError, TypeError, KeyError):
            raise BadInput(
                "the credential of google-docs is no service account's key: store the whole JSON file, "
                "as in `tapebook secrets set google < key.json`"
            ) from None
        return signed.AuthorizedHttp(self._who, http=httplib2.Http(timeout=60))


def _image(picture: Picture) -> str:
    """A PNG inside the page; Docs reads no SVG."""
    if picture.kind != "image/png":
        return f"<p>Chart {escape(picture.title)}: see the run's report.</p>"
    code = b64encode(picture.data).decode()
    return f'<p><img alt="{escape(picture.title)}" src="data:{picture.kind};base64,{code}" width="640"/></p>'
