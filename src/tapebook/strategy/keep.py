"""Keep a strategy as text, so that this very one can be made again when its file or notebook has changed.

Of a strategy in a file the whole file is kept. Of a function in a notebook its source is kept, and of the
names that it uses: imports, plain values, other functions. What cannot be said in text is refused.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import linecache
import math
import re
import sys
import sysconfig
import textwrap
from hashlib import sha256
from pathlib import Path
from symtable import SymbolTable, symtable
from types import FunctionType, ModuleType
from typing import Any

from tapebook.errors import BadInput
from tapebook.strategy.code_hash import body
from tapebook.strategy.declare import Strategy

HEAD = "# tapebook strategy: "
"""Begins a kept text; its name, family and hash follow as JSON."""
MOVED = {
    "tapebook.strategy.metrics": "tapebook.strategy.performance.metrics",
    "tapebook.strategy.odds": "tapebook.strategy.luck.odds",
    "tapebook.strategy.resampling": "tapebook.strategy.luck.resampling",
    "tapebook.strategy.simulate": "tapebook.strategy.simulation.simulate",
    "tapebook.market.trend_series": "tapebook.market.trend.series",
    "tapebook.market.trend_state": "tapebook.market.trend.state",
    "tapebook.market.correlation_returns": "tapebook.market.correlation.returns",
}
"""Where modules that a kept text may import have gone; what it says else stays as it was kept."""
_IMPORTS = re.compile(r"\b(from|import) +(tapebook\.\w+\.\w+)(?= |$)", re.M)
_INSTALLED = tuple(
    str(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib", "purelib", "platlib")
)


def kept(strategy: Strategy) -> str:
    """Say a strategy as text from which `revive` makes it again.

    Raises
    ------
    BadInput
        If it depends on something that text cannot hold: a lambda, an open object, a file beside its own.
    """
    function = _written(strategy)
    module = sys.modules.get(function.__module__ or "")
    text = _file_text(function, module)
    if text is None:
        text = "from __future__ import annotations\n\n" + _extracted(strategy.name, function)
    else:
        _expect_no_neighbours(strategy.name, text)
    said = {
        "name": strategy.name,
        "function": function.__name__,
        "family": strategy.family,
        "hash": strategy.source_hash,
    }
    return f"{HEAD}{json.dumps(said)}\n{text}"


def revive(text: str, name: str | None = None) -> Strategy:
    """Make a kept strategy again; it decides as the kept one did, and has its `source_hash`.

    Raises
    ------
    BadInput
        If the text is none that `kept` wrote, or cannot be run here any more; it says why.
    """
    from tapebook.strategy.registry import of_module

    first, _, source = text.partition("\n")
    if not first.startswith(HEAD):
        raise BadInput(f"this is no kept strategy: expected it to begin with {HEAD.strip()!r}")
    said = json.loads(first.removeprefix(HEAD))
    mark = sha256(text.encode()).hexdigest()[:12]
    found = of_module(_run(source, said["name"], mark), said["function"])
    found.name, found.family, found.source_hash = name or said["name"], said["family"], said["hash"]
    return found


def _run(source: str, name: str, mark: str) -> ModuleType:
    """Run the text as a module whose source Python can look up, as it does for a file."""
    file, label = f"<kept {name} {mark}>", f"tapebook_kept_{mark}"
    if label in sys.modules:
        return sys.modules[label]
    source = _IMPORTS.sub(lambda found: f"{found[1]} {MOVED.get(found[2], found[2])}", source)
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = ModuleType(label)
    module.__file__ = file
    sys.modules[label] = module
    try:
        exec(compile(source, file, "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[label]
        raise BadInput(
            f"the kept strategy {name} cannot be run here: {type(error).__name__}: {error}. "
            "It was kept with other packages; the versions stand beside it"
        ) from error
    return module


def _written(strategy: Strategy) -> FunctionType:
    """The Python function that somebody wrote."""
    function = getattr(strategy, "decide", None) or strategy.function
    code = body(function)
    if code is not function or not isinstance(code, FunctionType):
        kind = type(function).__name__
        raise _refused(strategy.name, f"it is a {kind}, not a function: write it as def {strategy.name}(…)")
    if code.__name__ == "<lambda>":
        raise _refused(strategy.name, "it is a lambda: write it as def, with a name")
    return code


def _refused(name: str, why: str) -> BadInput:
    return BadInput(f"strategy {name} cannot be kept: {why}. In a file of its own it can be kept as it is")


# ---- of a file


def _file_text(function: FunctionType, module: ModuleType | None) -> str | None:
    """Text of the file that a strategy is declared in; None of a function that only lives in a session."""
    name = function.__module__ or ""
    if module is None or "<locals>" in function.__qualname__:
        return None
    if name.startswith("tapebook_kept_"):
        return "".join(linecache.cache[str(module.__file__)][2])  # type: ignore[misc]
    declared = name.startswith(("tapebook.strategy.library.", "tapebook_file_")) or _installed(module)
    if not declared or not getattr(module, "__file__", None):
        return None
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def _installed(module: ModuleType) -> bool:
    """Whether a module belongs to Python, an installed package or tapebook: it can be imported again."""
    file = getattr(module, "__file__", None)
    if file is None:
        return module.__name__ != "__main__"
    root = str(Path(__file__).parents[1])
    return str(Path(file).resolve()).startswith((*_INSTALLED, root))


def _expect_no_neighbours(name: str, text: str) -> None:
    """Refuse a file that imports another file of the user's: its text alone would not be the strategy."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            raise _refused(name, f"line {node.lineno} imports a file beside it: put both into one file")
        several = isinstance(node, ast.Import)
        for module in [alias.name for alias in node.names] if several else [str(node.module)]:  # type: ignore[union-attr]
            found = sys.modules.get(module)
            if found is not None and not _installed(found):
                raise _refused(
                    name, f"line {node.lineno} imports {module}, a file of yours: put both into one"
                )


# ---- of a session


def _extracted(name: str, function: FunctionType) -> str:
    """Source of a function, after that of everything it names."""
    parts: dict[str, str] = {}
    _extract(name, function, parts, [])
    return "\n\n".join(parts.values()) + "\n"


def _extract(name: str, function: FunctionType, parts: dict[str, str], above: list[FunctionType]) -> None:
    if function in above:
        return
    source = _source(name, function)
    closed = inspect.getclosurevars(function).nonlocals
    for used in _names(source):
        if used in parts or used in (f.__name__ for f in (*above, function)):
            continue
        if used in closed:
            parts[used] = _said(name, used, closed[used], parts, [*above, function])
        elif used in function.__globals__:
            parts[used] = _said(name, used, function.__globals__[used], parts, [*above, function])
        elif not hasattr(builtins, used):
            continue  # a name of the function's own, or one that fails there as it does here
    parts[function.__name__] = source


def _source(name: str, function: FunctionType) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function)).rstrip()
    except (OSError, TypeError) as error:
        raise _refused(name, f"Python does not know the source of {function.__name__} ({error})") from error


def _names(source: str) -> list[str]:
    """Names that come from outside; a function's own `bars` is not the notebook's variable `bars`."""
    outside = _outside(symtable(source, "<kept>", "exec"))
    tree = ast.parse(source)
    return list(dict.fromkeys(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id in outside))


def _outside(scope: SymbolTable) -> set[str]:
    top = scope.get_type() == "module"
    found = {s.get_name() for s in scope.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found.union(*map(_outside, scope.get_children()))


def _said(name: str, used: str, value: Any, parts: dict[str, str], above: list[FunctionType]) -> str:
    """One line (or function) that makes the name `used` mean `value` again."""
    if isinstance(value, ModuleType):
        if not _installed(value):
            raise _refused(name, f"it uses {used}, a file of yours")
        return f"import {value.__name__} as {used}"
    where = _importable(value)
    if where is not None:
        return f"from {where[0]} import {where[1]} as {used}"
    plain = _literal(value)
    if plain is not None:
        return f"{used} = {plain}"
    inner = value.function if isinstance(value, Strategy) else value
    if isinstance(inner, FunctionType) and inner.__name__ == used:
        _extract(name, inner, parts, above)
        return parts.pop(used)
    raise _refused(
        name,
        f"it uses {used}, a {type(value).__name__} that text cannot hold: give it as a parameter, "
        "or compute it inside",
    )


def _importable(value: Any) -> tuple[str, str] | None:
    """Module and name under which an installed thing is found again."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    name = name or getattr(value, "_name", None)  # of typing's own, such as Annotated
    found = sys.modules.get(module) if isinstance(module, str) else None
    if found is None or not isinstance(name, str) or not _installed(found):
        return None
    return (str(module), name) if getattr(found, name, None) is value else None


def _literal(value: Any) -> str | None:
    """How Python writes a plain value; None of anything else."""
    value = value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", 1) == () else value
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    try:
        same = ast.literal_eval(repr(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return repr(value) if type(same) is type(value) and same == value else None
