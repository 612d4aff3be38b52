"""Correlation in rolling windows: of all pairs in one pass, and of one pair as a line."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from numbers import Integral
from os import cpu_count

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter, NoData
from tapebook.market.correlation.products import correlation_matrix, standardised


@dataclass(frozen=True, eq=False)
class Rolling:
    """Rolling correlations of all pairs, summarised.

    `pairs`: one row a pair: last, mean, deviation, low with its date, high with its date, windows.
    `through_time`: at each window's end the mean over pairs, the mean size, and how many pairs.
    A date is the window's last bar: the value is known at its close.
    """

    window: int
    pairs: pd.DataFrame
    through_time: pd.DataFrame


def check_window(window: int, T: int) -> None:
    """Refuse a window that holds too few bars, or more than there are."""
    if isinstance(window, bool) or not isinstance(window, Integral) or window < 5:
        raise BadParameter("window", window, "a whole number of at least 5 bars")
    if window > T:
        raise NoData(
            f"a window of {window} bars does not fit into {T} rows: take a shorter window or more bars"
        )


def rolling(returns: pd.DataFrame, window: int = 60) -> Rolling:
    """Correlate all pairs of columns (T, N) in every window of `window` rows, without keeping them all.

    A window counts for a pair where both have all of its rows; a pair without any has no row. Equal to
    pandas' `rolling(window).corr()`.
    """
    from tapebook.market.correlation.kernels import rolling_pairs

    T, N = returns.shape
    check_window(window, T)
    Z = np.ascontiguousarray(standardised(returns.to_numpy(dtype=float)).T)
    tables = [np.full((N, N), np.nan) for _ in range(3)]  # low, high, final
    dates = [np.zeros((N, N), dtype=np.int64) for _ in range(2)]
    sums = [np.zeros((N, N)) for _ in range(2)]  # total, squares
    count = np.zeros((N, N), dtype=np.int64)

    def walk(span: tuple[int, int]) -> list[np.ndarray]:
        lines = [np.zeros(T), np.zeros(T), np.zeros(T)]
        low, high, final = tables
        low_at, high_at = dates
        rolling_pairs(
            Z, window, span[0], span[1], low, high, low_at, high_at, final, sums[0], sums[1], count,
            lines[0], lines[1], lines[2],
        )  # fmt: skip
        return lines

    with ThreadPoolExecutor(cpu_count() or 1) as threads:
        lines = [np.sum(parts, axis=0) for parts in zip(*threads.map(walk, spans(N)), strict=True)]
    if not count.any():
        raise NoData(
            f"no pair has {window} rows in a row without a gap: holidays at different times do that; "
            "align='shared' keeps the rows that all symbols have, a shorter window needs fewer"
        )
    first, second = np.triu_indices(N, 1)
    have = count[first, second] > 0
    first, second = first[have], second[have]
    n, names = count[first, second], returns.columns.to_numpy()
    mean = sums[0][first, second] / n
    spread = np.sqrt(np.maximum(sums[1][first, second] / n - mean**2, 0.0))
    pairs = pd.DataFrame(
        {
            "a": names[first],
            "b": names[second],
            "last": tables[2][first, second],
            "mean": mean,
            "deviation": spread,
            "low": tables[0][first, second],
            "low_at": returns.index[dates[0][first, second]],
            "high": tables[1][first, second],
            "high_at": returns.index[dates[1][first, second]],
            "windows": n,
        }
    )
    with np.errstate(invalid="ignore"):
        told = {"mean": lines[0] / lines[2], "size": lines[1] / lines[2], "pairs": lines[2].astype(np.int64)}
    through = pd.DataFrame(told, index=returns.index)
    return Rolling(window, pairs, through[through["pairs"] > 0])


def spans(N: int, parts: int = 16) -> list[tuple[int, int]]:
    """Cut the rows of a triangle of pairs into spans of about the same number of pairs."""
    done = 1.0 - np.sqrt(1.0 - np.arange(parts + 1) / parts)
    cuts = np.unique(np.round(N * done).astype(int))
    return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))


def rolling_pair(returns: pd.DataFrame, a: str, b: str, window: int = 60) -> pd.Series:
    """Return the rolling correlation of one pair (T,), known at the close of each row."""
    check_window(window, len(returns))
    line = returns[a].rolling(window).corr(returns[b]).clip(-1.0, 1.0)
    return line.replace([np.inf, -np.inf], np.nan).rename(f"{a} and {b}")


def matrices(
    returns: pd.DataFrame, window: int = 250, step: int = 60
) -> Iterator[tuple[pd.Timestamp, np.ndarray]]:
    """Yield (last stamp, correlation matrix) of windows `step` rows apart, the last one ending at the end."""
    X = returns.to_numpy(dtype=float)
    for end in ends(len(X), window, step):
        yield returns.index[end - 1], correlation_matrix(X[end - window : end])


def ends(T: int, window: int, step: int) -> range:
    """Rows after which windows end, `step` apart, the last one at the end of T rows."""
    check_window(window, T)
    if isinstance(step, bool) or not isinstance(step, Integral) or step < 1:
        raise BadParameter("step", step, "a whole number of at least 1 bar")
    return range(window + (T - window) % int(step), T + 1, int(step))
