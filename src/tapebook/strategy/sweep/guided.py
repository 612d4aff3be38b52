"""A guided search: each batch of combinations is chosen by what the earlier ones made, with Optuna."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.strategy.sweep.grid import Part

if TYPE_CHECKING:
    import optuna
    import pandas as pd

    from tapebook.progress import Report
    from tapebook.strategy.sweep.crew import Crew
    from tapebook.strategy.sweep.grid import Grid
    from tapebook.strategy.sweep.plan import Plan
    from tapebook.strategy.sweep.rows import Rows

BATCH = 8
"""Combinations that are chosen together: the same on every machine, so that the table is the same."""
TRIES = 32
"""Random looks for an untried combination at each distance."""


def guided(
    plan: Plan, before: pd.DataFrame, places: np.ndarray, crew: Crew, rows: Rows, report: Report
) -> None:
    """Try `plan.asked` combinations, those `before` (at `places`) included; `rows` keeps what is done."""
    done, total = 0, plan.asked
    left = total - len(set(places.tolist()))
    with _quiet():
        search = _Search(plan.grid, plan.seed, _known(before, places, plan.metric))
        while left > 0 and (batch := search.ask(min(BATCH, left))):
            running = [crew.submit(Part.of(plan.grid, [p])) for _, p in batch]
            for (trial, place), future in zip(batch, running, strict=True):
                answers = future.result()
                rows.put(np.array([done]), np.array([place]), answers)
                (found,) = answers
                search.tell(trial, None if found is None else _value(found, plan.metric))
                done += 1
            left -= len(batch)
            report(total - left, total, f"combinations, best {plan.metric} {search.best:.3g}")


class _Search:
    """Optuna's tree-structured Parzen estimator over the steps of a grid; no place is given out twice."""

    def __init__(self, grid: Grid, seed: int, known: dict[int, float]) -> None:
        import optuna

        self.grid, self.seen, self.best = grid, set(known), max(known.values(), default=np.nan)
        self._rng = np.random.default_rng(seed)
        self._space = {name: _distribution(values) for name, values in grid.values.items()}
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True)
        self._study = optuna.create_study(sampler=sampler, direction="maximize")
        for place, value in known.items():
            if np.isfinite(value):
                trial = optuna.trial.create_trial(
                    params=self._params(place), distributions=self._space, value=value
                )
                self._study.add_trial(trial)

    def ask(self, many: int) -> list[tuple[optuna.Trial, int]]:
        """Choose up to so many places that were not tried; fewer if there are no more."""
        found = []
        for _ in range(many):
            chosen = self._one()
            if chosen is None:
                break
            self.seen.add(chosen[1])
            found.append(chosen)
        return found

    def tell(self, trial: optuna.Trial, value: float | None) -> None:
        """Say what came of it; None (or no number) where it could not be traded."""
        from optuna.trial import TrialState

        if value is None or not np.isfinite(value):
            self._study.tell(trial, state=TrialState.PRUNED)
            return
        self._study.tell(trial, value)
        self.best = float(np.fmax(self.best, value))

    def _one(self) -> tuple[optuna.Trial, int] | None:
        from optuna.trial import TrialState

        trial = self._study.ask(self._space)
        place = self.grid.place([trial.params[name] for name in self._space])
        allowed = self.grid.allows(place)
        if allowed and place not in self.seen:
            return trial, place
        # A place that is left out teaches the search to stay away; one that was tried says nothing new.
        self._study.tell(trial, state=TrialState.FAIL if allowed else TrialState.PRUNED)
        near = self._near(place)
        if near is None:
            return None
        self._study.enqueue_trial(self._params(near))
        return self._study.ask(self._space), near

    def _near(self, place: int) -> int | None:
        """An untried place close by; None if all were tried."""
        here, last = np.array(self.grid.steps(place)), np.array(self.grid.sizes) - 1
        reach = 1
        while reach <= 2 * max(self.grid.sizes):
            for moved in self._rng.integers(-reach, reach + 1, (TRIES, len(here))):
                found = self.grid.place(np.clip(here + moved, 0, last).tolist())
                if self._free(found):
                    return found
            reach *= 2
        if self.grid.counted:
            return next((int(p) for p in self.grid.places if p not in self.seen), None)
        return next(
            (p for p in self._rng.integers(self.grid.total, size=10_000).tolist() if self._free(p)), None
        )

    def _free(self, place: int) -> bool:
        return place not in self.seen and self.grid.allows(place)

    def _params(self, place: int) -> dict[str, Any]:
        return dict(zip(self.grid.values, self.grid.steps(place), strict=True))


def _distribution(values: Sequence[Any]) -> Any:
    """Steps of numbers in ascending order are near each other; anything else is a choice."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    numbers = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
    if numbers and sorted(values) in (list(values), list(values)[::-1]):
        return IntDistribution(0, len(values) - 1)
    return CategoricalDistribution(range(len(values)))


def _known(before: pd.DataFrame, places: np.ndarray, metric: str) -> dict[int, float]:
    if not len(before):
        return {}
    return {int(p): float(v) for p, v in before[metric].groupby(places).mean().items()}  # type: ignore[call-overload]


def _value(found: np.ndarray, metric: str) -> float:
    """Mean over the symbols, as the ranking has it."""
    from tapebook.strategy.sweep.work import names

    values = found[:, names().index(metric)]
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else np.nan


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says nothing below a warning while this lasts; what it was told before is put back."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
