"""The page of one run: figures, metrics, tables, parameters, and where every number comes from."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look, parts
from tapebook.dashboards.apology import guarded
from tapebook.dashboards.asked import Address, asked_run
from tapebook.dashboards.move_explorer import is_explored, move_explorer
from tapebook.dashboards.records import Record, find
from tapebook.dashboards.tables import table_view

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.config import Config

RAW = frozenset({"combinations", "curves"})
"""Tables that pages draw from, too long to be read."""


@guarded
def run_page(config: Config, id: str | None = None) -> ipywidgets.Widget:
    """Return the page of a run; without an id, of the one that the address names."""
    import ipywidgets as w

    wanted = asked_run(config) if id is None else id
    record = find(config.reports, wanted)
    if record is None:
        said = f"There is no report <b>{escape(wanted)}</b>." if wanted else "There are no reports yet."
        return parts.missing(said)
    pieces: list[Any] = [w.HTML(look.style() + parts.head(record)), address := Address()]
    explorer = move_explorer(record)
    pieces += [] if explorer is None else [explorer]
    others = [name for name in record.names("figures") if explorer is None or not is_explored(name)]
    pieces += [charts(record, others, address)] if others else []
    return w.VBox([*pieces, *foot(record)])


def foot(record: Record) -> list[ipywidgets.Widget]:
    """Return the lower part of a run's page: figures with conventions, tables, provenance."""
    pieces: list[Any] = [parts.html(_metrics(record))] if record.metrics else []
    shown = RAW | ({"metrics"} if record.metrics else set())  # with their conventions, just above
    for name in sorted(set(record.names("tables")) - shown):
        path = record.folder / "tables" / f"{name}.parquet"
        pieces += [parts.html(f"<h2>{look.words(name)}</h2>"), table_view(path)]
    return [*pieces, parts.html(_provenance(record))]


def charts(record: Record, names: list[str], address: Address) -> Any:
    """Return a chart with its controls: which figure, from when to when, or which of its frames."""
    import ipywidgets as w

    which = parts.choice("figure", [(name.replace("_", " "), name) for name in names])
    address.keep("figure", which)
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
            between.options = figures.stops(*found)
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
    return w.VBox([parts.controls(which, between, frame), place])


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
        "took": f"{seconds:.1f} s" if isinstance(seconds := m.get("seconds"), (int, float)) else None,
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
