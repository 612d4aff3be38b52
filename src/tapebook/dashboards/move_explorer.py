"""The move explorer: pick a move on the chart or in the list, read its page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from tapebook.dashboards import figures, look
from tapebook.data.plain import file_name

if TYPE_CHECKING:
    import ipywidgets

    from tapebook.dashboards.records import Record

CHART, PAGE = "moves of ", "move "


def is_explored(name: str) -> bool:
    """Whether a recorded figure belongs to the explorer, and not among the others."""
    return name.startswith((CHART, PAGE))


def move_explorer(record: Record) -> ipywidgets.Widget | None:
    """Return the explorer of a run that recorded moves; None of any other."""
    import ipywidgets as w

    found = _rows(record, "moves")
    drawn = set(record.names("figures"))
    names = dict.fromkeys(str(row["symbol"]) for row in found)
    symbols = [name for name in names if file_name(CHART + name) in drawn]
    if not symbols:
        return None
    told = {int(row["move"]): str(row["summary"]) for row in _rows(record, "explained")}
    layout = w.Layout(width="auto", min_width="220px")
    which = w.Dropdown(options=symbols, description="symbol", layout=layout)
    move = w.Dropdown(options=_moves(found, symbols[0], told), description="move", layout=layout)
    question = w.ToggleButtons(options=["…"], style={"button_width": "auto"})
    chart, page, place = w.VBox([]), w.HTML(), w.VBox([])
    chart.add_class("chart")
    place.add_class("chart")
    state = {"quiet": False}

    def draw(name: str, into: Any) -> None:
        try:
            made = figures.widget(figures.load(record.folder / "figures" / f"{file_name(name)}.json"))
        except (OSError, ValueError) as error:
            said = f"The figure {name} cannot be read: {error}"
            into.children = (w.HTML(look.page(f'<div class="trouble">{escape(said)}</div>')),)
            return
        if name.startswith(CHART):
            made.on_pick(pick)
        into.children = (made,)

    def pick(trace: dict[str, Any], point: int) -> None:
        known = trace.get("customdata")
        if isinstance(known, list) and point < len(known) and not isinstance(known[point], (list, dict)):
            chosen = int(known[point])
            if chosen in [value for _, value in move.options]:
                move.value = chosen

    def choose_symbol(_: Any = None) -> None:
        state["quiet"] = True
        move.options = _moves(found, which.value, told)
        state["quiet"] = False
        draw(CHART + which.value, chart)
        choose_move()

    def choose_move(_: Any = None) -> None:
        if state["quiet"] or move.value is None:
            return
        row = next(row for row in found if int(row["move"]) == move.value)
        page.value = look.page(_facts(row), _words(told.get(move.value)))
        names = [n for n in record.names("figures") if n.startswith(f"{PAGE}{move.value:03d} ")]
        state["quiet"] = True
        question.options = sorted(
            ((n.split(" ", 2)[2], n) for n in names), key=lambda pair: _ORDER.get(pair[0], 9)
        )
        question.layout.display = None if names else "none"
        state["quiet"] = False
        place.layout.display = None if names else "none"
        if names:
            draw(question.value, place)

    def choose_question(change: Any) -> None:
        if not state["quiet"] and change["new"]:
            draw(change["new"], place)

    choose_symbol()
    which.observe(choose_symbol, "value")
    move.observe(choose_move, "value")
    question.observe(choose_question, "value")
    controls = w.Box([which, move])
    controls.add_class("controls")
    hint = w.HTML(
        look.page("<h2>The moves</h2>", '<p class="muted">Pick one in the chart or in the list.</p>')
    )
    return w.VBox([hint, controls, chart, page, question, place])


_ORDER = {
    "What moved": 0, "How large": 1, "With what": 2, "What came before": 3, "When before": 4,
    "Could a rule have caught it": 5, "After such moves": 6,
}  # fmt: skip


def _rows(record: Record, name: str) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: list[dict[str, Any]] = (
            pq.ParquetFile(record.folder / "tables" / f"{name}.parquet").read(use_threads=False).to_pylist()
        )
    except (OSError, pa.ArrowException):
        return []
    return rows


def _moves(found: list[dict[str, Any]], symbol: str, told: dict[int, str]) -> list[tuple[str, int]]:
    """The symbol's moves, those with a page first, then the newest."""
    own = [row for row in found if row["symbol"] == symbol]
    own.sort(key=lambda row: row["end"], reverse=True)
    own.sort(key=lambda row: int(row["move"]) not in told)
    return [
        (
            f"{row['end']:%Y-%m-%d}  {row['percent']:+.1%}  {row['scope']}"
            + ("" if int(row["move"]) in told else " (no page)"),
            int(row["move"]),
        )
        for row in own
    ]


def _facts(row: dict[str, Any]) -> str:
    days = f"{row['start']:%Y-%m-%d}"
    if row["bars"] > 1:
        days += f" to {row['end']:%Y-%m-%d}"
    part = row["market_part"]
    return look.cards(
        [
            (f"{row['symbol']}, {days}", f"{row['percent']:+.1%}"),
            ("size, in deviations", f"{row['size']:+.1f}"),
            ("bars", f"{row['bars']}"),
            ("scope", str(row["scope"])),
            ("of it the market's, by beta", "–" if part is None or part != part else f"{part:.0%}"),
        ]
    )


def _words(summary: str | None) -> str:
    if summary is None:
        return (
            '<p class="muted">This move has no page in this report: the largest and the newest have one '
            "(<code>pages</code> says how many).</p>"
        )
    return f"<p>{escape(summary)}</p>"
