"""Events as signed HTTP requests, after the Standard Webhooks specification (standardwebhooks.com).

    POST <url>
    webhook-id: <the event's id, the same at every try>
    webhook-timestamp: <seconds since 1970>
    webhook-signature: v1,<base64 of HMAC-SHA256 over "id.timestamp.body">

The key is what follows `whsec_` in the secret, base64. An answer from 200 to 299 within 15 s is a receipt.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from itertools import chain, count
from secrets import token_bytes
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tapebook.data.catalog.event_types import TOPICS, check_topic
from tapebook.data.catalog.events import Patience
from tapebook.errors import BadInput, UnknownName
from tapebook.integration.event_delivery import Undelivered, deliver, described, redeliver
from tapebook.integration.vault import PREFIX, Vault, reveal

if TYPE_CHECKING:
    import httpx

    from tapebook.config import Config
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.event_types import Event

KIND = "webhook"
ANSWER_SECONDS = 15.0
_SECRET = "whsec_"


def subscribe(
    config: Config,
    catalog: Catalog,
    url: str,
    topics: Iterable[str] = (),
    *,
    name: str | None = None,
    after: int | None = None,
    revision: int | None = None,
) -> tuple[str, str]:
    """Send events to a URL from now on, or after event number `after`; return its name and signing secret.

    Parameters
    ----------
    url : str
        http:// or https://, or "secret:NAME" of a stored one. The address itself goes into the vault, as it
        may hold a token; the signing secret too.
    topics
        All by default.
    revision : int, optional
        The one of the subscription of this name that the change was made from.

    Raises
    ------
    BadInput, UnknownName
        If it is no such address, or there is no such topic.
    Changed
        If the subscription is at another revision by now.
    """
    shown = host(reveal(config, url))
    wanted = [check_topic(topic) for topic in topics] or list(TOPICS)
    name = name or _free(config, catalog, shown.replace(":", "-"), reveal(config, url))
    if revision is not None:
        catalog.items.refuse("subscription", name, revision)
    vault, signing = Vault.of(config, catalog), f"webhook.{name}.signing"
    secret = _kept(catalog, vault, name, signing)
    target = url if url.startswith(PREFIX) else f"{PREFIX}webhook.{name}.url"
    if target != url:
        vault.put(target, url)
    catalog.subscribers.add(
        name, KIND, wanted, target=target, secret=f"{PREFIX}{signing}", after=after, seen=revision
    )
    return name, secret


def unsubscribe(catalog: Catalog, name: str, *, revision: int | None = None) -> None:
    """Move a subscriber to the trash, which keeps a webhook's address. UnknownName if there is none.

    Changed if it is at another revision by now.
    """
    row = catalog.subscribers.get(name)
    if row.kind == "schedule":
        own_name = name.partition(":")[2]
        raise BadInput(f"{name} is a schedule: take it away with `tapebook schedule remove {own_name}`")
    catalog.subscribers.remove(name, seen=revision)


def forget(config: Config, catalog: Catalog, row: Mapping[str, Any]) -> None:
    """Take the address and the signing secret of a subscription that is no more out of the vault."""
    vault, own = Vault.of(config, catalog), f"{PREFIX}webhook.{row['name']}."
    for kept in (row["target"], row["secret"]):
        if kept and kept.startswith(own):
            with suppress(BadInput, UnknownName):  # another subscription of this name has it now
                vault.delete(kept)


def _free(config: Config, catalog: Catalog, wanted: str, url: str) -> str:
    """A name for this address: the one that it has, or the next that nobody has."""
    targets = {row["name"]: row["target"] for row in catalog.subscribers.all()}
    names = chain([wanted], (f"{wanted}-{n}" for n in count(2)))
    return next(n for n in names if n not in targets or reveal(config, targets[n] or "") == url)


def _kept(catalog: Catalog, vault: Vault, name: str, signing: str) -> str:
    """The signing secret of an earlier subscription of this name, or a new one."""
    if any(row["name"] == name for row in catalog.subscribers.all(KIND)):
        return vault.get(signing).reveal()
    secret = _SECRET + base64.b64encode(token_bytes(24)).decode()
    vault.put(signing, secret)
    return secret


def host(url: str) -> str:
    """What of an address may be shown: its host and port; BadInput if it is none."""
    try:
        parts = urlsplit(url)
        named, port = parts.hostname, parts.port
    except ValueError:
        parts, named, port = None, None, None
    if parts is None or parts.scheme not in ("http", "https") or not named:
        raise BadInput("a webhook's address starts with http:// or https:// and names a host")
    return named if port is None else f"{named}:{port}"


def sign(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` of a request.

    >>> sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
    ...      b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix(_SECRET))
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def verify(
    secret: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> None:
    """Check a request that was received: that it is ours, unchanged, and not an old one sent again.

    Parameters
    ----------
    secret : str
        The signing secret that `subscribe` has told.
    headers, body
        As they came. A receiver that must not act twice also remembers each `webhook-id` for `tolerance`.
    tolerance : float
        Seconds that the request may be old, or in the future.

    Raises
    ------
    BadInput
        Saying what is wrong: then nothing of the request may be believed.
    """
    said = {name.lower(): value for name, value in headers.items()}
    missing = [name for name in ("webhook-id", "webhook-timestamp", "webhook-signature") if name not in said]
    if missing:
        raise BadInput(f"the request has no {', '.join(missing)}: it is no webhook of tapebook's")
    stamp = said["webhook-timestamp"]
    age = abs((time.time() if now is None else now) - float(stamp)) if stamp.isdecimal() else float("inf")
    if age > tolerance:
        raise BadInput(f"the request is of {stamp}, not of the last {tolerance:g} s: an old one, sent again")
    ours = sign(secret, said["webhook-id"], int(stamp), body)
    if not any(hmac.compare_digest(ours, one) for one in said["webhook-signature"].split()):
        raise BadInput("the signature is another one: the request was changed, or is not from this desk")


def post(url: str, secret: str, event: Event) -> None:
    """Send one event; Undelivered unless it was received."""
    body = json.dumps(event.message(), ensure_ascii=False).encode()
    stamp = int(time.time())
    headers = {
        "content-type": "application/json",
        "user-agent": "tapebook",
        "webhook-id": event.id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": sign(secret, event.id, stamp, body),
    }
    try:
        status, later = asyncio.run(asyncio.wait_for(_answer(url, body, headers), ANSWER_SECONDS))
    except TimeoutError:
        raise Undelivered(f"{host(url)} did not answer within {ANSWER_SECONDS:g} s") from None
    except Exception as error:
        raise Undelivered(f"{host(url)}: {type(error).__name__}: {error}") from None
    if not 200 <= status < 300:
        raise Undelivered(f"{host(url)} answered {status}", later)


async def _answer(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, float]:
    """Status and Retry-After of the answer; its body is not read."""
    import httpx

    async with (
        httpx.AsyncClient(follow_redirects=False, timeout=ANSWER_SECONDS) as client,
        client.stream("POST", url, content=body, headers=headers) as response,
    ):
        return response.status_code, _later(response)


def _later(response: httpx.Response) -> float:
    said = response.headers.get("retry-after", "")
    return min(float(said), Patience().cap) if said.isdigit() else 0.0


def deliver_all(config: Config, catalog: Catalog, holder: str, patience: Patience) -> int:
    """Deliver what is due to every webhook, and dead letters to be tried again; return how many went."""
    due = catalog.subscribers.due(KIND)
    again = {letter["subscriber"] for letter in catalog.subscribers.letters(again=True)}
    went = 0
    for row in catalog.subscribers.all(KIND):
        name = row["name"]
        topics = [topic for subscriber, topic in due if subscriber == name]
        if not topics and name not in again:
            continue
        send = _sender(config, row["target"], row["secret"])
        went += sum(deliver(catalog, name, topic, holder, send, patience) for topic in topics)
        went += redeliver(catalog, name, send) if name in again else 0
    return went


def _sender(config: Config, target: str, secret: str):  # type: ignore[no-untyped-def]
    """Give what sends to one webhook; a secret that cannot be opened fails each event, and says why."""

    def send(event: Event) -> None:
        try:
            url, key = reveal(config, target), reveal(config, secret)
        except Exception as error:
            raise Undelivered(described(error)) from None
        post(url, key, event)

    return send
