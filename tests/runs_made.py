"""What tests of runs share."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from tapebook.config import Config

TEMPLATES = Path(__file__).parent / "runs" / "templates"
WARM_UP = "import numpy\nimport pandas\nimport plotly.graph_objects\n"


def toy_desk(home):
    """A desk with an empty lake, the toy templates, and kernels that are soon warm."""
    shutil.copytree(TEMPLATES, home / "nb" / "templates")
    (home / "nb" / "warm_up.py").write_text(WARM_UP)
    (home / "tapebook.toml").write_text('notebooks = "nb"\n')
    return replace(Config.load(home), notebooks=home / "nb")


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the second: it ended between open and read
        return False


def until(said, seconds=60):
    """Wait until it says so; return what it says in the end."""
    end = time.monotonic() + seconds
    while not said() and time.monotonic() < end:
        time.sleep(0.03)
    return said()
