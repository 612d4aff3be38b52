# mypy: ignore-errors
# (run by hand in an environment of its own, where no types are known)
"""Make the bundled sample: needs bokeh_sampledata==2026.1, pandas and pyarrow; not run by tapebook.

    python make_sample.py

The published series are prices as traded on the day, and a close adjusted for all later splits and
dividends. Splits within the span are known (see ATTRIBUTION.md). Between two ex-dates the ratio of the
adjusted close to the split-adjusted close is constant to the last digits; where it steps, a dividend was
paid. The publisher's step is 1 + dividend / close of the ex-date, which gives the dividends to the cent.
"""

from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SPLITS = {"AAPL": {"2000-06-21": 2.0, "2005-02-28": 2.0}, "MSFT": {"2003-02-18": 2.0}}
NOISE = 1e-9  # of the ratio between ex-dates; the smallest dividend was a thousandth of the price


def actions(symbol: str, days: pd.DatetimeIndex, close: np.ndarray, adjusted: np.ndarray) -> pd.DataFrame:
    """Splits and dividends of one symbol; a dividend in money for each share held before."""
    splits = pd.Series(1.0, days)
    for day, ratio in SPLITS.get(symbol, {}).items():
        splits[pd.Timestamp(day)] = ratio
    later = splits[::-1].cumprod()[::-1].shift(-1, fill_value=1.0).to_numpy()
    level = adjusted * later / close
    step = np.concatenate([[1.0], level[1:] / level[:-1]])
    dividends = np.where(np.abs(step - 1) > NOISE, ((step - 1) * close).round(4), 0.0)
    found = pd.DataFrame({"symbol": symbol, "ts": days, "split": splits.to_numpy(), "dividend": dividends})
    return found[(found["split"] != 1.0) | (found["dividend"] != 0.0)]


def main() -> None:
    """Write bars.parquet and actions.parquet beside this file."""
    from bokeh_sampledata.stocks import data

    stocks = pd.DataFrame(data)
    stocks["ts"] = pd.to_datetime(stocks["date"])
    stocks = stocks.rename(columns={"ticker": "symbol"}).sort_values(["symbol", "ts"])
    parts = [
        actions(str(symbol), pd.DatetimeIndex(s["ts"]), s["close"].to_numpy(), s["adj_close"].to_numpy())
        for symbol, s in stocks.groupby("symbol")
    ]
    columns = ["symbol", "ts", "open", "high", "low", "close", "volume", "adj_close"]
    bars = stocks[columns].assign(volume=stocks["volume"].astype(float))
    bars.to_parquet(HERE / "bars.parquet", index=False, compression="zstd")
    pd.concat(parts).to_parquet(HERE / "actions.parquet", index=False, compression="zstd")


if __name__ == "__main__":
    main()
