"""tapebook: research for trading in notebooks, honest, traceable and fast.

The public face is loaded on first use, so that `import tapebook` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook import strategy
    from tapebook.data.panel import Bars
    from tapebook.desk import Desk
    from tapebook.runs import Recorder
    from tapebook.strategy import Range, Rules, Signals

__version__ = "0.1.0"
__all__ = ["Bars", "Desk", "Range", "Recorder", "Rules", "Signals", "strategy"]

_HOME = {
    "Bars": "tapebook.data.panel",
    "Desk": "tapebook.desk",
    "Range": "tapebook.strategy",
    "Recorder": "tapebook.runs",
    "Rules": "tapebook.strategy",
    "Signals": "tapebook.strategy",
}


def __getattr__(name: str) -> Any:
    if name == "strategy":  # the subpackage is itself the decorator
        return import_module("tapebook.strategy")
    if name not in _HOME:
        raise AttributeError(f"module 'tapebook' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def load_ipython_extension(shell: Any) -> None:
    """Give a notebook `%%tape` and `%backtest`: `%load_ext tapebook`."""
    import_module("tapebook.magics").load(shell)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
