"""Values as JSON can hold them."""

from __future__ import annotations

import math
import re
from typing import Any


def plain(value: Any) -> Any:
    """Make `value` what JSON can hold: NaN and infinities become null, NumPy and time values plain.

    >>> plain({"sharpe": float("nan"), "on": (1, 2)})
    {'sharpe': None, 'on': [1, 2]}
    """
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(part) for part in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "item"):  # a NumPy scalar
        return plain(value.item())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def file_name(words: str) -> str:
    """Write words as a name that a file may have: what it may not hold becomes "-".

    >>> file_name("pair BTC/USD ^GSPC")
    'pair BTC-USD -GSPC'
    """
    return re.sub(r"[^\w .-]", "-", words)[:100].lstrip(".") or "-"
