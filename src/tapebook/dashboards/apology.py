"""When something breaks: the viewer reads a short apology with an id, the log has the rest."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from html import escape
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook.errors import TapebookError

if TYPE_CHECKING:
    import ipywidgets

LOG = "TAPEBOOK_DASHBOARDS_LOG"
"""The variable that names the log's file."""
MOST = 5_000_000
"""Bytes; a longer log is begun anew, the old one kept beside it."""


def note(what: str) -> str:
    """Write to the log; return the id under which it stands there."""
    id = token_hex(4)
    file = os.environ.get(LOG)
    said = f"{datetime.now(UTC).isoformat(timespec='seconds')} {id}\n{what.rstrip()}\n\n"
    if file is None:
        return id
    try:
        path = Path(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.stat().st_size > MOST:
            path.replace(path.with_suffix(".1.log"))
        with path.open("a", encoding="utf-8") as out:
            out.write(said)
    except OSError:  # a full disk must not take the page with it
        pass
    return id


def sorry(error: BaseException) -> str:
    """Write an error as HTML: one that tapebook raised on purpose in its words, any other as an apology."""
    if isinstance(error, TapebookError):
        return f'<div class="trouble" role="alert">{escape(str(error))}</div>'
    id = note("".join(traceback.format_exception(error)))
    return (
        '<div class="trouble" role="alert">Sorry, this did not work, and it is not your doing. '
        f"Whoever runs this desk finds the reason in the log under <b>{id}</b>.</div>"
    )


def guarded(make: Callable[..., ipywidgets.Widget]) -> Callable[..., ipywidgets.Widget]:
    """Let a page that cannot be made be an apology."""

    @wraps(make)
    def made(*args: Any, **kwargs: Any) -> ipywidgets.Widget:
        import ipywidgets as w

        from tapebook.dashboards import look

        try:
            return make(*args, **kwargs)
        except Exception as error:
            return w.HTML(look.style() + look.page(sorry(error)))

    return made
