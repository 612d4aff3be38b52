"""report.html: a run's page that opens offline, without the notebook's code."""

from __future__ import annotations

import json
import re
import shutil
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any

from tapebook import theme
from tapebook.runs.files import read_json, write_text
from tapebook.runs.outputs import blocks
from tapebook.runs.page_summary import write_summary
from tapebook.runs.record import MANIFEST, NOTEBOOK, PAGE, shown

STATIC = "_static"
_OUTCOME = {
    "running": "is still running, or its page was written before it ended",
    "failed": "failed",
    "timed_out": "ran out of time",
    "out_of_memory": "ran out of memory",
    "killed": "lost its process",
    "cancelled": "was cancelled",
    "lost": "was lost: the program that ran it is gone",
}


def write_page(folder: Path) -> None:
    """Write the page of the run in `folder` from its notebook, metrics and manifest."""
    manifest = read_json(folder / MANIFEST)
    metrics = read_json(folder / "metrics.json")
    notebook = read_json(folder / NOTEBOOK)
    parts = blocks(notebook.get("cells", []))
    charts = any("class='chart'" in part for part in parts)
    page = _template().render(
        css=theme.css(),
        print_css=theme.paper(),
        name=f"{manifest['template']}: {manifest['run_id']}",
        manifest=manifest,
        why=None if manifest["outcome"] == "succeeded" else _OUTCOME[manifest["outcome"]],
        headline=[
            (name.replace("_", " "), shown(metrics[name]), metrics[name].get("convention", ""))
            for name in manifest.get("headline") or ()
            if name in metrics
        ],
        verdict=manifest.get("verdict"),
        lead=_without_heading(parts[0]) if parts and manifest.get("title") else (parts or [""])[0],
        blocks=parts[1:],
        plotly=f"../{STATIC}/{plotly_script(folder.parent)}" if charts else None,
        exchanged=_script_safe(theme.in_the_dark()),
        layouts=_script_safe(
            {mode: theme.template(dark=mode == "dark")["layout"] for mode in ("light", "dark")}
        ),
        provenance=_provenance(manifest),
        packages=manifest.get("packages") or {},
    )
    write_text(folder / PAGE, page)
    write_summary(folder)


def plotly_script(reports: Path) -> str:
    """Copy plotly's script beside the runs, once for each version; return its file name."""
    import plotly

    name = f"plotly-{plotly.__version__}.min.js"
    target = reports / STATIC / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{name}.{token_hex(4)}.part")
        shutil.copyfile(Path(plotly.__file__).parent / "package_data" / "plotly.min.js", part)
        part.replace(target)
    return name


def _without_heading(block: str) -> str:
    """Take out the template's own title: the run has said a better one."""
    return re.sub(r"<h1>.*?</h1>", "", block, count=1, flags=re.S)


def _provenance(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    git = manifest.get("git")
    code = "not under git" if git is None else git["commit"] + (" with changes" if git["dirty"] else "")
    snapshot = manifest.get("snapshot")
    rows = {
        "run": manifest["run_id"],
        "rerun of": manifest.get("rerun_of"),
        "template": f"{manifest['template']} ({manifest['template_hash'][:12]})",
        "parameters": ", ".join(
            f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in manifest["parameters"].items()
        ),
        "data": "the lake was empty" if snapshot is None else f"snapshot {snapshot} of the lake",
        "universes": named_universes(manifest),
        "fingerprints": ", ".join(str(mark)[:16] for mark in manifest.get("fingerprints") or ()),
        "results": ", ".join(manifest.get("results") or ()),
        "seed": manifest.get("seed"),
        "code": code,
        "python": f"{manifest.get('python')} on {manifest.get('platform')}",
        "started": manifest.get("started"),
        "took": None if manifest.get("seconds") is None else f"{manifest['seconds']:.1f} s",
        "outcome": manifest["outcome"],
    }
    return [(name, str(value)) for name, value in rows.items() if value not in (None, "")]


def named_universes(manifest: dict[str, Any]) -> str:
    """Name the versions of the universes that the parameters name: "@sp500@3"."""
    said = json.dumps(manifest.get("parameters") or {})
    known = (manifest.get("universes") or {}).items()
    return ", ".join(f"@{name}@{version}" for name, version in known if f"@{name}" in said)


def _script_safe(value: Any) -> str:
    return json.dumps(value).replace("<", "\\u003c")


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader

    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, trim_blocks=True).get_template("page.html.j2")
