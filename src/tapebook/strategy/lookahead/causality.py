"""What the look-ahead check found: a verdict, the leaks behind it, and how much was looked at."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TIMES = "times"
"""A leak's field when no value explains it: that bars follow at all, how many, or when."""


@dataclass(frozen=True)
class Leak:
    """One decision that changes with bars it could not know.

    `ts`, `symbol` and `part` ("entries", "exits", "short_entries", "short_exits" or "weights") name
    the decision; `cut` is the last bar left alone. `kind` says what was done to the bars after it:
    "truncated" (taken away) or "poisoned" (values replaced); "started" when it was the bars before
    `cut` that were taken away. `field` names what was read: "close", "open, close", or "times".
    `before` is the decision on the whole history, `after` the one on the altered history.
    """

    ts: pd.Timestamp
    symbol: str
    part: str
    field: str
    cut: pd.Timestamp
    kind: str
    before: bool | float
    after: bool | float

    def __str__(self) -> str:
        done = {
            "truncated": f"the bars after {_time(self.cut)} are taken away",
            "poisoned": f"the values after {_time(self.cut)} are others",
            "started": f"history starts at {_time(self.cut)}",
        }[self.kind]
        where = f"{self.part} of {self.symbol} at {_time(self.ts)}"
        return f"{where}: {_value(self.before)}, but {_value(self.after)} when {done}{self._read()}"

    def _read(self) -> str:
        if not self.field:
            return ""
        if self.field == TIMES:
            return "; it reads that later bars exist, or their times"
        return f"; it reads {self.field} of later bars"

    def record(self) -> dict[str, Any]:
        """Return it for JSON: times in ISO 8601, a missing weight as None."""
        plain = asdict(self) | {"ts": self.ts.isoformat(), "cut": self.cut.isoformat()}
        return plain | {name: _plain(plain[name]) for name in ("before", "after")}


@dataclass(frozen=True)
class Causality:
    """Whether a strategy's decisions use later bars, and how far that was looked into.

    `ok` is True when nothing leaked, False when something did, None when it could not be told; only
    True counts as a pass (`bool(causality)`). `leaks` are the first ones found, earliest decision
    first. `checked` of `signals` rows with a decision were tried, and `cuts` random rows besides.
    `warmup` is the number of bars after which an earlier start of history changes no decision any
    more, None when not known; `recursive` says that no number was enough: all of history counts.
    `recursion` is then the first decision that a later start still changes after half of what is
    left. `reasons` qualify the verdict.
    """

    strategy: str
    bars: int
    ok: bool | None
    leaks: tuple[Leak, ...] = ()
    signals: int = 0
    checked: int = 0
    cuts: int = 0
    warmup: int | None = None
    recursive: bool = False
    recursion: Leak | None = None
    reasons: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.ok is True

    @property
    def verdict(self) -> str:
        """The answer in one sentence."""
        if self.ok:
            return f"{self.strategy}: no look-ahead found."
        if self.leaks:
            return f"{self.strategy} looks ahead: {self.leaks[0]}."
        return f"{self.strategy} was not checked: {self.reasons[0]}."

    @property
    def coverage(self) -> str:
        """How much was looked at, in one sentence."""
        return (
            f"Checked {self.checked:,} of {self.signals:,} signals and {self.cuts:,} random cuts "
            f"in {self.bars:,} bars."
        )

    @property
    def memory(self) -> str:
        """How much history a decision needs, in one sentence; empty when that is not known."""
        if self.recursive:
            return f"Warm-up: all of history counts ({self.recursion})."
        return "" if self.warmup is None else f"Warm-up: {self.warmup:,} bars."

    def __str__(self) -> str:
        others = [f"Also {leak}." for leak in self.leaks[1:]]
        notes = self.reasons if self.ok or self.leaks else self.reasons[1:]
        said = [self.verdict, *others, *(f"{_capital(note)}." for note in notes), self.coverage, self.memory]
        return "\n".join(line for line in said if line)

    def __repr__(self) -> str:
        return str(self)

    def frame(self) -> pd.DataFrame:
        """Return the leaks, one row each: ts, symbol, part, field, cut, kind, before, after."""
        import pandas as pd

        return pd.DataFrame([asdict(leak) for leak in self.leaks], columns=list(Leak.__dataclass_fields__))

    def record(self) -> dict[str, Any]:
        """Return everything for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "leaks": [leak.record() for leak in self.leaks],
            "recursion": self.recursion.record() if self.recursion else None,
            "reasons": list(self.reasons),
            "verdict": self.verdict,
            "coverage": self.coverage,
        }


def _time(stamp: pd.Timestamp) -> str:
    return str(stamp.date()) if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"


def _value(value: bool | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "left alone" if math.isnan(value) else f"{value:.6g}"


def _plain(value: bool | float) -> bool | float | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
