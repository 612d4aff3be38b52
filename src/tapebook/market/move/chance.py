"""How likely chance makes a move: by the tail of the symbol's own earlier moves, corrected as of its time."""

from __future__ import annotations

import numpy as np

TAIL = 0.05
"""Share of the earlier spans that the tail is fitted on."""
FEWEST = 100
"""Earlier spans below which nothing is said."""


def earlier(logs: np.ndarray, deviation: np.ndarray, first: int, length: int) -> np.ndarray:
    """Changes over the spans of `length` bars that ended before row `first`, in deviations before each."""
    if first - length < 1:
        return np.empty(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        before = logs[length:first] - logs[: first - length]
        sizes = before / (deviation[: first - length] * np.sqrt(length))
    told: np.ndarray = sizes[np.isfinite(sizes)]
    return told


def tail_p(size: float, before: np.ndarray, length: int = 1) -> float:
    """Probability that one span is `size` or more by the tail of those before it; NaN below 100 of them.

    Inside the history its rank; beyond its upper twentieth the Pareto tail through that (Hill 1975, Annals
    of Statistics 3), so that a heavy tail is not taken for a normal one. The exponent is not known but
    estimated from k excesses (k / `length` of spans that overlap), so the tail is the one predicted from
    them, (1 + log(size / edge) / (k · mean log excess)) ** −k: with few of them even heavier.

    >>> before = 1.0 / np.sqrt(np.arange(1, 1001) / 1001)  # a Pareto tail of exponent 2
    >>> [round(tail_p(size, before), 4) for size in (2.0, 10.0, 100.0)]
    [0.2507, 0.0095, 0.0001]
    """
    if len(before) < FEWEST:
        return float("nan")
    k = max(10, int(TAIL * len(before)))
    top = np.sort(before)[-k - 1 :]
    edge = top[0]
    if size <= edge or edge <= 0.0:
        return float((1 + (before >= size).sum()) / (1 + len(before)))
    hill, witnesses = float(np.log(top[1:] / edge).mean()), max(1.0, k / length)
    if hill <= 0.0:
        return 1.0 / (1 + len(before))
    return float(k / len(before) * (1.0 + np.log(size / edge) / (witnesses * hill)) ** -witnesses)


def told_then(p: np.ndarray, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """q of each move among those known when it was settled; no later one changes it.

    Parameters
    ----------
    p, known : array (M,)
        Of each move, and the row at which it was settled.
    asked : array (T,)
        Separate spans looked at up to each row, over all symbols and horizons.

    Returns
    -------
    array (M,)
        asked · p / number of moves known by then with a p as low (Benjamini & Hochberg 1995, as of then).
    """
    q = np.full(len(p), np.nan)
    for n in np.flatnonzero(np.isfinite(p)):
        as_low = int(((known <= known[n]) & (p <= p[n])).sum())
        q[n] = min(1.0, float(asked[known[n]]) * p[n] / as_low)
    return q


def spans_asked(deviation: np.ndarray, horizons: tuple[int, ...]) -> np.ndarray:
    """Spans that do not overlap, of all horizons and columns of (T, N), up to each row."""
    bars = np.isfinite(deviation).sum(axis=1).cumsum()
    asked: np.ndarray = bars * float(sum(1.0 / h for h in horizons))
    return asked
