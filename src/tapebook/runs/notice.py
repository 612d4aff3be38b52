"""Tell people what became of a schedule: by e-mail, webhook, Slack and whatever else Apprise knows.

A channel is an Apprise address, such as `mailto://…` or `slack://…`. As it may hold a credential it lies in
the vault and is referred to by `secret:NAME`. A notice is written in the transaction that ends an occasion
and sent afterwards: a failure to send never touches the run.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.data.catalog.events import Patience
from tapebook.errors import BadInput, BadParameter, TapebookError, UnknownName
from tapebook.integration.vault import PREFIX, Vault, reveal

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog

LEASE_SECONDS = 120.0
WHEN = ("failure", "success", "always")
_LOG = logging.getLogger("tapebook.notices")
_LOG_OF_APPRISE = "apprise"


class NotSent(TapebookError):
    """A channel did not take a notice."""


def keep_channels(
    config: Config, catalog: Catalog, schedule: str, channels: Sequence[str]
) -> list[dict[str, str]]:
    """Check channels, put addresses into the vault, and return how each is referred to and shown.

    Parameters
    ----------
    channels
        Apprise addresses, "secret:NAME", or the name of a stored address.

    Raises
    ------
    BadParameter, UnknownName
        If Apprise does not know such an address, or nothing is stored under a name.
    """
    vault = Vault.of(config, catalog)
    known = {row["id"] for row in catalog.secrets.list()}
    kept = []
    for number, channel in enumerate(channels, 1):
        name = channel.removeprefix(PREFIX)
        if "://" not in channel and name not in known:
            raise UnknownName("channel", name, known, f"Store it: `tapebook secrets set {name}`.")
        address = reveal(config, f"{PREFIX}{name}") if "://" not in channel else channel
        if not _apprise(address):
            shown = f"{address.partition('://')[0]}://…"
            expected = "an address that Apprise knows, such as mailto://, json:// or slack://"
            raise BadParameter("notify", shown, expected)
        kept.append((number, name, address))
    return [_reference(vault, schedule, *one) for one in kept]


def _reference(vault: Vault, schedule: str, number: int, name: str, address: str) -> dict[str, str]:
    if name != address:
        return {"channel": f"{PREFIX}{name}", "shown": name}
    own = f"notice.{schedule}.{number}"
    vault.put(own, address)
    return {"channel": f"{PREFIX}{own}", "shown": f"{address.partition('://')[0]}://…"}


def forget_channels(config: Config, catalog: Catalog, row: Mapping[str, Any]) -> None:
    """Take the addresses of a schedule that is no more out of the vault."""
    vault = Vault.of(config, catalog)
    for kept in row["notify"]:
        if kept["channel"].startswith(f"{PREFIX}notice.{row['name']}."):
            with suppress(BadInput, UnknownName):  # another schedule of this name has it now
                vault.delete(kept["channel"])


def compose(row: Mapping[str, Any], kind: str, title: str, body: str, page: str = "") -> list[dict[str, Any]]:
    """The notices of a schedule, one a channel; none if it wants none of this kind (success or failure).

    `page` is the address of what there is to see, "" if there is nothing.
    """
    if row["notify_on"] not in ("always", kind):
        return []
    said = {"schedule": row["name"], "kind": kind, "title": title}
    said["body"] = redact.scrub(f"{body}\n\n{page}" if page else body)
    return [said | {"channel": kept["channel"]} for kept in row["notify"]]


def send_all(config: Config, catalog: Catalog, holder: str, patience: Patience) -> int:
    """Send every notice that is due; return how many went."""
    went = 0
    while (notice := catalog.notices.claim(holder, LEASE_SECONDS)) is not None:
        try:
            _send(config, notice.channel, notice.title, notice.body, notice.kind)
        except Exception as error:
            said = redact.scrub(f"{type(error).__name__}: {error}".removeprefix("NotSent: "))[:1000]
            final = catalog.notices.failed(notice, said, notice.channel, patience)
            what = "given up" if final else "will be tried again"
            _LOG.warning("notice of %s to %s failed, %s: %s", notice.schedule, notice.channel, what, said)
        else:
            catalog.notices.sent(notice)
            went += 1
    return went


def _send(config: Config, channel: str, title: str, body: str, kind: str) -> None:
    import apprise

    sender = _apprise(reveal(config, channel))
    if not sender:
        raise NotSent("the stored address is none that Apprise knows")
    capture = apprise.LogCapture(level=logging.WARNING, fmt="%(message)s")  # type: ignore[no-untyped-call]
    with capture as said:
        went = sender.notify(body=body, title=title, notify_type=kind, body_format=apprise.NotifyFormat.TEXT)
        words = " ".join(str(said.getvalue()).split())
    if not went:
        raise NotSent(words or "it was not taken")


def _apprise(address: str) -> Any:
    """Apprise with one address; empty (false) if it knows none such."""
    import apprise

    redact.hide(address)
    logging.getLogger(_LOG_OF_APPRISE).setLevel(logging.CRITICAL)  # it names the address
    found = apprise.Apprise()
    try:
        with warnings.catch_warnings():
            # apprise 2.2 imports imghdr, which Python 3.13 has not, with a stand-in of its own
            warnings.simplefilter("ignore", DeprecationWarning)
            found.add(address)
    finally:
        logging.getLogger(_LOG_OF_APPRISE).setLevel(logging.WARNING)
    return found


def shown(row: Mapping[str, Any]) -> str:
    """A schedule's channels, without what they hide."""
    names: Iterable[str] = (kept["shown"] for kept in row["notify"])
    return ", ".join(names)
