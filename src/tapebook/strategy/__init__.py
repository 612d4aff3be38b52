"""Strategies: declare them, find them, trade them on past bars, and see what came of it.

This module is also the decorator that it is named after: `@strategy` works after both
`from tapebook import strategy` and `from tapebook.strategy import strategy`. A module is not callable,
so its class is exchanged for one that is; that is the one piece of magic here, and it spares analysts
the choice between two names for one thing.

Importing it loads nothing heavy; its names are loaded on first use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.declare import Choices, Parameter, Range, Strategy, strategy
    from tapebook.strategy.rules import Rules
    from tapebook.strategy.signals import Signals

__all__ = ["Backtest", "Choices", "Parameter", "Range", "Rules", "Signals", "Strategy", "strategy"]

_HOME = {
    "Backtest": "backtest.backtest",
    "Choices": "declare",
    "Parameter": "declare",
    "Range": "declare",
    "Rules": "rules",
    "Signals": "signals",
    "Strategy": "declare",
    "strategy": "declare",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tapebook.strategy' has no attribute {name!r}")
    return getattr(import_module(f"tapebook.strategy.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Decorator(ModuleType):
    """A module that may be called: `@strategy`."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from tapebook.strategy.declare import strategy

        return strategy(*args, **options)


sys.modules[__name__].__class__ = _Decorator
