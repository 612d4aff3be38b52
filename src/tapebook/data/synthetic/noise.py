"""Shocks of mean 0 and variance 1: normal or fat-tailed, together or apart, in storms or not; and states."""

from __future__ import annotations

import numpy as np

from tapebook.data.synthetic.market import check
from tapebook.errors import BadParameter


def shocks(
    rng: np.random.Generator,
    T: int,
    N: int,
    *,
    correlation: float = 0.0,
    tails: float | None = None,
    garch: tuple[float, float] | None = None,
) -> np.ndarray:
    """Draw shocks (T, N), each column of variance 1.

    Parameters
    ----------
    correlation : float
        Of every two columns, 0 to 1.
    tails : float, optional
        Degrees of freedom of Student's t, above 2 (4 is like daily shares); a bad bar is bad for all.
    garch : (alpha, beta), optional
        GARCH(1, 1) of each column (Bollerslev 1986, J. of Econometrics 31): what the last squared
        return and the last variance add to the next variance; their sum is below 1.
    """
    check("correlation", correlation, 0.0, 1.0, expected="between 0 and 1")
    drawn = rng.standard_normal((T, N))
    if correlation > 0.0:
        common = rng.standard_normal((T, 1))
        drawn = np.sqrt(correlation) * common + np.sqrt(1.0 - correlation) * drawn
    if tails is not None:
        if not 2.0 < tails < np.inf:
            raise BadParameter("tails", tails, "degrees of freedom above 2 (4 is like daily shares), or None")
        drawn *= np.sqrt((tails - 2.0) / rng.chisquare(tails, size=(T, 1)))
    return drawn if garch is None else _stormy(drawn, *garch)


def _stormy(drawn: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    if not (alpha >= 0.0 and beta >= 0.0 and alpha + beta < 1.0):
        raise BadParameter("garch", (alpha, beta), "alpha and beta of at least 0 with a sum below 1")
    variance, moved = np.ones(drawn.shape[1]), np.empty_like(drawn)
    for t in range(len(drawn)):
        moved[t] = np.sqrt(variance) * drawn[t]
        variance = (1.0 - alpha - beta) + alpha * moved[t] ** 2 + beta * variance
    return moved


def states(rng: np.random.Generator, T: int, transition: np.ndarray, paths: int = 1) -> np.ndarray:
    """Draw paths (T, paths) of a Markov chain, begun in its stationary distribution.

    `transition` (K, K): row i is where state i goes next.
    """
    edges = np.cumsum(transition, axis=1)
    edges[:, -1] = 1.0
    path, drawn = np.empty((T, paths), dtype=np.int64), rng.random((T, paths))
    path[0] = np.searchsorted(np.cumsum(stationary(transition))[:-1], drawn[0], side="right")
    for t in range(1, T):
        path[t] = (drawn[t][:, None] >= edges[path[t - 1]]).sum(axis=1)
    return path


def stationary(transition: np.ndarray) -> np.ndarray:
    """Share of time (K,) that a chain spends in each state."""
    K = len(transition)
    system = np.vstack([transition.T - np.eye(K), np.ones(K)])
    found = np.linalg.lstsq(system, np.append(np.zeros(K), 1.0), rcond=None)[0]
    shares: np.ndarray = np.clip(found, 0.0, 1.0)
    return shares
