"""A screen over 500 symbols × 2,520 days, as of the newest bar, against plain pandas."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from tapebook import Desk
from tapebook.strategy.screen.hits import screen

T, N, RUNS = 2_520, 500, 3
EXPRESSION = "close > sma(200) and rsi(14) < 45 and volume > 1.2 * avg(volume, 20)"


def market() -> pd.DataFrame:
    """Random walks as a long frame; a fifth of them listed late."""
    rng = np.random.default_rng(1)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, (T, N)), axis=0))
    days = pd.bdate_range("2014-01-02", periods=T, tz="UTC")
    late = np.where(np.arange(N) < N // 5, 900, 0)
    parts = []
    for n in range(N):
        own = close[late[n] :, n]
        volume = rng.lognormal(12, 1, len(own))
        parts.append(
            pd.DataFrame(
                {
                    "symbol": f"S{n:03}", "freq": "1d", "ts": days[late[n] :], "open": own,
                    "high": own * 1.01,
                    "low": own * 0.99, "close": own, "volume": volume,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def plain(rows: pd.DataFrame) -> list[str]:
    """The same in pandas, symbol by symbol, with Wilder's smoothing by ewm."""
    by = rows.groupby("symbol", sort=False)
    sma = by["close"].transform(lambda x: x.rolling(200).mean())
    avg = by["volume"].transform(lambda x: x.rolling(20).mean())

    def rsi(x: pd.Series) -> pd.Series:
        change = x.diff()
        up, down = (
            part.ewm(alpha=1 / 14, adjust=False).mean()
            for part in (change.clip(lower=0), -change.clip(upper=0))
        )
        return 100 * up / (up + down)

    held = (rows["close"] > sma) & (by["close"].transform(rsi) < 45) & (rows["volume"] > 1.2 * avg)
    return rows["symbol"][held & (rows["ts"] == rows["ts"].max())].tolist()


def seconds(work: Callable[[], object]) -> str:
    """Median seconds of some runs after a first: by the clock, and of the processor (all threads)."""
    work()
    taken = []
    for _ in range(RUNS):
        begun, spent = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - begun, time.process_time() - spent))
    clock, processor = (median(part) for part in zip(*taken, strict=True))
    return f"{clock:.3f} s, {processor:.3f} s of processor"


def main() -> None:
    """Print the figures."""
    rows = market()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tapebook.toml").touch()
        with Desk.open(folder) as desk:
            desk.lake.write(rows)
            bars = desk.bars()
            found = desk.scan(EXPRESSION)
            same = sorted(found.symbols) == sorted(plain(rows))
            print(f"{len(found.symbols)} hits of {N}, as plain pandas: {same}; {len(rows):,} bars")
            print(f"desk.scan, from the lake      {seconds(lambda: desk.scan(EXPRESSION))}")
            print(f"on a panel at hand            {seconds(lambda: screen(bars, EXPRESSION))}")
            print(f"plain pandas, frame at hand   {seconds(lambda: plain(rows))}")


if __name__ == "__main__":
    main()
