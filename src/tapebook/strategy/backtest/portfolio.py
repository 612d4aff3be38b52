"""A backtest's orders as a `vectorbt.Portfolio`. The only file that imports vectorbt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.schema import Frequency

if TYPE_CHECKING:
    import vectorbt

    from tapebook.strategy.backtest.backtest import Backtest


def portfolio(bt: Backtest) -> vectorbt.Portfolio:
    """Build the portfolio from the orders as they were filled; nothing is simulated again.

    One pot of cash is one group of columns. vectorbt annualises with the year of the bars'
    calendar here, not with its default of 365 days; unlike tapebook's figures, its `trades` count
    open ones. Missing closes are valued at the last known one.
    """
    import vectorbt as vbt
    from vectorbt.portfolio.enums import OrderSide, log_dt, order_dt

    vbt.settings["plotting"]["use_widgets"] = False  # a widget shows nothing in papermill's output
    bar = pd.Timedelta(seconds=Frequency.parse(bt.freq).seconds)
    vbt.settings.returns["year_freq"] = bar * bt.periods_per_year
    codes = {symbol: n for n, symbol in enumerate(bt.symbols)}
    rows = bt.equity.index.get_indexer(pd.DatetimeIndex(bt.orders["ts"]))
    columns = bt.orders["symbol"].map(codes).to_numpy(dtype=int)
    order = np.lexsort((np.arange(len(rows)), rows, columns))  # column by column, then as they happened
    records = np.empty(len(rows), dtype=order_dt)
    units = bt.orders["units"].to_numpy()[order]
    records["col"], records["idx"] = columns[order], rows[order]
    records["id"] = np.arange(len(rows))
    records["size"], records["side"] = np.abs(units), np.where(units > 0, OrderSide.Buy, OrderSide.Sell)
    records["price"] = bt.orders["price"].to_numpy()[order]
    records["fees"] = bt.orders["fees"].to_numpy()[order]
    shared = bt.rules.shared_cash
    close = bt.close.ffill().bfill()
    wrapper = vbt.ArrayWrapper.from_obj(close, freq=bar, group_by=shared or None)
    cash = np.full(1 if shared else len(bt.symbols), bt.rules.cash)
    return vbt.Portfolio(wrapper, close, records, np.empty(0, dtype=log_dt), cash, shared)
