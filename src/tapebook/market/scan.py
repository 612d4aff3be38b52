"""A scan: many questions asked of bars at once, and what is left of the answers after correction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from shlex import quote
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from tapebook.data.when import When, last_moment
from tapebook.errors import BadInput, BadParameter, NoData, UnknownName

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from tapebook.data.panel import Bars

LEVEL = 0.05
"""Share of false findings that a scan allows unless told otherwise."""
MIN_COVERAGE = 0.5
"""Share of the bars asked for below which a scan refuses."""

COLUMNS = ("effect", "low", "high", "unit", "n", "p", "q", "holds")
"""What every table of findings has beside the columns that name the question.

`effect` with its 95 % interval `low` to `high`, in `unit`; `n` observations; `p` of the single question,
two-sided; `q` after correction for all questions of the scan; `holds` where q is at most the level.
"""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What was used of what was asked for. `excluded`: one row a symbol left out, with its reason."""

    symbols_asked: int
    symbols_used: int
    bars_asked: int
    bars_used: int
    excluded: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["symbol", "reason"]))

    @property
    def share(self) -> float:
        """Bars used of those asked, 0 to 1."""
        return self.bars_used / self.bars_asked if self.bars_asked else 0.0

    def __str__(self) -> str:
        text = (
            f"{self.symbols_used:,} of {self.symbols_asked:,} symbols and {self.bars_used:,} of "
            f"{self.bars_asked:,} bars used ({self.share:.0%})"
        )
        out = [f"{row.symbol}: {row.reason}" for row in self.excluded.itertuples()]
        more = f" and {len(out) - 5} more" if len(out) > 5 else ""
        return text + (f"; left out {', '.join(out[:5])}{more}" if out else "")


@dataclass(frozen=True)
class Idea:
    """A finding as a strategy of the library, for `desk.backtest(idea)`."""

    strategy: str
    params: Mapping[str, Any]
    symbols: tuple[str, ...]

    @property
    def command(self) -> str:
        """The same as words of the command line."""
        said = [f"--{name} {quote(str(value))}" for name, value in self.params.items()]
        return " ".join(["tapebook backtest", self.strategy, quote(",".join(self.symbols)), *said])


@dataclass(frozen=True, eq=False, repr=False)
class Scan:
    """Findings of one scan, with what they were made of.

    `findings` has one row a question: the columns that name it, then `COLUMNS`; those that hold come
    first, then by p. `params` is what was asked; `start` and `end` the stamps of the bars used.
    """

    kind: ClassVar[str] = "scan"
    keys: ClassVar[tuple[str, ...]] = ()

    findings: pd.DataFrame
    coverage: Coverage
    params: Mapping[str, Any]
    symbols: tuple[str, ...]
    freq: str
    start: pd.Timestamp
    end: pd.Timestamp
    snapshot: int | None
    warnings: tuple[str, ...]

    @property
    def found(self) -> pd.DataFrame:
        """The findings that hold after correction."""
        return self.findings[self.findings["holds"].astype(bool)]

    @property
    def shown(self) -> pd.DataFrame:
        """The findings as a page shows them: the question, the effect and whether it holds, then the rest."""
        first = [*self.keys, "effect", "low", "high", "q", "holds"]
        return self.findings[[*first, *self.findings.columns.drop(first)]]

    @property
    def summary(self) -> str:
        """What was asked, of what, and what is left, in words."""
        held, asked = len(self.found), int(self.findings["p"].notna().sum())
        level = f"{self.params.get('level', LEVEL):.0%}"
        what = (
            f"{held:,} of {asked:,} questions hold at a false-discovery rate of {level}"
            if held
            else (
                f"nothing holds: {asked:,} questions were asked, and none stands out after correction at "
                f"{level}"
            )
        )
        return f"{what}. {self.coverage}; {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}."

    def figure(self, finding: int = 0) -> go.Figure:
        """Draw one finding, by its label in the index of `findings`."""
        raise NotImplementedError

    def idea(self, finding: int = 0) -> Idea:
        """Turn one finding into a strategy of the library; BadParameter where it is none."""
        raise NotImplementedError

    def ideas(self, most: int = 20) -> pd.DataFrame:
        """List the findings that hold and that a strategy of the library trades, at most so many.

        One row an idea: finding, strategy, symbols, parameters, and the `command` that tries it.
        """
        rows: list[dict[str, Any]] = []
        for finding in self.found.index:
            if len(rows) == most:
                break
            try:
                idea = self.idea(finding)
            except BadParameter:
                continue
            params = ", ".join(f"{name}={value}" for name, value in idea.params.items())
            rows.append(
                {
                    "finding": finding, "strategy": idea.strategy, "symbols": ", ".join(idea.symbols),
                    "parameters": params, "command": idea.command,
                }
            )  # fmt: skip
        return pd.DataFrame(rows, columns=["finding", "strategy", "symbols", "parameters", "command"])

    def row(self, finding: int) -> pd.Series:
        """Return one row of the findings by its label."""
        if finding not in self.findings.index:
            raise UnknownName("finding", str(finding), map(str, self.findings.index[:20]))
        found: pd.Series = self.findings.loc[finding]  # type: ignore[assignment]
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.summary}"


def known_by(bars: Bars, end: When) -> Bars:
    """Return the bars known by `end`, a date (its whole day) or a moment; all of them for None."""
    from tapebook.data.panel import Bars

    if not isinstance(bars, Bars):
        raise BadInput(
            f"a scan looks at Bars, not {type(bars).__name__}: read them with desk.bars(…) or make them with "
            "Bars.from_frames(close=…)"
        )
    moment = last_moment(end, "end")
    if moment is None:
        return bars
    rows = int(np.searchsorted(bars.known_at.as_unit("ns").asi8, moment.as_unit("ns").value, side="right"))
    return bars._rows(slice(0, rows))


def covered(
    bars: Bars,
    reason: Callable[[str, np.ndarray], str | None] | None = None,
    *,
    min_bars: int = 30,
    min_coverage: float = MIN_COVERAGE,
    at_least: int = 1,
) -> tuple[Bars, Coverage]:
    """Leave out the symbols that cannot be judged, each with a reason, and say what is left.

    A symbol needs `min_bars` closes, all above 0, that are not all the same. `reason(symbol, closes)`
    may tell one more why not. Asked for are the rows of the panel for each symbol.

    Raises
    ------
    NoData
        If fewer than `at_least` symbols are left, or less than `min_coverage` of the bars asked for.
    """
    if not 0.0 <= min_coverage <= 1.0:
        raise BadParameter("min_coverage", min_coverage, "a share between 0 and 1")
    close = bars.values["close"]
    told = {name: _unfit(close[:, n], min_bars) for n, name in enumerate(bars.symbols)}
    if reason is not None:
        told = {name: why or reason(name, close[:, n]) for n, (name, why) in enumerate(told.items())}
    kept = [name for name in bars.symbols if told[name] is None]
    excluded = pd.DataFrame(
        [(name, why) for name, why in told.items() if why is not None], columns=["symbol", "reason"]
    )
    used = bars.select(*kept)
    count = int(np.isfinite(used.values["close"]).sum()) if kept else 0
    coverage = Coverage(len(bars.symbols), len(kept), len(bars) * len(bars.symbols), count, excluded)
    if len(kept) < at_least:
        raise NoData(
            f"needs at least {at_least} symbol{'s' * (at_least > 1)} of {min_bars} bars or more: {coverage}"
        )
    if coverage.share < min_coverage:
        raise NoData(
            f"only {coverage}: expected at least {min_coverage:.0%}. Choose a span that the symbols share "
            "(start=, end=), leave out short histories, or say min_coverage="
        )
    return used, coverage


def _unfit(close: np.ndarray, min_bars: int) -> str | None:
    known = close[np.isfinite(close)]
    if len(known) == 0:
        return "no bar"
    if len(known) < min_bars:
        return f"{len(known)} bars, {min_bars} needed"
    if known.min() <= 0.0:
        return "a price at or below 0"
    return "its price never changes" if known.min() == known.max() else None


def judged(table: pd.DataFrame, level: float = LEVEL, method: str = "bh") -> pd.DataFrame:
    """Add `q` and `holds` to rows with `p`; those that hold first, then by p, numbered from 0."""
    from tapebook.market.multiple import corrected

    if not 0.0 < level < 1.0:
        raise BadParameter("level", level, "a share of false findings above 0 and below 1")
    q = corrected(table["p"].to_numpy(dtype=float), method)  # type: ignore[arg-type]
    told = table.assign(q=q, holds=q <= level)
    by = told.assign(_size=-told["effect"].abs()).sort_values(
        ["holds", "p", "_size"], ascending=[False, True, True], kind="stable"
    )
    return by.drop(columns="_size").reset_index(drop=True)
