"""Sealing a credential: AES-256-GCM, bound to its name, its version and its key's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tapebook.errors import ConfigError, TapebookError
from tapebook.integration import vault_key

if TYPE_CHECKING:
    from tapebook.data.catalog.secrets import Sealed

NONCE = 12  # bytes, as NIST SP 800-38D recommends for GCM


def seal(key: bytes, name: str, version: int, value: str) -> Sealed:
    """Encrypt a value; return nonce and ciphertext with its tag, and the key's name."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, key_id = os.urandom(NONCE), vault_key.identity(key)
    return nonce + AESGCM(key).encrypt(nonce, value.encode(), _bound(name, version, key_id)), key_id


def unseal(row: Mapping[str, Any], keys: list[bytes], where: str) -> str:
    """Decrypt a row of the catalogue's `secrets`; `where` says where the keys are from.

    Raises
    ------
    ConfigError
        If none of the keys is the row's.
    TapebookError
        If a byte of it, its name, its version or its key's name is not as it was sealed.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    name, version, sealed = row["id"], row["version"], bytes(row["sealed"])
    key = find(keys, row["key_id"], where)
    try:
        opened = AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], _bound(name, version, row["key_id"]))
    except (InvalidTag, ValueError):
        raise TapebookError(
            f"secret {name!r} was changed in the database by something else than this vault: set it again "
            f"with `tapebook secrets set {name}`, and find out who writes there"
        ) from None
    return opened.decode()


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


def _bound(name: str, version: int, key_id: str) -> bytes:
    """What is authenticated with a ciphertext; no part of it holds a NUL."""
    return f"tapebook secret\0{name}\0{version}\0{key_id}".encode()
