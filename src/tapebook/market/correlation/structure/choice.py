"""Which symbols share enough rows for a structure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapebook.errors import BadParameter


def most_shared(returns: pd.DataFrame, rows: int) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave symbols out of returns (T, N) until the others share `rows` rows, 3 symbols at least.

    The next one is the one without which the others share most rows; where none frees a row, the one with
    the fewest. Returns what is left, and the names left out in this order.
    """
    if rows < 1:
        raise BadParameter("rows", rows, "at least 1")
    known = np.isfinite(returns.to_numpy(dtype=float))
    kept, out = list(range(known.shape[1])), []
    while len(kept) > 3:
        there = known[:, kept]
        missing = len(kept) - there.sum(axis=1)
        if (missing == 0).sum() >= rows:
            break
        frees = (~there[missing == 1]).sum(axis=0)
        worst = kept[int(np.lexsort((there.sum(axis=0), -frees))[0])]
        kept.remove(worst)
        out.append(str(returns.columns[worst]))
    return returns.iloc[:, kept], tuple(out)
