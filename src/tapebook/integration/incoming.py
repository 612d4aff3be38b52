"""One symbol from a source: its bars as the lake takes them, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tapebook.data.calendar import check_calendar
from tapebook.data.tidy import tidy
from tapebook.errors import BadInput, TapebookError
from tapebook.integration.gap import Held, Span, fetch_gap, finished
from tapebook.integration.outcome import Landed
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

    from tapebook.integration.sources import Fetched, Problem, Source

SHOWN = 3
"""Broken rows that a reason quotes."""
ACTIONS = ("ts", "split", "dividend")


@dataclass(frozen=True)
class Incoming:
    """One symbol fetched, and found fit for the lake.

    `bars`: symbol, freq, ts and the five fields, sorted by ts; a stamp may be there twice. `actions`:
    symbol, ts, split, dividend, maybe without a row.
    """

    landed: Landed
    bars: pl.DataFrame
    actions: pl.DataFrame
    fetched: Fetched

    @property
    def symbol(self) -> str:
        """Whose bars they are."""
        return self.landed.symbol


def fetch(
    source: Source,
    symbol: str,
    freq: Frequency,
    span: Span,
    *,
    there: Held | None = None,
    quarantine: bool,
) -> Incoming | Landed:
    """Fetch what the lake has not (`there`: what it has). Whatever is wrong is told in what it answers."""
    try:
        got = fetch_gap(source, symbol, freq, span, there)
        if got is None:
            return Landed(symbol, str(freq), "unchanged", reason="the lake has all of this span")
        fetched, unfinished = _over(got, source, freq)
        rows = Landed(symbol, str(freq), "ok", fetched=len(fetched.bars) + len(fetched.problems))
        if fetched.problems and not quarantine:
            return replace(rows, outcome="failed", reason=_broken(fetched.problems))
        rows = replace(rows, quarantined=len(fetched.problems))
        rows = replace(rows, reason=unfinished)
        if not len(fetched.bars):
            return nothing_new(rows, there is not None, unfinished, fetched.problems)
        return _checked(rows, fetched, symbol, freq)
    except TapebookError as error:
        reason = str(error)
    except OSError as error:
        reason = f"cannot be read: {error}"
    except Exception as error:  # a source may be anybody's code: its fault is this symbol's alone
        reason = f"the source {source.name} failed: {type(error).__name__}: {error}"
    return Landed(symbol, str(freq), "failed", reason=reason)


def nothing_new(rows: Landed, known: bool, unfinished: str, problems: Sequence[Problem]) -> Landed:
    """Tell that a source has no bar to write: none that is new, or none at all."""
    if (known or unfinished) and not problems:
        return replace(rows, outcome="unchanged", reason=unfinished or "the source has nothing new")
    return replace(rows, outcome="failed", reason=_nothing(problems))


def _over(fetched: Fetched, source: Source, freq: Frequency) -> tuple[Fetched, str]:
    """Leave out the bar that a vendor is still making: it would land as if it were whole."""
    if not getattr(source, "incremental", False) or not len(fetched.bars):
        return fetched, ""
    calendar = check_calendar(fetched.instrument.calendar)
    bars, count = finished(fetched.bars, freq, calendar, datetime.now(UTC))
    told = f"{count} bar{'s' if count > 1 else ''} left out: not over yet" if count else ""
    return replace(fetched, bars=bars), told


def once(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars, sorted by symbol and ts, with each stamp once: of bars with one stamp the last counts."""
    again = (bars["ts"] == bars["ts"].shift(-1)) & (bars["symbol"] == bars["symbol"].shift(-1))
    return bars.filter(~again.fill_null(False)) if again.any() else bars


@dataclass(frozen=True)
class Batch:
    """Symbols that are written together, with their bars (a stamp may be there twice) and actions as one."""

    each: Sequence[Incoming]
    bars: pl.DataFrame
    actions: pl.DataFrame

    @classmethod
    def of(cls, each: Sequence[Incoming]) -> Batch:
        """Put their rows together, in one piece of memory: many small ones are slow in all that follows."""
        import polars as pl

        bars, actions = ([getattr(one, what) for one in each] for what in ("bars", "actions"))
        some = [rows for rows in actions if len(rows)]
        return cls(each, pl.concat(bars, rechunk=True), pl.concat(some, rechunk=True) if some else actions[0])

    def only(self, each: Sequence[Incoming]) -> Batch:
        """Keep some of them."""
        return self if len(each) == len(self.each) else Batch.of(each)


def sound(batch: Sequence[Incoming]) -> tuple[Batch | None, list[Landed]]:
    """Tell now what the lake would refuse later, when it would keep a whole batch out.

    Returns
    -------
    Batch, list of Landed
        Those that the lake takes, if any, and what became of the others.
    """
    if not batch:
        return None, []
    whole = Batch.of(batch)
    try:
        _refused(whole)
        return whole, []
    except TapebookError:
        good, bad = [], []
        for one in batch:
            try:
                _refused(Batch.of([one]))
                good.append(one)
            except TapebookError as error:
                bad.append(replace(one.landed, outcome="failed", reason=str(error), first=None, last=None))
        return Batch.of(good) if good else None, bad


def _refused(batch: Batch) -> None:
    tidy("bars", once(batch.bars))
    tidy("actions", batch.actions)


def _checked(rows: Landed, fetched: Fetched, symbol: str, freq: Frequency) -> Incoming:
    bars, actions = _bars(fetched.bars, symbol, freq), _actions(fetched.actions, symbol)
    check_calendar(fetched.instrument.calendar)
    if fetched.instrument.symbol != symbol:
        raise BadInput(f"the source answered with {fetched.instrument.symbol!r} when asked for {symbol!r}")
    return Incoming(replace(rows, first=bars["ts"][0], last=bars["ts"][-1]), bars, actions, fetched)


def _bars(bars: pl.DataFrame, symbol: str, freq: Frequency) -> pl.DataFrame:
    import polars as pl

    _refuse_missing("bars", bars, ("ts", *FIELDS))
    labels = [pl.lit(symbol).alias("symbol"), pl.lit(str(freq)).alias("freq")]
    numbers = pl.col(*FIELDS).cast(pl.Float64).fill_nan(None)
    return bars.select(*labels, _stamp(), numbers).sort("ts", maintain_order=True)


def _actions(actions: pl.DataFrame | None, symbol: str) -> pl.DataFrame:
    import polars as pl

    if actions is None:
        actions = pl.DataFrame({name: [] for name in ACTIONS})
    _refuse_missing("actions", actions, ACTIONS)
    numbers = pl.col("split", "dividend").cast(pl.Float64).fill_nan(None)
    return actions.select(pl.lit(symbol).alias("symbol"), _stamp(), numbers)


def _stamp() -> pl.Expr:
    import polars as pl

    return pl.col("ts").cast(pl.Datetime("us", "UTC"))


def _refuse_missing(what: str, frame: pl.DataFrame, wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in frame.columns]
    if missing:
        told = f"{what} without {', '.join(missing)}"
        raise BadInput(f"the source gave {told}: expected the columns {', '.join(wanted)}")


def _broken(problems: Sequence[Problem]) -> str:
    count = f"{len(problems)} broken {'rows' if len(problems) > 1 else 'row'}"
    told = f"{count}, so nothing was written: {_quoted(problems)}."
    return f"{told} With --quarantine the good rows land."


def _nothing(problems: Sequence[Problem]) -> str:
    if not problems:
        return "the source has no bars in this span"
    return f"the source has only broken rows: {_quoted(problems)}"


def _quoted(problems: Sequence[Problem]) -> str:
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(str(problem) for problem in problems[:SHOWN]) + more
