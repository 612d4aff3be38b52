"""Settings chosen on past bars, traded on later ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tapebook.desk.strategy import StrategyRoom
from tapebook.progress import progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from tapebook.data.panel import Bars
    from tapebook.strategy import Rules
    from tapebook.strategy.walk_forward.walk_forward import Scheme, WalkForward


class WalkForwardRoom(StrategyRoom):
    """Walk-forward analysis."""

    def walk_forward(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        rules: Rules | None = None,
        scheme: Scheme = "rolling",
        train: int | None = None,
        test: int | None = None,
        groups: int = 6,
        tests: int = 2,
        purge: int = 0,
        embargo: int = 0,
        metric: str = "sharpe",
        where: Callable[..., bool] | str | None = None,
        alone: bool | None = None,
        seed: int = 0,
        executor: Executor | None = None,
        note: str = "",
        save: bool = True,
        **settings: Any,
    ) -> WalkForward:
        """Choose settings on past bars and trade them on the next ones: `fast=range(5, 50), slow=[50, 100]`.

        The stitched account outside is kept as a result (`walk.backtest.id`) unless `save` is False. Every
        combination counts in the ledger of trials once, and the stitched account is one more.

        Parameters
        ----------
        scheme : "rolling", "expanding" or "combinatorial"
            Learn from the last `train` bars, from all so far, or from all pieces of time but those traded
            (`groups`, `tests`).
        train, test : int, optional
            Bars to learn from and to trade; three years and one by default.
        purge, embargo : int
            Bars left out of learning next to what is traded.
        metric : str
            What a fold chooses by.
        where, alone, executor, settings
            As for `sweep`.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.condition import condition
        from tapebook.strategy.walk_forward.walk_forward import walk_forward

        panel, found = bars if isinstance(bars, Bars) else self.bars(bars), self.strategy(strategy)
        with progress(f"walking forward with {found.name}") as report:
            walk = walk_forward(
                found, panel, settings, rules=rules or found.rules, scheme=scheme, train=train, test=test,
                groups=groups, tests=tests, purge=purge, embargo=embargo, metric=metric,
                where=condition(where) if isinstance(where, str) else where, alone=alone, seed=seed,
                executor=executor, progress=report,
            )  # fmt: skip
        return self._with_walk(walk, note, save)

    def _with_walk(self, walk: WalkForward, note: str, save: bool) -> WalkForward:
        from tapebook.strategy.luck.trials import entry_of_walk

        self._count(entry_of_walk(walk))
        if walk.traded is None:
            return walk
        counted = self._with_trials(walk.traded)
        return replace(walk, traded=self.save(counted, note=note) if save else counted)
