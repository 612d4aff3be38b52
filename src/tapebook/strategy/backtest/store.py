"""A backtest on disk: Parquet tables and one JSON file; what is read equals what was written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from tapebook.errors import BadInput
from tapebook.strategy.performance.metrics import Metrics
from tapebook.strategy.rules import Rules

if TYPE_CHECKING:
    from tapebook.strategy.backtest.backtest import Backtest

_WIDE = ("positions", "close", "equity_by_symbol")
_PLAIN = (
    "strategy",
    "start_cash",
    "periods_per_year",
    "freq",
    "adjust",
    "snapshot",
    "fingerprint",
    "code_hash",
    "family",
    "id",
    "created",
)
RECORD = "record.json"


def record(bt: Backtest) -> dict[str, Any]:
    """Do what `Backtest.record` says."""
    return {name: getattr(bt, name) for name in _PLAIN} | {
        "params": dict(bt.params),
        "rules": bt.rules.record(),
        "symbols": list(bt.symbols),
        "universe": list(bt.universe),
        "start": bt.equity.index[0].isoformat(),
        "end": bt.equity.index[-1].isoformat(),
        "bars": len(bt.equity),
        "benchmark": None if bt.benchmark is None else str(bt.benchmark.name),
        "same_close": bt.same_close,
        "verdict": bt.luck().verdict,
        "metrics": bt.metrics.to_json(),
    }


def write(bt: Backtest, folder: Path) -> None:
    """Do what `Backtest.write` says."""
    folder.mkdir(parents=True)
    series = {"equity": bt.equity, "cash": bt.cash}
    if bt.benchmark is not None:
        series["benchmark"] = bt.benchmark
    pd.DataFrame(series).to_parquet(folder / "series.parquet")
    for name in _WIDE:
        frame = getattr(bt, name)
        if frame is not None:
            frame.to_parquet(folder / f"{name}.parquet")
    for name in ("orders", "trades"):
        getattr(bt, name).to_parquet(folder / f"{name}.parquet")
    (folder / RECORD).write_text(json.dumps(record(bt), indent=1))


def read(folder: Path) -> Backtest:
    """Do what `Backtest.read` says."""
    from tapebook.strategy.backtest.backtest import Backtest

    if not (folder / RECORD).is_file():
        raise BadInput(
            f"{folder} holds no backtest: expected {RECORD} there; it may have been deleted by hand"
        )
    said = json.loads((folder / RECORD).read_text())
    series = pd.read_parquet(folder / "series.parquet")
    wide: dict[str, Any] = {
        name: pd.read_parquet(path) for name in _WIDE if (path := folder / f"{name}.parquet").is_file()
    }
    for frame in wide.values():
        frame.columns.name = "symbol"
    benchmark = series["benchmark"].rename(said["benchmark"]) if said["benchmark"] is not None else None
    return Backtest(
        **{name: said[name] for name in _PLAIN if name in said},
        **wide,
        params=said["params"],
        universe=tuple(said.get("universe") or ()),
        rules=Rules(**said["rules"]),
        equity=series["equity"],
        cash=series["cash"],
        benchmark=benchmark,
        orders=pd.read_parquet(folder / "orders.parquet"),
        trades=pd.read_parquet(folder / "trades.parquet"),
        metrics=Metrics.from_json(said["metrics"]),
    )
