"""summary.json: what a gallery shows of a run, made once when its page is written."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from tapebook.runs.files import read_json, write_json
from tapebook.runs.page_picture import picture
from tapebook.runs.record import MANIFEST, arrays, shown

SUMMARY = "summary.json"
FIRST = ("tearsheet", "equity", "walk_forward", "cone", "growth", "weights", "board", "heatmap")
"""Figures whose picture stands for a run, if they are there."""
_READ = 3_000_000  # bytes; larger figures are not read for a picture
_FIGURES = 6  # at most that many are opened


def write_summary(folder: Path) -> dict[str, Any]:
    """Make the summary of the run in `folder`, keep it there and return it."""
    summary = summarise(folder)
    write_json(folder / SUMMARY, summary)
    return summary


def summarise(folder: Path) -> dict[str, Any]:
    """Return title, outcome, times, headline, verdict, `data_to` (the last bar's day), picture and more."""
    manifest, metrics = read_json(folder / MANIFEST), read_json(folder / "metrics.json")
    found = _figures(folder)
    started = str(manifest.get("started") or "")
    verdict = manifest.get("verdict")
    wanted = manifest.get("headline") or list(metrics)[:4]
    error = manifest.get("error")
    return {
        "run": folder.name,
        "title": manifest.get("title") or folder.name,
        "template": manifest.get("template"),
        "strategy": manifest.get("parameters", {}).get("strategy"),
        "symbols": manifest.get("parameters", {}).get("symbols"),
        "outcome": manifest.get("outcome"),
        "started": started,
        "finished": manifest.get("finished") or started,
        "headline": [
            [name.replace("_", " "), shown(metrics[name])] for name in wanted if _is_metric(metrics.get(name))
        ][:6],
        "verdict": verdict.get("verdict") if isinstance(verdict, dict) else None,
        "why": f"{error.get('name')}: {error.get('message')}"[:300] if isinstance(error, dict) else None,
        "data_to": _covered_to(folder)
        or max((day for f in found if (day := _last_day(f, started[:10]))), default=None),
        "picture": next((made for f in found if (made := picture(f))), ""),
    }


def _is_metric(metric: Any) -> bool:
    value = metric.get("value") if isinstance(metric, dict) else ""
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def _figures(folder: Path) -> list[dict[str, Any]]:
    """The first few recorded figures that can be read, those that stand for a run before others."""
    paths = sorted(
        (folder / "figures").glob("*.json"),
        key=lambda path: (_rank(path.stem), path.name),
    )
    found: list[dict[str, Any]] = []
    for path in paths[:_FIGURES]:
        try:
            figure = arrays(json.loads(path.read_text("utf-8"))) if path.stat().st_size <= _READ else None
        except (OSError, ValueError, TypeError, KeyError):
            continue
        if isinstance(figure, dict) and isinstance(figure.get("data"), list):
            found.append(figure)
    return found


def _rank(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST) + (not name.startswith(("moves of", "pair ")))


def _covered_to(folder: Path) -> str | None:
    """Return the day of the newest bar in the run's table of coverage; None if it has none."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        column = pq.read_table(folder / "tables" / "coverage.parquet", columns=["last"], use_threads=False)[
            "last"
        ]
        newest = pc.max(column).as_py()
    except (OSError, KeyError, pa.ArrowException):
        return None
    return None if newest is None else str(newest)[:10]


def _last_day(figure: dict[str, Any], before: str) -> str | None:
    """Last date of the figure's lines that is not after the run itself: a cone reaches into the future."""
    days = [str(trace["x"][-1])[:10] for trace in figure["data"] if _has_days(trace)]
    return max((day for day in days if not before or day <= before), default=None)


def _has_days(trace: Any) -> bool:
    x = trace.get("x") if isinstance(trace, dict) else None
    if x is None or isinstance(x, (str, dict)) or not hasattr(x, "__len__") or not len(x):
        return False
    said = str(x[-1])[:10]
    try:
        date.fromisoformat(said)
    except ValueError:
        return False
    return len(said) == 10
