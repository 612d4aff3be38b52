"""Decisions on altered bars: the same past with its future cut off or replaced, and where they differ."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.errors import BadInput
from tapebook.schema import FIELDS
from tapebook.strategy.signals import Signals

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.declare import Strategy

Decided = dict[str, np.ndarray]
"""Decisions by part: boolean blocks of signals, or {"weights": float block}; each of shape (T, N)."""
Place = tuple[int, str, int]
"""Row, part and column of a decision."""

POISONS = ("swings", "swings back", "noise", "shuffled", "missing")
"""×1000 and ÷1000 in turn from the first bar on, the same from ÷1000 on, log-normal noise, the same
bars in another order, and nothing."""


def decide(strategy: Strategy, bars: Bars, params: dict[str, Any], *, quiet: bool = True) -> Decided:
    """Run a strategy; `quiet` keeps to itself what it warns of on bars that were never real."""
    if not quiet:
        return _parts(strategy(bars, **params))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _parts(strategy(bars, **params))


def _parts(answer: Any) -> Decided:
    if not isinstance(answer, Signals):
        return {"weights": answer.to_numpy(dtype=float)}
    frames = {field.name: getattr(answer, field.name) for field in fields(Signals)}
    return {part: frame.to_numpy(dtype=bool) for part, frame in frames.items() if frame is not None}


def deciding(decided: Decided) -> np.ndarray:
    """Rows in which something is decided: an entry or exit is true, or a weight is given."""
    said = [~np.isnan(block) if block.dtype == float else block for block in decided.values()]
    rows: np.ndarray = np.any([block.any(axis=1) for block in said], axis=0)
    return np.flatnonzero(rows)


def differences(whole: Decided, other: Decided, rows: slice = slice(None)) -> dict[str, np.ndarray]:
    """Where two sets of decisions differ, by part: `whole[rows]` against the first rows of `other`.

    Signals differ unless equal; weights from a relative 1e-9 on. A missing part decides nothing.

    Raises
    ------
    BadInput
        If one answers signals and the other weights.
    """
    if ("weights" in whole) != ("weights" in other):
        raise BadInput("it answers signals on some bars and weights on others")
    never = np.zeros(next(iter(whole.values())).shape, dtype=bool)
    found = {}
    for part in dict.fromkeys([*whole, *other]):
        one = whole.get(part, never)[rows]
        two = other.get(part, never)[: len(one)]
        one = one[: len(two)]
        same = (
            np.isclose(one, two, rtol=1e-9, atol=1e-12, equal_nan=True) if part == "weights" else one == two
        )
        found[part] = ~same
    return found


def first(found: dict[str, np.ndarray]) -> Place | None:
    """The earliest difference; of one row, the first part and the leftmost symbol."""
    places: list[Place] = []
    for part, block in found.items():
        if block.any():
            row, column = np.argwhere(block)[0].tolist()
            places.append((row, part, column))
    return min(places, key=lambda place: place[0], default=None)


def value(decided: Decided, place: Place) -> bool | float:
    """The decision at a place, as a plain number or truth."""
    row, part, column = place
    found: bool | float = decided[part][row, column].item() if part in decided else False
    return found


def truncated(bars: Bars, cut: int) -> Bars:
    """The bars up to and including row `cut`."""
    return bars.between(end=bars.index[cut])


def started(bars: Bars, row: int) -> Bars:
    """The bars from row `row` on."""
    return bars.between(start=bars.index[row])


def poisoned(bars: Bars, cut: int, poison: str, seed: int, names: Sequence[str] = FIELDS) -> Bars:
    """The same bars up to and including row `cut`; in the fields named, other values after it."""
    rng = np.random.default_rng([seed, cut, POISONS.index(poison)])
    rows, columns = len(bars) - cut - 1, len(bars.symbols)
    order = rng.permutation(rows)
    values = dict(bars.values)
    for name in FIELDS:
        draw = rng.lognormal(0.0, 1.0, (rows, columns))  # drawn for every field: each has its own, always
        if name in names:
            block = bars.values[name].copy()
            block[cut + 1 :] = _future(block[cut + 1 :], poison, order, draw)
            block.flags.writeable = False
            values[name] = block
    return replace(bars, values=values)


def jittered(bars: Bars, seed: int, sign: float) -> Bars:
    """The same bars but for rounding: every value moved by a relative 1e-12 or so; `sign` mirrors it."""
    rng = np.random.default_rng(seed)
    values = {
        name: block * (1 + sign * 1e-12 * rng.normal(size=block.shape)) for name, block in bars.values.items()
    }
    for block in values.values():
        block.flags.writeable = False
    return replace(bars, values=values)


def _future(block: np.ndarray, poison: str, order: np.ndarray, draw: np.ndarray) -> Any:
    if poison == "missing":
        return np.full_like(block, np.nan)
    if poison == "shuffled":
        return block[order]
    if poison == "noise":
        return block * draw
    up = (np.arange(len(block)) % 2 == 0) == (poison == "swings")
    return block * np.where(up, 1e3, 1e-3)[:, None]
