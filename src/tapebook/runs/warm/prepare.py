"""What a fork server does before its first kernel: imports, and once what reports do."""

from __future__ import annotations

import gc
import runpy
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def prepare(warm_up: Path) -> None:
    """Import a kernel's parts and run the warm-up script; what fails there is said, and left cold."""
    with warnings.catch_warnings(), _without_validators():
        warnings.simplefilter("ignore")
        import ipykernel.ipkernel
        import ipykernel.kernelapp
        import ipykernel.zmqshell  # noqa: F401
        import IPython.core.completer  # noqa: F401

        try:
            runpy.run_path(str(warm_up))
        except Exception:
            traceback.print_exc()
    gc.collect()
    gc.freeze()  # a child that collects garbage would copy every page that it looks at


@contextmanager
def _without_validators() -> Iterator[None]:
    """Let jsonschema (of nbformat) go without a grammar that takes it a second to build at its import."""
    name = "rfc3987_syntax"
    hidden = name not in sys.modules
    if hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules[name]
