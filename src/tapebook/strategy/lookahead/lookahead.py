"""The look-ahead check: does any decision change when the bars after it are other ones, or none?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tapebook.errors import BadParameter
from tapebook.schema import FIELDS
from tapebook.strategy import registry
from tapebook.strategy.answer import expect_bars
from tapebook.strategy.lookahead.altered import (
    POISONS,
    Decided,
    Place,
    decide,
    deciding,
    differences,
    first,
    poisoned,
    truncated,
    value,
)
from tapebook.strategy.lookahead.causality import TIMES, Causality, Leak
from tapebook.strategy.lookahead.warmup import STARTS, Memory, warm_up

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.progress import Report
    from tapebook.strategy.declare import Strategy

SIGNALS = 60
"""At most so many rows with a decision are tried, chosen evenly."""
ENOUGH = 5
"""After so many leaking cuts the verdict is clear, and the check stops."""
_UNSTEADY = (
    "it is not deterministic: two runs on the same bars decide differently, so nothing can be compared"
)


def check(
    strategy: Strategy | Callable[..., Any] | str,
    bars: Bars,
    *,
    params: Mapping[str, Any] | None = None,
    cuts: int = 20,
    seed: int = 0,
    progress: Report | None = None,
) -> Causality:
    """Find out whether a strategy's decisions use bars that come after them.

    Bar t's own open, high, low, close and volume are known to a decision of row t; nothing later is.
    At each cut the later bars are taken away, then replaced (see `altered.POISONS`, and one field at
    a time): every decision up to the cut has to stay what it was on the whole history. Cuts are made
    at rows with a decision, at most 60 and chosen evenly, and at `cuts` random rows. Decisions are
    compared before any sizing or trading. What a strategy reads elsewhere than in `bars`, it is not
    caught reading. History is also started later, to see how many bars a decision needs.

    About 7 runs of the strategy a cut: some 570 for a strategy that decides often.

    Parameters
    ----------
    strategy : Strategy, function or name
    bars : Bars, shape (T, N)
    params : mapping, optional
        The strategy's parameters; its defaults otherwise.
    cuts : int
        Random rows to cut at, besides the signals.
    seed : int
        Of the random rows and the noise.
    progress : Report, optional
        Told of (steps done, steps in all, what is being done).

    Raises
    ------
    BadParameter, UnknownName, BadInput
        Of what is given; and whatever the strategy raises on the whole of `bars`.
    """
    for name, number in (("cuts", cuts), ("seed", seed)):
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 0:
            raise BadParameter(name, number, "a whole number of at least 0")
    found = registry.get(strategy)
    chosen = found.check(params or {})
    expect_bars(found.name, bars)
    whole = decide(found, bars, chosen, quiet=False)
    return _Check(found, bars, chosen, whole, seed, progress or (lambda *_: None)).run(cuts)


@dataclass
class _Check:
    strategy: Strategy
    bars: Bars
    params: dict[str, Any]
    whole: Decided
    seed: int
    report: Report
    leaks: list[Leak] = field(default_factory=list)
    tried: set[int] = field(default_factory=set)
    failures: dict[int, str] = field(default_factory=dict)  # by cut: why it could not be tried
    spoilt: Counter[str] = field(default_factory=Counter)  # replaced futures on which the strategy fails

    def run(self, cuts: int) -> Causality:
        signals = deciding(self.whole)
        if not self._steady():
            return self._unchecked(_UNSTEADY, len(signals))
        if not len(signals):
            return self._unchecked("there is nothing to check: it never decided anything")
        last = len(self.bars) - 1
        spots = signals[signals < last]
        spots = spots[np.unique(np.linspace(0, len(spots) - 1, min(SIGNALS, len(spots))).astype(int))]
        rest = np.setdiff1d(np.arange(last), spots)
        rng = np.random.default_rng(self.seed)
        drawn = rng.choice(rest, min(cuts, len(rest)), replace=False)
        return self._verdict(signals, spots, drawn)

    def _verdict(self, signals: np.ndarray, spots: np.ndarray, drawn: np.ndarray) -> Causality:
        order = np.sort(np.concatenate([spots, drawn])).astype(int)
        total = len(order) + STARTS
        for done, cut in enumerate(order.tolist()):
            self.report(done, total, f"the future of {self.bars.index[cut].date()}")
            leak = self._cut(cut)
            if leak is not None and not self.leaks and not all(self._steady() for _ in range(3)):
                return self._unchecked(_UNSTEADY, len(signals))
            self.leaks += [leak] if leak else []
            if len(self.leaks) >= ENOUGH:
                break
        checked, random = (len(self.tried & set(rows.tolist())) for rows in (spots, drawn))
        reasons = [*self._unseen(signals, spots), *self._caveats()]
        memory = Memory() if self.leaks else self._memory(len(order), total)
        if memory.reason:
            reasons.append(memory.reason)
        if not checked and not self.leaks:
            reasons.insert(0, "none of its signals could be tried")
        return Causality(
            self.strategy.name, len(self.bars), False if self.leaks else (True if checked else None),
            _once(self.leaks), len(signals), checked, random, memory.bars, memory.recursive,
            memory.first if memory.recursive else None, tuple(reasons),
        )  # fmt: skip

    def _memory(self, done: int, total: int) -> Memory:
        found = warm_up(
            self._decide, self.whole, self.bars, lambda n, doing: self.report(done + n, total, doing)
        )
        self.report(total, total, "done")
        return found

    def _unchecked(self, reason: str, signals: int = 0) -> Causality:
        return Causality(self.strategy.name, len(self.bars), None, signals=signals, reasons=(reason,))

    # ---- one cut

    def _cut(self, cut: int) -> Leak | None:
        """Try one cut: first without the later bars, then with others; the earliest change it shows."""
        shorter = truncated(self.bars, cut)
        try:
            other = self._decide(shorter)
            place = self._changed(cut, other)
        except Exception as error:
            self.failures[cut] = f"{type(error).__name__}: {error}"
        else:
            self.tried.add(cut)
            if place is not None:
                return self._leak(cut, place, "truncated", other)
        alone = FIELDS[cut % len(FIELDS)]
        for poison, names in [*((poison, FIELDS) for poison in POISONS), ("noise", (alone,))]:
            made = self._poisoned(cut, poison, names)
            if made and made[0] is not None:
                return self._leak(cut, made[0], "poisoned", made[1])
        return None

    def _poisoned(self, cut: int, poison: str, names: tuple[str, ...]) -> tuple[Place | None, Decided] | None:
        """Decide with another future; None when the strategy cannot."""
        try:
            other = self._decide(poisoned(self.bars, cut, poison, self.seed, names))
            return self._changed(cut, other), other
        except Exception as error:
            self.spoilt[f"{poison!r} ({type(error).__name__}: {error})"] += 1
            return None

    def _decide(self, bars: Bars) -> Decided:
        return decide(self.strategy, bars, self.params)

    def _changed(self, cut: int, other: Decided) -> Place | None:
        return first(differences(self.whole, other, slice(0, cut + 1)))

    def _steady(self) -> bool:
        return first(differences(self.whole, self._decide(self.bars))) is None

    def _leak(self, cut: int, place: Place, kind: str, other: Decided) -> Leak:
        row, part, column = place
        index, symbol = self.bars.index, self.bars.symbols[column]
        before, after = value(self.whole, place), value(other, place)
        return Leak(index[row], symbol, part, self._field(cut), index[cut], kind, before, after)

    def _field(self, cut: int) -> str:
        """What was read: the fields that change a decision when they alone are replaced."""
        named = [name for name in FIELDS if self._reads(cut, (name,))]
        if named:
            return ", ".join(named)
        return "several fields together" if self._reads(cut, FIELDS) else TIMES

    def _reads(self, cut: int, names: tuple[str, ...]) -> bool:
        if np.isnan(self.bars.values[names[0]][cut + 1 :]).all() and len(names) == 1:
            return False
        trials = (self._poisoned(cut, poison, names) for poison in POISONS)
        return any(made is not None and made[0] is not None for made in trials)

    # ---- what was not looked at

    def _unseen(self, signals: np.ndarray, spots: np.ndarray) -> list[str]:
        said = []
        at_end = int(signals[-1] == len(self.bars) - 1)
        if at_end:
            said.append("1 signal was never checked because it is on the last bar: nothing follows it")
        if beyond := len(signals) - at_end - len(spots):
            said.append(f"{beyond:,} signals were never checked because at most {SIGNALS} are, chosen evenly")
        if len(self.leaks) >= ENOUGH:
            said.append(f"the check stopped after {ENOUGH} leaking cuts")
        failed = sorted(self.failures)
        if failed:
            where = self.bars.index[failed[0]]
            said.append(
                f"{len(failed):,} cuts were not checked because it fails on the bars up to there, "
                f"first on those to {where}: {self.failures[failed[0]]}"
            )
        return said

    def _caveats(self) -> list[str]:
        said = [f"with the future {name} it failed {n:,} times" for name, n in self.spoilt.most_common(3)]
        empty = [name for name in FIELDS if np.isnan(self.bars.values[name]).all()]
        if empty:
            said.append(f"nothing can be said of {', '.join(empty)}: these bars have no values there")
        return said


def _once(leaks: list[Leak]) -> tuple[Leak, ...]:
    """Each decision once, by the first cut that showed it; the earliest decision first."""
    found: dict[tuple[Any, str, str], Leak] = {}
    for leak in leaks:
        found.setdefault((leak.ts, leak.symbol, leak.part), leak)
    return tuple(sorted(found.values(), key=lambda leak: leak.ts))
