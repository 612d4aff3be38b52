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
FAR = 16
"""Rows in which the close before an action is looked for first."""


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
        raw close before it, if that is not in `values`; else null).
    """
    if not events.num_rows:
        return values
    spots, columns = _places(index, symbols, events)
    splits = _filled(events, "split", 1.0)
    kept = _kept(events, _closes_before(values["close"], spots, columns))
    touched, within = np.unique(columns, return_inverse=True)
    shape = (len(touched), len(index))
    by_split = _ahead(shape, within, spots, splits)
    by_all = by_split if (kept == 1).all() else _ahead(shape, within, spots, splits / kept)
    return {
        name: _changed(block, touched, np.multiply if name == "volume" else np.divide, factor)
        for name, block in values.items()
        for factor in [by_split if name == "volume" else by_all]
    }


def _changed(block: np.ndarray, touched: np.ndarray, act: np.ufunc, factors: np.ndarray) -> np.ndarray:
    """Multiply or divide some columns of a matrix, in place if it may be written to."""
    by_symbol = block.T if block.flags.writeable else block.T.copy()
    if len(touched) == len(by_symbol):
        act(by_symbol, factors, out=by_symbol)
    else:
        by_symbol[touched] = act(by_symbol[touched], factors)
    return by_symbol.T


def _places(index: np.ndarray, symbols: Sequence[str], events: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """How many rows are before each event, and in which column it is."""
    import pyarrow as pa

    where = {symbol: position for position, symbol in enumerate(symbols)}
    columns = np.array([where[name] for name in events.column("symbol").to_pylist()], dtype=np.int64)
    moments = events.column("moment").cast(pa.int64()).to_numpy().view("datetime64[us]")
    return np.searchsorted(index, moments, side="left"), columns


def _ahead(shape: tuple[int, int], columns: np.ndarray, spots: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Product of the factors still ahead of each row, shape (columns, T): constant between events."""
    import pandas as pd

    end = pd.DataFrame({"column": np.arange(shape[0]), "spot": shape[1], "factor": 1.0})
    steps = pd.concat([pd.DataFrame({"column": columns, "spot": spots, "factor": factors}), end])
    steps = steps.sort_values(["column", "spot"], kind="stable", ascending=[True, False])
    steps["factor"] = steps.groupby("column")["factor"].cumprod()
    steps = steps[::-1].sort_values("column", kind="stable")
    lengths = steps.groupby("column")["spot"].diff().fillna(steps["spot"]).to_numpy(dtype=np.int64)
    return np.repeat(steps["factor"].to_numpy(), lengths).reshape(shape)


def _filled(events: pa.Table, name: str, none: float) -> np.ndarray:
    """Values of a column, with `none` for null, NaN and 0."""
    column = np.array(events.column(name).to_numpy(), dtype=float)
    column[np.isnan(column) | (column == 0)] = none
    return column


def _closes_before(close: np.ndarray, spots: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The last close above each spot, NaN where there is none."""
    rows = spots - 1
    found = np.where(rows >= 0, close[np.maximum(rows, 0), columns], np.nan)
    for event in np.flatnonzero(np.isnan(found) & (rows > 0)):
        above = close[: rows[event], columns[event]]
        near = above[-FAR:] if not np.isnan(above[-FAR:]).all() else above
        known = np.flatnonzero(~np.isnan(near))
        found[event] = near[known[-1]] if len(known) else np.nan
    return found


def _kept(events: pa.Table, closes: np.ndarray) -> np.ndarray:
    """Share of the price that each dividend leaves; 1 where no bar is before it."""
    dividend, before = _filled(events, "dividend", 0.0), _filled(events, "before", np.nan)
    before = np.where(np.isnan(before), closes, before)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = np.where(np.isnan(before) | (dividend == 0), 1.0, 1.0 - dividend / before)
    if (kept <= 0).any():
        bad = int(np.argmax(kept <= 0))
        row = events.slice(bad, 1).to_pylist()[0]
        raise BadInput(
            f"{row['symbol']} has a dividend of {row['dividend']} on {row['moment']:%Y-%m-%d}, not less than "
            f'the close before it, {before[bad]}: correct that action, or read with adjust="splits"'
        )
    return kept


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
