"""What an analyst clicks: an explorer of strategies, and forms that start reports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tapebook.desk.core import names
from tapebook.desk.strategy import StrategyRoom

if TYPE_CHECKING:
    from tapebook.dashboards.explore import Explorer
    from tapebook.dashboards.form import Form


class ExploreRoom(StrategyRoom):
    """Widgets, in a notebook and unchanged in Voila."""

    def explore(
        self,
        strategy: str = "sma_cross",
        symbols: str | Sequence[str] = (),
        *,
        start: str | None = None,
        end: str | None = None,
        freq: str = "1d",
        dark: bool = False,
    ) -> Explorer:
        """Give controls for symbols, strategy and each of its parameters, and a chart that follows them.

        Every new setting is counted in the ledger of trials, as any backtest is; none is stored. What is
        shown is `.backtest`, and how it was asked for `.settings`.

        Parameters
        ----------
        strategy : str
            Which to begin with: one of the library, or a saved version such as "trend@2".
        symbols : str or list of str
            What to begin with; the lake's first symbol by default.
        """
        from tapebook.dashboards.explore import Explorer
        from tapebook.strategy import registry

        known = registry.names()
        known += [strategy] if self.strategy(strategy).name not in known or strategy not in known else []
        return Explorer(
            self,
            list(dict.fromkeys(known)),
            strategy=strategy,
            symbols=names(symbols) if symbols else [],
            start=start,
            end=end,
            freq=freq,
            dark=dark,
        )

    def form(self, template: str, **given: Any) -> Form:
        """Give a form of a template's typed parameters that starts a run and leads to its page.

        Parameters
        ----------
        template : str
            As for `run`.
        given
            Values to begin with, instead of the template's defaults.
        """
        from tapebook.dashboards.form import Form
        from tapebook.runs.start import find_template

        stored = [row["id"] for row in self.catalog.secrets.list()]
        return Form(find_template(self.config, template), self._started, secrets=stored, given=given)

    def _started(self, template: str, parameters: dict[str, Any], progress: Any) -> Any:
        from tapebook.runs import run

        return run(self.config, template, parameters, progress=progress)
