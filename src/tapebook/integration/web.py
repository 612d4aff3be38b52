"""Ask a web address and read the answer whole, or say what is wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapebook.errors import BadInput, TapebookError
from tapebook.integration import deadline
from tapebook.integration.outside import Unavailable, retry_after

if TYPE_CHECKING:
    import httpx

LARGEST = 256 * 2**20
"""Bytes of one answer at most."""
AGAIN = {408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529}
"""Statuses that may be other ones a moment later."""
QUOTED = 160


@dataclass(frozen=True)
class Page:
    """An answer: where it came from (without its query), its kind, its text, its headers."""

    where: str
    kind: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """Read the text as JSON.

        Raises
        ------
        Unavailable
            If it is a web page in place of data, or breaks off: a moment later it may be whole.
        """
        if "html" in self.kind or self.text.lstrip().startswith("<"):
            raise Unavailable(
                f"{self.where} answered with a web page ({self.kind}) where JSON was expected: {self.quoted}"
            )
        try:
            return json.loads(self.text)
        except ValueError as error:
            raise Unavailable(
                f"{self.where} answered with what is no JSON ({error}): {self.quoted}"
            ) from error

    @property
    def counted(self) -> bool:
        """Whether the answer said where it ends, so that one that breaks off cannot look whole."""
        names = {name.lower() for name in self.headers}
        return bool(names & {"content-length", "transfer-encoding"})

    @property
    def quoted(self) -> str:
        """How the text begins."""
        return quoted(self.text)


def quoted(text: str) -> str:
    """How a text begins, on one line."""
    line = " ".join(text.split())
    return repr(line[:QUOTED] + ("…" if len(line) > QUOTED else ""))


def get(
    url: str,
    params: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    refused: Callable[[int, str], Exception | None] = lambda _status, _text: None,
    longest: float | None = None,
) -> Page:
    """Fetch a page once.

    Parameters
    ----------
    refused : callable, optional
        Told of a status of 400 or more and the text that came; may know better what it means.
    longest : float, optional
        Seconds that the whole answer may take, however steadily it drips.

    Raises
    ------
    Unavailable
        If nobody answers, the answer breaks off or takes too long, or the status may be another one later.
    BadInput
        If the vendor refuses the question.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise BadInput(f"{url!r} is no web address: expected http:// or https://")
    where = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    seconds = deadline.LONGEST if longest is None else longest
    asked = partial(_fetched, where, seconds, url, params=params or None, headers=dict(headers or {}))
    response, text = deadline.within(seconds, asked, where)
    if response.status_code >= 400:
        raise refused(response.status_code, text) or _fault(response, where, text)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return Page(where, kind, text, dict(response.headers))


def _fetched(where: str, seconds: float, url: str, **how: Any) -> tuple[httpx.Response, str]:
    import httpx

    def stay(request: httpx.Request) -> None:
        if how["headers"] and request.url.host != httpx.URL(url).host:
            raise BadInput(f"{where} sends us on to {request.url.host}: a credential goes to no other host")

    kept = {"timeout": httpx.Timeout(deadline.SILENCE), "event_hooks": {"request": [stay]}}
    try:
        with (
            httpx.Client(**kept, follow_redirects=True) as client,  # type: ignore[arg-type]
            client.stream("GET", url, **how) as response,
        ):
            return response, _read(response, where, seconds)
    except httpx.HTTPError as error:
        raise Unavailable(f"{where} did not answer: {type(error).__name__}: {error}") from error
    except httpx.InvalidURL as error:
        raise BadInput(f"{where} is no web address: {error}") from error


def _read(response: httpx.Response, where: str, longest: float) -> str:
    begun, parts, size = time.monotonic(), [], 0
    for part in response.iter_bytes():
        parts.append(part)
        size += len(part)
        if time.monotonic() - begun > longest:
            raise Unavailable(f"{where} took longer than {longest:g} s to answer")
        if size > LARGEST:
            raise BadInput(f"{where} answered with more than {LARGEST:,} bytes: ask for a shorter span")
    return b"".join(parts).decode(response.encoding or "utf-8", errors="replace")


def _fault(response: httpx.Response, where: str, text: str) -> TapebookError:
    status = response.status_code
    told = f"{where} answered with status {status} {response.reason_phrase}: {quoted(text)}"
    if status in AGAIN:
        return Unavailable(told, retry_after(response.headers.get("retry-after"), time.time()))
    if status in (401, 403):
        told += ". Check the credential (`tapebook secrets list`)"
    return BadInput(told)
