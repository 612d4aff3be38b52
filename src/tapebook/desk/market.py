"""What an analyst asks of the market before there is a strategy; what was found is kept."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from tapebook.desk.scans import ScanRoom
from tapebook.errors import UnknownName

if TYPE_CHECKING:
    import pandas as pd

    from tapebook.data.panel import Bars
    from tapebook.market.cointegration.cointegration import Cointegration
    from tapebook.market.correlation.correlations import Correlations
    from tapebook.market.explanation.explain import Explanation
    from tapebook.market.move.moves import Move, Moves
    from tapebook.market.pattern.patterns import Patterns
    from tapebook.market.trend.trends import Trends

    Universe = Bars | str | Sequence[str] | None

Made = TypeVar("Made")
EXPLAINED = 0.3
"""Share of the bars asked for that is enough to explain a move: the others are there to compare with."""


class MarketRoom(ScanRoom):
    """Scans of the market. `bars` is a panel, symbols, or None for every daily symbol of the lake.

    Every scan is kept (its findings, and what they were made of) unless `save=False`, so that
    `Desk.changed` can say what is new and what broke since it was last asked.
    """

    def trends(self, bars: Universe = None, *, save: bool = True, **settings: Any) -> Trends:
        """Ask every symbol for its trends, its memory, its breaks and its state.

        Settings are those of `tapebook.market.trend.trends.trends`: horizons, end, level …
        """
        from tapebook.market.trend.trends import trends

        return self._scan(trends, bars, save, settings)

    def correlations(self, bars: Universe = None, *, save: bool = True, **settings: Any) -> Correlations:
        """Ask every pair whether they move together, at once or `lags` bars apart.

        Settings are those of `tapebook.market.correlation.correlations.correlations`: method, lags, windows …
        """
        from tapebook.market.correlation.correlations import correlations

        return self._scan(correlations, bars, save, settings)

    def cointegration(self, bars: Universe = None, *, save: bool = True, **settings: Any) -> Cointegration:
        """Ask every pair whether the spread of their levels returns to a mean.

        Settings are those of `tapebook.market.cointegration.cointegration`.
        """
        from tapebook.market.cointegration.cointegration import cointegration

        return self._scan(cointegration, bars, save, settings)

    def patterns(self, bars: Universe = None, *, save: bool = True, **settings: Any) -> Patterns:
        """Ask what followed candlesticks, seasons, gaps, breakouts, volume spikes and recurring shapes.

        Settings are those of `tapebook.market.pattern.patterns.patterns`: kinds, horizons …
        """
        from tapebook.market.pattern.patterns import patterns

        return self._scan(patterns, bars, save, settings)

    def moves(
        self,
        bars: Universe = None,
        *,
        series: str | Sequence[str] | pd.DataFrame | None = None,
        save: bool = True,
        **settings: Any,
    ) -> Moves:
        """Find the moves that matter; settings are those of `tapebook.market.move.moves.moves`.

        Parameters
        ----------
        series : symbols or frame, optional
            What else to know of every bar (an index of volatility, oil …): symbols of the lake, or a frame
            by stamps. They are looked at, not searched for moves.
        """
        from tapebook.market.move.moves import moves

        panel = self._universe(bars)
        if series is not None:
            settings["series"] = self._series(series, panel)
        return self._scan(moves, panel, save, settings)

    def explain(
        self,
        move: Move | int | tuple[str, ...] = 0,
        bars: Universe | Moves = None,
        *,
        series: str | Sequence[str] | pd.DataFrame | None = None,
        **settings: Any,
    ) -> Explanation:
        """Answer what moved and with what, what came before, when before, and whether a rule could have told.

        Parameters
        ----------
        move : Move, int or tuple
            One of `Moves.move(n)`; the number of one of `bars`' moves; or a symbol and its day, or first and
            last day, such as `("AAPL", "2000-09-29")`.
        bars : Moves, panel or symbols, optional
            Where to look for the other moves; those that the move was found among, or every daily symbol of
            the lake, by default.
        series : symbols or frame, optional
            As in `moves`; it goes with symbols or a panel.
        settings
            Of `tapebook.market.explanation.explain.explain` (market, groups, factors, within).

        The rules that were tried are counted in the ledger of trials.
        """
        from tapebook.market.explanation.explain import explain
        from tapebook.market.move.moves import Moves
        from tapebook.market.move.span import spanned

        _known(explain, settings)
        bars = getattr(move, "found", None) if bars is None else bars
        found = (
            bars
            if isinstance(bars, Moves)
            else self.moves(bars, series=series, save=False, min_coverage=EXPLAINED)
        )
        told = explain(found, spanned(found, *move) if isinstance(move, tuple) else move, **settings)
        self._count_rules(told)
        return told

    def _scan(self, scan: Callable[..., Made], bars: Universe, save: bool, settings: dict[str, Any]) -> Made:
        _known(scan, settings)
        found = scan(self._universe(bars), **settings)
        if save:
            self._keep(found)  # type: ignore[arg-type]
        return found

    def _universe(self, bars: Universe) -> Bars:
        from tapebook.data.panel import Bars

        return bars if isinstance(bars, Bars) else self.bars(bars)

    def _series(self, series: str | Sequence[str] | pd.DataFrame, bars: Bars) -> pd.DataFrame:
        import pandas as pd

        if isinstance(series, pd.DataFrame):
            return series
        read = self.bars(series, end=bars.end, freq=str(bars.freq), adjust=bars.adjust, asof=bars.snapshot)
        return bars.align(read).close

    def _count_rules(self, told: Explanation) -> None:
        from tapebook.strategy.luck.trials import entry_of_rules

        if told.rules.tried:
            settings = {
                **told.moves.params, "within": told.within, "direction": str(told.row["direction"]),
            }  # fmt: skip
            self._count(entry_of_rules(self.strategy("on_rule"), told.moves.bars, told.rules.tried, settings))


def _known(function: Callable[..., Any], settings: dict[str, Any]) -> None:
    """Refuse a setting that the scan does not have, naming the nearest."""
    names = [name for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in settings:
        if name not in names:
            raise UnknownName("setting", name, names, f"{function.__name__} takes these.")
