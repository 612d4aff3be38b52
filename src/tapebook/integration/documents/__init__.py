"""Where findings can be published. A target is a class that an entry point of `tapebook.documents` names."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points

from tapebook.errors import BadParameter, UnknownName
from tapebook.integration.documents.base import Gone, Remote, Target

__all__ = ["Gone", "Remote", "Target", "describe", "get"]

GROUP = "tapebook.documents"
NEVER_PLAIN = ("token", "password", "key")
"""Options whose values are credentials: only a reference to the vault is kept."""


def get(kind: str, **options: str) -> Target:
    """Build a target of this kind.

    Raises
    ------
    UnknownName, BadParameter
        If there is no such kind or option, an option is missing, or a credential is given as it is.
    """
    found = _installed()
    if kind not in found:
        raise UnknownName("kind of document", kind, found, "See `tapebook document kinds`.")
    made = found[kind].load()
    known = inspect.signature(made).parameters
    for option, value in options.items():
        if option not in known:
            raise UnknownName(f"option of {kind}", option, known)
        if option in NEVER_PLAIN and value and not value.startswith("secret:"):
            expected = f"secret:NAME, after `tapebook secrets set NAME`: a {option} is never kept as it is"
            raise BadParameter(option, "••••••", expected)
    for option, parameter in known.items():
        if parameter.default is parameter.empty and option not in options:
            how = f"--{option} …" if option in ("to", "token") else f"-o {option}=…"
            raise BadParameter(option, None, f"a value: {kind} needs it, as in {how}")
    target: Target = made(**options)
    return target


def describe() -> list[dict[str, str]]:
    """One row a kind: name, what it is, its options."""
    rows = []
    for name, entry in sorted(_installed().items()):
        made = entry.load()
        what = (inspect.getdoc(made) or "").partition("\n")[0]
        rows.append(
            {"kind": name, "description": what, "options": " ".join(inspect.signature(made).parameters)}
        )
    return rows


def _installed() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}
