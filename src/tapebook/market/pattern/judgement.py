"""How likely chance is to have brought what followed a pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tapebook.market.pattern import kernels as kernel

SURE = 0.95
"""Coverage of the intervals."""


@dataclass(frozen=True, eq=False)
class Answer:
    """Effects with their p-values, all of one shape."""

    effect: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def answered(told: np.ndarray, min_events: int) -> Answer:
    """Judge sums of the kernel, (…, FIELDS); NaN where there are too few events or too few other bars.

    The sum over steps of (weight × step) has, if nothing follows from the pattern, the mean 0, and its
    variance is the sum of its squares, whatever the volatility did: the steps do not overlap (Hodrick 1992,
    RFS 5, standard errors 1B), here with the base rate taken off and widened by the product of both
    memories where returns have one (Bartlett 1935). The ratio is Student's with as many degrees as the
    weights have effective terms: exact for one-bar normal returns, and on the safe side for heavier tails
    that are symmetric (Efron 1969, JASA 64). Where the symbol's returns are skewed, the ratio is also taken
    as Hall (1992, JRSS B 54) corrects it, and the less sure of the two counts, in p and interval alike.
    """
    from scipy import stats

    with np.errstate(invalid="ignore", divide="ignore"):
        effect = told[..., kernel.SUM] / told[..., kernel.SIZE]
        variance = told[..., kernel.SQUARES] * told[..., kernel.MEMORY]
        x2 = told[..., kernel.SUM] ** 2 / variance
        n = told[..., kernel.WEIGHT2] ** 2 / told[..., kernel.WEIGHT4]
        n = np.maximum(np.minimum(n, 1e9), 2.0)
        left = np.maximum(n - x2, 1e-9)
        t = np.sqrt(x2 * (n - 1.0) / left)
        error = np.sqrt(variance * left / (n - 1.0)) / told[..., kernel.SIZE]
    few = (told[..., kernel.EVENTS] < min_events) | (told[..., kernel.OTHERS] < min_events)
    way = np.sign(effect)
    skew = told[..., kernel.SKEW] * way  # as seen from the side on which the effect lies
    p = 2.0 * stats.t.sf(np.clip(_unskewed(t, skew), 0.0, t), n - 1.0)
    reach = stats.t.ppf(0.5 + SURE / 2.0, n - 1.0)
    back = np.maximum(reach, _skewed(reach, skew)) * error
    on = np.maximum(reach, _skewed(reach, -skew)) * error
    unknown = few | ~np.isfinite(p)
    low, high = np.where(way > 0.0, back, on), np.where(way > 0.0, on, back)
    told_p, low, high = (np.where(unknown, np.nan, x) for x in (p, effect - low, effect + high))
    return Answer(effect, low, high, told_p)


def _unskewed(t: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Hall's cubic: a ratio of a sum with this skewness made symmetric about 0."""
    answer: np.ndarray = t + skew / 6.0 + skew * t**2 / 3.0 + skew**2 * t**3 / 27.0
    return answer


def _skewed(t: np.ndarray, skew: np.ndarray) -> np.ndarray:
    """Inverse of the cubic."""
    flat = np.abs(skew) < 1e-6
    some = np.where(flat, 1.0, skew)
    answer: np.ndarray = np.where(flat, t, 3.0 / some * (np.cbrt(1.0 + some * (t - some / 6.0)) - 1.0))
    return answer


def pooled(
    told: np.ndarray, paid: np.ndarray, asked: np.ndarray, rho: np.ndarray, skew: float = 0.0
) -> np.ndarray:
    """Join all symbols' sums (N, P, H, FIELDS) into one (P, H, FIELDS), every date one witness.

    `paid` and `asked` (P, H, T) are the symbols' parts and weights summed by row: symbols that move together
    on a date add up there, so the variance of the sum holds whatever bond they have. `rho` (LAGS,) and `skew`
    are the memory and the skewness of the mean over symbols.
    """
    out: np.ndarray = told.sum(axis=0)
    out[..., kernel.SQUARES] = (paid**2).sum(axis=-1)
    out[..., kernel.WEIGHT2] = (asked**2).sum(axis=-1)
    out[..., kernel.WEIGHT4] = (asked**4).sum(axis=-1)
    memory = np.ones(out.shape[:-1])
    with np.errstate(invalid="ignore", divide="ignore"):
        for lag in range(1, kernel.LAGS + 1):
            both = (asked[..., lag:] * asked[..., :-lag]).sum(axis=-1)
            memory += 2.0 * rho[lag - 1] * np.nan_to_num(both / out[..., kernel.WEIGHT2])
        out[..., kernel.SKEW] = skew * (asked**3).sum(axis=-1) / out[..., kernel.WEIGHT2] ** 1.5
    out[..., kernel.MEMORY] = np.maximum(memory, 1.0)
    return out


def table_of(told: np.ndarray, min_events: int) -> pd.DataFrame:
    """One row a question of sums (Q, FIELDS): `scan.COLUMNS` up to p, halves and hit rates."""
    made = answered(told, min_events)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = told[:, kernel.SUM1] / told[:, kernel.SIZE1]
        second = told[:, kernel.SUM2] / told[:, kernel.SIZE2]
        hit, base = (
            told[:, kernel.HITS] / told[:, kernel.EVENTS],
            told[:, kernel.OTHER_HITS] / told[:, kernel.OTHERS],
        )
    way = np.sign(made.effect)
    return pd.DataFrame(
        {
            "effect": made.effect, "low": made.low, "high": made.high, "unit": "log return",
            "n": told[:, kernel.EVENTS].astype(np.int64), "p": made.p, "first_half": first,
            "second_half": second, "stable": (np.sign(first) == way) & (np.sign(second) == way),
            "hit_rate": hit, "base_rate": base,
        }
    )  # fmt: skip
