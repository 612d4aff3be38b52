"""The order, the clusters and the spanning tree of a correlation matrix."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

Linkage = Literal["ward", "average", "complete", "single"]
LINKAGES: tuple[Linkage, ...] = ("ward", "average", "complete", "single")


def distances(R: np.ndarray) -> np.ndarray:
    """Euclidean distance √(2(1 − r)) of standardised columns, 0 to 2 (Mantegna 1999, EPJ B 11)."""
    D: np.ndarray = np.sqrt(2.0 * np.maximum(1.0 - R, 0.0))
    np.fill_diagonal(D, 0.0)
    return D


def linked(R: np.ndarray, method: Linkage) -> np.ndarray:
    """Hierarchy (N − 1, 4) as scipy tells it, its leaves so ordered that neighbours are alike."""
    from scipy.cluster.hierarchy import linkage, optimal_leaf_ordering
    from scipy.spatial.distance import squareform

    flat = squareform(distances(R), checks=False)
    hierarchy = linkage(flat, method)
    if len(R) <= 300:
        hierarchy = optimal_leaf_ordering(hierarchy, flat)
    return np.asarray(hierarchy)


def clusters(R: np.ndarray, hierarchy: np.ndarray, count: int, names: list[str]) -> pd.DataFrame:
    """One row a symbol, in order: its cluster from 1, its mean correlation `inside` it and `outside`."""
    from scipy.cluster.hierarchy import fcluster, leaves_list

    order = leaves_list(hierarchy)
    label = fcluster(hierarchy, count, "maxclust")
    seen = {old: new for new, old in enumerate(dict.fromkeys(label[order].tolist()), start=1)}
    own = np.array([seen[x] for x in label.tolist()])
    same = own[:, None] == own[None, :]
    other = ~np.eye(len(R), dtype=bool)
    frame = pd.DataFrame(
        {
            "symbol": names,
            "cluster": own,
            "inside": _mean(R, same & other),
            "outside": _mean(R, ~same),
        }
    )
    told: pd.DataFrame = frame.iloc[order].reset_index(drop=True)
    return told


def _mean(R: np.ndarray, of: np.ndarray) -> np.ndarray:
    count = of.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: np.ndarray = np.where(of, R, 0.0).sum(axis=1) / count
    return mean


def spanning_tree(R: np.ndarray, names: list[str]) -> pd.DataFrame:
    """The N − 1 edges that join all symbols over the least distance, the closest first (Prim 1957)."""
    D, N = distances(R), len(R)
    near, by = D[0].copy(), np.zeros(N, dtype=int)
    outside = np.ones(N, dtype=bool)
    outside[0] = False
    rows = []
    for _ in range(N - 1):
        new = int(np.argmin(np.where(outside, near, np.inf)))
        rows.append((names[by[new]], names[new], near[new], R[by[new], new]))
        outside[new] = False
        closer = outside & (D[new] < near)
        near[closer], by[closer] = D[new, closer], new
    frame = pd.DataFrame(rows, columns=["a", "b", "distance", "correlation"])
    return frame.sort_values("distance", kind="stable", ignore_index=True)
