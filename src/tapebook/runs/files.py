"""Files of a run: plain JSON, each file written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from secrets import token_hex
from typing import Any

from tapebook.data.plain import plain
from tapebook.redact import scrub


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object; {} if there is no file."""
    if not file.is_file():
        return {}
    said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said


def write_json(file: Path, said: dict[str, Any], *, lasting: bool = True) -> None:
    """Write a JSON object; NaN and infinities become null. `lasting`: see `write_text`."""
    text = json.dumps(plain(said), indent=1, ensure_ascii=False, allow_nan=False)
    write_text(file, text + "\n", lasting=lasting)


def write_text(file: Path, text: str, *, lasting: bool = True) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part; credentials as ***.

    `lasting`: it is on the disk afterwards, even if the machine loses its power.
    """
    part = file.with_name(f".{file.name}.{token_hex(4)}.part")
    try:
        with part.open("w", encoding="utf-8") as out:
            out.write(scrub(text))
            if lasting:
                out.flush()
                os.fsync(out.fileno())
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
