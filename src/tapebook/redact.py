"""Keep revealed credentials out of what this process says: errors, log lines, records, notebook outputs.

A secret that was decrypted here is known here; whatever leaves through a door of ours has its value, in every
spelling that programs make of it, replaced by a mask.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging

    import pandas as pd

MASK = "••••••"
BINARY = {".parquet", ".png", ".jpg", ".gz", ".zip", ".npz", ".npy"}
_WORDS = {"object", "str", "string", "category"}
SHORTEST = 6
"""Shorter texts are not looked for: they would be found everywhere."""

_spellings: set[str] = set()
_pattern: re.Pattern[str] | None = None


def hide(value: str) -> None:
    """Take `value` out of everything that this process says from now on."""
    global _pattern
    new = _written(value) - _spellings
    if not new:
        return
    _spellings.update(new)
    _pattern = re.compile("|".join(re.escape(s) for s in sorted(_spellings, key=len, reverse=True)))
    _watch_logs()
    _watch_kernel()


def scrub(text: str) -> str:
    """Return `text` with every hidden value masked.

    >>> hide("hunter2-but-longer")
    >>> scrub("GET /?key=hunter2-but-longer HTTP/1.1")
    'GET /?key=•••••• HTTP/1.1'
    """
    return text if _pattern is None else _pattern.sub(MASK, text)


def scrubbed(value: Any) -> Any:
    """Return a value with every text in it scrubbed, however deep in mappings, lists and tuples it lies."""
    if _pattern is None:
        return value
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrubbed(name): scrubbed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        parts = [scrubbed(part) for part in value]
        return parts if isinstance(value, list) else tuple(parts)
    return value


def frame(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its texts scrubbed, labels too."""
    if _pattern is None:
        return table
    clean = table.copy()
    for i, kind in enumerate(table.dtypes):
        if str(kind) in _WORDS:
            clean.isetitem(i, [scrubbed(value) for value in table.iloc[:, i]])
    clean = clean.rename(columns=scrubbed)
    return clean.rename(index=scrubbed) if str(table.index.dtype) in _WORDS else clean


def folder(path: Path) -> None:
    """Scrub the text files below a folder; what holds nothing hidden is not touched."""
    if _pattern is None:
        return
    for file in path.rglob("*"):
        if file.is_file() and file.suffix not in BINARY:
            text = file.read_bytes().decode("utf-8", errors="surrogateescape")
            if holds(text):
                file.write_bytes(scrub(text).encode("utf-8", errors="surrogateescape"))


def holds(text: str) -> bool:
    """Say whether a hidden value stands in `text`."""
    return _pattern is not None and _pattern.search(text) is not None


def _written(value: str) -> set[str]:
    """Spellings of a value, and of each long line of it: plain, JSON, Python, HTML, URL, base64."""
    import json
    from base64 import b64encode, urlsafe_b64encode
    from html import escape
    from urllib.parse import quote, quote_plus

    parts = {value, *(line for line in value.splitlines() if len(line) >= 16)}
    found = set()
    for part in parts:
        coded = part.encode()
        found |= {part, json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1], repr(part)[1:-1]}
        found |= {escape(part), escape(part, quote=False), part.replace("&", "&amp;").replace("'", "&#39;")}
        found |= {quote(part), quote(part, safe=""), quote_plus(part)}
        found |= {make(coded).decode().rstrip("=") for make in (b64encode, urlsafe_b64encode)}
    return {spelling for spelling in found if len(spelling) >= SHORTEST}


def _watch_logs() -> None:
    """Scrub each log record when it is made, with its traceback, whoever handles it."""
    import logging

    made = logging.getLogRecordFactory()
    if getattr(made, "scrubs", False):
        return

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = made(*args, **kwargs)
        if holds(said := record.getMessage()):
            record.msg, record.args = scrub(said), ()
        if record.exc_info and record.exc_info[0] is not None:
            trace = logging.Formatter().formatException(record.exc_info)
            if holds(trace):
                record.exc_text, record.exc_info = scrub(trace), None
        return record

    make.scrubs = True  # type: ignore[attr-defined]
    logging.setLogRecordFactory(make)


def _watch_kernel() -> None:
    """Scrub each message of a notebook's kernel: prints, displays, results, tracebacks, widgets."""
    shell = sys.modules.get("IPython")
    kernel = getattr(shell.get_ipython(), "kernel", None) if shell is not None else None
    session = getattr(kernel, "session", None)
    if session is None or hasattr(session.send, "scrubs"):
        return
    send = session.send

    def scrubbing(stream: Any, message: Any, content: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(message, dict) and "content" in message:
            message = message | {"content": scrubbed(message["content"])}
        return send(stream, message, scrubbed(content), *args, **kwargs)

    scrubbing.scrubs = True  # type: ignore[attr-defined]
    session.send = scrubbing
