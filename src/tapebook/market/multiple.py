"""p-values after many questions: the share of false findings, or the chance of a single one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from tapebook.errors import BadParameter

Correction = Literal["bh", "by", "holm", "bonferroni", "none"]
CORRECTIONS: tuple[Correction, ...] = ("bh", "by", "holm", "bonferroni", "none")


def corrected(p: np.ndarray, method: Correction = "bh", *, asked: int | None = None) -> np.ndarray:
    """Return p-values corrected for the number of questions, shape of `p`; NaN stays NaN.

    Findings whose corrected value is at most α are those that the method declares at level α.

    Parameters
    ----------
    p : array
        One p-value a question; NaN where a question could not be answered (it is not counted).
    method : str
        "bh" holds the expected share of false findings (Benjamini & Hochberg 1995, JRSS B 57; also under
        positive dependence), "by" under any dependence (Benjamini & Yekutieli 2001), "holm" and
        "bonferroni" the probability of one false finding or more.
    asked : int, optional
        Number of questions asked, if `p` holds only the smallest of them.

    Examples
    --------
    >>> corrected(np.array([0.01, 0.04, 0.03, 0.5])).round(4).tolist()
    [0.04, 0.0533, 0.0533, 0.5]
    """
    if method not in CORRECTIONS:
        raise BadParameter("correction", method, "one of " + ", ".join(CORRECTIONS))
    p = np.asarray(p, dtype=float)
    flat = p.ravel()
    known = np.flatnonzero(~np.isnan(flat))
    m = len(known) if asked is None else asked
    if m < len(known):
        raise BadParameter("asked", asked, f"at least the {len(known):,} p-values given")
    order = known[np.argsort(flat[known], kind="stable")]
    answer = np.full(flat.shape, np.nan)
    answer[order] = np.minimum(_adjusted(flat[order], m, method), 1.0)
    return answer.reshape(p.shape)


def _adjusted(ordered: np.ndarray, m: int, method: Correction) -> np.ndarray:
    rank = np.arange(1, len(ordered) + 1)
    if method in ("bh", "by"):
        factor = float(np.sum(1.0 / np.arange(1, m + 1))) if method == "by" else 1.0
        scaled = ordered * m * factor / rank
        return np.minimum.accumulate(scaled[::-1])[::-1]
    if method == "holm":
        return np.maximum.accumulate(ordered * (m - rank + 1))
    return ordered * m if method == "bonferroni" else ordered
