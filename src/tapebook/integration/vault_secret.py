"""Secret: a credential in a program's hands, which shows itself only when asked."""

from __future__ import annotations

import hmac
import re
from typing import Any, NoReturn

from tapebook import redact
from tapebook.errors import BadInput, BadParameter

PREFIX = "secret:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
LONGEST = 65_536


class Secret:
    """A stored credential. Printed, displayed or formatted it is masked; `reveal()` gives its value.

    It is neither pickled nor written as JSON: what goes to another process is its name.

    >>> key = Secret("alpaca", "PK-0123456789")
    >>> key, f"{key}", len(key.reveal())
    (Secret('alpaca', ••••••), '••••••', 13)
    """

    __slots__ = ("_value", "name")

    def __init__(self, name: str, value: str) -> None:
        self.name, self._value = name, value
        redact.hide(value)

    def reveal(self) -> str:
        """Return the value. Hand it to the library that needs it; keep it nowhere."""
        return self._value

    @property
    def masked(self) -> str:
        """Its last four characters, where it is long enough to spare them."""
        return redact.MASK + (self._value[-4:] if len(self._value) >= 16 else "")

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, {redact.MASK})"

    def __str__(self) -> str:
        return redact.MASK

    def __format__(self, _spec: str) -> str:
        return redact.MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self.name))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, _memo: object) -> Secret:
        return self

    def __reduce_ex__(self, _protocol: Any) -> NoReturn:
        raise TypeError(
            f"secret {self.name!r} is not written anywhere: hand over its name, {PREFIX}{self.name}"
        )


def named(reference: str) -> str:
    """Return the name in "secret:alpaca", or in "alpaca".

    Raises
    ------
    BadParameter
        If it is no name.
    """
    name = reference.removeprefix(PREFIX)
    if not _NAME.fullmatch(name):
        raise BadParameter(
            "name", reference, "letters, digits, '.', '-' or '_', at most 80, such as alpaca.key"
        )
    return name


def usable(name: str, value: str) -> str:
    """Return the value, refused if it cannot be kept: the message never holds it."""
    if not isinstance(value, str) or not redact.SHORTEST <= len(value) <= LONGEST:
        raise BadInput(
            f"the value of secret {name!r} cannot be stored: expected a text of {redact.SHORTEST} to "
            f"{LONGEST:,} characters (a shorter one could not be kept out of what is printed)"
        )
    return value
