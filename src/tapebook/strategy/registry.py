"""Find a strategy: of the library, of an installed package, in a file, or a function at hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from tapebook.errors import BadInput, UnknownName
from tapebook.strategy.declare import Strategy, strategy

GROUP = "tapebook.strategies"
_LIBRARY = Path(__file__).parent / "library"


def names() -> list[str]:
    """Names of the library's strategies and of those that installed packages bring."""
    own = {path.stem for path in _LIBRARY.glob("*.py") if path.stem != "__init__"}
    return sorted(own | {entry.name for entry in entry_points(group=GROUP)})


def get(name: str | Path | Callable[..., Any]) -> Strategy:
    """Return the strategy of this name, in "file.py:function", or made of this function.

    Raises
    ------
    UnknownName, BadInput
    """
    if isinstance(name, Strategy):
        return name
    if callable(name):
        return strategy(name)
    text = str(name)
    path, colon, function = text.rpartition(":")
    if text.endswith(".py") or (colon and path.endswith(".py")):
        return _of_file(Path(path if colon and not text.endswith(".py") else text), function if colon else "")
    if (_LIBRARY / f"{text}.py").is_file() and text != "__init__":
        return _of_module(import_module(f"tapebook.strategy.library.{text}"), text)
    for entry in entry_points(group=GROUP, name=text):
        return get(entry.load())
    raise UnknownName("strategy", text, names(), "Or give a file: path/to/file.py:function.")


def _of_file(path: Path, function: str) -> Strategy:
    if not path.is_file():
        raise BadInput(
            f"there is no file {path}: expected a strategy's path such as ideas/trend.py:calm_trend"
        )
    spec = spec_from_file_location(f"tapebook_strategy_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise BadInput(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return _of_module(module, function)


def _of_module(module: ModuleType, name: str) -> Strategy:
    declared = {k: v for k, v in vars(module).items() if isinstance(v, Strategy)}
    if name:
        found = vars(module).get(name)
        if isinstance(found, Strategy):
            return found
        if inspect.isfunction(found):
            return strategy(found)
        plain = [
            k for k, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__
        ]
        raise UnknownName(f"strategy in {module.__file__}", name, {*declared, *plain})
    if len(declared) != 1:
        raise BadInput(
            f"{module.__file__} declares {len(declared)} strategies: name one, "
            f"as in file.py:{next(iter(declared), 'function')}"
        )
    return next(iter(declared.values()))
