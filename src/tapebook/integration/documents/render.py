"""From a run's folder to a document: verdict, key figures, charts, tables, and where it all comes from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook import redact
from tapebook.errors import BadInput
from tapebook.integration.documents.document import Block, Document, Heading, Picture, Points, Table, Words

if TYPE_CHECKING:
    import pandas as pd

    Draw = Callable[[dict[str, Any]], str]

ROWS, FIGURES = 30, 12
"""Rows of a table, and figures, at most: the rest is in the run."""
NAMED = ("tapebook", "vectorbt", "numpy", "pandas", "numba", "duckdb", "scipy", "statsmodels", "TA-Lib")
_COLOURS = (
    "<style>polyline{fill:none;stroke:#2563eb;stroke-width:1.5}"
    ".gain{fill:#15803d}.loss{fill:#b91c1c}circle{fill:#2563eb}</style>"
)


def render(
    folder: Path, key: str, *, link: str = "", draw: Draw | None = None, browser: bool = True
) -> Document:
    """Make a document of a run that ended.

    Parameters
    ----------
    folder : Path
        The run's: manifest.json, metrics.json, tables/*.parquet, figures/*.json.
    key : str
        Names the page.
    link : str
        Where the interactive report can be opened.
    draw : callable, optional
        Draws a small SVG of a figure, for where no browser can make a PNG.
    browser : bool
        False: do not look for one.

    Raises
    ------
    BadInput
        If there is no run in the folder, or it is still running.
    """
    manifest = _json(folder / "manifest.json")
    if not manifest:
        raise BadInput(f"{folder} holds no run: expected a manifest.json")
    if manifest.get("outcome") == "running":
        raise BadInput(f"run {manifest['run_id']} is still running: publish it when it has ended")
    blocks = [*_outcome(manifest), *_metrics(folder, manifest), *_figures(folder, draw, browser)]
    blocks += _tables(folder)
    tags = [str(manifest.get("template") or ""), str(manifest.get("strategy") or "")]
    return Document(
        key=key,
        title=_line(redact.scrub(str(manifest.get("title") or manifest["run_id"]))),
        blocks=tuple(blocks),
        facts=tuple((name, redact.scrub(value)) for name, value in _facts(manifest)),
        run=manifest["run_id"],
        date=str(manifest.get("finished") or manifest.get("started") or "")[:10],
        tags=tuple(tag for tag in tags if tag),
        link=link,
    )


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    said: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return said


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _outcome(manifest: dict[str, Any]) -> Iterator[Block]:
    if manifest.get("outcome") != "succeeded":
        error = manifest.get("error") or {}
        why = (
            f"{error.get('name', '')}: {error.get('message', '')}" if isinstance(error, dict) else str(error)
        )
        yield Words(
            redact.scrub(f"The run {manifest['outcome'].replace('_', ' ')}. {why.strip(': ')}".strip())
        )
    if verdict := manifest.get("verdict"):
        yield Heading(f"Verdict: {verdict['verdict']}")
        yield Points(tuple(redact.scrub(reason) for reason in verdict.get("reasons", ())))


def _metrics(folder: Path, manifest: dict[str, Any]) -> Iterator[Block]:
    metrics = _json(folder / "metrics.json")
    first = [name for name in manifest.get("headline") or () if name in metrics]
    rows = [
        (name.replace("_", " "), measured(metrics[name]), str(metrics[name].get("convention") or ""))
        for name in first or list(metrics)[:ROWS]
    ]
    if rows:
        yield Heading("Key figures")
        yield Table(("measure", "value", "convention"), tuple(rows))


def _figures(folder: Path, draw: Draw | None, browser: bool) -> Iterator[Block]:
    files = sorted((folder / "figures").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    for number, file in enumerate(files):
        if number == 0:
            yield Heading("Charts")
        if number == FIGURES:
            yield Words(f"{len(files) - FIGURES} more charts are in the run.")
            return
        yield _picture(file, draw, browser) or Words(f"Chart {file.stem}: see the run's report.")


def _picture(file: Path, draw: Draw | None, browser: bool) -> Picture | None:
    from tapebook.integration.documents.picture import png

    text = redact.scrub(file.read_text(encoding="utf-8"))
    figure = json.loads(text)
    source = hashlib.sha256(text.encode()).hexdigest()
    title = file.stem.replace("_", " ")
    if browser and (image := png(figure)):
        return Picture(file.stem, title, "image/png", source, image)
    small = draw(figure) if draw else ""
    if not small:
        return None
    head, _, rest = small.partition(">")
    drawn = f'{head} xmlns="http://www.w3.org/2000/svg" width="720" height="252">{_COLOURS}{rest}'
    return Picture(file.stem, title, "image/svg+xml", source, drawn.encode())


def _tables(folder: Path) -> Iterator[Block]:
    import pandas as pd

    files = sorted((folder / "tables").glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
    for file in files:
        frame = pd.read_parquet(file)
        if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
            frame = frame.reset_index()
        yield Heading(file.stem.replace("_", " ").capitalize())
        yield _table(frame, file.name) if len(frame) else Words("No rows.")


def _table(frame: pd.DataFrame, file: str) -> Table:
    shown = frame.head(ROWS)
    columns = [[cell(value) for value in shown.iloc[:, at]] for at in range(shown.shape[1])]
    note = f"{ROWS} of {len(frame):,} rows; all are in {file} of the run." if len(frame) > ROWS else ""
    return Table(tuple(map(str, frame.columns)), tuple(zip(*columns, strict=True)), note)


def cell(value: Any) -> str:
    """Write a value as a person reads it; what is missing is a dash.

    >>> cell(float("nan")), cell(None), cell(1234.5678), cell(True), cell("a|b")
    ('–', '–', '1,235', 'yes', 'a|b')
    """
    if hasattr(value, "item") and not hasattr(value, "isoformat"):
        value = value.item() if getattr(value, "size", 1) == 1 else list(value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, (date, datetime)):
        text = value.isoformat(sep=" ", timespec="seconds") if isinstance(value, datetime) else str(value)
        return "–" if text == "NaT" else text.replace("+00:00", "").removesuffix(" 00:00:00")
    return "–" if str(value) in ("NaT", "<NA>") else redact.scrub(str(value))


def _number(value: float) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return (f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}").replace("-", "−")


def measured(metric: dict[str, Any]) -> str:
    """Write a metric's value with its unit.

    >>> measured({"value": -0.5, "unit": "share"}), measured({"value": 3, "unit": "days"})
    ('−50.00%', '3 days')
    """
    value, unit = metric.get("value"), str(metric.get("unit") or "")
    if value is None:
        return "–"
    if unit == "share":
        return f"{value:.2%}".replace("-", "−")
    said = cell(value)
    return said if unit in ("", "ratio", "money", "count") else f"{said} {unit}"


def _facts(manifest: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where the numbers come from."""
    packages = manifest.get("packages") or {}
    git = manifest.get("git") or {}
    yield "run", str(manifest["run_id"])
    yield "template", f"{manifest.get('template')} ({str(manifest.get('template_hash'))[:12]})"
    yield "made", f"{manifest.get('started')} to {manifest.get('finished')}"
    yield "snapshot of the bars", str(manifest.get("snapshot"))
    asked = json.dumps(manifest.get("parameters") or {}, ensure_ascii=False)
    pinned = (manifest.get("universes") or {}).items()
    if universes := [f"@{name}@{version}" for name, version in pinned if f"@{name}" in asked]:
        yield "universes", ", ".join(universes)
    yield "parameters", asked
    yield "seed", str(manifest.get("seed"))
    dirty = " and files that differ from it" if git.get("dirty") else ""
    yield "commit", f"{git['commit']}{dirty}" if git.get("commit") else "none"
    yield "code hash", str(manifest.get("code_hash"))
    listed = json.dumps(sorted(packages.items())).encode()
    named = ", ".join(f"{name} {packages[name]}" for name in NAMED if name in packages)
    yield "packages", f"{len(packages)} (hash {hashlib.sha256(listed).hexdigest()[:12]}): {named}"
    yield "python", f"{manifest.get('python')} on {manifest.get('platform')}"
