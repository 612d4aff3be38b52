"""Parts that the interactive pages share: the head, pickers that say what they are, rows of a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.dashboards.records import Record


def head(record: Record, *, numbers: bool = True) -> str:
    """Write title, outcome, what is wrong, verdict and headline of a run."""
    told = (escape(record.template), f"{escape(record.started)} UTC", look.outcome(record.outcome))
    shown = look.cards((name, look.number(record.metrics[name])) for name in record.headline)
    return look.page(
        f"<h1>{escape(record.title)}</h1>",
        f'<p class="muted">{" · ".join(told)}</p>',
        trouble(record),
        verdict(record),
        shown if numbers else "",
    )


def verdict(record: Record) -> str:
    """Write whether it could be luck; "" of a run that does not say."""
    said, reasons = record.verdict
    return f"<p>Could it be luck? {look.verdict(said)} {escape(' '.join(reasons))}</p>" if said else ""


def trouble(record: Record) -> str:
    """Write why a run is broken or did not succeed; "" if it did."""
    error = record.manifest.get("error")
    if record.trouble:
        return f'<div class="trouble">This record is broken: {escape(record.trouble)}</div>'
    if not isinstance(error, dict):
        return ""
    where = f"in cell {error['cell']}" if error.get("cell") is not None else "outside a cell"
    name, message = (escape(str(error.get(key, ""))) for key in ("name", "message"))
    return f'<div class="trouble">This run did not succeed. <b>{name}</b> {escape(where)}: {message}</div>'


def missing(what: str) -> ipywidgets.Widget:
    """Return a page that says what is not there."""
    import ipywidgets as w

    return w.HTML(look.style() + look.page(f"<h1>Nothing to show</h1><p>{what}</p>"))


def html(*pieces: str) -> ipywidgets.Widget:
    """Return HTML in the dashboards' look."""
    import ipywidgets as w

    return w.HTML(look.page(*pieces))


def controls(*widgets: Any) -> ipywidgets.Widget:
    """Return controls in a row that wraps."""
    import ipywidgets as w

    box = w.Box(list(widgets))
    box.add_class("controls")
    return box


def choice(name: str, options: Sequence[Any], value: Any = None) -> Any:
    """Return a list to choose from, with a word before it."""
    import ipywidgets as w

    layout = w.Layout(width="auto", min_width="220px")
    made = w.Dropdown(options=list(options), description=name, layout=layout)
    if value is not None:
        made.value = value
    return made


def slider(name: str, options: Sequence[Any], value: Any = None) -> Any:
    """Return a slider over given values."""
    import ipywidgets as w

    made = w.SelectionSlider(options=list(options), description=name, continuous_update=True)
    made.layout = w.Layout(width="420px", max_width="100%")
    if value is not None:
        made.value = value
    return made


def rows(record: Record, table: str, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Read a recorded table as plain rows; [] if it is not there or cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        read = pq.ParquetFile(record.folder / "tables" / f"{table}.parquet").read(
            columns=columns, use_threads=False
        )
    except (OSError, pa.ArrowException):
        return []
    found: list[dict[str, Any]] = read.to_pylist()
    return found


def chart_of(record: Record, name: str) -> Any:
    """Return a live chart of a recorded figure, or the sentence why not."""
    try:
        figure = figures.load(record.folder / "figures" / f"{name}.json")
    except (OSError, ValueError) as error:
        return html(
            f'<div class="trouble">The figure {escape(name)} cannot be read: {escape(str(error))}</div>'
        )
    return figures.widget(figure)


def with_span(figure: dict[str, Any]) -> ipywidgets.Widget:
    """Return a chart with a slider for its span of time."""
    import ipywidgets as w

    chart = figures.widget(figure)
    found = figures.span(figure)
    if not found:
        return boxed(chart)
    stops = figures.stops(*found)
    between = w.SelectionRangeSlider(options=stops, description="from, to", continuous_update=False)
    between.layout = w.Layout(width="480px", max_width="100%")
    between.index = (0, len(stops) - 1)
    between.observe(lambda _: figures.narrow(chart, figure, *between.value), "value")
    return w.VBox([controls(between), boxed(chart)])


def boxed(*charts: Any) -> ipywidgets.Widget:
    """Return charts in a box of their own."""
    import ipywidgets as w

    box = w.VBox(list(charts))
    box.add_class("chart")
    return box


def table(
    found: Iterable[dict[str, Any]],
    names: Sequence[str],
    say: Callable[[Any], str],
    *,
    numeric: Sequence[str] = (),
) -> str:
    """Write rows as a table; numbers stand to the right, and so do the columns that are said to be."""
    kept = list(found)
    right = [
        i
        for i, n in enumerate(names)
        if n in numeric or all(isinstance(r.get(n), (int, float, type(None))) for r in kept)
    ]
    cells = ([escape(say(row.get(name))) for name in names] for row in kept)
    return look.table([n.replace("_", " ") for n in names], cells, numeric=right)
