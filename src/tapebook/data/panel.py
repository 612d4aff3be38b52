"""Bars: open, high, low, close and volume of some symbols over one span, as wide frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import pandas as pd

from tapebook.data import pivot
from tapebook.data.when import When, first_moment, last_moment
from tapebook.errors import UnknownName
from tapebook.schema import FIELDS, Frequency

if TYPE_CHECKING:
    import polars as pl

Adjust = Literal["splits", "total", False]
Known = TypeVar("Known", "Bars", pd.DataFrame, pd.Series)


@dataclass(frozen=True, eq=False, repr=False)
class Bars:
    """Bars of N symbols at T times; an immutable value.

    `open`, `high`, `low`, `close` and `volume` are float64 frames of shape (T, N) whose values
    cannot be written to: copy before changing. The index, named "ts", is UTC and the union of the
    symbols' bars; the columns, named "symbol", keep the order asked. A missing bar is NaN and is
    never filled. A bar shorter than a day is stamped with its opening time; a longer one with its
    (last) session's date at 00:00 UTC, though it is known only at the session's close: `known_at`.

    `universe` names what a universe was asked for with ("@sp500@3", "SPY"): bars outside of it are missing.

    Build one with `Desk.bars`, `Lake.bars` or `Bars.from_frames`.
    """

    values: Mapping[str, np.ndarray]
    index: pd.DatetimeIndex
    symbols: tuple[str, ...]
    freq: Frequency
    calendars: Mapping[str, str]
    snapshot: int | None = None
    adjust: Adjust = False
    known: pd.DatetimeIndex | None = field(default=None)
    universe: tuple[str, ...] = ()

    @classmethod
    def from_frames(
        cls,
        *,
        open: pd.DataFrame | pd.Series | None = None,
        high: pd.DataFrame | pd.Series | None = None,
        low: pd.DataFrame | pd.Series | None = None,
        close: pd.DataFrame | pd.Series,
        volume: pd.DataFrame | pd.Series | None = None,
        freq: str | Frequency = "1d",
        calendars: str | Mapping[str, str] = "24/7",
        snapshot: int | None = None,
        adjust: Adjust = False,
    ) -> Bars:
        """Make bars of your own frames, shape (T, N): times by symbols. A Series is one symbol.

        Parameters
        ----------
        open, high, low, volume : frame, optional
            Same index and columns as `close`; NaN where not given.
        freq : str
            How long a bar lasts, "1m" to "1mo".
        calendars : str or mapping
            An exchange_calendars name such as "XNYS", or "24/7"; one for all or one a symbol.

        Raises
        ------
        BadInput
            If an index is not sorted, has duplicates or no time zone (dates need none), if labels
            differ between frames, or if a value is no number or infinite. The message says where.
        """
        from tapebook.data.frames import wide

        given = {"open": open, "high": high, "low": low, "close": close, "volume": volume}
        length = Frequency.parse(freq)
        values, index, symbols = wide(given, length)
        named = dict.fromkeys(symbols, calendars) if isinstance(calendars, str) else dict(calendars)
        for symbol in symbols:
            if symbol not in named:
                raise UnknownName("calendar for symbol", symbol, named)
        return cls(values, index, symbols, length, named, snapshot, adjust)

    @classmethod
    def from_long(
        cls,
        table: Any,
        symbols: Sequence[str] | None = None,
        *,
        freq: str | Frequency = "1d",
        calendars: str | Mapping[str, str] = "24/7",
        snapshot: int | None = None,
        adjust: Adjust = False,
    ) -> Bars:
        """Make bars of a long pyarrow, polars or pandas table: symbol, ts (UTC) and the five fields.

        At most one row a (symbol, ts); columns in the order of `symbols`, or as first met.
        """
        from tapebook.data.frames import as_arrow

        rows = as_arrow(table)
        names = tuple(symbols if symbols is not None else rows.column("symbol").unique().to_pylist())
        stamps, values = pivot.widen(rows, names)
        index = pd.DatetimeIndex(stamps, name="ts").tz_localize("UTC")
        named = dict.fromkeys(names, calendars) if isinstance(calendars, str) else dict(calendars)
        return cls(values, index, names, Frequency.parse(freq), named, snapshot, adjust)

    # ---- the frames

    @cached_property
    def open(self) -> pd.DataFrame:
        """First price of each bar, shape (T, N)."""
        return self._frame("open")

    @cached_property
    def high(self) -> pd.DataFrame:
        """Highest price of each bar, shape (T, N)."""
        return self._frame("high")

    @cached_property
    def low(self) -> pd.DataFrame:
        """Lowest price of each bar, shape (T, N)."""
        return self._frame("low")

    @cached_property
    def close(self) -> pd.DataFrame:
        """Last price of each bar, shape (T, N)."""
        return self._frame("close")

    @cached_property
    def volume(self) -> pd.DataFrame:
        """Units traded in each bar, shape (T, N)."""
        return self._frame("volume")

    def _frame(self, name: str) -> pd.DataFrame:
        columns = pd.Index(self.symbols, name="symbol")
        return pd.DataFrame(self.values[name], index=self.index, columns=columns, copy=False)

    def polars(self) -> pl.DataFrame:
        """Long polars frame: symbol, ts and the five fields; only the bars that exist."""
        stamps = self.index.tz_localize(None).to_numpy(dtype="datetime64[us]")
        return pivot.lengthen(self.symbols, stamps, dict(self.values))

    # ---- size and span

    def __len__(self) -> int:
        return len(self.index)

    @property
    def shape(self) -> tuple[int, int]:
        """(T, N): times and symbols."""
        return len(self.index), len(self.symbols)

    @property
    def start(self) -> pd.Timestamp | None:
        """Stamp of the first row; None without rows."""
        return self.index[0] if len(self) else None

    @property
    def end(self) -> pd.Timestamp | None:
        """Stamp of the last row; None without rows."""
        return self.index[-1] if len(self) else None

    @cached_property
    def known_at(self) -> pd.DatetimeIndex:
        """When each row is known, UTC, shape (T,): the latest of its calendars.

        A bar shorter than a day is known once it has lasted; a day or longer at its session's
        close by calendar (half days too), or at the day's end where the calendar has no session.
        """
        from tapebook.data.align import known_at

        return self.known if self.known is not None else known_at(self.index, self.freq, self._calendars())

    @cached_property
    def periods_per_year(self) -> float:
        """Bars in a year, the factor that annualises: of the busiest of its calendars."""
        from tapebook.data.calendar import periods_per_year

        return max(periods_per_year(name, self.freq) for name in self._calendars())

    def _calendars(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.calendars[symbol] for symbol in self.symbols))

    # ---- parts

    def between(self, start: When = None, end: When = None) -> Bars:
        """Return the rows stamped from `start` to `end`, both included; "2005-03" is the whole month."""
        first, last = first_moment(start, "start"), last_moment(end, "end")
        lo = 0 if first is None else int(self.index.searchsorted(first, side="left"))
        hi = len(self) if last is None else int(self.index.searchsorted(last, side="right"))
        return self._rows(slice(lo, max(lo, hi)))

    def _rows(self, rows: slice) -> Bars:
        values = {name: self.values[name][rows] for name in FIELDS}
        known = None if self.known is None else self.known[rows]
        return replace(self, values=values, index=self.index[rows], known=known)

    def select(self, *symbols: str) -> Bars:
        """Return some symbols, in this order, on the same rows; `bars["AAPL"]` does the same."""
        if len(set(symbols)) < len(symbols):
            twice = next(name for name in symbols if symbols.count(name) > 1)
            raise UnknownName("second symbol", twice, self.symbols, "Name each symbol once.")
        spots = []
        for symbol in symbols:
            if symbol not in self.symbols:
                raise UnknownName("symbol", symbol, self.symbols, "Read it with `desk.bars`.")
            spots.append(self.symbols.index(symbol))
        values = {name: _frozen(self.values[name].T[spots].T) for name in FIELDS}
        calendars = {symbol: self.calendars[symbol] for symbol in symbols}
        return replace(self, values=values, symbols=tuple(symbols), calendars=calendars)

    def __getitem__(self, symbols: str | Sequence[str]) -> Bars:
        return self.select(*([symbols] if isinstance(symbols, str) else symbols))

    # ---- other clocks

    def resample(self, freq: str | Frequency) -> Bars:
        """Return longer bars; one appears only once its time is over by every calendar here.

        Buckets shorter than a day start at the session's open and are stamped with the time at
        which they open. A day or longer is stamped with its last session's date; what trades
        after a session's close belongs to the next session. Cutting off the last rows of the
        input cuts off the last rows of the answer and changes no other. The first bucket is made
        of what there is.

        Raises
        ------
        BadParameter
            If `freq` is shorter, or does not hold a whole number of these bars.
        """
        from tapebook.data.resample import resample

        return resample(self, Frequency.parse(freq))

    def align(self, other: Known, *, freq: str | Frequency | None = None) -> Known:
        """Return `other` as it was known at each of my bars' close: never a later value.

        Parameters
        ----------
        other : Bars, DataFrame or Series
            Of `Bars`, each symbol's latest bar known by then. Of a frame, the latest row known by
            then; dates (all stamps at 00:00 UTC) are known at that day's session close, other
            stamps at that very moment.
        freq : str, optional
            For a frame whose index is named "ts", as `bars.close` has it: how long its bars last.

        Returns
        -------
        Same type as `other`, with my index; NaN before the first known value.
        """
        from tapebook.data.align import align

        aligned: Known = align(self, other, freq)
        return aligned

    # ---- what it is made of

    def coverage(self) -> pd.DataFrame:
        """One row a symbol: first, last, bars, expected by its calendar, missing and share (0 to 1)."""
        from tapebook.data.cover import coverage

        return coverage(self)

    def fingerprint(self) -> str:
        """SHA-256 over bar length, symbols, index and values: names this exact data."""
        digest = sha256(repr((str(self.freq), self.symbols)).encode())
        digest.update(self.index.as_unit("us").asi8.tobytes())
        for name in FIELDS:
            block = self.values[name].T + 0.0  # -0.0 becomes 0.0
            block[np.isnan(block)] = np.nan  # every NaN the same bits
            digest.update(np.ascontiguousarray(block).tobytes())
        return digest.hexdigest()

    def __repr__(self) -> str:
        from tapebook.data.cover import describe

        return describe(self)

    def _repr_html_(self) -> str:
        from tapebook.data.cover import describe_html

        return describe_html(self)


def _frozen(block: np.ndarray) -> np.ndarray:
    block.flags.writeable = False
    return block
