"""Find a strategy: of the library, of an installed package, in a file, or a function at hand."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import decode_source
from pathlib import Path
from types import ModuleType
from typing import Any

from tapebook.errors import BadInput, TapebookError, UnknownName
from tapebook.strategy.declare import Strategy, strategy

GROUP = "tapebook.strategies"
"""Entry point group under which a package brings strategies: name = "package.module:function"."""
_LIBRARY = Path(__file__).parent / "library"


def names() -> list[str]:
    """Names of the library's strategies and of those that installed packages bring, sorted."""
    return sorted(_library() | {entry.name for entry in entry_points(group=GROUP)})


def get(name: str | Path | Callable[..., Any]) -> Strategy:
    """Return one strategy; nothing but the module it is in is imported.

    Parameters
    ----------
    name : str, Path or function
        A name of the library or of an installed package, "path/to/file.py:function", the path of a
        file that declares exactly one strategy, or a function (which is declared as it is).

    Raises
    ------
    UnknownName
        With the near name.
    BadInput
        If a file is missing, cannot be imported or declares no or several strategies, or if a
        function cannot be called as a strategy.
    """
    if isinstance(name, Strategy):
        return name
    if callable(name):
        return strategy(name)
    text = str(name)
    path, colon, function = text.rpartition(":")
    if text.endswith(".py"):
        return _of_file(Path(text), "")
    if colon and path.endswith(".py"):
        return _of_file(Path(path), function)
    if text in _library():
        return of_module(import_module(f"tapebook.strategy.library.{text}"), text)
    for entry in entry_points(group=GROUP, name=text):
        return _of_package(entry)
    raise UnknownName("strategy", text, names(), "Or give a file: path/to/file.py:function.")


def _library() -> set[str]:
    return {path.stem for path in _LIBRARY.glob("*.py") if path.stem != "__init__"}


def _of_package(entry: Any) -> Strategy:
    package = entry.dist.name if entry.dist else entry.value
    try:
        found = entry.load()
    except Exception as error:
        raise BadInput(
            f"strategy {entry.name} of {package} cannot be imported: {type(error).__name__}: {error}. "
            f"Mend or uninstall {package}"
        ) from error
    if not callable(found):
        raise BadInput(f"strategy {entry.name} of {package} is a {type(found).__name__}: expected a function")
    return strategy(found)


def _of_file(path: Path, function: str) -> Strategy:
    path = path.expanduser()
    if not path.is_file():
        raise BadInput(
            f"there is no file {path}: expected a strategy's path such as ideas/trend.py:calm_trend"
        )
    return of_module(_run(path.resolve()), function)


def _run(path: Path) -> ModuleType:
    """Run a file as a module of its own, from its text: compiled files may be a second too old."""
    name = f"tapebook_file_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickle look their module up
    try:
        exec(compile(decode_source(path.read_bytes()), str(path), "exec"), module.__dict__)
    except BaseException as error:
        sys.modules.pop(name)
        if before is not None:
            sys.modules[name] = before
        if not isinstance(error, Exception):
            raise
        raise BadInput(f"{path}{_line(error, path)} cannot be imported: {_said(error)}") from error
    return module


def _line(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno},"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f", line {lines[-1]}," if lines else ""


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, TapebookError) else f"{type(error).__name__}: {error}"


def of_module(module: ModuleType, name: str) -> Strategy:
    """The strategy that a module calls `name`, by variable or by declaration; its only one without."""
    found = vars(module).get(name)
    if isinstance(found, Strategy) or inspect.isfunction(found):
        return strategy(found)
    declared = {
        s.name: s
        for s in vars(module).values()
        if isinstance(s, Strategy) and s.__module__ == module.__name__
    }
    if name in declared:
        return declared[name]
    plain = {k for k, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__}
    if name:
        raise UnknownName(f"strategy in {module.__file__}", name, {*declared, *plain})
    if len(declared) == 1:
        return next(iter(declared.values()))
    if declared:
        raise BadInput(
            f"{module.__file__} declares {len(declared)} strategies, {', '.join(declared)}: "
            f"name one, as in {Path(str(module.__file__)).name}:{next(iter(declared))}"
        )
    raise BadInput(
        f"{module.__file__} declares no strategy: write @strategy above one function, "
        f"or name one, as in {Path(str(module.__file__)).name}:{min(plain, default='function')}"
    )
