"""Fabricates runs on disk, as `tapebook.runs` writes them, to test dashboards without an engine."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from runs_made import WARM_UP


def make_run(
    reports,
    id,
    *,
    template="backtest",
    strategy="sma_cross",
    symbols="AAPL",
    outcome="succeeded",
    days=0,
    **more,
):
    """Write one run's folder; `more` replaces keys of the manifest."""
    folder = reports / id
    for name in ("figures", "tables"):
        (folder / name).mkdir(parents=True)
    started = datetime(2026, 11, 1, 22, 15, tzinfo=UTC) + timedelta(days=days)
    manifest = {
        "run_id": id,
        "template": template,
        "template_hash": "ab" * 32,
        "parameters": {"strategy": strategy, "symbols": symbols, "fees": 0.001},
        "snapshot": 3,
        "seed": 7,
        "git": {"commit": "c0ffee" * 6, "dirty": True},
        "packages": {"pandas": "3.1.1", "numpy": "2.4.6"},
        "python": "3.11.7",
        "platform": "Linux",
        "started": started.isoformat(),
        "finished": (started + timedelta(seconds=9)).isoformat(),
        "seconds": 9.0,
        "outcome": outcome,
        "error": None,
        "rerun_of": None,
        "title": f"{strategy} on {symbols}",
        "headline": ["total_return", "sharpe", "trades"],
        "results": [],
    } | more
    (folder / "manifest.json").write_text(json.dumps(manifest))
    metrics = {
        "total_return": {
            "value": 0.4211,
            "unit": "share",
            "convention": "last equity over initial cash, less 1",
        },
        "sharpe": {"value": None, "unit": "ratio", "convention": "annualised, 252 bars a year"},
        "trades": {"value": 12.0, "unit": "count", "convention": "closed"},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    index = pd.date_range("2010-01-01", periods=900, freq="D")
    rng = np.random.default_rng(0)
    equity = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 900)))
    write_figure(folder, "equity", [str(d.date()) for d in index], equity.tolist())
    write_figure(
        folder,
        "drawdown",
        [str(d.date()) for d in index],
        (equity / np.maximum.accumulate(equity) - 1).tolist(),
    )
    trades = pd.DataFrame({"symbol": ["AAPL"] * 40, "entry_ts": index[:40], "pnl": rng.normal(0, 100, 40)})
    trades.to_parquet(folder / "tables" / "trades.parquet")
    return folder


def write_figure(folder, name, x, y):
    """Write a figure's JSON, as plotly would."""
    trace = {"type": "scatter", "mode": "lines", "x": x, "y": y, "name": name}
    title = f"{name} of a strategy whose name and settings have no room on one line of a phone"
    figure = {"data": [trace], "layout": {"title": {"text": title}, "xaxis": {"type": "date"}}}
    (folder / "figures" / f"{name}.json").write_text(json.dumps(figure))


def soon_warm(home):
    """Let a desk's kernels be warm after a second: its dashboards are ours, what warms them is little."""
    (home / "notebooks").mkdir()
    (home / "notebooks" / "dashboards").symlink_to(Path(__file__).parents[2] / "notebooks" / "dashboards")
    (home / "notebooks" / "warm_up.py").write_text(WARM_UP)
