"""How large a statistic gets by chance: simulated once for each kind of question, kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

PATHS = 20_000
TAIL = 0.01
"""Share of the simulated values from which on the tail is a power law (Hill 1975)."""


@dataclass(frozen=True, eq=False)
class Null:
    """Sorted simulated values, all above 0, of a statistic under its null hypothesis."""

    values: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Null:
        """Sort what was simulated."""
        return cls(np.sort(values))

    def p(self, observed: float) -> float:
        """Probability of a value at least as large; beyond the largest 1 % by a fitted power law.

        Knijnenburg et al. (2009), Bioinformatics 25(12): few simulated values tell a small p-value if
        their tail is fitted.
        """
        n = len(self.values)
        k = max(int(n * TAIL), 10)
        from_tail = self.values[n - k]
        if observed < from_tail:
            return float((n - np.searchsorted(self.values, observed, side="left") + 1) / (n + 1))
        excess = float(np.log(self.values[n - k :] / from_tail).mean())
        return float(k / n * np.exp(-np.log(observed / from_tail) / excess))

    def quantile(self, share: float) -> float:
        """Value that a share of the simulated ones stay below."""
        return float(np.quantile(self.values, share))


@lru_cache(maxsize=256)
def trend_null(shortest: int, longest: int, phi: float, seed: int) -> Null:
    """Largest |t| of a line among the last `shortest` to `longest` points of a driftless random walk.

    Its steps have first autocorrelation `phi` and alternate between normal and Student t(4) ones, path by
    path: the statistic does not depend on their size, and hardly on their tails.
    """
    from tapebook.market.trend.kernels import strongest_of_paths

    rng = np.random.default_rng([seed, shortest, longest])
    steps = rng.standard_normal((PATHS, longest))
    steps[::2] = rng.standard_t(4.0, steps[::2].shape)
    return Null.of(strongest_of_paths(steps, phi, shortest, longest))
