"""Address of the patterns' events that kept strategies of the library (`on_pattern`) import."""

from __future__ import annotations

from tapebook.market.pattern.events import occurrences

__all__ = ["occurrences"]
