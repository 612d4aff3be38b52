"""A new report template: a notebook that already runs, and a test that says so."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass, replace
from difflib import get_close_matches
from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tapebook.errors import BadParameter
from tapebook.runs.files import write_text
from tapebook.runs.template import names

if TYPE_CHECKING:
    from tapebook.config import Config

CELLS: list[tuple[str, str]] = [
    ("markdown", "# {title}\n\nWhich question does this report answer?"),
    (
        "parameters",
        'symbols: str = "AAPL"  # names, comma separated\n'
        'start: str = ""  # first day, such as 2005 or 2005-03-01; all there is by default\n'
        'end: str = ""  # last day, included\n'
        "window: int = 60  # bars of the rolling volatility",
    ),
    (
        "code",
        "import plotly.graph_objects as go\nfrom IPython.display import Markdown\n\n"
        "from tapebook import Desk, Recorder, theme\n\n"
        "desk = Desk.open()\nrecord = Recorder.current()\n"
        "bars = desk.bars(symbols, start=start or None, end=end or None)\n"
        "record.title({quoted} + ': ' + ', '.join(bars.symbols))\n"
        'record.table("coverage", bars.coverage())',
    ),
    (
        "markdown",
        "Volatility a year, from the last *window* returns: row *t* uses closes up to and including *t*.",
    ),
    (
        "code",
        "returns = bars.close.pct_change(fill_method=None)\n"
        "volatility = returns.rolling(window).std() * bars.periods_per_year**0.5\n"
        'told = f"the last {window} bars, annualised"\n'
        "last = {s: float(volatility[s].iloc[-1]) for s in bars.symbols}\n"
        'record.metrics({f"volatility {s}": (value, "share", told) for s, value in last.items()})\n'
        'record.headline(*(f"volatility {s}" for s in bars.symbols[:6]))',
    ),
    (
        "code",
        "lines = [go.Scatter(x=volatility.index, y=volatility[s], name=s) for s in bars.symbols]\n"
        "figure = go.Figure(lines)\n"
        'figure.update_layout(template=theme.template(), title="Volatility", showlegend=True)\n'
        'figure.update_yaxes(title="volatility a year", tickformat=".0%")\n'
        'record.figure("volatility", figure)',
    ),
    (
        "code",
        "calm = volatility.iloc[-1].idxmin()\n"
        'Markdown(f"**Finding.** {calm} is the calmest of these: {volatility.iloc[-1].min():.0%} a year.")',
    ),
]
TEST = '''"""The template {name} runs on the sample and records what it promises."""

from dataclasses import replace
from pathlib import Path

from tapebook import Desk

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_{name}_runs(tmp_path):
    with Desk.open(tmp_path) as desk:
        desk.config = replace(desk.config, notebooks=NOTEBOOKS)
        desk.ingest("sample", "AAPL")
        run = desk.run("{name}", symbols="AAPL", timeout=120)
    assert run.outcome == "succeeded"
    assert run.metrics["volatility AAPL"]["value"] > 0
    assert set(run.figures) == {{"volatility"}}
    assert set(run.tables) == {{"coverage"}}
'''


@dataclass(frozen=True)
class Made:
    """Where a new template and its test are; `brought` says that the desk got its own notebooks for it."""

    notebook: Path
    test: Path
    brought: bool


def new_template(config: Config, name: str, title: str | None = None) -> Made:
    """Write a template and its test into the desk.

    A desk that uses the notebooks of the package gets a copy of its own first: nothing is written into an
    installed package, and no template is lost.

    Raises
    ------
    BadParameter
        If the name is no name, or taken.
    """
    brought = not config.notebooks.is_relative_to(config.home)
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name) or iskeyword(name):
        raise BadParameter("name", name, "small letters, digits and '_', such as weekly_risk, at most 40")
    taken = get_close_matches(name, names(config), n=1, cutoff=1.0)
    test = config.home / "tests" / "templates" / f"test_{name}.py"
    if taken or test.exists():
        raise BadParameter(
            "name", name, f"one that is free: {test if test.exists() else 'it'} is there already"
        )
    if brought:
        hidden = shutil.ignore_patterns(".ipynb_checkpoints")
        shutil.copytree(config.notebooks, config.home / "notebooks", ignore=hidden)
        config = replace(config, notebooks=config.home / "notebooks")
    notebook = config.notebooks / "templates" / f"{name}.ipynb"
    for folder in (notebook.parent, test.parent):
        folder.mkdir(parents=True, exist_ok=True)
    write_text(notebook, json.dumps(_notebook(name, title), indent=1, ensure_ascii=False) + "\n")
    write_text(test, TEST.format(name=name))
    return Made(notebook, test, brought)


def _notebook(name: str, title: str | None) -> dict[str, Any]:
    said = " ".join((title or name.replace("_", " ").capitalize()).split())
    cells = []
    for number, (kind, source) in enumerate(CELLS):
        text = source.replace("{title}", said).replace("{quoted}", json.dumps(said, ensure_ascii=False))
        cell: dict[str, Any] = {
            "cell_type": "markdown" if kind == "markdown" else "code",
            "id": f"{name[:20].replace('_', '-')}-{number:02}",
            "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
            "source": text.splitlines(keepends=True),
        }
        cells.append(cell if kind == "markdown" else cell | {"execution_count": None, "outputs": []})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {
        "cells": [dict(sorted(c.items())) for c in cells],
        "metadata": about,
        "nbformat": 4,
        "nbformat_minor": 5,
    }
