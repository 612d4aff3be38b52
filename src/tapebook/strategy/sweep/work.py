"""One combination of a sweep: decisions, then figures, without frames in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.errors import BadParameter
from tapebook.strategy.answer import validated
from tapebook.strategy.memory import remembered
from tapebook.strategy.rules import divided
from tapebook.strategy.signals import Signals
from tapebook.strategy.simulation import simulate as s

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.compiled import Compiled
    from tapebook.strategy.declare import Strategy
    from tapebook.strategy.rules import Rules
    from tapebook.strategy.sweep.grid import Part


def names() -> tuple[str, ...]:
    """Figures of a combination, in order."""
    from tapebook.strategy.simulation.account_figures import FIGURES

    return FIGURES


def figures_of(
    found: Strategy, bars: Bars, rules: Rules, settings: dict[str, Any], *, alone: bool
) -> np.ndarray | None:
    """Figures of one combination, shape (symbols or 1, figures); None if the strategy refuses it."""
    rules, said = _decided(found, bars, rules, settings, alone=alone)
    if said is None:
        return None
    if isinstance(said, np.ndarray):
        return _columns(bars, said, rules)[0]
    return _pots(bars, said, rules.changed(shared_cash=not alone))[0]


def returns_of(
    found: Strategy, bars: Bars, rules: Rules, settings: dict[str, Any], *, alone: bool
) -> np.ndarray | None:
    """Simple bar returns of one combination, shape (symbols or 1, T); None if the strategy refuses it.

    The first against the initial cash; what a backtest of these settings has as `returns`.
    """
    rules, said = _decided(found, bars, rules, settings, alone=alone)
    if said is None:
        return None
    if isinstance(said, np.ndarray):
        return _columns(bars, said, rules)[1]
    return _pots(bars, said, rules.changed(shared_cash=not alone))[1]


def _decided(
    found: Strategy, bars: Bars, rules: Rules, settings: dict[str, Any], *, alone: bool
) -> tuple[Rules, Any]:
    """Rules of a combination and what it decides: bits (N, T) for `column`, or what the simulator takes.

    None is what the strategy itself refuses, such as a fast window that is not below the slow one.
    """
    params, ruled = divided(found.name, found.parameters, settings)
    rules = rules.changed(**ruled) if ruled else rules
    try:
        said = found.function(bars, **found.check(params))
    except BadParameter:
        return rules, None
    if alone and _plain_arrays(said, bars):
        return rules, s.plain_flags(said[0], said[1], rules.direction or "long")
    decision = validated(found.name, said, bars)
    if alone and isinstance(decision, Signals):
        return rules, s.flags_of(decision, s.direction(decision, rules))
    return rules, decision


def figures_of_all(
    found: Compiled, bars: Bars, rules: Rules, fixed: dict[str, Any], part: Part
) -> np.ndarray:
    """Figures of combinations of a compiled strategy, (combinations, symbols, figures), symbols alone."""
    params = _numbers_of(found, fixed, part)
    ruled = {name: value for name, value in fixed.items() if name not in found.parameters}
    rules = rules.changed(**ruled) if ruled else rules
    vary = [name for name in part.columns if name not in found.parameters]
    out = np.empty((len(bars.symbols), len(part), len(names())))
    if not vary:
        _batch(found, bars, rules, params, np.tile(s.numbers_of(rules, 1), (len(part), 1)), out)
        return out.transpose(1, 0, 2)
    each = [rules.changed(**{name: c[name] for name in vary}) for c in part]
    alike: dict[Any, list[int]] = {}
    for i, r in enumerate(each):
        alike.setdefault((r.sizing, r.same_close, r.direction, r.volatility_bars), []).append(i)
    for places in alike.values():  # rules that differ in numbers only
        numbers = np.array([s.numbers_of(each[i], 1) for i in places])
        made = np.empty((len(out), len(places), out.shape[2]))
        _batch(found, bars, each[places[0]], params[places], numbers, made)
        out[:, places] = made
    return out.transpose(1, 0, 2)


def _numbers_of(found: Compiled, fixed: dict[str, Any], part: Part) -> np.ndarray:
    """Parameters of each combination as numbers, shape (combinations, parameters)."""
    params = np.empty((len(part), len(found.parameters)))
    for i, (name, parameter) in enumerate(found.parameters.items()):
        params[:, i] = part.columns.get(name, fixed.get(name, parameter.default))
    return params


def _batch(
    found: Compiled, bars: Bars, alike: Rules, params: np.ndarray, numbers: np.ndarray, out: np.ndarray
) -> None:
    """Trade combinations whose rules differ in `numbers` only; `out` is (symbols, combinations, figures)."""
    from tapebook.strategy.simulation.column import combinations

    meaning, risk = s.meaning(found.shorts, alike.direction), np.empty((len(out), 0))
    if alike.sizing == "volatility":
        risk = _volatility(bars, alike.volatility_bars)
    for n in range(len(out)):
        market = _market_of(bars, n)
        combinations(
            found.kernel, market.own, market.rows, market.prices, meaning, risk[n], params, numbers,
            s.SIZINGS[alike.sizing], alike.same_close, bars.periods_per_year, out[n],
        )  # fmt: skip


def _plain_arrays(said: Any, bars: Bars) -> bool:
    """Whether a strategy answered entries and exits as two arrays: no frames need be made."""
    if not (isinstance(said, tuple) and len(said) == 2):
        return False
    return all(isinstance(a, np.ndarray) and a.dtype == bool and a.shape == bars.shape for a in said)


def _columns(bars: Bars, flags: np.ndarray, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Signals of symbols that trade alone, as bits (N, T): figures (N, figures) and returns (N, T)."""
    from tapebook.strategy.simulation.account_figures import FIGURES
    from tapebook.strategy.simulation.column import columns

    risk = np.empty((len(flags), 0))
    if rules.sizing == "volatility":
        risk = _volatility(bars, rules.volatility_bars)
    out, returns = np.empty((len(flags), len(FIGURES))), np.empty(flags.shape)
    columns(  # type: ignore[call-arg]
        *_prices_of(bars).blocks, flags, risk, s.numbers_of(rules, 1), s.SIZINGS[rules.sizing],
        rules.same_close, bars.periods_per_year, returns, out,
    )  # fmt: skip
    return out, returns


def _pots(bars: Bars, decision: Any, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
    """Anything else: figures (accounts, figures) and returns (accounts, T) of one pot, or of one a symbol."""
    from tapebook.strategy.simulation.account_figures import FIGURES
    from tapebook.strategy.simulation.pot import pot

    T, N = bars.shape
    flags, weights, sizing = s.decided(decision, rules)
    risk = _volatility(bars, rules.volatility_bars) if rules.sizing == "volatility" else np.empty((0, 0))
    pots = [slice(0, N)] if rules.shared_cash else [slice(n, n + 1) for n in range(N)]
    numbers = s.numbers_of(rules, N if rules.shared_cash else 1)
    out, returns = np.empty((len(pots), len(FIGURES))), np.empty((len(pots), T))
    blocks = (*_raw_prices_of(bars).blocks, flags, weights, risk)
    for i, own in enumerate(pots):
        part = [block[own] for block in blocks]
        pot(*part, numbers, sizing, rules.same_close, bars.periods_per_year, returns[i], out[i])  # type: ignore[call-arg]
    return out, returns


# ---- what is made ready once a sweep


@dataclass(frozen=True)
class _Prices:
    """Open, high, low and close, each (N, T)."""

    blocks: list[np.ndarray]


@remembered
def _raw_prices_of(bars: Bars) -> _Prices:
    """As `kernel.account` takes them."""
    return _Prices(s.prices_of(bars))


@remembered
def _prices_of(bars: Bars) -> _Prices:
    """As `column` takes them."""
    return _Prices(s.carried(_raw_prices_of(bars).blocks))


@dataclass(frozen=True)
class _Market:
    """One symbol: its own bars, the rows at which they stand, and its prices as `column` takes them."""

    own: tuple[np.ndarray, ...]
    rows: np.ndarray
    prices: tuple[np.ndarray, ...]


@remembered
def _market_of(bars: Bars, n: int) -> _Market:
    from tapebook.strategy.compiled import own_bars

    rows, own = own_bars(bars, n)
    return _Market(tuple(own), rows, tuple(np.array(block[n]) for block in _prices_of(bars).blocks))


@remembered
def _volatility(bars: Bars, window: int) -> np.ndarray:
    """What sizing by volatility goes by, (N, T)."""
    return s.volatility(bars.values["close"].T, window, bars.periods_per_year)
