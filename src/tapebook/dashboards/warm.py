"""What a warm kernel of the dashboards has done already: every page's imports, and one page made."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory


def warm_up() -> None:
    """Make a page of a small made-up run: the first costs a third of a second, the next some hundredths."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tapebook.config import Config
    from tapebook.dashboards.run_page import run_page

    days = [f"2020-01-{day:02d}" for day in range(1, 29)]
    figure = {"data": [{"type": "scatter", "mode": "lines", "x": days, "y": list(range(28))}], "layout": {}}
    with TemporaryDirectory() as place:
        config = Config.load(place)
        folder = config.reports / "warm"
        for name in ("figures", "tables"):
            (folder / name).mkdir(parents=True)
        (folder / "figures" / "equity.json").write_text(json.dumps(figure))
        (folder / "manifest.json").write_text(json.dumps({"outcome": "succeeded", "headline": ["a"]}))
        (folder / "metrics.json").write_text(json.dumps({"a": {"value": 1.0}}))
        rows = {"day": days, "value": [float(v) for v in range(28)]}
        pq.write_table(pa.table(rows), Path(folder / "tables" / "trades.parquet"), use_dictionary=False)
        _forget(run_page(config, "warm"))


def _forget(page: object) -> None:
    """Close every widget: a kernel must not show the page that warmed it."""
    from ipywidgets import Widget

    del page
    Widget.close_all()
