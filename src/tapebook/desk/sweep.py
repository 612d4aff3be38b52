"""A strategy traded under many settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from tapebook.desk.strategy import StrategyRoom
from tapebook.progress import progress

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from tapebook.data.panel import Bars
    from tapebook.strategy import Rules
    from tapebook.strategy.sweep.estimate import Estimate
    from tapebook.strategy.sweep.sweep import Sweep


class SweepRoom(StrategyRoom):
    """Sweeps."""

    @overload
    def sweep(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        estimate: Literal[False] = False,
        **options: Any,
    ) -> Sweep: ...
    @overload
    def sweep(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        estimate: Literal[True],
        **options: Any,
    ) -> Estimate: ...
    def sweep(
        self,
        strategy: str | Callable[..., Any],
        bars: Bars | str | Sequence[str],
        *,
        rules: Rules | None = None,
        where: Callable[..., bool] | str | None = None,
        search: str = "grid",
        trials: int | None = None,
        metric: str = "sharpe",
        seed: int = 0,
        alone: bool | None = None,
        executor: Executor | None = None,
        resume: Sweep | str | Path | None = None,
        estimate: bool = False,
        **settings: Any,
    ) -> Sweep | Estimate:
        """Trade a strategy under many settings: `fast=range(5, 50), slow=[50, 100], stop_loss=[None, 0.1]`.

        Every combination (of every symbol, where each is alone) counts in the ledger of trials.

        Parameters
        ----------
        where : function or str, optional
            `lambda fast, slow: fast < slow`, or "fast < slow": combinations that are tried.
        search : "grid", "random" or "optuna"
            Every combination; `trials` of them drawn at random with `seed`; or `trials` of them, each
            batch chosen by what the earlier ones made. None is tried twice.
        metric : str
            What combinations are ranked by, and what a guided search looks for: the highest.
        alone : bool, optional
            Each symbol with cash of its own, or all in one pot.
        executor : concurrent.futures.Executor, optional
            Where the work is done; threads of this process by default.
        resume : Sweep or path, optional
            Go on from one that was stopped with Ctrl-C, or from where `Sweep.save` kept it.
        estimate : bool
            Only say how many combinations there are and what time and memory they would take, from
            trading a few of them.
        settings
            Parameters of the strategy and fields of `Rules`; several values vary, one is fixed.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.condition import condition
        from tapebook.strategy.sweep.sweep import estimate as estimated
        from tapebook.strategy.sweep.sweep import sweep

        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        found = self.strategy(strategy)
        options: dict[str, Any] = {
            "rules": rules or found.rules,
            "where": condition(where) if isinstance(where, str) else where,
            "search": search,
            "trials": trials,
            "metric": metric,
            "seed": seed,
            "alone": alone,
            "executor": executor,
        }
        if estimate:
            return estimated(found, panel, settings, **options)
        with progress(f"sweeping {found.name}") as report:
            done = sweep(found, panel, settings, resume=resume, progress=report, **options)
        return self._with_sweep(done)
