"""The page of one run: figures, metrics, tables, parameters, and where every number comes from."""

from __future__ import annotations

import os
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from tapebook.dashboards import figures, look
from tapebook.dashboards.move_explorer import is_explored, move_explorer
from tapebook.dashboards.records import Record, find, records
from tapebook.dashboards.tables import table_view

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

BACK = '<p><a href="gallery.ipynb">← all reports</a></p>'


def asked_run(config: Config) -> str:
    """Return the id in the page's address (`?run=…`), or the newest run's."""
    query = parse_qs(os.environ.get("QUERY_STRING", ""))
    if query.get("run"):
        return query["run"][0]
    newest = records(config.reports)
    return newest[0].id if newest else ""


def run_page(config: Config, id: str | None = None) -> ipywidgets.Widget:
    """Return the page of a run; without an id, of the one that the address names."""
    import ipywidgets as w

    wanted = asked_run(config) if id is None else id
    record = find(config.reports, wanted)
    if record is None:
        said = f"There is no report <b>{escape(wanted)}</b>." if wanted else "There are no reports yet."
        return w.HTML(look.style() + look.page(BACK, f"<h1>Not found</h1><p>{said}</p>"))
    pieces: list[Any] = [w.HTML(look.style() + _head(record))]
    explorer = move_explorer(record)
    pieces += [] if explorer is None else [explorer]
    others = [name for name in record.names("figures") if explorer is None or not is_explored(name)]
    pieces += [_charts(record, others)] if others else []
    pieces += [w.HTML(_metrics(record))] if record.metrics else []
    shown = {"metrics"} if record.metrics else set()  # with their conventions, just above
    for name in sorted(set(record.names("tables")) - shown):
        path = record.folder / "tables" / f"{name}.parquet"
        pieces += [w.HTML(look.page(f"<h2>{look.words(name)}</h2>")), table_view(path)]
    pieces.append(w.HTML(_provenance(record)))
    return w.VBox(pieces)


def _head(record: Record) -> str:
    told = (escape(record.template), f"{escape(record.started)} UTC", look.outcome(record.outcome))
    about = f'<p class="muted">{" · ".join(told)}</p>'
    shown = look.cards((name, look.number(record.metrics[name])) for name in record.headline)
    return look.page(
        BACK, f"<h1>{escape(record.title)}</h1>", about, _trouble(record), _verdict(record), shown
    )


def _verdict(record: Record) -> str:
    said, reasons = record.verdict
    if not said:
        return ""
    return f"<p>Could it be luck? {look.verdict(said)} {escape(' '.join(reasons))}</p>"


def _trouble(record: Record) -> str:
    error = record.manifest.get("error")
    if record.trouble:
        return f'<div class="trouble">This record is broken: {escape(record.trouble)}</div>'
    if not isinstance(error, dict):
        return ""
    where = f"in cell {error['cell']}" if error.get("cell") is not None else "outside a cell"
    name, message = (escape(str(error.get(key, ""))) for key in ("name", "message"))
    said = f"<b>{name}</b> {escape(where)}: {message}"
    return f'<div class="trouble">This run did not succeed. {said}</div>'


def _charts(record: Record, names: list[str]) -> Any:
    """A chart with its controls: which figure, from when to when, or which of its frames."""
    import ipywidgets as w

    which = w.Dropdown(options=[(name.replace("_", " "), name) for name in names], description="figure")
    which.layout = w.Layout(width="auto", min_width="240px")
    between = w.SelectionRangeSlider(options=["…", "…"], description="from, to", continuous_update=False)
    between.layout = w.Layout(width="480px")
    frame = w.SelectionSlider(options=["…"], description="when", continuous_update=False)
    frame.layout = w.Layout(width="480px")
    place = w.VBox([])
    place.add_class("chart")
    state: dict[str, Any] = {"quiet": False}

    def choose(_: Any = None) -> None:
        try:
            state["figure"] = figures.load(record.folder / "figures" / f"{which.value}.json")
            place.children = (figures.widget(state["figure"]),)
        except (OSError, ValueError) as error:
            said = f"The figure {which.value} cannot be read: {error}"
            place.children = (w.HTML(look.page(f'<div class="trouble">{escape(said)}</div>')),)
            between.layout.display = frame.layout.display = "none"
            return
        found, moving = figures.span(state["figure"]), figures.steps(state["figure"])
        between.layout.display = None if found else "none"
        frame.layout.display = None if moving else "none"
        state["quiet"] = True
        if moving:
            frame.options, frame.index = moving, 0
        if found:
            between.options = _dates(*found)
            between.index = (0, len(between.options) - 1)
        state["quiet"] = False

    def move(_: Any = None) -> None:
        if not state["quiet"]:
            figures.narrow(place.children[0], state["figure"], *between.value)

    def turn(_: Any = None) -> None:
        if not state["quiet"]:
            figures.step(place.children[0], state["figure"], frame.index)

    choose()
    which.observe(choose, "value")
    between.observe(move, "value")
    frame.observe(turn, "value")
    controls = w.Box([which, between, frame])
    controls.add_class("controls")
    return w.VBox([controls, place])


def _dates(first: str, last: str) -> list[str]:
    """Stops of the slider: the ends, and the months (of a long span, the quarters) between them."""
    from datetime import date

    start, end = date.fromisoformat(first), date.fromisoformat(last)
    step = 1 if (end - start).days < 3_700 else 3
    months = range(start.year * 12 + start.month, end.year * 12 + end.month, step)
    stops = [date(m // 12, m % 12 + 1, 1).isoformat() for m in months]
    return [first, *(stop for stop in stops if first < stop < last), last] if first != last else [first, last]


def _metrics(record: Record) -> str:
    rows = [(look.words(name), escape(look.number(m)), _convention(m)) for name, m in record.metrics.items()]
    heading = "<h2>Figures and their conventions</h2>"
    return look.page(heading, look.table(("figure", "value", "convention"), rows, numeric=[1]))


def _convention(metric: dict[str, Any]) -> str:
    return f'<span class="muted">{escape(str(metric.get("convention", "")))}</span>'


def _commit(git: Any) -> str:
    if not isinstance(git, dict):
        return ""
    return f"{git.get('commit', '')}{' with changes that are not committed' if git.get('dirty') else ''}"


def _provenance(record: Record) -> str:
    m = record.manifest
    rows = {
        "run": record.id,
        "data": "" if m.get("snapshot") is None else f"snapshot {m['snapshot']}",
        "code": _commit(m.get("git")),
        "template": f"{record.template} {m.get('template_hash', '')}",
        "seed": m.get("seed"),
        "started": m.get("started"),
        "finished": m.get("finished"),
        "seconds": m.get("seconds"),
        "python": m.get("python"),
        "platform": m.get("platform"),
        "made again from": m.get("rerun_of"),
        "results": ", ".join(map(str, results)) if isinstance(results := m.get("results"), list) else "",
    }
    shown = [
        (escape(k), f'<span class="mono">{escape(str(v))}</span>')
        for k, v in rows.items()
        if v not in (None, "")
    ]
    asked = [
        (escape(str(k)), f'<span class="mono">{escape(str(v))}</span>') for k, v in record.parameters.items()
    ]
    packages = m.get("packages") if isinstance(m.get("packages"), dict) else {}
    listed = ", ".join(f"{escape(str(k))} {escape(str(v))}" for k, v in (packages or {}).items())
    return look.page(
        "<h2>Parameters</h2>",
        look.table(("parameter", "value"), asked) if asked else "<p>none</p>",
        "<h2>Where the numbers come from</h2>",
        look.table(("", ""), shown),
        f'<details><summary class="muted">packages</summary><p class="mono">{listed}</p></details>'
        if listed
        else "",
    )
