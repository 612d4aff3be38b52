"""Errors that a user may read: what was wrong, where, what was expected, what to do next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from tapebook.redact import scrub


class TapebookError(Exception):
    """Base of every error that tapebook raises on purpose. The command line prints it bare."""

    def __str__(self) -> str:
        return scrub(super().__str__())


class UnknownName(TapebookError, LookupError):
    """Nothing of this kind answers to this name."""

    def __init__(self, kind: str, name: str, known: Iterable[str], next_step: str = "") -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        then = f" {next_step}" if next_step else ""
        super().__init__(f"no {kind} named {name!r}.{hint} Known: {shown or 'none'}.{then}")
        self.kind, self.name, self.near = kind, name, (near[0] if near else None)


class Deleted(UnknownName):
    """It was deleted, and lies in the trash."""

    def __init__(self, kind: str, name: str, who: str, when: str, restore: str) -> None:
        told = f"{kind} {name!r} was deleted by {who} on {when}: `{restore}` brings it back"
        TapebookError.__init__(self, told)
        self.kind, self.name, self.near = kind, name, None


class BadParameter(TapebookError, ValueError):
    """A parameter has a value that its declaration does not allow."""

    def __init__(self, name: str, value: object, expected: str) -> None:
        super().__init__(f"parameter {name!r} is {value!r}: expected {expected}")
        self.name, self.value, self.expected = name, value, expected


class BadInput(TapebookError, ValueError):
    """Data from outside cannot be read as bars. The message names file, row and column."""


class Changed(BadInput):
    """Somebody else has changed it since it was read: nothing is overwritten unseen."""


class NoData(TapebookError, LookupError):
    """The lake holds nothing that answers the request."""


class RunFailed(TapebookError):
    """A notebook run did not succeed. The partial notebook and the manifest are kept."""

    def __init__(self, run_id: str, outcome: str, message: str) -> None:
        super().__init__(message)
        self.run_id, self.outcome = run_id, outcome


class ConfigError(TapebookError, ValueError):
    """tapebook.toml or a TAPEBOOK_* variable says something that cannot be used."""
