"""Files that every page shares: the style, the script, plotly. Their addresses change when they do."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tapebook import theme
from tapebook.dashboards.body import Body, kind_of

HERE = Path(__file__).parent
_SHARED = ("site.css", "site.js", "style.css", "live.js")


@cache
def address(name: str) -> str:
    """Return the address of a shared file, with a mark of what is in it."""
    mark = hashlib.sha256(content(name).raw).hexdigest()[:12]
    stem, _, ending = name.rpartition(".")
    return f"/static/{stem}.{mark}.{ending}"


@cache
def content(name: str) -> Body:
    """Return a shared file; a style sheet with the colours that it uses. KeyError if it is none."""
    if name not in _SHARED:
        raise KeyError(name)
    text = (HERE / name).read_text(encoding="utf-8")
    if name == "site.css":
        text = f"{theme.css()}{text}\n@media print {{ {theme.paper()} }}"
    return Body(text.encode(), kind_of(HERE / name))


def asked(path: str) -> Body | None:
    """Return the shared file of an address below /static/; None if there is none."""
    for name in _SHARED:
        if f"/static/{path}" == address(name):
            return content(name)
    return plotly(path)


@cache
def plotly(path: str) -> Body | None:
    """Return plotly's script if this is its file name."""
    return _plotly() if path == plotly_name() else None


@cache
def plotly_name() -> str:
    """File name of plotly's script, with its version."""
    import plotly as package

    return f"plotly-{package.__version__}.min.js"


@cache
def _plotly() -> Body:
    found = find_spec("plotly")
    assert found is not None
    file = Path(str(found.origin)).parent / "package_data" / "plotly.min.js"
    return Body(file.read_bytes(), kind_of(file))
