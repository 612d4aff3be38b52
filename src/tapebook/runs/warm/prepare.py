"""What a fork server does before its first kernel: imports, and once what reports do."""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
import traceback
import warnings
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from tapebook.data import duck
from tapebook.runs.light import light
from tapebook.runs.warm.fork import make_ready


def prepare(warm_up: Path) -> None:
    """Import a kernel's parts and run the warm-up script; what fails there is said, and left cold."""
    with warnings.catch_warnings(), light():
        warnings.simplefilter("ignore")
        import faulthandler  # noqa: F401

        import ipykernel.ipkernel
        import ipykernel.kernelapp
        import ipykernel.zmqshell  # noqa: F401
        import IPython.core.completer
        import IPython.core.completerlib
        import IPython.core.debugger
        import IPython.core.logger
        import IPython.core.oinspect
        import IPython.extensions.storemagic  # noqa: F401
        import tornado.platform.asyncio
        import tornado.queues  # noqa: F401
        import zmq.utils.garbage  # noqa: F401

        make_ready()
        try:
            _check_extensions()
            runpy.run_path(str(warm_up))
        except Exception:
            traceback.print_exc()
        if "plotly.io" in sys.modules:  # a fork asks for them: a second of imports
            _ = sys.modules["plotly.io"].renderers
    gc.collect()
    gc.freeze()  # a child that collects garbage would copy every page that it looks at


def _check_extensions() -> None:
    """Let a child check the signatures of the lake's extensions: it may open DuckDB, this process may not."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            duck.connect(embedded=True).close()
            if find_spec("duckdb_extension_httpfs"):  # a team's desk may ask
                duck.connect(embedded=False, remote=True).close()
            os.write(writing, json.dumps(duck.verified).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as said:  # noqa: PTH123
        found = said.read()
    os.waitpid(child, 0)
    duck.verified.update({name: tuple(stamp) for name, stamp in json.loads(found or b"{}").items()})
