"""Orders and trades as tables, and a backtest in a few words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tapebook.schema import Frequency
from tapebook.strategy.performance.figures import MARK

if TYPE_CHECKING:
    from tapebook.data.panel import Bars
    from tapebook.strategy.backtest.backtest import Backtest

REASONS = ("signal", "stop", "target", "trailing", "end")
HEADLINE = ("total_return", "annual_return", "sharpe", "max_drawdown", "trades", "win_rate")


def order_frame(table: np.ndarray, bars: Bars) -> pd.DataFrame:
    """One row a fill: ts, symbol, units (bought above 0), price, fees, slippage, reason, decided_ts."""
    from tapebook.strategy.simulation import kernel as k

    rows, decided = table[:, k.ROW].astype(int), table[:, k.DECIDED].astype(int)
    return pd.DataFrame(
        {
            "ts": bars.index[rows],
            "symbol": _names(bars, table[:, k.SYMBOL]),
            "units": table[:, k.AMOUNT],
            "price": table[:, k.PRICE],
            "fees": table[:, k.FEE],
            "slippage": table[:, k.SLIP],
            "reason": _reasons(table[:, k.REASON]),
            "decided_ts": bars.index[decided],
        }
    )


def trade_frame(table: np.ndarray, bars: Bars) -> pd.DataFrame:
    """One row a trade, from flat to flat of a symbol; an open one is valued at the last known close.

    Columns: symbol, direction, entry_ts, exit_ts (NaT while open), units, entry_price and exit_price
    (means of the fills), fees, pnl (after costs), return (of the entry value), bars, mae, mfe,
    status, exit_reason.
    """
    from tapebook.strategy.simulation import kernel as k

    still_open = table[:, k.T_OPEN] == 1.0
    return pd.DataFrame(
        {
            "symbol": _names(bars, table[:, k.T_SYMBOL]),
            "direction": pd.array(np.where(table[:, k.T_SIDE] > 0, "long", "short"), dtype="str"),
            "entry_ts": bars.index[table[:, k.T_IN].astype(int)],
            "exit_ts": bars.index[table[:, k.T_OUT].astype(int)].where(~still_open),
            "units": table[:, k.T_UNITS],
            "entry_price": table[:, k.T_ENTRY],
            "exit_price": table[:, k.T_EXIT],
            "fees": table[:, k.T_FEES],
            "pnl": table[:, k.T_PNL],
            "return": table[:, k.T_RETURN],
            "bars": table[:, k.T_BARS].astype(int),
            "mae": table[:, k.T_MAE],
            "mfe": table[:, k.T_MFE],
            "status": pd.array(np.where(still_open, "open", "closed"), dtype="str"),
            "exit_reason": _reasons(table[:, k.T_REASON]),
        }
    )


def _names(bars: Bars, columns: np.ndarray) -> pd.Series:
    return pd.Series(np.array(bars.symbols, dtype=object)[columns.astype(int)], dtype="str")


def _reasons(codes: np.ndarray) -> pd.Series:
    return pd.Series(np.array(REASONS, dtype=object)[codes.astype(int)], dtype="str")


def describe(bt: Backtest) -> str:
    """Return what was traded, how, and the first figures, in a few lines of text."""
    return "\n".join(_lines(bt))


def describe_html(bt: Backtest) -> str:
    """Return the same as HTML."""
    first, *rest = _lines(bt)
    return f"<p><b>{escape(first)}</b><br>" + "<br>".join(escape(line.strip()) for line in rest) + "</p>"


def _lines(bt: Backtest) -> list[str]:
    params = ", ".join(f"{name}={value}" for name, value in bt.params.items())
    symbols = ", ".join(bt.symbols[:6]) + (f" and {len(bt.symbols) - 6} more" if len(bt.symbols) > 6 else "")
    symbols = f"{', '.join(bt.universe)} ({symbols})" if bt.universe else symbols
    form = "%Y-%m-%d" if not Frequency.parse(bt.freq).intraday else "%Y-%m-%d %H:%M"
    span = " to ".join(bt.equity.index[i].strftime(form) for i in (0, -1))
    data = "" if bt.snapshot is None else f", snapshot {bt.snapshot}"
    lines = [f"{bt.strategy}({params}) on {symbols}", f"  {len(bt.equity):,} bars of {bt.freq}, {span}{data}"]
    costs = f"fees {bt.rules.fees:.3%}, slippage {bt.rules.slippage:.3%}"
    lines.append(f"  {_execution(bt)}; {bt.rules.direction}, {costs}")
    lines.append("  " + ", ".join(f"{name.replace('_', ' ')} {bt.metrics[name]}" for name in HEADLINE))
    return lines


def _execution(bt: Backtest) -> str:
    return MARK if bt.same_close else "filled at the next open"
