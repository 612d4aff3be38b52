"""Draw a past again: the stationary block bootstrap, its block length, and intervals from its draws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

FEW = 20
"""Below so many observations no block length can be estimated: they are drawn one by one."""

_CELLS = 262_144  # of one table of draws: 2 MB stay in a cache


def block_length(values: np.ndarray) -> float:
    """Mean block length of the stationary bootstrap; 1 (no blocks) for few or constant values.

    Politis & White (2004), corrected by Patton, Politis & White (2009), Econometric Reviews.
    """
    if len(values) < FEW or values.std() <= 1e-14 * max(1.0, float(np.abs(values).max())):
        return 1.0
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        length = float(optimal_block_length(values)["stationary"].iloc[0])
    return max(length, 1.0) if np.isfinite(length) else 1.0


def drawn_rows(T: int, draws: int, length: float, seed: int) -> Iterator[np.ndarray]:
    """Yield tables (n, T) of row numbers below T, `draws` rows in all, the same for the same seed.

    Politis & Romano (1994), "The Stationary Bootstrap", JASA 89: blocks start anywhere, last a
    geometric time of mean `length`, and go on at the first row after the last.
    """
    rng = np.random.default_rng(seed)
    together = max(1, _CELLS // T)
    for done in range(0, draws, together):
        n = min(together, draws - done)
        yield rng.integers(T, size=(n, T)) if length <= 1.0 else _blocks(rng, n, T, length)


def _blocks(rng: np.random.Generator, n: int, T: int, length: float) -> np.ndarray:
    """Lay blocks on one line of n × T cells, and cut it where a row begins: the geometric has no memory."""
    cells = n * T
    expected = cells / length
    lengths = rng.geometric(1.0 / length, size=int(expected + 10.0 * np.sqrt(expected) + 50.0))
    ends = np.cumsum(lengths)
    begins = np.union1d(ends[ends < cells], np.arange(0, cells, T))
    sizes = np.diff(begins, append=cells)
    offset = rng.integers(T, size=len(begins)) - begins
    rows: np.ndarray = (np.repeat(offset, sizes) + np.arange(cells)) % T
    return rows.reshape(n, T)


def interval(drawn: np.ndarray, confidence: float, independent: float) -> tuple[float, float]:
    """Percentiles of bootstrap draws, wider where there are few independent observations.

    `independent` is the number of observations over the block length: the percentiles are those at
    which a normal is where Student's t with one degree less would be (Hesterberg 2015, The American
    Statistician 69(4)). Infinite ends come back as NaN.
    """
    from scipy.stats import norm, t

    degrees = max(independent - 1.0, 1.0)
    tail = float(norm.cdf(np.sqrt((degrees + 1.0) / degrees) * t.ppf((1.0 - confidence) / 2.0, degrees)))
    ends = np.sort(drawn[~np.isnan(drawn)])
    if not len(ends):
        return np.nan, np.nan
    at = np.array([tail, 1.0 - tail]) * (len(ends) - 1)
    low, high = float(ends[int(np.floor(at[0]))]), float(ends[int(np.ceil(at[1]))])
    return (low if np.isfinite(low) else np.nan), (high if np.isfinite(high) else np.nan)
