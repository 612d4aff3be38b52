"""Events between the parts of a desk: what happens is told once, in order, to everybody who subscribed."""

from __future__ import annotations

from tapebook.data.catalog.event_types import (
    TOPICS,
    BarsUpdated,
    Event,
    IntegrationFailed,
    RunFinished,
    ScanHit,
    StrategyChanged,
    check_topic,
)
from tapebook.data.catalog.events import Patience, put

__all__ = [
    "TOPICS",
    "BarsUpdated",
    "Event",
    "IntegrationFailed",
    "Patience",
    "RunFinished",
    "ScanHit",
    "StrategyChanged",
    "check_topic",
    "put",
]
