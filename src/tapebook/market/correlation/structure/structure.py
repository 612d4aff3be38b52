"""The shape of a market: who belongs together, what joins them, how much of it is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from tapebook.errors import BadInput, BadParameter, NoData
from tapebook.market.correlation.checks import whole
from tapebook.market.correlation.products import correlation_matrix, standardised
from tapebook.market.correlation.structure.eigen import Noise, denoised, detoned, noise
from tapebook.market.correlation.structure.tree import LINKAGES, Linkage, clusters, linked, spanning_tree
from tapebook.market.scan import LEVEL

if TYPE_CHECKING:
    import plotly.graph_objects as go

Shrink = Literal["ledoit_wolf", "oas", "denoised", "none"]
SHRINKS: tuple[Shrink, ...] = ("ledoit_wolf", "oas", "denoised", "none")
LEAST = 30
"""Rows that all symbols must share."""


@dataclass(frozen=True, eq=False, repr=False)
class Structure:
    """The structure of N symbols over the rows that all of them have.

    Parameters
    ----------
    clusters : DataFrame
        One row a symbol in hierarchical order: symbol, cluster, inside, outside (mean correlations).
    tree : DataFrame
        Edges of the minimum spanning tree: a, b, distance, correlation.
    eigenvalues : DataFrame
        value, share of the whole, `limit` that chance reaches, stands_out.
    sample, shrunk, denoised, detoned : DataFrame
        Correlation matrices (N, N). `shrinkage` is the weight of the identity in `shrunk`.
    used : DataFrame
        The returns (T, N) it was made of.
    """

    symbols: tuple[str, ...]
    clusters: pd.DataFrame
    tree: pd.DataFrame
    eigenvalues: pd.DataFrame
    noise: Noise
    hierarchy: np.ndarray
    sample: pd.DataFrame
    shrunk: pd.DataFrame
    denoised: pd.DataFrame
    detoned: pd.DataFrame
    shrinkage: float
    used: pd.DataFrame
    warnings: tuple[str, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """Symbols so ordered that neighbours are alike."""
        return tuple(self.clusters["symbol"])

    @property
    def standing_out(self) -> int:
        """How many eigenvalues are more than noise."""
        return self.noise.count

    @property
    def summary(self) -> str:
        """The structure in words."""
        T, N = self.used.shape
        share = self.eigenvalues["share"].iloc[: self.standing_out].sum()
        return (
            f"{self.standing_out} of {N} eigenvalues stand out of noise, with {share:.0%} of the variance; "
            f"{self.clusters['cluster'].nunique()} clusters; {T:,} rows shared by all, "
            f"{self.used.index[0]:%Y-%m-%d} to {self.used.index[-1]:%Y-%m-%d}."
        )

    def heatmap(self, window: int = 250, frames: int = 24) -> go.Figure:
        """Draw the correlations in cluster order, of all rows and of rolling windows by a slider."""
        from tapebook.market.correlation.structure.figures import heatmap

        return heatmap(self, window, frames)

    def network(self) -> go.Figure:
        """Draw the minimum spanning tree, clusters by colour and by the shape of the marker."""
        from tapebook.market.correlation.structure.figures import network

        return network(self)

    def eigenvalue_figure(self) -> go.Figure:
        """Draw the eigenvalues beside the density of noise."""
        from tapebook.market.correlation.structure.figures import eigenvalue_figure

        return eigenvalue_figure(self)

    def __repr__(self) -> str:
        return f"Structure: {self.summary}"


def structure(
    returns: pd.DataFrame,
    *,
    shrink: Shrink = "ledoit_wolf",
    linkage: Linkage = "ward",
    clusters_wanted: int | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Structure:
    """Find clusters, spanning tree and what is more than noise in returns (T, N), NaN where missing.

    Only rows that all symbols have are used. Clusters and tree are of the matrix `shrink`: "ledoit_wolf"
    (2004, JMVA 88) or "oas" (Chen et al. 2010) of standardised returns, as in scikit-learn, "denoised", or
    "none". As many clusters as eigenvalues stand out of noise at `level` (k groups that move together make k
    of them), or one; or `clusters_wanted`.

    Raises
    ------
    BadInput
        Duplicate symbols, infinite or constant returns.
    NoData
        Fewer than 3 symbols, or than 30 shared rows.
    """
    if shrink not in SHRINKS:
        raise BadParameter("shrink", shrink, "one of " + ", ".join(SHRINKS))
    if linkage not in LINKAGES:
        raise BadParameter("linkage", linkage, "one of " + ", ".join(LINKAGES))
    if not 0.0 < level < 1.0:
        raise BadParameter("level", level, "a probability above 0 and below 1")
    used, warnings = _shared(returns)
    Z = standardised(used.to_numpy(dtype=float))
    R, names = correlation_matrix(Z), [str(name) for name in used.columns]
    if clusters_wanted is not None:
        expected = f"a whole number between 1 and {len(names)}"
        whole("clusters_wanted", clusters_wanted, 1, expected)
        if clusters_wanted > len(names):
            raise BadParameter("clusters_wanted", clusters_wanted, expected)
    told = noise(Z, R, level, seed)
    clean = denoised(told)
    S, weight = _shrunk(Z, R, clean, shrink)
    hierarchy = linked(S, linkage)

    def frame(M: np.ndarray) -> pd.DataFrame:
        return pd.DataFrame(M, index=names, columns=names)

    return Structure(
        symbols=tuple(names),
        clusters=clusters(R, hierarchy, clusters_wanted or max(told.count, 1), names),
        tree=spanning_tree(S, names),
        eigenvalues=_eigenvalues(told),
        noise=told,
        hierarchy=hierarchy,
        sample=frame(R),
        shrunk=frame(S),
        denoised=frame(clean),
        detoned=frame(detoned(told)),
        shrinkage=weight,
        used=used,
        warnings=warnings,
    )


def _shared(returns: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    if returns.columns.has_duplicates:
        twice = returns.columns[returns.columns.duplicated()][0]
        raise BadInput(f"symbol {twice} is there twice: leave one of them out")
    X = returns.to_numpy(dtype=float)
    if np.isinf(X).any():
        name = returns.columns[np.isinf(X).any(axis=0)][0]
        raise BadInput(f"{name} has an infinite return: a price of 0, or a division by it")
    if returns.shape[1] < 3:
        raise NoData(f"{returns.shape[1]} symbols: a structure needs at least 3")
    used = returns[np.isfinite(X).all(axis=1)]
    if len(used) < LEAST:
        missing = returns.isna().sum().sort_values(ascending=False)
        worst = ", ".join(f"{name} ({n:,})" for name, n in missing.head(3).items())
        raise NoData(
            f"all {returns.shape[1]} symbols share {len(used)} of {len(returns):,} rows, {LEAST} needed: "
            f"leave out those that miss most, {worst}, or choose a span that they share"
        )
    still = used.columns[(used.max() == used.min()).to_numpy()]
    if len(still):
        raise BadInput(f"{still[0]} has constant returns over the shared rows: leave it out")
    warnings = []
    if len(used) < 0.5 * len(returns):
        warnings.append(f"only {len(used):,} of {len(returns):,} rows have all symbols")
    if len(used) < 2 * used.shape[1]:
        warnings.append(
            f"{len(used):,} rows for {used.shape[1]:,} symbols: the sample matrix is mostly noise"
        )
    return used, tuple(warnings)


def _shrunk(Z: np.ndarray, R: np.ndarray, clean: np.ndarray, shrink: Shrink) -> tuple[np.ndarray, float]:
    if shrink == "none":
        return R, 0.0
    if shrink == "denoised":
        return clean, 0.0
    from sklearn.covariance import ledoit_wolf, oas

    S, weight = (ledoit_wolf if shrink == "ledoit_wolf" else oas)(Z, assume_centered=True)
    return np.asarray(S), float(weight)


def _eigenvalues(told: Noise) -> pd.DataFrame:
    values = told.values
    return pd.DataFrame(
        {
            "value": values,
            "share": values / values.sum(),
            "limit": told.limit,
            "stands_out": np.arange(len(values)) < told.count,
        }
    )
