"""Screens: which symbols an expression finds, as of any day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal

from tapebook.desk.core import AsOf, names
from tapebook.desk.strategy import StrategyRoom

if TYPE_CHECKING:
    import numpy as np

    from tapebook.data.panel import Bars
    from tapebook.strategy.screen.hits import Screen

LOOK_BACK = 20
"""Days before a moment in which the last price as printed is looked for."""


class ScreenRoom(StrategyRoom):
    """The screening language over the lake."""

    def scan(
        self,
        expression: str,
        universe: Bars | str | Sequence[str] | None = None,
        *,
        asof: str | datetime | int | None = None,
        snapshot: AsOf = None,
        freq: str = "1d",
        adjust: Literal["splits", "total", False] = "splits",
    ) -> Screen:
        """Find the symbols for which an expression holds, such as "close > sma(200) and rsi(14) < 30".

        Parameters
        ----------
        expression : str
            A condition; `tapebook screen words` lists what it may say. Indicators are those of strategies.
        universe : Bars, str or list of str, optional
            Where to look; every symbol of the lake that has such bars by default. "@sp500" is who was a
            member of that universe on the day.
        asof : str, datetime or int, optional
            A day (the whole of it) or a moment, UTC: bars known by then, and prices adjusted for no later
            split. The number of a snapshot is what the lake held at it.
        snapshot : int, str or datetime, optional
            Read what the lake held then, whatever it learnt later. It goes together with `asof`.
        freq, adjust
            As for `bars`.

        Returns
        -------
        Screen
            `table`, `coverage`, `history` (all past bars), `strategy(hold=20)`; `desk.backtest` takes it.

        Raises
        ------
        BadExpression
            Before anything is read, pointing at the character.
        """
        from tapebook.data.panel import Bars
        from tapebook.strategy.screen.hits import read, screen

        read(expression)
        if isinstance(asof, int):
            asof, snapshot = None, asof
        if isinstance(universe, Bars):
            return screen(universe, expression, asof=asof)
        bars = self.bars(self._on_the_day(universe, asof), end=asof, freq=freq, adjust=adjust, asof=snapshot)
        if asof is not None and adjust:
            bars = self._as_then(bars, asof)
        return screen(bars, expression, asof=asof)

    def _on_the_day(
        self, universe: str | Sequence[str] | None, asof: str | datetime | None
    ) -> list[str] | None:
        """Put the members of that day in the place of a universe's name."""
        from tapebook.data.when import last_moment

        if universe is None:
            return None
        moment = last_moment(asof, "asof")
        day = date.today() if moment is None else moment.date()
        told: list[str] = []
        for name in names(universe):
            told += self.universe(name, asof=day).symbols if name.startswith("@") else [name]
        return list(dict.fromkeys(told))

    def _as_then(self, bars: Bars, asof: str | datetime) -> Bars:
        """Undo the adjustment for what came later: the last price known is the one that was printed.

        An adjusted series is only known up to a factor, which every later split and dividend changes; the
        ratio of the printed to the adjusted close of the last bar takes those out.
        """
        import numpy as np

        from tapebook.data.when import last_moment
        from tapebook.market.scan import known_by

        known, moment = known_by(bars, asof), last_moment(asof, "asof")
        if not len(known) or moment is None:
            return known
        start = moment.to_pydatetime() - np.timedelta64(LOOK_BACK, "D").item()
        recent = known.between(start)
        if not len(recent):
            return known
        printed = self.bars(
            list(bars.symbols), start=start, end=asof, freq=str(bars.freq), adjust=False, asof=bars.snapshot
        )
        printed = known_by(printed, asof).select(*bars.symbols)
        price = _last_ratio(printed.values["close"], recent.values["close"])
        volume = _last_ratio(printed.values["volume"], recent.values["volume"])
        values = {
            name: block * (volume if name == "volume" else price) for name, block in known.values.items()
        }
        for block in values.values():
            block.flags.writeable = False
        return replace(known, values=values)


def _last_ratio(printed: np.ndarray, adjusted: np.ndarray) -> np.ndarray:
    """Ratio of the last known values of two blocks (T, N); 1 where there is none."""
    import numpy as np

    if printed.shape != adjusted.shape:
        return np.ones(adjusted.shape[1])
    with np.errstate(all="ignore"):
        ratio = printed / adjusted
    usable = np.isfinite(ratio) & (ratio > 0)
    last = len(ratio) - 1 - np.argmax(usable[::-1], axis=0)
    told = ratio[last, np.arange(ratio.shape[1])]
    return np.where(usable.any(axis=0), told, 1.0)
