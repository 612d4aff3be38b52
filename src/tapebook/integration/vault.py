"""Credentials of integrations: encrypted at rest, handed out by name, masked wherever they could be seen.

A changed byte is noticed, and one credential's ciphertext cannot stand in for another's or an earlier one's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import BadParameter, TapebookError, UnknownName
from tapebook.integration import vault_key
from tapebook.integration.vault_key import Place
from tapebook.integration.vault_seal import find, seal, unseal
from tapebook.integration.vault_secret import PREFIX, Secret, named, usable
from tapebook.who import who

if TYPE_CHECKING:
    from tapebook.config import Config
    from tapebook.data.catalog import Catalog
    from tapebook.data.catalog.secrets import Sealed

__all__ = ["PREFIX", "Secret", "Vault", "refuse_values", "reveal"]


class Vault:
    """The stored credentials of one desk, and the key that opens them."""

    def __init__(self, catalog: Catalog, place: Place) -> None:
        self._stored, self._place = catalog.secrets, place

    @classmethod
    def of(cls, config: Config, catalog: Catalog) -> Vault:
        """Return the vault of a desk."""
        return cls(catalog, vault_key.place(config))

    def put(self, name: str, value: str, *, seen: int | None = None) -> int:
        """Store a credential, in place of an earlier one of this name; return its version, 1 at first.

        Raises
        ------
        BadParameter, BadInput
            If the name or the value cannot be stored.
        ConfigError
            If the key cannot be had, or the other secrets were sealed with another key.
        Changed
            If it is at another revision than `seen` by now.
        """
        name, value = named(name), usable(name, value)
        redact.hide(value)

        def sealed(row: Mapping[str, Any], in_use: set[str]) -> Sealed:
            return seal(self._key(in_use), row, value)

        with self._place.alone():
            return self._stored.put(name, sealed, when=_now(), who=who(), seen=seen)

    def get(self, name: str) -> Secret:
        """Open a credential by "alpaca" or "secret:alpaca".

        Raises
        ------
        UnknownName
            With the nearest name.
        ConfigError
            If the key is absent or another one.
        TapebookError
            If what is stored was changed by anything but this vault.
        """
        return self._open(dict(self._stored.get(named(name))._mapping), self._place.keys())

    def rows(self) -> list[dict[str, Any]]:
        """List what is stored: name, version, value (a mask), updated, who, key; this needs no key."""
        return [
            {"name": row["id"], "version": row["version"], "value": redact.MASK}
            | {"updated": row["updated"], "who": row["who"], "key": row["key_id"]}
            for row in self._stored.list()
        ]

    def delete(self, name: str, *, seen: int | None = None) -> None:
        """Forget a credential. Changed if it is at another revision than `seen` by now."""
        self._stored.delete(named(name), seen=seen)

    def rotate(self) -> int:
        """Seal every credential with a new key, in one transaction; return how many there are.

        The new key is written down first and takes the old one's place last: whatever stops this in
        between leaves secrets that one of the two opens.
        """
        with self._place.alone():
            self._finish_earlier({row["key_id"] for row in self._stored.list()})
            before = self._place.keys()
            after = self._place.stage()

            def again(row: Mapping[str, Any]) -> Sealed:
                return seal(after, row, self._open(row, before).reveal())

            count = self._stored.reseal(again)
            self._place.settle()
        return count

    def open_all(self) -> list[Secret]:
        """Open whatever this process's key opens, so that none of it can be said by this process."""
        stored = self._stored.list()
        keys = self._place.keys() if stored else []
        opened = []
        for row in stored:
            with suppress(TapebookError):  # another's key, or damaged: whoever asks for it is told
                opened.append(self._open(row, keys))
        return opened

    def _open(self, row: Mapping[str, Any], keys: list[bytes]) -> Secret:
        return Secret(row["id"], unseal(row, keys, self._place.where))

    def _key(self, in_use: Iterable[str]) -> bytes:
        """Return the key that the stored secrets are sealed with, or the first one."""
        keys = self._place.keys()
        for wanted in in_use:
            return find(keys, wanted, self._place.where)
        return keys[0] if keys else self._place.make()

    def _finish_earlier(self, in_use: set[str]) -> None:
        """Settle the key of a rotation that stopped after its transaction and before its end."""
        keys = self._place.keys()
        if len(keys) > 1 and in_use == {vault_key.identity(keys[-1])}:
            self._place.settle()


def reveal(config: Config, value: str) -> str:
    """Return the value that "secret:NAME" refers to; a text that is no reference is returned as it is.

    For sources and notices, at the moment of use. The value is kept out of this process's errors, logs and
    records from then on.
    """
    if not value.startswith(PREFIX):
        return value
    from tapebook.data.catalog import Catalog

    catalog = Catalog.open(config)
    try:
        return Vault.of(config, catalog).get(value).reveal()
    finally:
        catalog.close()


def refuse_values(config: Config, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that hold a stored secret's value, or refer to one that is not there.

    Raises
    ------
    BadParameter
        Naming the parameter and the secret; it does not repeat the value.
    UnknownName
        For "secret:NAME" without such a NAME, with the nearest one.
    """
    from tapebook.data.catalog import Catalog

    catalog = Catalog.open(config)
    try:
        known = {row["id"] for row in catalog.secrets.list()}
        texts = [(name, text) for name, value in parameters.items() for text in _texts(value)]
        for _, text in texts:
            if text.startswith(PREFIX) and (wanted := named(text)) not in known:
                raise UnknownName("secret", wanted, known, f"Store it with `tapebook secrets set {wanted}`.")
        for secret in Vault.of(config, catalog).open_all() if known else ():
            for name, text in texts:
                if secret.reveal() in text:
                    expected = f"no credential, but the name of one: {PREFIX}{secret.name}"
                    raise BadParameter(name, redact.MASK, expected)
    finally:
        catalog.close()


def _texts(value: Any) -> list[str]:
    """Every text in a parameter's value."""
    if isinstance(value, Mapping):
        return [text for part in value.items() for text in _texts(part)]
    if isinstance(value, (list, tuple, set)):
        return [text for part in value for text in _texts(part)]
    return [value.reveal() if isinstance(value, Secret) else str(value)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
