"""Prices adjusted for splits and dividends, as the actions of one snapshot say.

With splits s and dividends d on ex-dates, a bar before an ex-date has its prices divided by s and
its volume multiplied by s ("splits"); for "total" its prices are also multiplied by 1 - d / c,
where c is the raw close of the last bar before the ex-date (CRSP's way: the adjusted series of
closes grows by the return with dividends reinvested at the ex-date). A dividend on the day of a
split is per share held before it. Every action of the snapshot counts, also those after the last
bar asked for, as vendors do: levels change with each new action, returns do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tapebook.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Wide = dict[str, np.ndarray]
PRICES = ("open", "high", "low", "close")


def adjusted(values: Wide, index: np.ndarray, symbols: Sequence[str], events: pa.Table) -> Wide:
    """Return adjusted matrices of shape (T, N): `values` themselves where those can be written to.

    Parameters
    ----------
    values : dict of float64, shape (T, N)
        Raw, as `pivot.widen` gives them.
    index : datetime64[us], shape (T,)
        Stamps of the rows.
    events : pyarrow.Table
        symbol, moment (from when on bars are as after the action), split, dividend, before (the
        raw close before it; null if there is no earlier bar).
    """
    touched, spots, columns = _places(index, symbols, events)
    if not len(touched):
        return values
    shape = (len(touched), len(index))
    splits = _ahead(shape, columns, spots, _filled(events, "split", 1.0))
    shares = _ahead(shape, columns, spots, _kept(events))
    return {
        name: _replaced(
            block, touched, (_times if name == "volume" else _price)(block.T[touched], splits, shares)
        )
        for name, block in values.items()
    }


def _price(block: np.ndarray, splits: np.ndarray, shares: np.ndarray) -> np.ndarray:
    adjusted: np.ndarray = block / splits * shares
    return adjusted


def _times(block: np.ndarray, splits: np.ndarray, _: np.ndarray) -> np.ndarray:
    adjusted: np.ndarray = block * splits
    return adjusted


def _places(
    index: np.ndarray, symbols: Sequence[str], events: pa.Table
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns with events; and for each event, how many rows are before it and in which of them it is."""
    import pyarrow as pa

    where = {symbol: position for position, symbol in enumerate(symbols)}
    position = np.array([where[name] for name in events.column("symbol").to_pylist()], dtype=np.int64)
    touched, columns = np.unique(position, return_inverse=True)
    moments = events.column("moment").cast(pa.int64()).to_numpy().view("datetime64[us]")
    return touched, np.searchsorted(index, moments, side="left"), columns


def _ahead(shape: tuple[int, int], columns: np.ndarray, spots: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Product of the factors that are still ahead of each row, shape (columns, T)."""
    steps = np.ones((shape[0], shape[1] + 1))
    np.multiply.at(steps, (columns, spots), factors)
    return np.cumprod(steps[:, ::-1], axis=1)[:, ::-1][:, 1:]


def _filled(events: pa.Table, name: str, none: float) -> np.ndarray:
    """Values of a column, with `none` for null, NaN and 0."""
    column = np.array(events.column(name).to_numpy(), dtype=float)
    column[np.isnan(column) | (column == 0)] = none
    return column


def _kept(events: pa.Table) -> np.ndarray:
    """Share of the price that each dividend leaves; 1 where no bar is before it."""
    dividend, before = _filled(events, "dividend", 0.0), _filled(events, "before", np.nan)
    kept = np.where(np.isnan(before), 1.0, 1.0 - dividend / before)
    if (kept <= 0).any():
        row = events.slice(int(np.argmax(kept <= 0)), 1).to_pylist()[0]
        raise BadInput(
            f"{row['symbol']} has a dividend of {row['dividend']} on {row['moment']:%Y-%m-%d}, not less than "
            f'the close before it, {row["before"]}: correct that action, or read with adjust="splits"'
        )
    return kept


def _replaced(block: np.ndarray, touched: np.ndarray, columns: np.ndarray) -> np.ndarray:
    changed = block.T if block.flags.writeable else block.T.copy()
    changed[touched] = columns
    return changed.T


def moments(dates: np.ndarray, calendars: Sequence[str]) -> np.ndarray:
    """From when on intraday bars are as after an ex-date: between two sessions, half way.

    Parameters
    ----------
    dates : datetime64[us], shape (K,)
        Ex-dates at 00:00; another time of day is taken as it is.
    calendars : sequence of K str
        Each one's calendar.
    """
    found, names = dates.copy(), np.asarray(calendars, dtype=object)
    midnight = dates == dates.astype("datetime64[D]")
    for calendar in set(calendars) - {"24/7"}:
        rows = np.flatnonzero(midnight & (names == calendar))
        if len(rows):
            found[rows] = _between_sessions(dates[rows], calendar)
    return found


def _between_sessions(dates: np.ndarray, calendar: str) -> np.ndarray:
    import pandas as pd

    from tapebook.data.calendar import closes, opens, sessions

    around = pd.Timedelta(15, "D")
    first, last = pd.Timestamp(dates.min(), tz="UTC") - around, pd.Timestamp(dates.max(), tz="UTC") + around
    days = sessions(calendar, first, last)
    bounds = [_naive(bound(calendar, days)) for bound in (opens, closes)]
    at = np.searchsorted(_naive(days), dates, side="left")
    inside = (at > 0) & (at < len(days))
    answer = dates.copy()
    close, open_ = bounds[1][at[inside] - 1], bounds[0][at[inside]]
    answer[inside] = close + (open_ - close) // 2
    return answer


def _naive(times: pd.DatetimeIndex) -> np.ndarray:
    return times.tz_localize(None).to_numpy(dtype="datetime64[us]")


def by_calendar(symbols: Sequence[str], calendars: Mapping[str, str]) -> list[str]:
    """Calendar of each row's symbol."""
    return [calendars.get(symbol) or "24/7" for symbol in symbols]
