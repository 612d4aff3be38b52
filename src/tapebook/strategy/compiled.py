"""Strategies written for numba: one symbol, plain arrays, decisions as bits; the fastest way to sweep.

The function sees one symbol's own bars (missing ones are left out) and its parameters as numbers, in the
order of the decorator. Row t of `flags` is what it decides at the close of bar t, from bars up to t:
ENTER, LEAVE, SHORT, COVER, added up, or 0 for nothing.

    @compiled(fast=(10, 1, 500, "bars in the fast mean"), slow=50)
    def cross(open, high, low, close, volume, p, flags):
        fast, slow = int(p[0]), int(p[1])
        ...
        flags[t] = ENTER

It is compiled with one fixed signature and cached on disk beside its file, so a fresh process loads it.
Everything else takes it as any other strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.errors import BadInput
from tapebook.strategy.code_hash import code_hash
from tapebook.strategy.declare import Strategy
from tapebook.strategy.parameters import Parameter
from tapebook.strategy.signature import TAKEN
from tapebook.strategy.simulation.simulate import LONG, LONG_OUT, SHORT, SHORT_OUT

if TYPE_CHECKING:
    from tapebook.data.panel import Bars

ENTER, LEAVE, COVER = LONG, LONG_OUT, SHORT_OUT
__all__ = ["COVER", "ENTER", "LEAVE", "SHORT", "Compiled", "compiled"]


class Compiled(Strategy):
    """A strategy whose decisions come from a compiled function of one symbol's arrays."""

    def __init__(
        self, decide: Callable[..., None], parameters: Mapping[str, Parameter], *, family: str, shorts: bool
    ) -> None:
        self.decide, self.shorts = decide, shorts
        self.name = self.__name__ = decide.__name__
        self.doc = cleandoc(decide.__doc__ or "")
        self.description = self.doc.partition("\n")[0]
        self.family, self.parameters = family, dict(parameters)
        self.source_hash = code_hash(decide)
        self.function = self._decisions
        self._kernel: Any = None

    @property
    def kernel(self) -> Any:
        """The compiled function, compiled or loaded when first asked for."""
        if self._kernel is None:
            from numba import njit

            from tapebook.strategy.simulation.column import DECIDE

            in_file = not self.decide.__code__.co_filename.startswith("<")
            self._kernel = njit(DECIDE, cache=in_file, nogil=True)(self.decide)
        return self._kernel

    def numbers(self, params: Mapping[str, Any]) -> np.ndarray:
        """Parameters as the compiled function takes them, in the order of the declaration."""
        return np.array([float(params[name]) for name in self.parameters])

    def _decisions(self, bars: Bars, **params: Any) -> tuple[np.ndarray, ...]:
        """Entries and exits (and the same of shorts, if it speaks of them), each (T, N)."""
        flags = np.zeros(bars.shape, np.uint8)
        for n in range(bars.shape[1]):
            rows, own = own_bars(bars, n)
            said = np.zeros(len(rows), np.uint8)
            self.kernel(*own, self.numbers(params), said)
            flags[rows, n] = said
        bits = (ENTER, LEAVE, SHORT, COVER) if self.shorts else (ENTER, LEAVE)
        return tuple((flags & bit) != 0 for bit in bits)


def compiled(
    *, family: str = "own", shorts: bool = False, **parameters: Any
) -> Callable[[Callable[..., None]], Compiled]:
    """Declare a compiled strategy.

    Parameters
    ----------
    shorts : bool
        Whether it decides on shorts too (SHORT, COVER).
    parameters
        A default (a number, True or False), or (default, low, high, help).
    """

    def declare(function: Callable[..., None]) -> Compiled:
        named = {name: _parameter(name, given) for name, given in parameters.items()}
        return Compiled(function, named, family=family, shorts=shorts)

    return declare


def own_bars(bars: Bars, n: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Rows at which symbol n has a bar, and its open, high, low, close and volume there."""
    blocks = [bars.values[name][:, n] for name in ("open", "high", "low", "close", "volume")]
    rows = np.flatnonzero(~np.isnan(blocks[3]))
    return rows, [np.array(block[rows]) for block in blocks]


def _parameter(name: str, given: Any) -> Parameter:
    if name in TAKEN:
        raise BadInput(f"the parameter name {name!r} is taken by a backtest; choose another")
    parts = given if isinstance(given, tuple) else (given,)
    default, low, high, told = (list(parts) + [None] * 4)[:4]
    if not isinstance(default, (bool, int, float)) or len(parts) > 4:
        raise BadInput(f"parameter {name} is {given!r}: expected a number, or (default, low, high, help)")
    made = Parameter(name, type(default), default, low, high, None, told or "")
    made.check(default)
    return made
