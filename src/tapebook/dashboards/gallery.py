"""The gallery: a card for each published name, made by the server, so that it needs no kernel."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tapebook.dashboards import look, schedules
from tapebook.dashboards.schedules import Board
from tapebook.dashboards.visible import Item, Visible
from tapebook.runs.files import read_json
from tapebook.runs.page_summary import SUMMARY, summarise
from tapebook.runs.publish import PAGES

SHOWN = 200
"""Runs that the owner's gallery lists beside what is published."""
LIVE = {
    "backtest": "strategy", "portfolio": "strategy", "sweep": "sweep", "walk_forward": "walk-forward",
    "forward_test": "forward", "correlations": "correlation", "moves": "moves",
}  # fmt: skip
"""The interactive page of each template's runs; of any other it is `run`."""


class Summaries:
    """Summaries of runs, read once for each state that a run's page is in."""

    def __init__(self, reports: Path) -> None:
        self._reports = reports
        self._kept: dict[str, tuple[int, dict[str, Any]]] = {}

    def of(self, run: str) -> dict[str, Any]:
        """Return a run's summary; one that cannot be read says so in `why`."""
        folder = self._reports / run
        try:
            state = (folder / "manifest.json").stat().st_mtime_ns
        except OSError:
            return _broken(run, "this run is gone")
        if run not in self._kept or self._kept[run][0] != state:
            self._kept[run] = (state, _read(folder))
        return self._kept[run][1]


def _read(folder: Path) -> dict[str, Any]:
    try:
        said = read_json(folder / SUMMARY) or summarise(folder)
    except Exception as error:  # whatever a broken record is made of, the gallery shows the others
        return _broken(folder.name, f"its record cannot be read: {error}")
    return said if isinstance(said.get("headline"), list) else _broken(folder.name, "its summary is broken")


def _broken(run: str, why: str) -> dict[str, Any]:
    return {"run": run, "title": run, "outcome": "unreadable", "why": why, "headline": [], "picture": ""}


def page(visible: Visible, summaries: Summaries, asked: str = "", board: Board | None = None) -> str:
    """Return the gallery as HTML: what is published, and for the owner every run as well."""
    board = board or Board(visible)
    items = [item for item in visible.items() if item.listed]
    others = _others(visible, summaries) if visible.everything else []
    stale = visible.stale([*(item.runs[0] for item in items if item.runs), *others])
    cards = [_card(item, summaries, board, stale) for item in items]
    cards += [_run_card(run, summaries, stale) for run in others]
    note = ""
    if visible.everything:
        note = "All runs of this desk are shown, because this server was started with <code>--all</code>."
        if not cards:
            note = "No reports yet. Run one with <code>tapebook run backtest -p symbols=AAPL</code>."
    elif not cards:
        note = "Nothing is published yet: <code>tapebook publish RUN --as NAME</code> does it."
    words = asked.lower().split()
    for card in cards:  # those that are not asked for are there, for when the reader asks for others
        card["hidden"] = not all(word in card["words"] for word in words)
    count = sum(not card["hidden"] for card in cards)
    said = {"cards": cards, "count": count, "asked": asked, "note": note}
    said["schedules"] = schedules.strip(board)
    return render("gallery.html.j2", title="Reports", **said)


def _others(visible: Visible, summaries: Summaries) -> list[str]:
    """The newest runs that no name shows."""
    named = {item.runs[0] for item in visible.items() if item.runs}
    runs = [p.parent.name for p in visible.config.reports.glob("*/manifest.json")]
    runs = [run for run in runs if visible.may(run)]  # a colleague's deletion leaves our copy
    runs.sort(key=lambda run: (str(summaries.of(run).get("started")), run), reverse=True)
    return [run for run in runs[:SHOWN] if run not in named]


def _card(item: Item, summaries: Summaries, board: Board, stale: dict[str, str]) -> dict[str, Any]:
    said = item.publication
    if item.page:
        summary: dict[str, Any] = {"title": item.page.replace("-", " "), "headline": [], "picture": ""}
        summary["about"] = PAGES[item.page]
    elif item.runs:
        summary = summaries.of(item.runs[0])
    else:
        summary = _broken(said.name, f"it waits for the {said.shows}") | {"outcome": "nothing to show yet"}
    return _made(
        summary | {"title": said.title or summary["title"]},
        address=f"/{item.name}",
        description=said.description or "",
        pinned=said.pinned,
        earlier=max(len(item.runs) - 1, 0),
        late=said.late_hours,
        stale=stale.get(item.runs[0], "") if item.runs else "",
        plan=schedules.line(board.of(said.source.get("schedule"))),
        live="" if item.page or not item.runs else live_address(summary, item.name),
    )


def _run_card(run: str, summaries: Summaries, stale: dict[str, str]) -> dict[str, Any]:
    summary, address = summaries.of(run), f"/run/{quote(run)}"
    return _made(summary, address=address, live=live_address(summary), stale=stale.get(run, ""))


def _made(summary: dict[str, Any], **more: Any) -> dict[str, Any]:
    symbols = summary.get("symbols") or ""
    about = " · ".join(
        str(part)[:80]
        for part in (summary.get("about"), summary.get("template"), summary.get("strategy"), symbols)
        if part and not isinstance(part, (list, dict))
    )
    outcome = summary.get("outcome")
    why = (
        ""
        if outcome in ("succeeded", None)
        else f"{str(outcome).replace('_', ' ')}: {summary.get('why') or ''}"
    )
    card = {
        "title": str(summary["title"]),
        "about": about,
        "why": why.strip(": "),
        "picture": str(summary.get("picture") or ""),
        "numbers": [tuple(map(str, pair)) for pair in summary["headline"][:4] if len(pair) == 2],
        "verdict": look.verdict(str(summary.get("verdict") or "")),
        "fresh": freshness(summary, more.get("late")),
        **more,
    }
    told: Iterable[Any] = (
        more.get("address"),
        card["title"],
        more.get("description"),
        about,
        why,
        summary.get("verdict"),
    )
    return card | {"words": " ".join(str(t) for t in told if t).lower()}


def live_address(summary: dict[str, Any], name: str | None = None) -> str:
    """Return the address of the interactive page of a run; of a published name it shows the latest."""
    kind = LIVE.get(str(summary.get("template")), "run")
    return f"/live/{kind}?" + (f"name={quote(name)}" if name else f"run={quote(str(summary['run']))}")


def freshness(summary: dict[str, Any], late: float | None = None) -> str:
    """Write how old the data and the run are, as HTML; the page's script turns the time into an age."""
    parts = [f"data to {escape(str(summary['data_to']))}"] if summary.get("data_to") else []
    finished = summary.get("finished")
    if finished:
        limit = f' data-late="{late:g}"' if late else ""
        shown = escape(str(finished)[:16].replace("T", " "))
        parts.append(f'run <time datetime="{escape(str(finished))}" data-age{limit}>{shown} UTC</time>')
    return ", ".join(parts)


def render(name: str, **said: Any) -> str:
    """Render one of the site's templates."""
    from tapebook.dashboards.assets import address

    text: str = _templates().get_template(name).render(css=address("site.css"), js=address("site.js"), **said)
    return text


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
