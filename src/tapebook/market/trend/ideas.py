"""Findings about direction as strategies of the library."""

from __future__ import annotations

import pandas as pd

from tapebook.errors import BadParameter
from tapebook.market.scan import Idea


def idea_of(row: pd.Series) -> Idea:
    """Return the strategy that would gain if the finding went on.

    Time-series momentum over the window of a rising trend, a crossing of means for returns that go on,
    the return to a mean for those that come back, a target of volatility where that changes. The strategies
    are long or flat, so a falling trend has none; nor has a mean that changed: it says what was.
    """
    question, symbols, up = str(row["question"]), (str(row["symbol"]),), float(row["effect"]) > 0.0
    if question == "trend" and up:
        return Idea("momentum", {"lookback": max(2, int(row["n"]))}, symbols)
    if question in ("variance ratio", "Hurst") and up:
        slow = max(10, 5 * int(row["horizon"])) if question == "variance ratio" else 100
        return Idea("sma_cross", {"fast": max(2, slow // 5), "slow": slow}, symbols)
    if question in ("variance ratio", "Hurst", "unit root") and not up:
        window = {"variance ratio": max(5, 2 * int(row["horizon"])), "Hurst": 50}.get(question, 60)
        return Idea("bollinger_reversion", {"window": window, "width": 2.0}, symbols)
    if question == "change in volatility":
        return Idea("volatility_target", {"window": 20}, symbols)
    why = {
        "trend": "a falling trend: the library's momentum is long or flat",
        "unit root": "a price that moves away from its level",
    }.get(question, f"a {question}")
    raise BadParameter(
        "finding",
        f"{question} of {symbols[0]}",
        "one that a strategy of the library trades (a rising trend, a variance ratio, Hurst, a unit root, a "
        f"change in volatility), not {why}",
    )
