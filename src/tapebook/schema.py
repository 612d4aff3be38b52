"""Words that every room shares: the fields of a bar, and how long a bar lasts."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tapebook.errors import BadParameter

FIELDS = ("open", "high", "low", "close", "volume")
"""The fields of a bar, in the order in which they are stored and shown."""

_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "mo": 30 * 86_400}
_SPELLINGS = {
    "m": ("m", "t", "min", "minute", "minutes"),
    "h": ("h", "hour", "hours", "hourly"),
    "d": ("d", "b", "day", "days", "daily"),
    "w": ("w", "wk", "week", "weeks", "weekly"),
    "mo": ("mo", "me", "ms", "mth", "month", "months", "monthly"),
}
_UNIT_OF = {word: unit for unit, words in _SPELLINGS.items() for word in words}


@dataclass(frozen=True, order=True)
class Frequency:
    """How long one bar lasts, from one minute to one month.

    `str(Frequency.parse("daily")) == "1d"`. A bar shorter than a day is stamped with the UTC time
    at which it opens and is known once it has lasted its `seconds`. A bar of a day or longer is
    stamped with its (last) session's date at 00:00 UTC and is known at that session's close.
    """

    seconds: int
    count: int
    unit: str

    @classmethod
    def parse(cls, text: str | Frequency) -> Frequency:
        """Read "1m", "5min", "1h", "1d", "daily", "1w" or "1mo".

        >>> str(Frequency.parse("daily")), str(Frequency.parse("60min"))
        ('1d', '1h')
        """
        if isinstance(text, Frequency):
            return text
        match = re.fullmatch(r"\s*(\d*)\s*([a-z]+)\s*", str(text).lower())
        unit = _UNIT_OF.get(match[2]) if match else None
        if match is None or unit is None or match[1] == "0":
            raise BadParameter("freq", text, "a bar length such as 1m, 5m, 1h, 1d, 1w or 1mo")
        count = int(match[1] or 1)
        if unit == "m" and count % 60 == 0:
            unit, count = "h", count // 60
        if (unit == "h" and count > 24) or (unit in ("d", "w", "mo") and count != 1):
            raise BadParameter("freq", text, "from one minute to one month: 1m … 24h, 1d, 1w, 1mo")
        if unit == "h" and count == 24:
            unit, count = "d", 1
        return cls(_UNITS[unit] * count, count, unit)

    @property
    def intraday(self) -> bool:
        """Whether a bar is shorter than a day."""
        return self.unit in ("m", "h")

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"
