"""Import nbformat without a grammar that takes it a second to build."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

GRAMMAR = "rfc3987_syntax"


@contextmanager
def light() -> Iterator[None]:
    """Let jsonschema go without the grammar of internationalised addresses while it is imported.

    It serves for one format, "iri", that no schema of a notebook has, and is optional. What has been
    imported already stays; the block leaves nothing behind.
    """
    hidden = GRAMMAR not in sys.modules
    if hidden:
        sys.modules[GRAMMAR] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[GRAMMAR]
