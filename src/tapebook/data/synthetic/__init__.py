"""Synthetic markets with a known truth, for tests, teaching and benchmarks, at any size.

Each function makes bars from a seed, and tells beside them what they were made with: whether there is
anything to be found, where, and how strong it is. The same seed makes the same market.

    from tapebook.data import synthetic
    market = synthetic.planted_edge(annual_sharpe=1.5, years=20, seed=1)
    market.bars, market.truth.signal
"""

from __future__ import annotations

from tapebook.data.synthetic.changing import CALM, CRISIS, Regime, regimes, trending
from tapebook.data.synthetic.edge import follow, planted_edge
from tapebook.data.synthetic.events import precursors
from tapebook.data.synthetic.faults import bad_prints
from tapebook.data.synthetic.market import Market
from tapebook.data.synthetic.pairs import cointegrated, lead_lag
from tapebook.data.synthetic.walks import factor_market, random_walk

__all__ = [
    "CALM",
    "CRISIS",
    "Market",
    "Regime",
    "bad_prints",
    "cointegrated",
    "factor_market",
    "follow",
    "lead_lag",
    "planted_edge",
    "precursors",
    "random_walk",
    "regimes",
    "trending",
]
