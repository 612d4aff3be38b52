"""Schedules on the dashboards: when each is next due, what came of it last, and which are late."""

from __future__ import annotations

import re
import threading
import time
import traceback
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from tapebook.dashboards import look
from tapebook.dashboards.apology import note

if TYPE_CHECKING:
    from tapebook.dashboards.visible import Visible
    from tapebook.runs.schedule_state import State

SECONDS = 10.0
"""How long an answer of the catalogue is believed."""
SIGNS = {"on time": ("✓", ""), "paused": ("–", "warn")} | dict.fromkeys(
    ("late", "stale", "failed"), ("✗", "bad")
)
HEADS = ("Schedule", "State", "Next", "Last run", "Runs")


@dataclass
class Board:
    """The schedules that a server shows: all to the owner, to others those that a listed name shows."""

    visible: Visible
    _states: list[State] = field(default_factory=list)
    _asked: float = float("-inf")
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self) -> None:
        """Ask the catalogue now. What goes wrong is in the log; what was known stays."""
        from tapebook.data.catalog import Catalog
        from tapebook.runs.schedule_state import states

        try:
            with closing(Catalog.open(self.visible.config)) as catalog:
                self._states = states(catalog)
        except Exception:  # the reports are shown without it
            note(traceback.format_exc())
        self._asked = time.monotonic()

    def shown(self) -> list[tuple[State, str]]:
        """Schedules with the published name that shows each ("" for none); never waits for the catalogue."""
        if time.monotonic() - self._asked > SECONDS and self._asking.acquire(blocking=False):
            threading.Thread(target=self._again, daemon=True, name="schedules").start()
        named = {
            str(item.publication.source["schedule"]): item.name
            for item in self.visible.items()
            if item.listed and "schedule" in item.publication.source
        }
        return [
            (state, named.get(state.name, ""))
            for state in self._states
            if self.visible.everything or state.name in named
        ]

    def of(self, schedule: str | None) -> State | None:
        """How one schedule stands; None if there is none."""
        return next((state for state in self._states if state.name == schedule), None)

    def _again(self) -> None:
        try:
            self.refresh()
        finally:
            self._asking.release()


def strip(board: Board) -> str:
    """Write how many schedules stand how, as HTML; "" where none is shown."""
    found = Counter(standing(state) for state, _ in board.shown())
    if not found:
        return ""
    first = sorted(found, key=lambda word: (word != "late", word))
    counts = " · ".join(badge(word, f"{found[word]} {word}") for word in first)
    return f'<p><a href="/schedules">Schedules</a>: {counts}</p>'


def standing(state: State) -> str:
    """The word for a schedule: late before all others, failed where its last run did."""
    if state.late and state.state != "stale":
        return "late"
    bad = state.state == "on time" and state.outcome not in ("", "succeeded")
    return "failed" if bad else state.state


def badge(word: str, said: str = "") -> str:
    """Write a state with its sign; colour is not alone in telling."""
    sign, kind = SIGNS.get(word, ("…", "warn"))
    return f'<span class="outcome {kind}">{sign} {escape(said or word)}</span>'


def line(state: State | None) -> str:
    """Write on a card how its schedule stands, as HTML; "" without one."""
    if state is None:
        return ""
    parts = [badge(standing(state), f"schedule {standing(state)}")]
    if state.next is not None:
        parts.append(f"next {moment(state.next)}")
    told = f"<br>{_words(state.late or state.why)}" if state.late or state.outcome != "succeeded" else ""
    return ", ".join(parts) + told


def _words(text: str) -> str:
    """Write words in which a command stands between backticks, as HTML."""
    return re.sub("`(.*?)`", r"<code>\1</code>", escape(text))


def moment(when: datetime) -> str:
    """Write a time; the page's script says how far off it is."""
    return f'<time datetime="{when.isoformat()}" data-off>{when:%Y-%m-%d %H:%M} UTC</time>'


def page(board: Board) -> str:
    """Return the table of schedules as HTML, late ones first."""
    shown = sorted(board.shown(), key=lambda row: (not row[0].late, row[0].name))
    if not shown:
        return "<p>There is none: <code>tapebook schedule add NAME TEMPLATE --cron …</code> makes one.</p>"
    rows = [_row(state, name, board.visible) for state, name in shown]
    return f'<div class="tb-table">{look.table(HEADS, rows)}</div>'


def _row(state: State, name: str, visible: Visible) -> tuple[str, ...]:
    title = f'<a href="/{quote(name)}">{escape(state.name)}</a>' if name else escape(state.name)
    told = f'<br><span class="bad">{_words(state.late)}</span>' if state.late else ""
    if state.state == "waiting" and state.due is not None:
        told += f"<br>for the data of {state.due:%Y-%m-%d}"
    following = moment(state.next) if state.next else "–"
    last = "–"
    if state.last is not None:
        last = f"{look.outcome(state.outcome)} {moment(state.last)}"
        last += f"<br>{escape(state.why)}" if state.why else ""
        if state.run and visible.may(state.run):
            last += f'<br><a href="/run/{quote(state.run)}">its report</a>'
    return (
        f"<b>{title}</b><br>{escape(state.template)}",
        f"{badge(standing(state))}{told}",
        following,
        last,
        escape(state.when),
    )
