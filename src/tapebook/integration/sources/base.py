"""What a source of market data is, and what it answers with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import polars as pl

    from tapebook.integration.outside import Outside
    from tapebook.schema import Frequency


@dataclass(frozen=True)
class Instrument:
    """What a symbol is: `calendar` is an exchange_calendars name such as "XNYS", or "24/7"."""

    symbol: str
    calendar: str = "24/7"
    currency: str = ""
    name: str = ""
    source: str = ""
    asset: str = ""


@dataclass(frozen=True)
class Problem:
    """One row that cannot be read as a bar: where it stands, what it holds, what was expected."""

    file: str
    line: int
    column: str
    value: str
    message: str
    text: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.value!r}: {self.message}"


@dataclass(frozen=True)
class Fetched:
    """What a source has of one symbol.

    `bars` is a long polars frame: ts (UTC, microseconds), open, high, low, close, volume (Float64,
    null where missing), sorted by ts, raw prices. `actions`: ts (ex-date at 00:00 UTC), split (2.0 is
    two new shares for one old, 1.0 none), dividend (money a share, unadjusted, 0.0 none). `problems`
    are the rows that are not among `bars`.
    """

    bars: pl.DataFrame
    instrument: Instrument
    actions: pl.DataFrame | None = None
    problems: tuple[Problem, ...] = field(default=())


@runtime_checkable
class Source(Protocol):
    """A place that bars come from. Entry point group `tapebook.sources` names a class of these.

    The class is built with the options that the user gave (`Desk.ingest(name, **options)`), takes
    only keyword arguments, and its docstring's first line is shown by `tapebook sources`.

    It may also say: `listed = False` (any symbol may be asked; `symbols()` names none), `incremental = True`
    (ask only for what the lake has not, leave out the bar that is not over), `restates = True` (prices are
    adjusted, so that the past changes), and have `attach(outside)` (see
    `tapebook.integration.sources.vendor`) and `fetch_many` (see `Many`).
    """

    name: str

    def symbols(self, freq: Frequency) -> Sequence[str]:
        """Symbols that can be fetched at this bar length."""
        ...

    def fetch(self, symbol: str, *, freq: Frequency, start: datetime | None, end: datetime | None) -> Fetched:
        """Bars of one symbol stamped from `start` to `end`, both included, None for all there are."""
        ...


@runtime_checkable
class Attachable(Protocol):
    """A source that wants the desk's vault and pace."""

    def attach(self, outside: Outside) -> None:
        """Called before anything is fetched."""
        ...


@runtime_checkable
class Many(Protocol):
    """A source that reads many symbols at once faster than one after the other."""

    def fetch_many(
        self, starts: Mapping[str, datetime | None], *, freq: Frequency, end: datetime | None
    ) -> Iterator[Lot]:
        """Bars of each symbol from its own start to `end`, both included; each symbol in one lot."""
        ...


@dataclass(frozen=True)
class Lot:
    """What a source has of some symbols.

    `bars`: symbol, ts and the fields as in `Fetched`, symbol by symbol, sorted by ts, each stamp once.
    `instruments`: one for each symbol of the lot, also those without bars. `alone`: symbols that have to be
    fetched one by one, as something is wrong with them.
    """

    bars: pl.DataFrame
    instruments: Mapping[str, Instrument]
    alone: tuple[str, ...] = ()
