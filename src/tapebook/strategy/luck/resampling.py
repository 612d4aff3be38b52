"""Draw a past again: the stationary block bootstrap, its block length, and intervals from its draws."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import NamedTuple

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
    from tapebook.strategy.luck.resampling_kernels import block_begins, block_rows

    cells = n * T
    expected = cells / length
    lengths = _geometric(rng, 1.0 / length, int(expected + 10.0 * np.sqrt(expected) + 50.0))
    begins = block_begins(lengths, cells, T)
    rows: np.ndarray = block_rows(begins, rng.integers(T, size=len(begins)), cells, T)
    return rows.reshape(n, T)


def _geometric(rng: np.random.Generator, p: float, size: int) -> np.ndarray:
    """Draw what `rng.geometric` does, number by number, in half the time or less."""
    from tapebook.strategy.luck.resampling_kernels import geometric

    if p >= 1.0 / 3.0:
        searched: np.ndarray = geometric(rng.random(size), p)
        return searched
    drawn = rng.standard_exponential(size)
    drawn /= -np.log1p(-p)
    return np.ceil(drawn, out=drawn).astype(np.int64)


def mean_errors(centred: np.ndarray, block: float) -> np.ndarray:
    """Deviation of each column's mean over all pasts that a stationary bootstrap could draw.

    Politis & Romano (1994), lemma 1: autocovariances, weighted by how often both bars share a block.
    """
    T, stay = len(centred), 1.0 - 1.0 / block
    power = np.abs(np.fft.rfft(centred, 2 * T, axis=0)) ** 2
    covariances = np.fft.irfft(power, axis=0)[:T] / T
    lags = np.arange(1, T)
    weights = (1.0 - lags / T) * stay**lags + lags / T * stay ** (T - lags)
    variance = covariances[0] + 2.0 * weights @ covariances[1:]
    errors: np.ndarray = np.sqrt(np.maximum(variance, 1e-300) / T)
    return errors


class Spread(NamedTuple):
    """How far draws fall short of chance: `factor` (at least 1) times too narrow, of `independent` values."""

    factor: float
    independent: float

    def of(self, drawn: np.ndarray, value: float, *, ratio: bool = False) -> np.ndarray:
        """Draws as far from `value` as chance goes; a ratio, which cannot be below 0, by its logarithm."""
        if self.factor <= 1.0 or not np.isfinite(value) or (ratio and value <= 0.0):
            return drawn
        if not ratio:
            return value + self.factor * (drawn - value)
        with np.errstate(over="ignore"):
            wider: np.ndarray = value * (drawn / value) ** self.factor
        return wider


def spread(adds: np.ndarray, block: float) -> Spread:
    """Compare what a bootstrap of this block length makes of dependence with a first-order autoregression.

    Blocks are chosen long enough for what can be seen; in few values dependence is not seen, and its
    bootstrap is too narrow. `adds`: what each value adds to the figure (its influence). The autoregression
    is Andrews & Monahan's (1992, Econometrica 60) of prewhitening; it only widens.
    """
    from tapebook.strategy.luck.odds import repeated

    n, centred = len(adds), adds - adds.mean()
    plain = float(centred @ centred) / n
    if n < 3 or not plain > 1e-28 * max(1.0, float(np.abs(adds).max()) ** 2):
        return Spread(1.0, n / block)
    times, had = repeated(adds), float(mean_errors(centred[:, None], block)[0]) ** 2 * n / plain
    return Spread(sqrt(max(times / max(had, 1e-3), 1.0)), n / max(block, times))


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
