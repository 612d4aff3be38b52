"""Strategies, versions and results side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tapebook.desk.strategy import StrategyRoom
from tapebook.errors import BadInput

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy import Rules
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.backtest.compare import Comparison

    Item = str | Backtest | Callable[..., Any]


class CompareRoom(StrategyRoom):
    """Comparison."""

    def compare(
        self,
        items: Sequence[Item] | Mapping[str, Item],
        bars: Bars | str | Sequence[str] | None = None,
        *,
        rules: Rules | None = None,
        draws: int = 2000,
        seed: int = 0,
    ) -> Comparison:
        """Put results, strategies and versions side by side on the bars that they share.

        Parameters
        ----------
        items : list or mapping of names
            Ids of stored results ("bt-…"), `Backtest` objects, and strategies: names, "trend@2",
            "file.py:function" or functions, which are traded on `bars` with their own defaults.
        bars : Bars or symbols, optional
            What strategies among the items are traded on. Each such backtest is a trial.

        Raises
        ------
        BadInput, NoData, UnknownName
            Saying which item, and what was expected.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.backtest.compare import compare

        if isinstance(items, str):
            items = [part.strip() for part in items.split(",")]
        named = items if isinstance(items, Mapping) else {str(n): item for n, item in enumerate(items)}
        panel = bars if bars is None or isinstance(bars, Bars) else self.bars(bars)
        done = {name: self._tested(item, panel, rules) for name, item in named.items()}
        if not isinstance(items, Mapping):
            done = _labelled(list(done.values()))
        return compare(done, draws=draws, seed=seed)

    def _tested(self, item: Item, bars: Bars | None, rules: Rules | None) -> Backtest:
        from tapebook.strategy.backtest.backtest import Backtest

        if isinstance(item, Backtest):
            return item
        if isinstance(item, str) and item.startswith("bt-"):
            return self.load(item)
        if bars is None:
            raise BadInput(
                f"{item!r} is a strategy, so there must be bars to trade it on: compare([…], 'AAPL'), "
                "or --symbols on the command line. The id of a stored result (bt-…) needs none"
            )
        return self.backtest(item, bars, rules=rules, save=False)


def _labelled(done: Sequence[Backtest]) -> dict[str, Backtest]:
    """Name each by its strategy and what sets it apart from the others."""
    found: dict[str, Backtest] = {}
    for bt in done:
        same = [other for other in done if other.strategy == bt.strategy]
        apart = {
            name: value
            for name, value in bt.params.items()
            if any(other.params.get(name) != value for other in same)
        }
        label = bt.strategy + (f" {', '.join(f'{n}={v}' for n, v in apart.items())}" if apart else "")
        if any(other.symbols != bt.symbols for other in done):
            label += f" on {','.join(bt.symbols[:3])}"
        while label in found:
            label += f" ({bt.id or 'again'})"
        found[label] = bt
    return found
