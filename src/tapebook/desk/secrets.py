"""Credentials of integrations: stored encrypted, handed out by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tapebook.desk.core import Core
from tapebook.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.integration.vault import Secret, Vault


class SecretRoom(Core):
    """The vault of a desk."""

    @property
    def secrets(self) -> Secrets:
        """What is stored: `set`, `list`, `show`, `delete`, `rotate`."""
        return Secrets(self)

    def secret(self, name: str) -> Secret:
        """Open a credential by its name, "alpaca" or "secret:alpaca"; `.reveal()` gives its value.

        token: str = "secret:alpaca"          # in a template's parameters: a name, never a value
        desk.secret(token).reveal()           # in the cell that needs it

        Raises
        ------
        UnknownName
            With the nearest name.
        ConfigError
            If the key is absent or another one.
        """
        return self.secrets._vault().get(name)


class Secrets:
    """The credentials of one desk. Values are shown masked; shown in a notebook it is their list."""

    def __init__(self, desk: Core) -> None:
        self._desk = desk

    def set(self, name: str, value: str | None = None, *, revision: int | None = None) -> int:
        """Store a credential and return its version. Without a value it is asked for, and not echoed.

        A value that is written into a cell stays in the notebook: leave it out there. `Changed` if the
        credential is at another revision than the one given.
        """
        if value is None:
            from getpass import getpass

            value = getpass(f"value of {name}: ")
        if not isinstance(value, str):
            raise BadInput(f"the value of secret {name!r} is a {type(value).__name__}: expected a text")
        return self._vault().put(name, value, seen=revision)

    def list(self) -> pd.DataFrame:
        """List the credentials: name, version, value (a mask), updated, who, key (its name)."""
        import pandas as pd

        columns = ["name", "version", "value", "updated", "who", "key"]
        return pd.DataFrame(self._vault().rows(), columns=columns)

    def show(self, name: str) -> str:
        """Return a credential masked: of a long one the last four characters."""
        return self._vault().get(name).masked

    def delete(self, name: str, *, revision: int | None = None) -> None:
        """Forget a credential. `Changed` if it is at another revision than the one given."""
        self._vault().delete(name, seen=revision)

    def rotate(self) -> int:
        """Encrypt every credential with a new key, all or none; return how many there are."""
        return self._vault().rotate()

    def __repr__(self) -> str:
        names = [row["name"] for row in self._vault().rows()]
        return f"Secrets({', '.join(names) or 'none'})"

    def _repr_html_(self) -> str:
        return str(self.list().to_html(index=False))

    def _vault(self) -> Vault:
        from tapebook.integration.vault import Vault

        return Vault.of(self._desk.config, self._desk.catalog)
