"""Strategies traded on past bars, and the results that are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tapebook.data.shelf import bring, share
from tapebook.data.staging import staged
from tapebook.desk.trials import TrialRoom
from tapebook.desk.universe import masked
from tapebook.errors import BadInput
from tapebook.progress import progress

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.market.scan import Idea
    from tapebook.strategy import Rules, Strategy
    from tapebook.strategy.backtest.backtest import Backtest
    from tapebook.strategy.lookahead.causality import Causality
    from tapebook.strategy.screen.hits import Screen

AGAIN = "again: "
"""How the note of a result begins that another one's revision made necessary."""
HEADLINE = ("total_return", "sharpe", "max_drawdown", "trades")
"""Figures that a list of results shows."""


class StrategyRoom(TrialRoom):
    """Backtests, checks, stored results."""

    def strategy(self, name: str | Callable[..., Any] | Idea | Screen) -> Strategy:
        """Find a strategy: of the library, "file.py:function", a function, an idea of a scan, a screen."""
        from tapebook.market.scan import Idea
        from tapebook.strategy import registry
        from tapebook.strategy.screen.hits import Screen

        if isinstance(name, Screen):
            return name.strategy()
        if isinstance(name, Idea):
            return registry.get(name.strategy).preset(name.params)
        return registry.get(name)

    def backtest(
        self,
        strategy: str | Callable[..., Any] | Idea | Screen,
        bars: Bars | str | Sequence[str] | None = None,
        *,
        rules: Rules | None = None,
        benchmark: str | pd.Series | None = None,
        note: str = "",
        save: bool = True,
        **settings: Any,
    ) -> Backtest:
        """Trade a strategy's decisions on past bars: decided at a close, filled at the next open.

        Parameters
        ----------
        strategy : str or function
            A library name, "file.py:function", a function `bars, **parameters -> Signals or weights`, or an
            idea: a finding of a scan, `scan.idea(0)`, whose parameters and symbols it brings along; or a
            screen, `desk.scan("…")`, on its own bars unless others are given (`hold=20`).
        bars : Bars or symbols
            What to trade. Symbols are read from the lake, adjusted for splits. Of a panel that holds the
            symbols of an idea, those are traded.
        rules : Rules, optional
            Cash, costs, sizing, stops and execution; single fields can be given among `settings`.
            A saved version's own by default.
        benchmark : str or Series, optional
            A symbol of the lake, or closes. Equal-weight buy and hold of the same bars by default.
        save : bool
            Keep the result in the catalogue, so that `Desk.load(bt.id)` finds it.
        settings
            The strategy's parameters and the fields of `Rules`; an unknown name is refused.

        Raises
        ------
        BadParameter, UnknownName
            Before anything is computed, naming the parameter, what was expected and the near name.
        """
        from tapebook.data.panel import Bars
        from tapebook.market.scan import Idea
        from tapebook.strategy import Rules
        from tapebook.strategy.backtest.backtest import run_backtest
        from tapebook.strategy.rules import divided
        from tapebook.strategy.screen.hits import Screen

        if isinstance(strategy, Screen):
            bars = strategy.bars if bars is None else bars
            settings = {"expression": strategy.expression, **settings}
            strategy = "on_screen"
        if isinstance(strategy, Idea):
            if bars is None or (isinstance(bars, Bars) and set(strategy.symbols) <= set(bars.symbols)):
                bars = list(strategy.symbols) if bars is None else bars.select(*strategy.symbols)
            settings = {**strategy.params, **settings}
            strategy = strategy.strategy
        found = self.strategy(strategy)
        if bars is None:
            raise BadInput(f"backtest {found.name}: on what? Name symbols or give bars, such as 'AAPL,MSFT'")
        params, ruled = divided(found.name, found.parameters, settings)
        params, rules = found.check(params), replace(rules or found.rules or Rules(), **ruled)
        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        result = run_backtest(
            found, panel, params=params, rules=rules, benchmark=self._benchmark(benchmark, panel)
        )
        result = self._with_trials(result)
        return self.save(result, note=note) if save else result

    def check(
        self,
        strategy: str | Callable[..., Any] | Idea | Screen,
        bars: Bars | str | Sequence[str],
        *,
        cuts: int = 20,
        **params: Any,
    ) -> Causality:
        """Look for decisions that use later bars, by taking those away and replacing them.

        Parameters
        ----------
        strategy, bars
            As for `backtest`; nothing is traded.
        cuts : int
            Random bars after which the future is altered, besides those with a signal.
        params
            The strategy's parameters.

        Returns
        -------
        Causality
            The verdict, the first bar, symbol and field that leaked, and what was not looked at.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.lookahead.lookahead import check

        found = self.strategy(strategy)
        params = found.check(params)
        panel = bars if isinstance(bars, Bars) else self.bars(bars)
        with progress(f"checking {found.name}") as report:
            return check(found, panel, params=params, cuts=cuts, progress=report)

    def _benchmark(self, benchmark: str | pd.Series | None, bars: Bars) -> pd.Series | str | None:
        if not isinstance(benchmark, str) or benchmark in bars.symbols:
            return benchmark
        closes = self.bars(benchmark, end=bars.index[-1], freq=str(bars.freq), adjust=bars.adjust).close[
            benchmark
        ]
        return closes.rename(benchmark)

    def save(self, result: Backtest, *, note: str = "") -> Backtest:
        """Keep a backtest in the catalogue: its files first, then the row that names them."""
        saved = (result if result.tried else self._with_trials(result)).named(*_stamp())
        folder = self.config.results / str(saved.id)
        with staged(folder) as part:
            saved.write(part)
        share(self.config, "results", folder)
        self.catalog.results.add(saved.record(), note=note)
        return saved

    def load(self, id: str) -> Backtest:
        """Read a stored backtest back, whole; what it is worth is judged by all that was tried until now."""
        from tapebook.strategy.backtest.backtest import Backtest

        row = self.catalog.results.get(id)
        return self._with_trials(Backtest.read(bring(self.config, "results", row.id)))

    def results(self, **filters: Any) -> pd.DataFrame:
        """List stored backtests and their figures, newest first (`strategy=`, `symbol=`, `tag=`, `limit=`).

        `stale` says what was revised since under a result; `rerun_result` makes it again.
        """
        import pandas as pd

        rows, tags = self.catalog.results.list(**filters), self.catalog.items.tagged("result")
        shown = [
            {name: row[name] for name in ("id", "created", "strategy", "symbols", "params")}
            | {name: (row["metrics"].get(name) or {}).get("value") for name in HEADLINE}
            | {"verdict": row["extra"].get("verdict"), "execution": row["rules"].get("execution")}
            | {"stale": stale}
            | {name: row[name] for name in ("snapshot", "run_id", "note")}
            | {"tags": tags.get(row["id"], [])}
            for row, stale in zip(rows, self.stale(rows), strict=True)
        ]
        return pd.DataFrame(
            shown, columns=None if shown else ["id", "created", "strategy", "symbols", "params"]
        )

    def stale_results(self) -> list[str]:
        """Name the results whose bars were revised since, and that nobody has made again."""
        rows = self.catalog.results.list(limit=None)
        marked = list(zip(rows, self.stale(rows), strict=True))
        fresh = {row["note"] for row, stale in marked if not stale}
        return [row["id"] for row, stale in marked if stale and f"{AGAIN}{row['id']}" not in fresh]

    def rerun_result(self, id: str, *, now: bool = False) -> Backtest:
        """Trade again what a stored result traded, on the bars as they are now; the old one stays.

        The same strategy by name, parameters, rules, symbols, version of a universe, and span. What was
        revised since is in it.

        Parameters
        ----------
        now : bool
            With the universe as it is now, in place of the version that the result was made with.
        """
        row, old = self.catalog.results.get(id), self.load(id)
        adjust = {"splits": "splits", "total": "total"}.get(row.adjust or "", False)
        if now and old.universe:
            asked = ["@" + name.split("@")[1] if name.startswith("@") else name for name in old.universe]
            bars = self.bars(asked, start=row.start, end=row.end, freq=row.freq, adjust=adjust)  # type: ignore[arg-type]
            return self.backtest(row.strategy, bars, rules=old.rules, note=f"{AGAIN}{id}", **row.params)
        bars = self.bars(row.symbols, start=row.start, end=row.end, freq=row.freq, adjust=adjust)  # type: ignore[arg-type]
        named = [self.universe(name) for name in old.universe if name.startswith("@")]
        alone = {name for name in old.universe if not name.startswith("@")}
        bars = masked(bars, named, alone) if named else bars
        return self.backtest(row.strategy, bars, rules=old.rules, note=f"{AGAIN}{id}", **row.params)

    def delete_result(self, id: str, *, revision: int | None = None) -> None:
        """Move a stored backtest to the trash; its trials stay counted. `restore` brings it back."""
        self.catalog.trash.put("result", id, seen=revision)


def _stamp() -> tuple[str, str]:
    """Return an id for a result and the time that it is made of."""
    now = datetime.now(UTC)
    return f"bt-{now:%Y%m%d-%H%M%S}-{token_hex(4)}", now.isoformat(timespec="seconds")
