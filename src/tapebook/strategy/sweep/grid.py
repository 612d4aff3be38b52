"""What a sweep tries: every combination of some values, less those that a condition leaves out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product, starmap
from math import prod
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy.rules import Rules, divided

if TYPE_CHECKING:
    from tapebook.strategy.declare import Strategy

Settings = dict[str, Any]
COUNTED = 2_000_000
"""Combinations up to which a condition is asked about every one; of more, those that come up are asked."""
PATIENCE = 1000
"""Draws a combination in a grid that is too large to count, before its condition is called too narrow."""


class Grid:
    """All combinations of `values`, the last setting changing fastest, each known by its place.

    A place is a number from 0 to the product of the sizes; settings are made when asked for, so a
    grid takes no more memory than 8 bytes a combination, and none without a condition.
    """

    def __init__(self, values: Mapping[str, list[Any]], where: Callable[..., bool] | None = None) -> None:
        self.values, self.where = dict(values), where
        self.sizes = tuple(len(found) for found in values.values())
        self.total = prod(self.sizes)
        self._steps = {name: {v: i for i, v in enumerate(found)} for name, found in values.items()}

    @property
    def counted(self) -> bool:
        """Whether it is known, or soon found out, how many combinations there are."""
        return self.where is None or self.total <= COUNTED

    @cached_property
    def places(self) -> Sequence[int]:
        """Places of the combinations that the condition allows, ascending.

        Raises
        ------
        BadParameter
            If it allows none.
        """
        if self.where is None:
            return range(self.total)
        met = map(bool, starmap(_in_order(self.where, list(self.values)), product(*self.values.values())))
        found = np.flatnonzero(np.fromiter(met, bool, self.total))
        if not len(found):
            raise BadParameter("where", self.where, "a condition that at least one combination meets")
        return found  # type: ignore[return-value]

    def allows(self, place: int) -> bool:
        """Whether the condition is met there."""
        return self.where is None or bool(self.where(**self.at(place)))

    def at(self, place: int) -> Settings:
        """Return the settings at a place."""
        return {
            name: found[i] for (name, found), i in zip(self.values.items(), self.steps(place), strict=True)
        }

    def steps_of(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """Return, by setting, the place of many combinations along it."""
        found, rest = {}, places
        for name, values in reversed(self.values.items()):
            rest, found[name] = np.divmod(rest, len(values))
        return found

    def steps(self, place: int) -> tuple[int, ...]:
        """Return the place along each setting."""
        found, rest = [], int(place)
        for size in reversed(self.sizes):
            rest, step = divmod(rest, size)
            found.append(step)
        return tuple(reversed(found))

    def place(self, steps: Sequence[int]) -> int:
        """Return the place of these steps along each setting."""
        found = 0
        for step, size in zip(steps, self.sizes, strict=True):
            found = found * size + step
        return found

    def place_of(self, settings: Sequence[Any]) -> int | None:
        """Return the place of these values, in the settings' order; None if they are not of the grid."""
        steps = [self._steps[name].get(plain(v)) for name, v in zip(self.values, settings, strict=True)]
        return None if None in steps else self.place(steps)  # type: ignore[arg-type]

    def drawn(self, trials: int, seed: int) -> Sequence[int]:
        """Draw so many allowed places without replacement, ascending; all of them if there are no more."""
        rng = np.random.default_rng(seed)
        if self.counted:
            if trials >= len(self.places):
                return self.places
            chosen = np.sort(rng.choice(len(self.places), trials, replace=False))
            return chosen if self.where is None else np.asarray(self.places)[chosen]  # type: ignore[return-value]
        found: set[int] = set()
        for _ in range(PATIENCE * trials):
            place = int(rng.integers(self.total))
            if place not in found and self.allows(place):
                found.add(place)
            if len(found) == trials:
                break
        if not found:
            raise BadParameter("where", self.where, "a condition that more of the combinations meet")
        return sorted(found)


def _in_order(where: Callable[..., bool], names: list[str]) -> Callable[..., bool]:
    """The condition, to be called with values in the order of `names`, which is a lot faster than by name."""
    from inspect import Parameter, signature

    try:
        said = signature(where).parameters.values()
    except (TypeError, ValueError):
        said = []  # type: ignore[assignment]
    if [p.name for p in said if p.kind is Parameter.POSITIONAL_OR_KEYWORD][: len(names)] == names:
        return where
    return lambda *chosen: where(**dict(zip(names, chosen, strict=True)))


class Todo(Sequence[Settings]):
    """Combinations at some places of a grid, made when they are asked for."""

    def __init__(self, grid: Grid, places: Sequence[int]) -> None:
        self.grid, self.places = grid, places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, which: int) -> Settings: ...
    @overload
    def __getitem__(self, which: slice) -> Part: ...
    def __getitem__(self, which: int | slice) -> Settings | Part:
        if isinstance(which, slice):
            return Part.of(self.grid, self.places[which])
        return self.grid.at(self.places[which])


@dataclass(frozen=True, eq=False)
class Part(Sequence[Settings]):
    """Combinations that are handed out together, column by column: as compiled code takes them."""

    columns: dict[str, list[Any]]

    @classmethod
    def of(cls, grid: Grid, places: Sequence[int] | np.ndarray) -> Part:
        """Make the combinations at some places of a grid."""
        steps = grid.steps_of(np.asarray(places, dtype=np.int64))
        return cls({name: [values[i] for i in steps[name].tolist()] for name, values in grid.values.items()})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __iter__(self) -> Iterator[Settings]:
        names = tuple(self.columns)
        return (dict(zip(names, row, strict=True)) for row in zip(*self.columns.values(), strict=True))

    @overload
    def __getitem__(self, which: int) -> Settings: ...
    @overload
    def __getitem__(self, which: slice) -> Part: ...
    def __getitem__(self, which: int | slice) -> Settings | Part:
        if isinstance(which, slice):
            return Part({name: column[which] for name, column in self.columns.items()})
        return {name: column[which] for name, column in self.columns.items()}


def parted(strategy: Strategy, settings: Mapping[str, Any]) -> tuple[dict[str, list[Any]], Settings]:
    """Part settings into those that vary (a list of values each) and those that are fixed.

    Raises
    ------
    BadParameter, UnknownName
        If a name is unknown, a list is empty, or nothing varies.
    """
    divided(strategy.name, strategy.parameters, settings)  # an unknown name is refused here
    values = {name: list(dict.fromkeys(plain(v) for v in vs)) for name, vs in settings.items() if _varies(vs)}
    for name, found in values.items():
        if not found:
            raise BadParameter(name, settings[name], "at least one value")
    if not values:
        raise BadParameter(
            "settings", dict(settings), "at least one with several values, such as fast=range(5, 50)"
        )
    return values, {name: v for name, v in settings.items() if not _varies(v)}


def check(strategy: Strategy, rules: Rules, values: Mapping[str, list[Any]], fixed: Settings) -> None:
    """Refuse a value that its own declaration does not allow, before anything runs."""
    for name, found in values.items():
        for value in found:
            if name in strategy.parameters:
                strategy.parameters[name].check(value)
            else:
                rules.changed(**{name: value})
    params, ruled = divided(strategy.name, strategy.parameters, fixed)
    strategy.check(params)
    rules.changed(**ruled)


def plain(value: Any) -> Any:
    """Return a value as Python has it; what pandas writes for None is None again."""
    found = value.item() if hasattr(value, "item") else value
    return None if isinstance(found, float) and found != found else found


def _varies(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))
