"""Lengths of time as people write them: "30min", "1h30min", "90s", "2d"."""

from __future__ import annotations

import re

from tapebook.errors import BadParameter

_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(sec|min|s|m|h|d|w)")


def seconds(text: str | float, name: str = "delay") -> float:
    """Read a length of time; a number is seconds already.

    >>> seconds("+30min"), seconds("1h30min"), seconds("2d")
    (1800.0, 5400.0, 172800.0)
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)
    said = str(text).strip().lower().removeprefix("+").replace(" ", "")
    parts = _PART.findall(said)
    if not parts or "".join(number + unit for number, unit in parts) != said:
        raise BadParameter(name, text, "a length of time such as 30min, 1h30min, 90s or 2d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
