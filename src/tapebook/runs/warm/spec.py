"""The kernelspec `tapebook`: the folder by which Jupyter's tools find the warm kernels."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tapebook.errors import TapebookError

NAME = "tapebook"
"""What the kernel is called by Jupyter, papermill, Voila and nbval."""
CLIENT = Path(__file__).with_name("client.py")


def argv() -> list[str]:
    """Return the command that starts a kernel of this very Python, warm if it can."""
    return [sys.executable, "-I", "-S", str(CLIENT), "-f", "{connection_file}"]


def write(folder: Path) -> Path:
    """Write the kernelspec under `folder`, which may stand in JUPYTER_PATH; return its own folder."""
    target = folder / "kernels" / NAME
    target.mkdir(parents=True, exist_ok=True)
    said = {
        "argv": argv(),
        "display_name": "Python (tapebook, warm)",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": True},
    }
    (target / "kernel.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return target


def install(*, user: bool = False) -> Path:
    """Put the kernelspec where JupyterLab of this environment sees it, or every one of this user's.

    Raises
    ------
    TapebookError
        If the folder cannot be written.
    """
    folder = _data(user=user)
    try:
        return write(folder)
    except OSError as error:
        also = "" if user else ", or install for yourself alone with --user"
        raise TapebookError(f"the kernel cannot be installed in {folder}: {error}. Check it{also}") from error


def installed() -> list[Path]:
    """Return the folders where the kernelspec was put."""
    folders = (_data(user=user) / "kernels" / NAME for user in (False, True))
    return [folder for folder in folders if (folder / "kernel.json").is_file()]


def remove() -> list[Path]:
    """Take the kernelspec away from wherever `install` put it; return the folders."""
    from shutil import rmtree

    found = installed()
    for folder in found:
        rmtree(folder)
    return found


def read(folder: Path) -> dict[str, Any]:
    """Return what a kernelspec's folder says."""
    return dict(json.loads((folder / "kernel.json").read_text(encoding="utf-8")))


def _data(*, user: bool) -> Path:
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) if user else Path(sys.prefix) / "share" / "jupyter"
