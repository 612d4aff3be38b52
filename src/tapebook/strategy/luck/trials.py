"""What was tried before a result was chosen: how many trials, and how many of them were independent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.data.plain import plain
from tapebook.strategy.luck.overfit import expected_maximum
from tapebook.strategy.luck.sketch import Sketch, correlations, pooled, sketch

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules
    from tapebook.strategy.sweep.sweep import Sweep
    from tapebook.strategy.walk_forward.walk_forward import WalkForward

ALIKE = 0.5
"""Trials whose returns correlate more, on average over two groups, belong to one group."""
SAMPLE = 384
"""Sketches that are compared at most."""
FEW = 8
"""Below so many sketches it cannot be seen how the count grows with them."""
DRAWS = 2_000


@dataclass(frozen=True)
class Effective:
    """Independent trials: `count` (between 1 and all); groups of like returns among the `sampled`."""

    count: float
    groups: int
    sampled: int


@dataclass(frozen=True, eq=False)
class Tried:
    """The trials among which one result was chosen, itself included.

    `raw`: how many there were. `sample`: returns of some of them. `elsewhere`: trials of the same family
    on other symbols, which do not count here. `idea`: family and universe, in words.
    """

    raw: int
    sample: Sketch | None = field(default=None, repr=False)
    elsewhere: int = 0
    idea: str = ""

    @cached_property
    def effective(self) -> Effective:
        """How many of them were independent."""
        return effective(self.sample, self.raw)


def effective(sample: Sketch | None, raw: int) -> Effective:
    """Estimate how many of `raw` trials were independent, from the returns of some of them.

    So many independent trials have the same expected highest Sharpe ratio, by luck, as these have with
    the correlations of their returns. What the sample leaves out is scaled as the estimate grows from
    half of the sample to all of it. Groups of like returns (average linkage of 1 − correlation, cut at
    1 − `ALIKE`, as López de Prado 2019 clusters trials) are told beside it, but not used for it: the best
    of a large group of merely similar trials is lucky too. Trials that never moved could not win.
    """
    if sample is None or not len(sample):
        return Effective(float(max(raw, 1)), 0, 0)
    if len(sample) > SAMPLE:
        sample = sample.rows(np.linspace(0, len(sample) - 1, SAMPLE).astype(int))
    moving = np.isfinite(sample.values).sum(axis=1) > 1  # one that ended before these bars has none
    moving[moving] = np.nanstd(sample.values[moving], axis=1) > 1e-9
    m = int(moving.sum())
    able = max(raw * m / len(sample), 1.0)
    if m < 2:  # nothing to compare with: each that can win counts
        return Effective(able, m, len(sample))
    like = correlations(sample.values[moving])
    count = _alike_by_luck(like)
    if able > m >= FEW:
        grows = np.log(count / _alike_by_luck(like[::2, ::2])) / np.log(2.0)
        count *= (able / m) ** float(np.clip(grows, 0.0, 1.0))
    return Effective(float(np.clip(count, 1.0, able)), _groups(like), len(sample))


def _alike_by_luck(like: np.ndarray) -> float:
    """Independent normals whose highest is expected where that of these correlated ones is."""
    values, vectors = np.linalg.eigh(like)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(0).standard_normal((DRAWS, len(like))) @ root.T
    highest = float(np.concatenate([drawn.max(axis=1), -drawn.min(axis=1)]).mean())
    if highest < 0.02:  # copies of one
        return 1.0
    low, high = 0.0, float(np.log(2.0 * len(like)))
    for _ in range(50):
        middle = (low + high) / 2.0
        low, high = (middle, high) if expected_maximum(np.exp(middle)) < highest else (low, middle)
    return float(np.clip(np.exp(low), 1.0, len(like)))


def _groups(like: np.ndarray) -> int:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    apart = 1.0 - like
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(apart, checks=False), "average")
    return int(fcluster(tree, 1.0 - ALIKE, "distance").max())


def entry_of_backtest(bt: Backtest) -> dict[str, Any]:
    """Say a backtest as a row of the ledger; `key` is the same for the same computation."""
    told = {
        "kind": "backtest",
        "strategy": bt.strategy,
        "family": bt.family,
        "code_hash": bt.code_hash,
        "symbols": list(bt.symbols),
        "settings": dict(bt.params),
        "rules": bt.rules.record(),
        "freq": bt.freq,
        "start": bt.equity.index[0].isoformat(),
        "end": bt.equity.index[-1].isoformat(),
        "fingerprint": bt.fingerprint,
    }
    measured = float(bt.metrics["sharpe"].value)
    ratio = measured if np.isfinite(measured) else None
    return told | {
        "key": _key(told, bt.adjust),
        "count": 1,
        "sharpe_mean": ratio,
        "sharpe_deviation": None,
        "sharpe_best": ratio,
        "snapshot": bt.snapshot,
        "sketch": own_sketch(bt.returns).pack(),
    }


def entry_of_sweep(sw: Sweep) -> dict[str, Any] | None:
    """Say a sweep as one row that counts every combination (and symbol, where each was alone)."""
    if sw.table.empty:
        return None
    ratios = sw.table["sharpe"].to_numpy(dtype=float)
    ratios = ratios[np.isfinite(ratios)]
    settings = {name: _span(sw.table[name].tolist()) for name in sw.varied} | dict(sw.fixed)
    told = _told("sweep", sw.strategy, sw.bars, sw.rules, settings)
    sample = sw.sample
    return told | {
        "key": _key(told, str(sw.bars.adjust), _settings_digest(sw), sw.alone),
        "count": len(sw.table),
        "sharpe_mean": float(ratios.mean()) if len(ratios) else None,
        "sharpe_deviation": float(ratios.std()) if len(ratios) else None,
        "sharpe_best": float(ratios.max()) if len(ratios) else None,
        "snapshot": sw.bars.snapshot,
        "sketch": None if sample is None else sketch(sample.returns, sw.bars.index).pack(),
    }


def entry_of_walk(walk: WalkForward) -> dict[str, Any]:
    """Say what a walk forward chose among: each combination once, however many folds there were."""
    settings = {name: _span(list(values)) for name, values in walk.values.items()} | dict(walk.fixed)
    told = _told("walk_forward", walk.strategy, walk.bars, walk.rules, settings)
    return told | {
        "key": _key(told, str(walk.bars.adjust), walk.values, walk.tried),
        "count": walk.tried,
        "snapshot": walk.bars.snapshot,
        "sketch": sketch(walk.sample, walk.bars.index).pack() if len(walk.sample) else None,
    }


def entry_of_rules(strategy: Strategy, bars: Bars, tried: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say a search for rules on the market's state as one row that counts every rule it compared."""
    from tapebook.strategy.rules import Rules

    told = _told("rules", strategy, bars, strategy.rules or Rules(), plain(settings))
    return told | {"key": _key(told, str(bars.adjust), tried), "count": tried, "snapshot": bars.snapshot}


def _told(
    kind: str, strategy: Strategy, bars: Bars, rules: Rules, settings: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "kind": kind,
        "strategy": strategy.name,
        "family": strategy.family,
        "code_hash": strategy.source_hash,
        "symbols": list(bars.symbols),
        "settings": dict(settings),
        "rules": rules.record(),
        "freq": str(bars.freq),
        "start": bars.index[0].isoformat(),
        "end": bars.index[-1].isoformat(),
        "fingerprint": bars.fingerprint(),
    }


def with_own(bt: Backtest, tried: Tried) -> Tried:
    """Add a backtest's own returns to the sample, and itself to the count, where no trial was it."""
    own = own_sketch(bt.returns)
    sample = own if tried.sample is None else pooled([tried.sample, own])
    return Tried(max(tried.raw, 1), sample, tried.elsewhere, tried.idea)


def own_sketch(returns: pd.Series) -> Sketch:
    """Sketch one series of simple returns, indexed by the bars' stamps."""
    import pandas as pd

    return sketch(returns.to_numpy(dtype=float), pd.DatetimeIndex(returns.index))


def _key(*told: Any) -> str:
    return sha256(json.dumps(plain(told), sort_keys=True).encode()).hexdigest()


def _settings_digest(sw: Sweep) -> str:
    import pandas as pd

    rows = pd.util.hash_pandas_object(sw.table[list(sw.varied)], index=False).to_numpy()
    return sha256(np.sort(rows).tobytes()).hexdigest()


def _span(values: list[Any]) -> Any:
    """Say which values were tried: all of few, else first, last and how many."""
    different = list(dict.fromkeys(values))
    if len(different) <= 12:
        return different
    return {"from": different[0], "to": different[-1], "values": len(different)}
