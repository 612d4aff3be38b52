"""Sealing a credential: AES-256-GCM, bound to all that its row says of it.

That is its name and version, its key's name, when it was first and last set, and by whom. Credentials that
were sealed before tapebook bound the last three are opened as they are, until they are set or rotated.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tapebook.errors import ConfigError, TapebookError
from tapebook.integration import vault_key

if TYPE_CHECKING:
    from tapebook.data.catalog.secrets import Sealed

NONCE = 12  # bytes, as NIST SP 800-38D recommends for GCM
_EARLIER = ("id", "version")
_BOUND = (*_EARLIER, "created", "updated", "who")


def seal(key: bytes, row: Mapping[str, Any], value: str) -> Sealed:
    """Encrypt a value; return nonce and ciphertext with its tag, and the key's name.

    `row` has what it is bound to: id, version, created, updated, who.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, key_id = os.urandom(NONCE), vault_key.identity(key)
    bound = _bound(row, key_id, _BOUND)
    return nonce + AESGCM(key).encrypt(nonce, value.encode(), bound), key_id


def unseal(row: Mapping[str, Any], keys: list[bytes], where: str) -> str:
    """Decrypt a row of the catalogue's `secrets`; `where` says where the keys are from.

    Raises
    ------
    ConfigError
        If none of the keys is the row's.
    TapebookError
        If a byte of it, or of what its row says, is not as it was sealed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    name, key_id, sealed = row["id"], row["key_id"], bytes(row["sealed"])
    key = find(keys, key_id, where)
    for columns in (_BOUND, _EARLIER):
        try:
            opened = AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], _bound(row, key_id, columns))
        except (InvalidTag, ValueError):
            continue
        return opened.decode()
    raise TapebookError(
        f"secret {name!r} was changed in the database by something else than this vault: set it again "
        f"with `tapebook secrets set {name}`, and find out who writes there"
    )


def find(keys: list[bytes], wanted: str, where: str) -> bytes:
    """Return the key of this name.

    Raises
    ------
    ConfigError
        Saying which key is needed and which are there.
    """
    for key in keys:
        if vault_key.identity(key) == wanted:
            return key
    had = ", ".join(vault_key.identity(key) for key in keys) or "none"
    raise ConfigError(
        f"the secrets here are sealed with key {wanted}, and {where} has {had}: give the right key in "
        f"{vault_key.KEY} or {vault_key.FILE}"
    )


def _bound(row: Mapping[str, Any], key_id: str, columns: tuple[str, ...]) -> bytes:
    """What is authenticated with a ciphertext; no part of it holds a NUL."""
    said = [str(row[column]) for column in columns]
    return "\0".join(["tapebook secret", *said[:2], key_id, *said[2:]]).encode()
